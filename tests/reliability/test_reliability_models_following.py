"""Watching, waiting and triggering side by side: every end once and true, every change that lasts told."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from support.reliability_models import (
    ALWAYS,
    FAULT_KINDS,
    NUMBERS,
    PATIENCE,
    Machine,
    World,
    explore,
    meanwhile_of,
)
from support.virtual_time import VirtualTime

from qoder_async import AmbiguousTriggerError, AsyncQoder, NotFoundError, QoderError, RateLimitError, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.reliability_models_book import Fact

    from qoder_async import FinishedRun, RunChange, RunChanges

_TRIGGER = "POST /deployments/{id}/run"
_ENDS = {
    "completed": ("completed", "completed"),
    "stopped": ("completed", "stopped"),
    "failed": ("failed", "failed"),
    "timed_out": ("failed", "failed"),
}
"""How a run ends, and what can be known of it in the extended and in the lean shape."""
_OPEN = frozenset({"pending", "running"})
_SETTLING = 60.0
"""Seconds after which a client that can read the service has told everything."""
_ACTS = st.one_of(
    st.tuples(
        st.just("insert"),
        NUMBERS,
        st.sampled_from(["pending", "pending", "running"]),
        st.sampled_from([0, 0, 0.5, 100]),
    ),
    st.tuples(st.just("insert"), NUMBERS, st.sampled_from(sorted(_ENDS)), st.sampled_from([0, 0.5, 100])),
    st.tuples(st.just("end"), NUMBERS, st.sampled_from(sorted(_ENDS))),
    st.tuples(st.just("end"), NUMBERS, st.sampled_from(sorted(_ENDS))),
    st.tuples(st.just("start"), NUMBERS),
    st.tuples(st.just("start"), NUMBERS),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("delete_session"), NUMBERS),
    st.tuples(st.just("archive"), NUMBERS),
)
_MEANWHILE = meanwhile_of(_ACTS)


@attrs.define
class Waiter:
    """Somebody who waits for runs.

    Attributes:
        awaited: Their ids.
        task: The wait.
        given: What came, in order.
        failures: What cannot be followed.
        may_fail: Whether the service was away for longer than anybody tries.
    """

    awaited: list[str]
    task: asyncio.Task[None] | None = None
    given: list[FinishedRun] = attrs.field(factory=list)
    failures: dict[str, Exception] = attrs.field(factory=dict)
    may_fail: bool = False


class Following(Machine):
    """A watch that is left and gone on with, waits that come and go, runs that are triggered in doubt."""

    shape: ClassVar[str]

    @initialize(
        delay=st.sampled_from([0, 0, 8]),
        attempts=st.sampled_from([1, 4]),
        watches_all=st.booleans(),
        before=st.lists(_ACTS, max_size=6),
    )
    def begin(self, delay: float, attempts: int, watches_all: bool, before: list[Any]) -> None:
        self.world = World(self.shape, VirtualTime(), {"visibility_delay": delay}, retry=RetryPolicy(attempts=attempts))
        self.delay = delay
        self.sessionless: set[str] = set()
        """Runs whose sessions were deleted: how they end, nobody may know."""
        self.waiters: list[Waiter] = []
        self.objects: dict[str, Any] = {}
        self.told: list[RunChange] = []
        self.others: list[AsyncQoder] = []
        self.watch_may_fail = False
        self.reader: asyncio.Task[None] | None = None
        self.changes: RunChanges | None = None
        for _ in range(3):
            self._add_deployment()
        for act in before:
            self.act(act)
        self.world.advance(10)
        book = self.world.book
        self.watched = None if watches_all else list(book.deployments)[:2]
        self.since = self.world.moment()
        self.over_before = {fact.id for fact in book.alive() if fact.state not in _OPEN}
        self.world.run(self._enter(self.world.qoder, None))

    def _add_deployment(self) -> None:
        # Nothing ends by itself: the book knows all ends.
        self.world.add_deployment(run_duration=1e6, timeout=1e7, max_concurrent=10_000, start_delay=0.0)

    # What happens

    def act(self, act: Sequence[Any]) -> None:
        name, *arguments = act
        if name in ("insert", "archive"):
            if name == "insert" and arguments[1] == "pending" and self.shape == "lean":
                # A lean run that has not begun after minutes is not looked for: that is promised of the others only.
                arguments[1] = "running"
            self.world.do((name, *arguments))
            return
        place = arguments[0]
        if name == "delete":
            alive = self.world.book.alive()
            # A watch may or may not tell of what vanishes at once.
            if alive:
                self.world.remove(alive[place % len(alive)])
            return
        wanted = "pending" if name == "start" else None
        going_on = [fact for fact in self.world.book.alive() if fact.state in _OPEN and wanted in (None, fact.state)]
        if not going_on:
            return
        fact = going_on[place % len(going_on)]
        if name == "delete_session":
            session = self.world.sim.run(fact.id).get("session_id")
            if fact.state == "running" and session is not None and fact.id not in self.sessionless:
                self.sessionless.add(fact.id)
                self.world.sim.delete_session(session)
        else:
            self.world.set(fact, "running" if name == "start" else arguments[1])

    @rule(act=_ACTS)
    def happen(self, act: Any) -> None:
        self.act(act)

    @rule(place=NUMBERS, seconds=st.sampled_from([3, 15, 60]), meanwhile=_MEANWHILE)
    def begin_slowly(self, place: int, seconds: float, meanwhile: Any) -> None:
        """Have a run wait for its start for a while."""
        self.act(("insert", place, "pending", 0))
        fact = self.world.book.alive()[-1]
        self.stir(meanwhile)
        self._advance(seconds)
        if fact.state == "pending" and fact.removed is None:
            self.world.set(fact, "running")

    @rule(seconds=st.sampled_from([0.3, 3, 12, 60]), meanwhile=_MEANWHILE)
    def pass_time(self, seconds: float, meanwhile: Any) -> None:
        self.stir(meanwhile)
        self._advance(seconds)

    @rule(kind=FAULT_KINDS, seconds=st.sampled_from([30, 150, 400]), acts=st.lists(_ACTS, max_size=4))
    def go_down(self, kind: str, seconds: float, acts: list[Any]) -> None:
        self.world.heal()
        self.world.fault(kind, ALWAYS)
        if seconds > PATIENCE:
            self.watch_may_fail = True
            for waiter in self.waiters:
                waiter.may_fail = True
        self._advance(seconds / 2)
        for act in acts:
            self.act(act)
        self._advance(seconds / 2)
        self.world.heal()
        self._advance(40)
        self.note("was down for long" if seconds > PATIENCE else "was down for a while")

    @rule(times=st.integers(1, 4))
    def lag_behind(self, times: int) -> None:
        """Have a copy of the service answer for which nothing has ended yet."""
        if self.shape == "extended":
            self.world.spoil("body", times, body=_stale, nth=1)

    # Triggers

    @rule(
        place=NUMBERS,
        kind=st.sampled_from([None, "reset", "lost", "503", "429", "garbage"]),
        acts=st.booleans(),
        awaits=st.booleans(),
    )
    def trigger(self, place: int, kind: str | None, acts: bool, awaits: bool) -> None:
        alive = [made for made in self.world.book.deployments if made not in self.world.book.archived]
        if not alive:
            return
        deployment = alive[place % len(alive)]
        self.world.heal()
        match kind:
            case "reset":
                self.world.spoil("reset", route=_TRIGGER, after_commit=acts)
            case "lost":
                self.world.spoil("reset", route=_TRIGGER, after_body_bytes=9)
            case "503":
                self.world.spoil("status", route=_TRIGGER, status=503, after_commit=acts)
            case "429":
                self.world.spoil("rate_limit", route=_TRIGGER, retry_after=1)
            case "garbage":
                self.world.spoil("garbage", route=_TRIGGER, html=True, after_commit=acts)
        before = set(self.world.sim.run_ids(deployment))
        run = self.world.run(self._trigger(deployment, before, is_refused=kind == "429"))
        made = set(self.world.sim.run_ids(deployment)) - before
        if run is None:
            assert made == set()
            return
        assert made == {run.id}, "another run was started"
        self.objects[run.id] = run
        if awaits:
            self._wait([run.id])

    async def _trigger(self, deployment: str, before: set[str], *, is_refused: bool) -> Any:
        """Trigger a run, and find out about it where the answer is lost."""
        qoder, sim = self.world.qoder, self.world.sim
        sent = sim.request_counts[_TRIGGER]
        try:
            run = await qoder.deployments.run(deployment)
        except AmbiguousTriggerError as error:
            assert sim.request_counts[_TRIGGER] == sent + 1, "it was sent again in doubt"
            self.note("triggered in doubt")
            made = set(sim.run_ids(deployment)) - before
            assert len(made) <= 1
            self._note_triggered(made, deployment)
            await self.world.clock.sleep(self.delay)
            found = {run.id for run in await qoder.deployments.find_triggered(error)}
            assert made <= found
            run = await qoder.deployments.run(deployment, idempotency_key=error.idempotency_key)
            assert not made or {run.id} == made
        except RateLimitError:  # for as often as it was tried: nothing was started
            return None
        else:
            # Only what was refused is sent again.
            assert is_refused or sim.request_counts[_TRIGGER] == sent + 1, "it was sent again"
        if run.id not in self.world.book.runs:
            self._note_triggered({run.id}, deployment)
        return run

    def _note_triggered(self, made: set[str], deployment: str) -> None:
        now = self.world.sim.clock.now()
        for run in made:
            self.world.note(run, deployment, now, "running", shows_at=now)

    # Waits

    @rule(places=st.lists(NUMBERS, min_size=1, max_size=6))
    def wait(self, places: list[int]) -> None:
        alive = self.world.book.alive()
        if alive:
            self._wait(list({alive[place % len(alive)].id: None for place in places}))

    @precondition(lambda self: self.waiters)
    @rule(place=NUMBERS)
    def cancel(self, place: int) -> None:
        waiter = self.waiters.pop(place % len(self.waiters))
        self._check(waiter)
        assert waiter.task is not None
        waiter.task.cancel()
        self._advance(0)
        self.note("cancelled a wait")

    def _wait(self, awaited: list[str]) -> None:
        waiter = Waiter(awaited)
        waiter.task = self.world.loop.create_task(self._follow(waiter))
        self.waiters.append(waiter)
        self._advance(0)

    async def _follow(self, waiter: Waiter) -> None:
        runs = self.world.qoder.runs
        asked = [self.objects.get(run_id, run_id) for run_id in waiter.awaited]
        if len(asked) == 1:
            try:
                self._give(waiter, await runs.wait(asked[0], timeout=None))
            except QoderError as error:
                waiter.failures[waiter.awaited[0]] = error
            return
        async with runs.as_completed(asked, timeout=None) as ending:
            async for finished in ending:
                self._give(waiter, finished)
            waiter.failures |= ending.failures

    def _give(self, waiter: Waiter, finished: FinishedRun) -> None:
        waiter.given.append(finished)
        self._assert_true(finished)

    def _assert_true(self, finished: FinishedRun) -> None:
        """Check an end against the book, at the time at which it is told."""
        fact = self.world.book.runs[finished.run.id]
        if fact.id in self.sessionless and finished.state == "unknown" and self.shape == "lean":
            return
        assert fact.state not in _OPEN, f"{fact.id} has not ended"
        assert str(finished.state) == _ENDS[fact.state][self.shape == "lean"], (fact, finished)

    def _check(self, waiter: Waiter) -> None:
        given = Counter(finished.run.id for finished in waiter.given)
        assert set(given.values()) <= {1}
        assert set(given) <= set(waiter.awaited)
        assert not set(given) & set(waiter.failures)
        for run_id, error in waiter.failures.items():
            gone = isinstance(error, NotFoundError) and self.world.book.runs[run_id].removed is not None
            assert gone or waiter.may_fail, (run_id, error)

    # The watch

    @rule(pause=st.sampled_from([0, 0, 1, 50, 400]), acts=st.lists(_ACTS, max_size=3), elsewhere=st.booleans())
    def leave_and_go_on(self, pause: float, acts: list[Any], elsewhere: bool) -> None:
        state = self.world.run(self._leave_watch())
        for act in acts:
            self.act(act)
        self._advance(pause)
        qoder = self.world.qoder
        if elsewhere:
            qoder = self.world.client()
            self.others.append(qoder)
        self.world.run(self._enter(qoder, state))
        self.note("went on from the state of a watch")

    async def _enter(self, qoder: AsyncQoder, state: str | None) -> None:
        self.changes = qoder.runs.watch(self.watched, since=state)
        await self.changes.__aenter__()
        self.watch_may_fail = False
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.changes is not None
        async for change in self.changes:
            self.told.append(change)
            if change.finished is not None:
                self._assert_true(change.finished)

    async def _leave_watch(self) -> str:
        assert self.reader is not None
        assert self.changes is not None
        self.reader.cancel()
        await asyncio.wait([self.reader])
        changes, self.changes = self.changes, None
        await changes.__aexit__(None, None, None)
        assert {run_id for run_id in changes.failures if self.world.book.runs[run_id].removed is None} == set()
        return changes.state

    def _advance(self, seconds: float) -> None:
        self.world.advance(seconds)
        for waiter in [waiter for waiter in self.waiters if waiter.task is not None and waiter.task.done()]:
            self.waiters.remove(waiter)
            assert waiter.task is not None
            waiter.task.result()
            self._check(waiter)
            given = {finished.run.id for finished in waiter.given}
            assert given | set(waiter.failures) == set(waiter.awaited)
            self.note("waited to the end")
        if self.changes is not None and self.reader is not None and self.reader.done():
            error = self.reader.exception()
            assert isinstance(error, QoderError), error
            assert self.watch_may_fail, f"an error came out, though it was never down for long: {error!r}"
            self.world.heal()
            self.world.run(self._enter(self.world.qoder, self.world.run(self._leave_watch())))
            self.note("went on after an outage")

    # What must have come

    @rule()
    def settle(self) -> None:
        """Give everybody the time to learn everything, and compare."""
        self.world.heal()
        self._advance(_SETTLING + self.delay)
        for waiter in self.waiters:
            self._check(waiter)
            known = {finished.run.id for finished in waiter.given} | set(waiter.failures)
            for run_id in set(waiter.awaited) - known:
                fact = self.world.book.runs[run_id]
                assert fact.state in _OPEN or fact.removed is not None, f"{waiter} was not told of the end of {fact}"
        self._compare()
        self.note("settled")

    def _compare(self) -> None:
        """Compare what the watch has told with the book."""
        book = self.world.book
        by_run: dict[str, list[RunChange]] = {}
        for change in self.told:
            by_run.setdefault(change.run.id, []).append(change)
        there = {fact.id for fact in book.runs.values() if fact.born <= self.since.step}
        for run_id, told in by_run.items():
            kinds = [str(change.kind) for change in told]
            assert kinds.count("created") <= 1, (run_id, kinds)
            assert kinds.count("finished") <= 1, (run_id, kinds)
            assert kinds == sorted(kinds, key=["created", "changed", "finished"].index), (run_id, kinds)
            assert not (run_id in there and "created" in kinds), f"{run_id} was there before"
            assert not (run_id in self.over_before and "finished" in kinds), f"{run_id} was over before"
        for fact in book.alive():
            if self.watched is None or fact.deployment in self.watched:
                self._compare_one(fact, by_run.get(fact.id, []), is_new=fact.id not in there)

    def _compare_one(self, fact: Fact, told: list[RunChange], *, is_new: bool) -> None:
        kinds = [str(change.kind) for change in told]
        assert ("created" in kinds) == is_new, (fact, kinds)
        if fact.id in self.sessionless:
            return
        ended = fact.state not in _OPEN and fact.id not in self.over_before
        assert ("finished" in kinds) == ended, (fact, kinds)
        if self.shape == "extended" and (told or fact.changed > self.since.step):
            shown = _ENDS[fact.state][0] if ended else fact.state
            assert [str(change.run.status) for change in told][-1:] == [shown], (fact, told)
            if "changed" in kinds:
                self.note("told that it changed")

    def finish(self) -> None:
        self.settle()
        for fact in self.world.book.alive():
            if fact.state in _OPEN:
                self.world.set(fact, "completed")
        self.settle()

    def leave(self) -> None:
        if self.changes is not None:
            self.world.run(self._leave_watch())
        for waiter in self.waiters:
            assert waiter.task is not None
            waiter.task.cancel()
        self.world.advance(0)
        for other in self.others:
            self.world.run(other.aclose())


def _stale(body: bytes) -> bytes:
    for word in (b"completed", b"failed"):
        body = body.replace(b'"status":"%s"' % word, b'"status":"running"')
    return body


class FollowingExtended(Following):
    """The same, of a service whose runs say how they stand."""

    shape = "extended"


class FollowingLean(Following):
    """The same, of a service whose sessions say how runs stand."""

    shape = "lean"


@pytest.mark.parametrize("machine", [FollowingExtended, FollowingLean])
def test_every_end_comes_once_and_every_change_that_lasts_is_told(machine: type[Following]) -> None:
    reaches = {
        "changed within a request",
        "was down for long",
        "was down for a while",
        "triggered in doubt",
        "cancelled a wait",
        "waited to the end",
        "went on from the state of a watch",
        "went on after an outage",
        "settled",
    }
    if machine is FollowingExtended:
        reaches.add("told that it changed")
    # A lean story asks for twice as much.
    explore(machine, examples=12 if machine is FollowingExtended else 8, steps=25, reaches=reaches)
