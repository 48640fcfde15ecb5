"""Sessions that are gone, locked, put away, or used by several runs one after another."""

from __future__ import annotations

import pytest
from waiting_support import (
    EVENTS,
    RUN,
    SESSION,
    SHAPES,
    longest_delay,
    stage,
)

from qoder_async import RunFailedError
from qoder_async.following.cadence import next_check

BOTH = pytest.mark.parametrize("shape", SHAPES)


@pytest.mark.parametrize("known", ["id", "run"])
async def test_a_session_that_is_deleted_leaves_the_end_unknown(known):
    async with stage("lean") as on:
        run = await on.trigger(duration=500.0)

        async def script():
            await on.time.sleep_until(50)
            on.sim.delete_session(run.session_id)

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run if known == "run" else run.id)), script())
        assert (finished.state, finished.ok, finished.run.id) == ("unknown", False, run.id)
        assert 50 <= at <= 50 + 2 * longest_delay(50)
        with pytest.raises(RunFailedError, match="nobody can tell"):
            finished.raise_for_failure()


async def test_a_session_that_was_deleted_long_ago_leaves_the_end_unknown_at_once():
    async with stage("lean") as on:
        run = await on.trigger(duration=5.0)
        await on.time.advance(3600)
        on.sim.delete_session(run.session_id)
        finished = await on.run(on.qoder.runs.wait(run.id))
        assert finished.state == "unknown"
        assert on.time.elapsed == 3600


@pytest.mark.parametrize("route", [SESSION, EVENTS])
@pytest.mark.parametrize("age", [0, 600])
async def test_a_session_that_may_not_be_read_leaves_the_end_unknown(route, age):
    async with stage("lean") as on:
        run = await on.trigger(duration=1000.0)
        await on.time.advance(age)
        on.sim.faults.add("status", route=route, status=403, times=float("inf"))
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run, timeout=None)))
        if route == EVENTS:
            assert (finished.state, at) == ("unknown", age)
        else:
            assert finished.state in ("completed", "unknown")


async def test_the_session_of_a_run_that_was_just_triggered_may_be_late():
    async with stage("lean") as on:
        run = await on.trigger(duration=20.0)
        late = on.sim.faults.add("status", route=EVENTS, status=404, times=float("inf"))
        also = on.sim.faults.add("status", route=SESSION, status=404, times=float("inf"))

        async def script():
            await on.time.sleep_until(8)
            late.remove()
            also.remove()

        finished = await on.run(on.qoder.runs.wait(run), script())
        assert finished.state == "completed"


async def test_one_stale_replica_does_not_make_a_session_unknown_that_was_just_read():
    async with stage("lean") as on:
        run = await on.trigger(duration=60.0)
        on.sim.faults.add("status", route=EVENTS, status=404, nth=10)
        finished = await on.run(on.qoder.runs.wait(run))
        assert finished.state == "completed"


@BOTH
async def test_an_archived_session_and_deployment_change_nothing(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=40.0)

        async def script():
            await on.time.sleep_until(10)
            await on.qoder.deployments.archive(run.deployment_id)
            on.sim.archive_session((await on.qoder.runs.get(run.id)).session_id)

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run)), script())
        on.assert_true(finished)
        assert 40 <= at <= 40 + longest_delay(40)


async def test_archived_sessions_of_many_are_followed_although_lists_leave_them_out():
    async with stage("lean") as on:
        runs = [await on.trigger(duration=150.0 + index) for index in range(12)]

        async def script():
            await on.time.sleep_until(80)
            for run in runs[::2]:
                on.sim.archive_session(run.session_id)

        async def collect():
            async with on.qoder.runs.as_completed(runs) as ending:
                return [(finished, on.time.elapsed) async for finished in ending]

        taken = await on.run(collect(), script())
        assert len(taken) == 12
        for finished, at in taken:
            on.assert_true(finished)
            over = on.truth(finished.run.id)[1]
            assert over <= at <= over + longest_delay(over)


