"""Random scripts: runs come and end, waiters come, lose patience and are cancelled; everybody gets the truth."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from support.leftovers import client_tasks
from waiting_support import ONCE, SHAPES, Stage, longest_delay, stage

from qoder_async import RetryPolicy, RunTimeoutError
from qoder_async.following.cadence import next_check

_FAULTS = [
    ("reset", {}),
    ("status", {"status": 500}),
    ("status", {"status": 503, "retry_after": 2}),
    ("truncate", {}),
    ("garbage", {"html": True}),
    ("garbage", {"empty": True}),
    ("rate_limit", {"retry_after": 1}),
]
_ENDINGS = ["completed", "failed", "timed_out", "stopped"]
_HORIZON = 200.0

moments = st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 2))


@attrs.frozen
class Awaited:
    """A run: when it comes, how long it takes, how it ends, and whether it shares a session with others."""

    at: float
    duration: float
    ending: str
    shares: bool
    pending: float


@attrs.frozen
class Waiter:
    """Somebody who waits: from when on, for which runs, for how long, and until when."""

    at: float
    runs: list[int]
    by_id: bool
    limit: float | None
    cancelled: float | None


@attrs.frozen
class Script:
    shape: str
    runs: list[Awaited]
    waiters: list[Waiter]
    faults: list[int]
    share: float
    retries: bool


@st.composite
def scripts(draw: Any) -> Script:
    runs = draw(
        st.lists(
            st.builds(
                Awaited,
                at=moments,
                duration=st.floats(0.1, 90).map(lambda value: round(value, 2)),
                ending=st.sampled_from(_ENDINGS),
                shares=st.booleans(),
                pending=st.sampled_from([0.0, 0.0, 7.0]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    waiters = draw(
        st.lists(
            st.builds(
                Waiter,
                at=moments,
                runs=st.lists(st.integers(0, len(runs) - 1), min_size=1, max_size=len(runs)),
                by_id=st.booleans(),
                limit=st.none() | st.floats(0.5, 150).map(lambda value: round(value, 2)),
                cancelled=st.none() | st.none() | st.floats(0, 80).map(lambda value: round(value, 2)),
            ),
            min_size=1,
            max_size=6,
        )
    )
    faults = draw(st.lists(st.integers(0, len(_FAULTS) - 1), max_size=3))
    share = draw(st.sampled_from([0.1, 0.3]))
    return Script(draw(st.sampled_from(SHAPES)), runs, waiters, faults, share, draw(st.booleans()))


@settings(max_examples=15)
@given(script=scripts())
async def test_everybody_gets_the_truth(script: Script) -> None:
    async with stage(script.shape, retry=RetryPolicy() if script.retries else ONCE) as on:
        play = _Play(on, script)
        await on.time.run(*map(play.live, range(len(script.runs))), *map(play.wait, script.waiters))
        assert client_tasks() == []
        assert len(on.sim.run_ids()) == len(script.runs)
        sent = on.requests
        await on.time.advance(60)
        assert on.requests == sent


class _Play:
    def __init__(self, on: Stage, script: Script) -> None:
        self.on = on
        self.script = script
        self.runs: dict[int, Any] = {}
        self.ended: dict[str, float] = {}
        self.sharing: set[str] = set()
        self.shared = on.sim.add_deployment(
            session_strategy="reuse", max_concurrent=50, run_duration=1e5, timeout=1e6, start_delay=0.0
        )
        for kind in script.faults:
            name, details = _FAULTS[kind]
            on.sim.faults.add(name, route="GET", share=script.share / len(script.faults), **details)

    async def live(self, index: int) -> None:
        """Let a run come, work and end."""
        on, run = self.on, self.script.runs[index]
        await on.time.sleep(run.at)
        deployment = self.shared
        if not run.shares:
            deployment = on.sim.add_deployment(run_duration=1e5, timeout=1e6, start_delay=run.pending)
        self.runs[index] = triggered = await on.qoder.deployments.run(deployment)
        if run.shares:
            self.sharing.add(triggered.id)
        await on.time.sleep(run.duration + (0 if run.shares else run.pending) + 0.01)
        on.sim.set_run(self.runs[index].id, status=run.ending)
        self.ended[self.runs[index].id] = on.time.elapsed

    async def wait(self, waiter: Waiter) -> None:
        """Wait as the script says, and check what comes of it."""
        await self.on.time.sleep(waiter.at)
        while not all(index in self.runs for index in waiter.runs):
            await self.on.time.sleep(1)
        begun = self.on.time.elapsed
        asked = [self.runs[index].id if waiter.by_id else self.runs[index] for index in waiter.runs]
        given: list[Any] = []
        task = asyncio.ensure_future(self._collect(asked, waiter.limit, given))
        if waiter.cancelled is not None:
            await self.on.time.sleep(waiter.cancelled)
            task.cancel()
        await asyncio.wait([task])
        for finished, at in given:
            self.check(finished, at, begun)
        missing = {self.runs[index].id for index in waiter.runs} - {finished.run.id for finished, _ in given}
        if task.cancelled():
            assert waiter.cancelled is not None
            self.check_missing(missing, begun, begun + waiter.cancelled)
        elif (error := task.exception()) is not None:
            assert isinstance(error, RunTimeoutError), error
            assert waiter.limit is not None
            if waiter.cancelled is None:
                assert abs(begun + waiter.limit - self.on.time.elapsed) < 0.001
            assert missing
            self.check_missing(missing, begun, begun + waiter.limit)
        else:
            assert not missing

    async def _collect(self, asked: list[Any], limit: float | None, given: list[Any]) -> None:
        if len(asked) == 1:
            given.append(await self.on.timed(self.on.qoder.runs.wait(asked[0], timeout=limit)))
            return
        async with self.on.qoder.runs.as_completed(asked, timeout=limit) as ending:
            async for finished in ending:
                given.append((finished, self.on.time.elapsed))  # noqa: PERF401  also what came before an error counts
            assert dict(ending.failures) == {}

    def check(self, finished: Any, at: float, begun: float) -> None:
        self.on.assert_true(finished)
        over = self.ended[finished.run.id]
        assert at >= over
        if not self.script.faults:
            assert at <= self.latest(finished.run.id, over, begun)

    def check_missing(self, missing: set[str], begun: float, until: float) -> None:
        """Whoever went without the end of a run must have gone before anybody could know it."""
        for run_id in missing:
            over = self.ended.get(run_id, float("inf"))
            assert self.script.faults or until <= self.latest(run_id, over, begun), (run_id, over, until)

    def latest(self, run_id: str, over: float, begun: float) -> float:
        """When somebody who began to wait then must know of an end at the latest."""
        latest = max(over, begun) + longest_delay(max(0.0, over - begun))
        if self.script.shape == "lean" and run_id in self.sharing:
            # A list shows the session at work, if only for a later run: what it did is read in a while.
            latest = max(begun + next_check(0), 2 * max(over, begun)) + longest_delay(_HORIZON)
        return latest
