"""Very many requests over few connections, half of them cancelled at random: every connection must come back."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import attrs

from benchmarks.lateness import watched
from qoder_async import AsyncQoder

from .findings import findings
from .record import Record
from .service import serving
from .vitals import look, look_again
from .world import World

if TYPE_CHECKING:
    from qoder_async.simulator import Shape

    from .findings import Findings
    from .service import Service

_LATENCY = 0.02
_CROWD = 4
"""Requests under way for each connection: so that cancellation also strikes who waits for one."""
_CLEAN_ROUNDS = 30
_FEW_CLEAN_ROUNDS = 6
_FEW = 1000
"""Calls below which few rounds of clean calls must do."""
_SLOWER = 1.6
"""A connection that is lost makes ten at once take two latencies and not one."""

_Ask = Callable[[AsyncQoder], Awaitable[object]]


@attrs.frozen(kw_only=True)
class Plan:
    """How much of it.

    Attributes:
        requests: How many calls.
        connections: How many connections the client may use.
        shape: The generation of the service.
        seed: Decides what comes by chance.
    """

    requests: int = 20_000
    connections: int = 10
    shape: Shape = "extended"
    seed: int = 1


class _Storm:
    """Calls, half of them cancelled: how each came out.

    Args:
        plan: How many.
        asks: The calls to choose from.
    """

    def __init__(self, plan: Plan, asks: dict[str, _Ask]) -> None:
        self.came_out: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self._plan = plan
        self._asks = asks
        self._chance = random.Random(plan.seed)
        self._left = plan.requests
        self._usual = _LATENCY * _CROWD

    async def rage(self, qoder: AsyncQoder) -> None:
        """Call until all calls are made."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.connections * _CROWD):
                group.create_task(self._work(qoder))

    async def _work(self, qoder: AsyncQoder) -> None:
        while self._left > 0:
            # What ends before it is cancelled is made up for: in the end half of all are cancelled.
            to_cancel = self._plan.requests / 2 - self.came_out["cancelled"]
            doomed = self._chance.random() < to_cancel / self._left
            self._left -= 1
            (name,) = self._chance.choices(list(self._asks), weights=[6, 2, 1, 1])
            self.asked[name] += 1
            self.came_out[await self._one(qoder, self._asks[name], doomed=doomed)] += 1

    async def _one(self, qoder: AsyncQoder, ask: _Ask, *, doomed: bool) -> str:
        began = perf_counter()
        task = asyncio.ensure_future(ask(qoder))
        if doomed:
            await asyncio.wait([task], timeout=self._chance.uniform(0, self._usual))
            task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            return "cancelled"
        if (error := task.exception()) is not None:
            return f"{type(error).__name__}: {error}"
        if not doomed:
            self._usual += (perf_counter() - began - self._usual) / 100
        return "answered"


def soak(plan: Plan) -> Findings:
    """Make all calls against a service of its own."""
    with serving(World(deployments=10, history=100, latency=_LATENCY, shape=plan.shape, seed=plan.seed)) as service:
        return asyncio.run(_soak(plan, service))


async def _soak(plan: Plan, service: Service) -> Findings:
    attempts = 0

    def count(_attempt: object) -> None:
        nonlocal attempts
        attempts += 1

    def client() -> AsyncQoder:
        return AsyncQoder(
            "pt-soak", base_url=service.url, pace=None, max_connections=plan.connections, on_attempt=count
        )

    async with client() as qoder:  # what is imported and cached on first use is there at the start
        asks = await _asks(qoder, service)
        await _clean(qoder, asks["runs.get"], plan)
    attempts = 0
    start = await look()
    storm, record = _Storm(plan, asks), Record(every=max(0.1, min(1.0, plan.requests / 20_000)))
    async with client() as qoder:
        before = await _clean(qoder, asks["runs.get"], plan)
        began = perf_counter()
        await watched(storm.rage(qoder), record.keep())
        seconds = perf_counter() - began
        after = await _clean(qoder, asks["runs.get"], plan)
    end = await look_again(start, attempts)
    triggers = (await service.ask("report"))["requests"].get("POST /deployments/{id}/run", 0)
    facts = {
        "seconds": round(seconds, 1),
        "asked": dict(storm.asked),
        "came_out": dict(storm.came_out),
        "triggers_that_reached_the_service": triggers,
        "clean_round_before_ms": round(before * 1000, 1),
        "clean_round_after_ms": round(after * 1000, 1),
    }
    about = f"{plan.requests:,} requests over {plan.connections} connections, half of them cancelled, {plan.shape}"
    return findings("cancelled", about, start, end, record, facts, _wrong(plan, storm, triggers, before, after))


async def _asks(qoder: AsyncQoder, service: Service) -> dict[str, _Ask]:
    deployment = service.deployments[0]
    run = (await qoder.runs.list(deployment).first_page()).items[0].id
    return {
        "runs.get": lambda qoder: qoder.runs.get(run, deployment_id=deployment),
        "runs.list": lambda qoder: qoder.runs.list(deployment).first_page(),
        "deployments.get": lambda qoder: qoder.deployments.get(deployment),
        "deployments.run": lambda qoder: qoder.deployments.run(service.deployments[-1]),
    }


async def _clean(qoder: AsyncQoder, ask: _Ask, plan: Plan) -> float:
    """Call as often at once as there are connections, again and again, and give the seconds of a good round."""
    times = []
    rounds = _FEW_CLEAN_ROUNDS if plan.requests < _FEW else _CLEAN_ROUNDS
    for _ in range(rounds):
        began = perf_counter()
        await asyncio.gather(*(ask(qoder) for _ in range(plan.connections)))
        times.append(perf_counter() - began)
    return median(sorted(times)[: rounds // 3])


def _wrong(plan: Plan, storm: _Storm, triggers: int, before: float, after: float) -> list[str]:
    wrong = [
        f"{number} calls came out as {what}"
        for what, number in storm.came_out.items()
        if what not in {"answered", "cancelled"}
    ]
    if storm.came_out.total() != plan.requests:
        wrong.append(f"{storm.came_out.total():,} calls came out of {plan.requests:,}")
    if storm.came_out["cancelled"] < plan.requests * 0.4:
        wrong.append(f"only {storm.came_out['cancelled']:,} calls were cancelled: this was no test")
    if triggers > storm.asked["deployments.run"]:
        wrong.append(f"{triggers:,} triggers were sent for {storm.asked['deployments.run']:,} calls")
    if after > before * _SLOWER:
        wrong.append(f"a round of clean calls takes {after * 1000:.0f} ms now, {before * 1000:.0f} ms before")
    return wrong