async def _runs_in_one_session(on, count, duration, pause):
    """Trigger runs that share a session one after another, and give the awaitable that does so."""
    deployment = on.sim.add_deployment(session_strategy="reuse", run_duration=duration, timeout=1e6)
    runs = []

    async def script():
        for _ in range(count):
            runs.append(await on.qoder.deployments.run(deployment))
            await on.time.sleep(duration + pause)

    return runs, script()


@pytest.mark.parametrize("duration", [12.0, 100.0, 400.0])
async def test_of_a_session_that_is_used_again_only_the_first_run_is_awaited(duration):
    async with stage("lean") as on:
        runs, script = await _runs_in_one_session(on, 6, duration, pause=1.0)

        async def wait():
            await on.time.sleep(0.5)
            return await on.timed(on.qoder.runs.wait(runs[0], timeout=None))

        finished, at = await on.run(wait(), script)
        assert (finished.state, finished.run.id) == ("completed", runs[0].id)
        assert duration <= at <= duration + longest_delay(duration)
        assert len({run.session_id for run in runs}) == 1


async def test_each_run_of_a_shared_session_ends_when_its_own_turn_does():
    async with stage("lean") as on:
        runs, script = await _runs_in_one_session(on, 5, 50.0, pause=2.0)

        async def wait(index):
            await on.time.sleep_until(52.0 * index + 1)
            return await on.timed(on.qoder.runs.wait(runs[index]))

        endings = (await on.time.run(script, *(wait(index) for index in range(5))))[1:]
        for index, (finished, at) in enumerate(endings):
            over = 52.0 * index + 50
            assert (finished.state, finished.run.id) == ("completed", runs[index].id)
            assert over <= at <= over + longest_delay(50)


async def test_an_old_run_of_a_session_that_is_busy_again_is_over_at_once():
    async with stage("lean") as on:
        runs, script = await _runs_in_one_session(on, 2, 50.0, pause=2.0)

        async def wait():
            await on.time.sleep_until(60)
            on.forget()
            finished = await on.timed(on.qoder.runs.wait(runs[0].id))
            return finished, on.routes

        (finished, at), routes = await on.run(wait(), script)
        assert (finished.state, at) == ("completed", 60)
        assert routes == [RUN, EVENTS, SESSION]


@pytest.mark.parametrize("pause", [1.0, 100.0])
async def test_a_run_that_failed_in_a_session_that_is_used_again_has_failed(pause):
    async with stage("lean") as on:
        deployment = on.sim.add_deployment(session_strategy="reuse", run_duration=1e5, timeout=1e6)
        first = await on.qoder.deployments.run(deployment)
        await on.time.advance(30)
        on.sim.set_run(first.id, status="failed")
        await on.time.advance(pause)
        second = await on.qoder.deployments.run(deployment)
        await on.time.advance(30)
        on.sim.set_run(second.id, status="completed")
        assert first.session_id == second.session_id
        ended = await on.time.run(on.qoder.runs.wait(first.id), on.qoder.runs.wait(second.id))
        assert [finished.state for finished in ended] == ["failed", "completed"]


@pytest.mark.parametrize("duration", [12.0, 100.0, 400.0])
async def test_in_a_list_a_session_that_has_gone_on_to_another_run_is_noticed_in_a_while(duration):
    async with stage("lean") as on:
        runs, script = await _runs_in_one_session(on, 8, duration, pause=1.0)
        others = [await on.trigger(duration=1500.0) for _ in range(5)]

        async def wait():
            await on.time.sleep(0.5)
            async with on.qoder.runs.as_completed([runs[0], *others]) as ending:
                return await anext(ending), on.time.elapsed

        finished, at = await on.run(wait(), script)
        assert (finished.state, finished.run.id) == ("completed", runs[0].id)
        # It is rare: the first time after some minutes, then as late again as it already is.
        assert duration <= at <= next_check(duration) + longest_delay(duration)
