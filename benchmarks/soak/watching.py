"""Watching many deployments for a long time while the service fails now and then: nothing missed, nothing twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from benchmarks.lateness import watched
from qoder_async import AsyncQoder, Poll

from .findings import findings
from .record import Record
from .service import serving
from .vitals import look, look_again
from .world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from qoder_async import RunChange
    from qoder_async._http.attempt import Attempt
    from qoder_async.simulator import Shape

    from .findings import Findings
    from .service import Service

_T = TypeVar("_T")

_WARM_UP = 3.0
_LONG = 60.0
"""From so many seconds on, requests are stalled too: each then costs the client its whole timeout."""


@attrs.frozen(kw_only=True)
class Plan:
    """How much of it.

    Attributes:
        seconds: How long it lasts.
        deployments: How many are watched.
        rate: How many runs begin each second.
        faults: The share of requests that something is done to.
        slowest_look: The longest wait between two looks, in seconds.
        patience: Seconds that the watch is given to tell the rest, once the service is well again.
        shape: The generation of the service.
        seed: Decides what comes by chance.
    """

    seconds: float = 1800.0
    deployments: int = 500
    rate: float = 5.0
    faults: float = 0.1
    slowest_look: float = 10.0
    patience: float = 120.0
    shape: Shape = "extended"
    seed: int = 1


class _Told:
    """What the watch has told."""

    def __init__(self) -> None:
        self.created: Counter[str] = Counter()
        self.finished: Counter[str] = Counter()
        self.endings: dict[str, str] = {}
        self.expected: frozenset[str] | None = None
        self.complete = asyncio.Event()

    def hear(self, change: RunChange) -> None:
        """Take one change."""
        if change.kind == "created":
            self.created[change.run.id] += 1
        if change.finished is not None:
            self.finished[change.run.id] += 1
            self.endings[change.run.id] = str(change.finished.state)
            self._look()

    def expect(self, runs: frozenset[str]) -> None:
        """Learn which runs there were in all."""
        self.expected = runs
        self._look()

    def _look(self) -> None:
        if self.expected is not None and len(self.finished) >= len(self.expected):
            self.complete.set()


class _Attempts:
    """Counts what was sent, and how it went."""

    def __init__(self) -> None:
        self.by_status: Counter[str] = Counter()

    def note(self, attempt: Attempt) -> None:
        """Take one attempt."""
        self.by_status["none" if attempt.status is None else str(attempt.status)] += 1


def soak(plan: Plan) -> Findings:
    """Watch a service of its own."""
    world = World(
        deployments=plan.deployments,
        history=2,
        rate=plan.rate,
        duration=(0.2, 0.8) if plan.seconds < _LONG else (1.0, 60.0),
        faults=plan.faults,
        stalls=0.0 if plan.seconds < _LONG else 0.001,
        shape=plan.shape,
        seed=plan.seed,
    )
    with serving(world) as service:
        return asyncio.run(_soak(plan, service))


async def _soak(plan: Plan, service: Service) -> Findings:
    attempts = _Attempts()
    client = AsyncQoder("pt-soak", base_url=service.url, on_attempt=attempts.note)
    poll = Poll(initial=min(0.5, plan.slowest_look), maximum=plan.slowest_look)
    await _warm_up(service, min(_WARM_UP, plan.seconds / 4))
    start = await look()
    told, record = _Told(), Record(every=max(0.1, min(5.0, plan.seconds / 50)))
    async with client as qoder, qoder.runs.watch(service.deployments, poll=poll) as changes:
        listener = asyncio.create_task(_listen(changes, told))
        await service.ask("begin")
        began = perf_counter()
        report, caught_up = await watched(_first(_work(plan, service, told), listener), record.keep())
        seconds = perf_counter() - began
        failures = dict(changes.failures)
        listener.cancel()
        await asyncio.wait([listener])
    end = await look_again(start, attempts.by_status.total())
    truth: dict[str, str] = report["endings"]
    facts = {
        "seconds": round(seconds, 1),
        "caught_up_after": None if caught_up is None else round(caught_up, 1),
        "runs": len(truth),
        "created_told": told.created.total(),
        "finished_told": told.finished.total(),
        "faults": report["faults"],
        "answers": dict(sorted(attempts.by_status.items())),
    }
    wrong = (
        []
        if caught_up is not None
        else [f"not all ends were told {plan.patience:.0f} s after the service was well again"]
    )
    wrong += [f"{run} was given up: {error}" for run, error in failures.items()]
    about = (
        f"{plan.deployments:,} deployments for {plan.seconds:g} s, {plan.faults:.0%} of answers spoilt, {plan.shape}"
    )
    return findings("watching", about, start, end, record, facts, wrong + _compare(told, truth))


async def _warm_up(service: Service, seconds: float) -> None:
    """Watch a moment with another client: what is imported and cached on first use is there at the start."""
    async with AsyncQoder("pt-soak", base_url=service.url) as qoder, qoder.runs.watch(service.deployments):
        await service.ask("report")
        await asyncio.sleep(seconds)


async def _listen(changes: object, told: _Told) -> None:
    async for change in changes:  # type: ignore[attr-defined]
        told.hear(change)


async def _first(work: Awaitable[_T], listener: asyncio.Task[None]) -> _T:
    """Await some work; whatever ends the watch before ends this, too."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task, listener], return_when=asyncio.FIRST_COMPLETED)
        if listener.done():
            listener.result()
            raise RuntimeError("the watch has ended by itself")
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _work(plan: Plan, service: Service, told: _Told) -> tuple[dict[str, Any], float | None]:
    """Let time pass; then let the service get well, and give its report, and after how long all was told."""
    await asyncio.sleep(plan.seconds)
    report: dict[str, Any] = await service.ask("finish")
    told.expect(frozenset(report["endings"]))
    began = perf_counter()
    try:
        async with asyncio.timeout(plan.patience):
            await told.complete.wait()
    except TimeoutError:
        return report, None
    return report, perf_counter() - began


def _compare(told: _Told, truth: dict[str, str]) -> list[str]:
    wrong = []
    for name, heard in (("created", told.created), ("finished", told.finished)):
        missed, twice = truth.keys() - heard.keys(), [run for run, times in heard.items() if times > 1]
        unknown = heard.keys() - truth.keys()
        for what, runs in (("never", missed), ("twice", twice), ("without cause", unknown)):
            if runs:
                wrong.append(f"{len(runs)} runs were told {what} as {name}, such as {min(runs)}")
    other = [run for run, state in told.endings.items() if truth.get(run, state) != state]
    return wrong + ([f"{len(other)} runs ended otherwise than was told, such as {min(other)}"] if other else [])
