"""A service and a client on virtual time, and what walks over many deployments must bring."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import attrs
import pytest
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict
from support.clock import FakeClock
from support.leftovers import client_tasks
from support.virtual_time import VirtualTime

from qoder_async import AsyncQoder, RetryPolicy
from qoder_async._http.exchange import Answer
from qoder_async._http.outcome import Failure, read_answer
from qoder_async._http.per_loop import PerLoop
from qoder_async._http.traits import Traits
from qoder_async._wire.headers import Redacted
from qoder_async.following.tracker import Tracker
from qoder_async.resources import Deployments, Runs
from qoder_async.simulator import RecordedRequest, Simulator
from qoder_async.simulator.routing import find_route

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from qoder_async import DeploymentRun, QoderError
    from qoder_async.fanout import FanOut, FanOutProgress

SHAPES = ("extended", "lean")
BOTH = pytest.mark.parametrize("shape", SHAPES)
ORDERS = pytest.mark.parametrize("order", ["arrival", "newest"])
ALWAYS = float("inf")
ONCE = RetryPolicy(attempts=1)

RUNS = "GET /deployments/{id}/runs"
DEPLOYMENTS = "GET /deployments"

PASSING = {
    "reset": ("reset", {}),
    "500": ("status", {"status": 500}),
    "503": ("status", {"status": 503, "retry_after": 3}),
    "truncated": ("truncate", {}),
    "cut in chunks": ("truncate", {"chunked": True}),
    "reset in the body": ("reset", {"after_body_bytes": 20}),
    "HTML": ("garbage", {"html": True}),
    "empty": ("garbage", {"empty": True}),
    "half of JSON": ("garbage", {}),
}
"""Faults that pass: the kind and its details."""


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

    def count(self, route: str) -> int:
        """How many requests came for a route."""
        return self.sim.request_counts[route]

    @property
    def slots_taken(self) -> int:
        """How many connection slots are not back."""
        return self._slots - self.qoder._transport.connections.slots._value

    def asked(self, deployment_id: str) -> int:
        """How many pages of a deployment were asked for."""
        return sum(request.path.split("/")[2:3] == [deployment_id] for request in self.sim.requests.of(RUNS))

    async def run(self, *coroutines: Any) -> Any:
        """Run coroutines side by side in virtual time; the result of the first."""
        return (await self.time.run(*coroutines))[0]

    def walk(self, deployments: Any, **settings: Any) -> FanOut:
        """Begin nothing yet."""
        return self.qoder.runs.fan_out(deployments, **settings)


@asynccontextmanager
async def stage(shape: str = "extended", *, sim: dict[str, Any] | None = None, **options: Any) -> AsyncGenerator[Stage]:
    """Open a service and a client on virtual time; nothing may be left over at the end."""
    time = VirtualTime(hangs_after=options.pop("hangs_after", None))
    settings = {"pace": None, "max_connections": 100} | options
    world = {"shape": shape, "clock": time.simulated, "keep_requests": 100_000} | (sim or {})
    async with (
        Simulator(**world) as served,
        AsyncQoder(settings.pop("token", "pt-test"), base_url=served.url, **settings) as qoder,
    ):
        opened = Stage(time, served, time.use(qoder), settings["max_connections"])
        yield opened
        await asyncio.sleep(0)
        assert (left := client_tasks()) == [], left
        assert (taken := opened.slots_taken) == 0, taken


@attrs.frozen
class Walked:
    """What a walk has brought."""

    runs: list[DeploymentRun]
    failures: dict[str, QoderError]
    progress: FanOutProgress

    @property
    def ids(self) -> list[str]:
        """The ids of the runs, in order."""
        return [run.id for run in self.runs]


async def gather(walk: FanOut, each: Callable[[FanOut], None] | None = None) -> Walked:
    """Take everything."""
    runs = []
    async with walk:
        async for run in walk:
            runs.append(run)
            if each is not None:
                each(walk)
    return Walked(runs, dict(walk.failures), walk.progress)


async def walked(on: Stage, deployments: Any, **settings: Any) -> Walked:
    """Walk to the end in virtual time."""
    return await on.run(gather(on.walk(deployments, **settings)))


async def broken(walk: FanOut) -> tuple[list[DeploymentRun], BaseException | None]:
    """Take everything until something is raised."""
    runs: list[DeploymentRun] = []
    async with walk:
        try:
            async for run in walk:
                runs.append(run)  # noqa: PERF401  what came before an error counts
        except Exception as error:  # noqa: BLE001  it is what the test is about
            return runs, error
    return runs, None


def assert_each_once(on: Stage, found: Iterable[str], deployments: Iterable[str] | None = None) -> None:
    """Check that every run of these deployments, by default of all, is among the ids, and each once."""
    wanted = on.sim.deployment_ids() if deployments is None else deployments
    assert_same(found, [run_id for deployment_id in wanted for run_id in on.sim.run_ids(deployment_id)])


def assert_same(found: Iterable[str], expected: Iterable[str]) -> None:
    """Check that the same ids are in both, each as often."""
    found, expected = Counter(found), Counter(expected)
    missing, surplus = expected - found, found - expected
    assert (sum(missing.values()), sum(surplus.values())) == (0, 0), f"missing {missing}, too many {surplus}"


def time_of(run: DeploymentRun) -> Any:
    """By what the newest ones are found."""
    return run.triggered_at or run.created_at


def assert_newest_first(runs: list[DeploymentRun]) -> None:
    """Check the order."""
    for place, (one, next_one) in enumerate(pairwise(runs)):
        assert time_of(one) >= time_of(next_one), (place, one, next_one)


def add(on: Stage, *counts: int, **settings: Any) -> list[str]:
    """Add deployments with so many runs each."""
    made = []
    for count in counts:
        made.append(on.sim.add_deployment())
        on.sim.add_runs(made[-1], count, **settings)
    return made


async def assert_nothing_goes_on(on: Stage) -> None:
    """Check that no task is left, no slot is taken, no request follows, and the client still works."""
    await asyncio.sleep(0)
    assert client_tasks() == []
    assert on.slots_taken == 0
    requests = on.requests
    await on.time.advance(600)
    assert on.requests == requests
    await on.qoder.deployments.list(max_items=1).collect()


class Direct:
    """Sends calls to a simulator without a socket: what happens is the same however fast the machine is.

    Args:
        sim: The simulator, which need not be started.
        before: Is told of each request before it is answered, and may change the world, wait, or raise.
    """

    def __init__(self, sim: Simulator, before: Callable[[RecordedRequest], Awaitable[None]] | None = None) -> None:
        self.sim = sim
        self.traits = Traits()
        self.clock = FakeClock()
        self.requests: list[RecordedRequest] = []
        self.at_once = 0
        self.most_at_once = 0
        self._before = before
        trackers = PerLoop(lambda: Tracker(self))  # type: ignore[arg-type]
        self.runs = Runs(self, trackers)  # type: ignore[arg-type]
        self.deployments = Deployments(self, trackers)  # type: ignore[arg-type]

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def send(self, call: Any) -> Any:
        """Answer a call at once, or after what ``before`` waits for."""
        if call.on_sent is not None:
            call.on_sent()
        request = _recorded(call)
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            if self._before is not None:
                await self._before(request)
            answer = self.sim._gateway._service.answer(request, f"req_{len(self.requests)}")
        finally:
            self.at_once -= 1
        headers = CIMultiDictProxy(CIMultiDict(answer.headers))
        token = Redacted("pt-x")
        outcome = read_answer(call, Answer(answer.status, headers, answer.body, token), now=self.clock.wall())
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome


def _recorded(call: Any) -> RecordedRequest:
    return RecordedRequest(
        method=call.method,
        path=call.path,
        query=MultiDict(parse_qsl(call.query, keep_blank_values=True)),
        headers=CIMultiDictProxy(CIMultiDict({"Authorization": "Bearer pt-x"})),
        body=b"",
        route=find_route(call.method, call.path),
        at=monotonic(),
        peer="",
    )


async def turned(task: asyncio.Task[Any], turns: int) -> None:
    """Let the loop turn so often, or until a task has ended."""
    for _ in range(turns):
        if task.done():
            return
        await asyncio.sleep(0)
