"""What the simulated service of a soak holds, and what happens in it."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import attrs

from qoder_async.simulator import Simulator

if TYPE_CHECKING:
    from qoder_async.simulator import Fault, FaultKind, Shape

_TICK = 0.05
"""Seconds between two looks at what is due."""
_KINDS = 8


@attrs.frozen(kw_only=True)
class World:
    """A service to soak in.

    Attributes:
        shape: The generation of the service.
        deployments: How many there are.
        history: How many ended runs each of them has.
        running: How many runs are at work at the start, in all; they end once they are told to begin.
        latency: Seconds of real time added to every answer.
        rate: How many runs begin each second, once told to.
        duration: Shortest and longest run, seconds.
        faults: The share of requests that something is done to.
        stalls: The share of requests that are never answered.
        seed: Decides what comes by chance.
    """

    shape: Shape = "extended"
    deployments: int = 1
    history: int = 0
    running: int = 0
    latency: float = 0.0
    rate: float = 0.0
    duration: tuple[float, float] = (1.0, 10.0)
    faults: float = 0.0
    stalls: float = 0.0
    seed: int = 1


class Life:
    """A world in which runs begin and end by themselves, and what became of each: the truth to compare with.

    Args:
        world: What there is.
    """

    def __init__(self, world: World) -> None:
        self.sim = Simulator(shape=world.shape, seed=world.seed, latency=world.latency, keep_requests=1)
        self.deployments = [self.sim.add_deployment(max_concurrent=1000) for _ in range(world.deployments)]
        self.endings: dict[str, Literal["completed", "failed"]] = {}
        self.struck: Counter[str] = Counter()
        self._faults: list[Fault] = []
        self._world = world
        self._chance = random.Random(world.seed)
        self._at_work: list[tuple[float, str]] = []
        self._task: asyncio.Task[None] | None = None
        for number, deployment in enumerate(self.deployments):
            self.sim.add_runs(deployment, world.history, spacing=60.0, render=True)
            share = len(range(number, world.running, world.deployments))
            for run in self.sim.add_runs(deployment, share, state="running", spacing=0.01):
                self._plan(run, 0.0)

    @property
    def runs(self) -> list[str]:
        """The runs that began here, ended or not."""
        return [*self.endings, *(run for _, run in self._at_work)]

    def begin(self) -> None:
        """Let runs begin and end from now on, and faults strike."""
        self._add_faults()
        now = asyncio.get_running_loop().time()
        self._at_work = [(now + due, run) for due, run in self._at_work]
        self._task = asyncio.create_task(self._live())

    async def finish(self) -> None:
        """End the faults, then all runs."""
        self.sim.faults.clear()
        for fault in self._faults:
            self.struck[fault.kind] += fault.hits
        self._faults.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._end_until(float("inf"))

    def _add_faults(self) -> None:
        share = self._world.faults / _KINDS

        def add(kind: FaultKind, *, share: float = share, **details: Any) -> None:
            self._faults.append(self.sim.faults.add(kind, share=share, **details))

        if share:
            add("status", status=500)
            add("status", status=503)
            add("reset")
            add("reset", after_body_bytes=40)
            add("truncate")
            add("garbage", html=True)
            add("delay", seconds=0.3)
            add("rate_limit", retry_after=0.5)
        if self._world.stalls:
            add("stall", share=self._world.stalls)

    async def _live(self) -> None:
        clock = asyncio.get_running_loop().time
        began, begun = clock(), 0
        while True:
            now = clock()
            while begun < (now - began) * self._world.rate:
                deployment = self._chance.choice(self.deployments)
                self._plan(self.sim.insert_run(deployment, state="running", trigger="schedule"), now)
                begun += 1
            self._end_until(now)
            await asyncio.sleep(_TICK)

    def _plan(self, run: str, now: float) -> None:
        heapq.heappush(self._at_work, (now + self._chance.uniform(*self._world.duration), run))

    def _end_until(self, now: float) -> None:
        while self._at_work and self._at_work[0][0] <= now:
            _, run = heapq.heappop(self._at_work)
            ending: Literal["completed", "failed"] = "failed" if self._chance.random() < 0.2 else "completed"
            self.sim.set_run(run, status=ending)
            self.endings[run] = ending
