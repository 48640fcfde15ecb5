"""A client and a simulator on virtual time, and what the tests of waiting know of both."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
from support.leftovers import client_tasks
from support.virtual_time import VirtualTime

from qoder_async import APIConnectionError, AsyncQoder, ResponseDecodeError, RetryPolicy, ServerError
from qoder_async.following.cadence import next_wait
from qoder_async.options import Poll
from qoder_async.simulator import Simulator
from qoder_async.simulator.instants import to_us
from qoder_async.simulator.run_table import Outcome

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Iterable

    from qoder_async.following.finished import FinishedRun
    from qoder_async.simulator import Fault

SHAPES = ("extended", "lean")
ONCE = RetryPolicy(attempts=1)
ALWAYS = float("inf")

RUN = "GET /deployment_runs/{run_id}"
ALL_RUNS = "GET /deployment_runs"
RUNS = "GET /deployments/{id}/runs"
SESSION = "GET /sessions/{id}"
SESSIONS = "GET /sessions"
EVENTS = "GET /sessions/{id}/events"
TRIGGER = "POST /deployments/{id}/run"

PASSING = {
    "reset": ("reset", {}, APIConnectionError),
    "500": ("status", {"status": 500}, ServerError),
    "503": ("status", {"status": 503, "retry_after": 3}, ServerError),
    "truncated": ("truncate", {}, APIConnectionError),
    "cut in chunks": ("truncate", {"chunked": True}, APIConnectionError),
    "reset in the body": ("reset", {"after_body_bytes": 20}, APIConnectionError),
    "HTML": ("garbage", {"html": True}, ResponseDecodeError),
    "empty": ("garbage", {"empty": True}, ResponseDecodeError),
    "half of JSON": ("garbage", {}, ResponseDecodeError),
    "another object": ("garbage", {"body": "{}"}, ResponseDecodeError),
}
"""Faults that pass: the kind, its details, and the error that a read becomes."""

_STATES = {
    Outcome.COMPLETED: ("completed", "completed"),
    Outcome.STOPPED: ("completed", "stopped"),
    Outcome.FAILED: ("failed", "failed"),
    Outcome.TIMED_OUT: ("failed", "failed"),
    Outcome.CANCELLED: ("failed", "stopped"),
    Outcome.NO_SESSION: ("failed", "failed"),
    Outcome.SKIPPED: ("skipped", "failed"),
}
"""How a run ends in the extended shape, and what can be known of it in the lean one."""


@attrs.frozen
class Stage:
    """A service, a client of it, and the time of both."""

    time: VirtualTime
    sim: Simulator
    qoder: AsyncQoder
    _slots: int

    @property
    def requests(self) -> int:
        """How many requests came so far."""
        return sum(self.sim.request_counts.values())

    @property
    def routes(self) -> list[str]:
        """What was asked for, in order."""
        return [request.route for request in self.sim.requests]

    @property
    def slots_taken(self) -> int:
        """How many connection slots are not back."""
        return self._slots - self.qoder._transport.connections.slots._value

    def forget(self) -> None:
        """Count requests from now on."""
        self.sim.requests.clear()

    async def run(self, *coroutines: Any) -> Any:
        """Run coroutines side by side in virtual time; the result of the first."""
        return (await self.time.run(*coroutines))[0]

    async def timed(self, coroutine: Any) -> tuple[Any, float]:
        """Await, and tell when it was over, in seconds since the beginning."""
        result = await coroutine
        return result, self.time.elapsed

    async def trigger(self, *, duration: float = 10.0, **settings: Any) -> Any:
        """Add a deployment, and trigger a run of it."""
        settings = {"run_duration": float(duration), "timeout": 1e6, "start_delay": None} | settings
        return await self.qoder.deployments.run(self.sim.add_deployment(**settings))

    def truth(self, run_id: str) -> tuple[str, float]:
        """How a run ends in the world of the simulator, and when, in seconds since the beginning."""
        world = self.sim._world
        number = world.run(run_id)
        assert number is not None
        state = _STATES[Outcome(world.table.outcome[number])][self.sim.shape == "lean"]
        began = to_us(self.time._start)
        return state, (world.table.completed[number] - began) / 1e6

    def assert_true(self, finished: FinishedRun) -> None:
        """Check how a run is said to have ended."""
        assert str(finished.state) == self.truth(finished.run.id)[0], finished


@asynccontextmanager
async def stage(shape: str = "extended", *, sim: dict[str, Any] | None = None, **options: Any) -> AsyncGenerator[Stage]:
    """Open a service and a client on virtual time; nothing may be left over at the end."""
    time = VirtualTime(hangs_after=options.pop("hangs_after", None))
    settings = {"pace": None, "max_connections": 100} | options
    world = {"shape": shape, "clock": time.simulated, "keep_requests": 100_000} | (sim or {})
    async with (
        Simulator(**world) as served,
        AsyncQoder("pt-test", base_url=served.url, **settings) as qoder,
    ):
        opened = Stage(time, served, time.use(qoder), settings["max_connections"])
        yield opened
        assert (left := client_tasks()) == [], left
        assert (taken := opened.slots_taken) == 0, taken


def spoil(on: Stage, kind: str, **where: Any) -> Fault:
    """Set up a fault that passes, on reads only."""
    name, details, _ = PASSING[kind]
    return on.sim.faults.add(name, **{"route": "GET"} | where, **details)


async def of_one_deployment(on: Stage, count: int, *, shortest: float = 5.0, longest: float = 120.0) -> list[Any]:
    """Trigger runs of one deployment."""
    deployment = on.sim.add_deployment(run_duration=(shortest, longest), max_concurrent=count, timeout=1e6)
    return [await on.qoder.deployments.run(deployment) for _ in range(count)]


async def triggered(on: Stage, durations: Iterable[float]) -> list[Any]:
    """Trigger a run of each duration, each of a deployment of its own."""
    return [await on.trigger(duration=duration) for duration in durations]


async def collect(
    on: Stage, runs: Iterable[Any], **settings: Any
) -> tuple[list[tuple[FinishedRun, float]], dict[str, Exception]]:
    """Take all that end, with the time of each, and the failures."""
    async with on.qoder.runs.as_completed(runs, **settings) as ending:
        return await take(on, ending), dict(ending.failures)


_POLL = Poll()


def longest_delay(after: float, poll: Poll = _POLL) -> float:
    """The longest time from the end of a run to the next look, for a run that ends so long after the first look."""
    return next_wait(poll, after, 0.0) + 0.001


def most_looks(seconds: float, poll: Poll = _POLL) -> int:
    """How many looks fit in so much time, if all of them come as early as they may, and the one after it."""
    elapsed, looks = 0.0, 1
    while elapsed < seconds:
        # A look may be early by a tenth of its wait, to be made together with others.
        elapsed += next_wait(poll, elapsed, 1.0) * 0.9
        looks += 1
    return looks


async def take(on: Stage, ending: AsyncIterable[FinishedRun]) -> list[tuple[FinishedRun, float]]:
    """Take all that end, with the time of each."""
    return [(finished, on.time.elapsed) async for finished in ending]


async def held(task: asyncio.Task[Any]) -> None:
    """Wait for a task, and be cancelled with it."""
    await asyncio.wait({task})
    if task.cancelled():
        raise asyncio.CancelledError
