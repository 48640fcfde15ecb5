"""Every way in which a run ends while somebody waits, in both shapes."""

from __future__ import annotations

import json

import pytest
from waiting_support import (
    RUN,
    SHAPES,
    longest_delay,
    stage,
)

from qoder_async import RunFailedError

BOTH = pytest.mark.parametrize("shape", SHAPES)
ENDINGS = ["completed", "failed", "timed_out", "skipped", "no_session", "stopped"]


@BOTH
@pytest.mark.parametrize("ending", ENDINGS)
async def test_every_ending_that_comes_while_somebody_waits(shape, ending):
    async with stage(shape) as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="running")

        async def script():
            await on.time.sleep_until(30)
            on.sim.set_run(run_id, status=ending)

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run_id)), script())
        assert finished.ok == (str(finished.state) == "completed")
        assert finished.run.id == run_id
        if shape == "lean" and ending in ("skipped", "no_session"):
            # The simulator takes away the session with which the run was seen; that may be a stale replica's word.
            assert finished.state == "unknown"
            assert 30 <= at <= 30 + 2 * longest_delay(30)
        else:
            on.assert_true(finished)
            assert 30 <= at <= 30 + longest_delay(30)


@BOTH
async def test_an_error_says_why(shape):
    async with stage(shape) as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="running")
        on.sim.set_run(run_id, status="failed", error={"type": "sandbox_error", "message": "No sandbox left"})
        finished = await on.run(on.qoder.runs.wait(run_id))
        assert (finished.error.type, finished.error.message) == ("sandbox_error", "No sandbox left")
        with pytest.raises(RunFailedError, match="failed: sandbox_error: No sandbox left") as raised:
            finished.raise_for_failure()
        assert raised.value.finished is finished


async def test_a_lean_run_tells_why_its_session_came_to_rest_and_what_it_cost():
    async with stage("lean") as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="running")
        on.sim.set_run(run_id, status="stopped", stop_reason="max_turns")
        finished = await on.run(on.qoder.runs.wait(run_id))
        assert (finished.state, finished.stop_reason) == ("stopped", "max_turns")
        assert finished.session.status == "idle"
        assert json.loads(finished.session.raw)["usage"]["total_credits"] > 0


@BOTH
@pytest.mark.parametrize("pending", [3.0, 40.0])
async def test_a_run_may_be_pending_for_a_while(shape, pending):
    async with stage(shape) as on:
        run = await on.trigger(duration=20.0, start_delay=pending)
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run)))
        on.assert_true(finished)
        assert pending + 20 <= at <= pending + 20 + longest_delay(pending + 20)


@pytest.mark.parametrize("known", ["id", "run"])
async def test_a_lean_run_whose_session_was_not_made_yet_is_followed_until_it_is(known):
    async with stage("lean") as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="running", session_id=None)
        run = await on.qoder.runs.get(run_id)

        async def script():
            await on.time.sleep_until(20)
            on.sim.patch_record(run_id, session_id=on.sim._world.mint.make("sess", on.sim._world.run(run_id)))
            await on.time.sleep_until(40)
            on.sim.set_run(run_id, status="completed")

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run if known == "run" else run_id)), script())
        assert (finished.state, finished.stop_reason) == ("completed", "end_turn")
        assert 40 <= at <= 40 + longest_delay(40)


async def test_a_lean_run_that_never_gets_a_session_fails_with_its_error():
    async with stage("lean") as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="running", session_id=None)

        async def script():
            await on.time.sleep_until(20)
            on.sim.patch_record(run_id, error={"type": "environment_archived_error", "message": "Archived"})

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run_id)), script())
        assert (finished.state, finished.error.type) == ("failed", "environment_archived_error")
        assert 20 <= at <= 20 + longest_delay(20)


@BOTH
async def test_an_error_that_is_retried_ends_nothing(shape):
    async with stage(shape) as on:
        runs = [await on.trigger(duration=8.0) for _ in range(30)]
        records = await on.time.run(*(on.timed(on.qoder.runs.wait(run.id)) for run in runs))
        for finished, at in records:
            on.assert_true(finished)
            assert at >= 8
        if shape == "lean":
            events = [await on.qoder.sessions.events(run.session_id).collect() for run in runs]
            retried = [session for session in events if any(event.type == "session.error" for event in session)]
            assert 0 < len(retried) < len(runs)


@BOTH
async def test_a_run_that_is_retried_by_the_service_has_failed_all_the_same(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=5.0, failure_rate=1.0, max_retries=2, schedule="0 0 1 1 *")
        run = await on.qoder.deployments.run(deployment)
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run)))
        assert (finished.state, finished.run.id) == ("failed", run.id)
        assert at <= 5 + longest_delay(5)


@BOTH
async def test_a_run_that_is_cancelled_through_its_session_ends(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=500.0)

        async def script():
            await on.time.sleep_until(20)
            await on.qoder.sessions.cancel((await on.qoder.runs.get(run.id)).session_id)

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run)), script())
        on.assert_true(finished)
        assert finished.state == ("failed" if shape == "extended" else "stopped")
        assert 20 <= at <= 20.5 + longest_delay(20.5)


async def test_a_word_that_nobody_knows_goes_on_until_there_is_an_end(caplog):
    async with stage() as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state="running")
        on.sim.set_run(run_id, status="hibernating")

        async def script():
            await on.time.sleep_until(60)
            on.sim.patch_record(run_id, status="evaporated", completed_at="2026-11-22T08:31:00Z")

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run_id)), script())
        assert (finished.state, finished.ok, finished.state.is_known) == ("evaporated", False, False)
        assert 60 <= at <= 60 + longest_delay(60)
        assert [record.levelname for record in caplog.records if "hibernating" in record.message] == ["WARNING"]


async def test_a_terminal_state_is_not_taken_back_by_a_stale_replica():
    async with stage() as on:
        run = await on.trigger(duration=15.0)
        states = []
        # Every second answer is from before the run began to work.
        stale = json.dumps({**on.sim.run(run.id), "status": "pending"}).encode()
        on.sim.faults.add("body", route=RUN, share=0.5, body=lambda body: stale)
        finished = await on.run(on.qoder.runs.wait(run.id, on_update=lambda seen: states.append(str(seen.status))))
        assert finished.state == "completed"
        assert states in (["running", "completed"], ["pending", "running", "completed"])
