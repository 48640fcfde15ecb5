"""Histories on a loop whose time is virtual, over a simulator without sockets."""

from __future__ import annotations

import asyncio
import random
import selectors
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from many_support import Direct
from support.clock import START, ago
from support.leftovers import client_tasks, open_generators

from qoder_async import QoderError
from qoder_async._http.clock import Clock
from qoder_async.simulator import ManualClock, Simulator
from qoder_async.simulator.instants import parse_instant, to_datetime

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator

    from qoder_async import DeploymentRun
    from qoder_async.history import RunHistory
    from qoder_async.simulator import RecordedRequest

ROUND = 0.05
"""Seconds that an answer takes where it takes any time."""
SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)
_NONE = timedelta()


class _Jumps(selectors.DefaultSelector):
    """Lets time jump to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits for something that never comes"
        if not ready and timeout:
            self.time += timeout
        return ready


def warped(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run something in virtual time; nothing of the library may be left over."""
    jumps = _Jumps()
    loop = asyncio.SelectorEventLoop(jumps)
    loop.set_debug(False)  # which makes many small turns twice as slow
    loop.time = lambda: jumps.time  # type: ignore[method-assign]

    async def alone() -> Any:
        result = await coroutine
        await asyncio.sleep(0)
        assert client_tasks() == []
        assert open_generators() == []
        return result

    try:
        return loop.run_until_complete(alone())
    finally:
        loop.close()


class _LoopClock(Clock):
    """The time of the loop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.now())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _stretches(runs: list[tuple[datetime, float]]) -> Iterator[tuple[datetime, float, float, int]]:
    """Runs by when they were triggered, and how late their records are: what is evenly spaced is added in one go."""
    first = 0
    while first < len(runs):
        (newest, lateness), after = runs[first], first + 1
        spacing = max(newest - runs[after][0], _NONE) if after < len(runs) else _NONE
        while after < len(runs) and runs[after] == (runs[after - 1][0] - spacing, lateness):
            after += 1
        yield newest, spacing.total_seconds(), lateness, after - first
        first = after


class Service(Direct):
    """One deployment's service.

    Args:
        times: When its runs were triggered.
        shape: The shape of the service.
        late: Seconds by which records are made after their trigger, or the same for each run by its place.
        made: When the deployment is said to have been made.
        latency: Seconds that each answer takes.
        before: Is told of each request before it is answered, and may change the world, wait, or raise.
        settings: What the simulator takes.
    """

    def __init__(
        self,
        times: Iterable[datetime] = (),
        shape: Any = "extended",
        *,
        late: float | Callable[[int], float] = 0.0,
        made: datetime | None = None,
        latency: float = 0.0,
        before: Callable[[RecordedRequest], Awaitable[None]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(Simulator(shape=shape, clock=ManualClock(START), **settings), self._answering)
        self.clock = _LoopClock()  # type: ignore[assignment]
        self.dep = self.sim.add_deployment(created_at=made or START - timedelta(days=400))
        runs = [(time, late(place) if callable(late) else late) for place, time in enumerate(times)]
        for newest, spacing, lateness, count in _stretches(runs):
            self.sim.add_runs(self.dep, count, newest=newest, spacing=spacing, created_after=lateness)
        self.latency = latency
        self.asked: list[dict[str, str]] = []
        """What each request for a page asked for."""
        self._then = before

    async def _answering(self, request: RecordedRequest) -> None:
        if request.path.endswith("/runs"):
            self.asked.append(dict(request.query))
        if self.latency:
            await asyncio.sleep(self.latency)
        if self._then is not None:
            await self._then(request)

    @property
    def ids(self) -> list[str]:
        """The runs as the plain list gives them, the newest first."""
        numbers = self.sim._world.deployment(self.dep).runs.numbers()  # type: ignore[union-attr]
        return [self.sim._world.mint.make("drun", number) for number in reversed(numbers)]

    def history(self, **settings: Any) -> RunHistory:
        """Begin nothing yet."""
        return self.runs.history(self.dep, **settings)

    async def walked(self, **settings: Any) -> list[str]:
        """Take everything."""
        async with self.history(**settings) as history:
            return [run.id async for run in history]

    async def broken(self, **settings: Any) -> tuple[list[str], QoderError]:
        """Take everything until it breaks."""
        found = []
        async with self.history(**settings) as history:
            try:
                async for run in history:
                    found.append(run.id)  # noqa: PERF401  what came before counts
            except QoderError as error:
                return found, error
        raise AssertionError("it did not break")

    async def listed(self, **settings: Any) -> list[str]:
        """The plain list."""
        return [run.id async for run in self.runs.list(self.dep, **settings)]


def ids_of(runs: Iterable[DeploymentRun]) -> list[str]:
    """Their ids."""
    return [run.id for run in runs]


def whole(moment: datetime) -> datetime:
    """Its second."""
    return moment.replace(microsecond=0)


BOUNDS: dict[str, tuple[Callable[[datetime], datetime] | None, Callable[[datetime], datetime] | None]] = {
    "exclusive after": (lambda after: after + _TICK, lambda before: before),
    "inclusive before": (lambda after: after, lambda before: before + _TICK),
    "whole seconds": (whole, whole),
    "whole seconds, exclusive after": (lambda after: whole(after) + SECOND, whole),
    "whole seconds, inclusive before": (whole, lambda before: whole(before) + SECOND),
    "neither": (None, None),
    "only before": (None, lambda before: before),
    "only after": (lambda after: after, None),
}
"""How a service may read bounds: the half-open ones that mean the same, ``None`` where one is not heeded."""


def reads_bounds(as_: str) -> Callable[[RecordedRequest], Awaitable[None]]:
    """For ``before=``: a service that reads bounds in another way."""
    after, before = BOUNDS[as_]

    async def change(request: RecordedRequest) -> None:
        query: Any = request.query
        for name, read in (("triggered_after", after), ("triggered_before", before)):
            if (text := query.pop(name, None)) is not None and read is not None:
                moment = read(to_datetime(parse_instant(text)))  # type: ignore[arg-type]
                query[name] = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

    return change


def even(count: int = 2000, spacing: float = 60.0) -> list[datetime]:
    """The times of runs that are equally far from each other."""
    return [ago(spacing * number) for number in range(count)]


def poisson(count: int = 2000, spacing: float = 60.0) -> list[datetime]:
    """The times of runs that come by chance."""
    rng, age = random.Random(1), 0.0
    return [ago(age := age + rng.expovariate(1 / spacing)) for _ in range(count)]


def office_hours(days: int = 100, a_day: int = 20) -> list[datetime]:
    """The times of runs that come in eight hours of each day."""
    rng = random.Random(2)
    return [ago(86400 * day + rng.random() * 8 * 3600) for day in range(days) for _ in range(a_day)]
