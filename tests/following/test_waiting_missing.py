"""What is not there, may not be read, or was triggered in doubt: when a wait ends; no second run is started."""

from __future__ import annotations

from datetime import timedelta

import pytest
from waiting_support import (
    ALWAYS,
    EVENTS,
    ONCE,
    RUN,
    SHAPES,
    TRIGGER,
    collect,
    longest_delay,
    stage,
)

from qoder_async import (
    AmbiguousTriggerError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    NotFoundError,
    PermissionDeniedError,
    QoderError,
)
from qoder_async._http.traits import Traits

BOTH = pytest.mark.parametrize("shape", SHAPES)


# What is not there


@BOTH
@pytest.mark.parametrize("delay", [0.3, 4.0, 9.0])
@pytest.mark.parametrize("known", ["id", "run"])
async def test_a_run_that_shows_late_is_waited_for(shape, delay, known):
    async with stage(shape, sim={"visibility_delay": delay}, retry=ONCE) as on:
        run = await on.trigger(duration=30.0)
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run.id if known == "id" else run)))
        on.assert_true(finished)
        assert 30 <= at <= 30 + longest_delay(30)


@BOTH
async def test_many_runs_that_show_late_are_waited_for_and_stay_cheap(shape):
    async with stage(shape, sim={"visibility_delay": 4.0}, retry=ONCE) as on:
        deployments = [on.sim.add_deployment(run_duration=(100.0, 150.0), max_concurrent=50) for _ in range(3)]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(15)]
        on.forget()
        taken, failures = await on.run(collect(on, runs))
        assert failures == {}
        assert len(taken) == 45
        # One loop for each run would send about 1,100.
        assert on.requests <= (330 if shape == "extended" else 620)


@BOTH
@pytest.mark.parametrize("hours", [-30, 30])
async def test_the_clock_of_this_machine_does_not_matter(shape, hours):
    async with stage(shape, sim={"visibility_delay": 5.0}, retry=ONCE) as on:
        on.time.wall = lambda: on.time.simulated.now() + timedelta(hours=hours)
        run = await on.trigger(duration=30.0)
        assert (await on.run(on.qoder.runs.wait(run))).ok
        if shape == "lean":  # there it is the session that is looked at
            return
        run_id = (await on.trigger(duration=500.0)).id

        async def wait():
            with pytest.raises(NotFoundError):
                await on.qoder.runs.wait(run_id)
            return on.time.elapsed

        async def script():
            await on.time.sleep(100)
            on.sim.delete_run(run_id)
            return on.time.elapsed

        gone, deleted = await on.time.run(wait(), script())
        assert deleted <= gone <= deleted + 20.1


async def test_a_clock_that_is_behind_a_service_that_tells_no_time_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(Traits, "clock_ahead", lambda _: None)
    async with stage() as on:
        on.time.wall = lambda: on.time.simulated.now() - timedelta(hours=30)
        run = await on.trigger(duration=5000.0)

        async def wait():
            with pytest.raises(NotFoundError):
                await on.qoder.runs.wait(run, timeout=600)
            return on.time.elapsed

        async def script():
            await on.time.sleep_until(60)
            on.sim.delete_run(run.id)

        assert await on.run(wait(), script()) <= 90


@BOTH
async def test_an_id_that_nobody_knows_ends_after_ten_seconds(shape):
    async with stage(shape) as on:

        async def wait():
            with pytest.raises(NotFoundError) as raised:
                await on.qoder.runs.wait("drun_nowhere")
            return raised.value

        error = await on.run(wait())
        assert 10 <= on.time.elapsed <= 10 + longest_delay(10)
        assert any("drun_nowhere" in note for note in error.__notes__)
        assert on.requests <= 12


async def test_an_old_run_that_was_deleted_ends_at_once():
    async with stage() as on:
        run = await on.trigger(duration=5000.0)
        await on.time.advance(3600)
        on.sim.delete_run(run.id)

        async def wait():
            with pytest.raises(NotFoundError):
                await on.qoder.runs.wait(run)

        await on.run(wait())
        assert on.time.elapsed == 3600


async def test_a_run_that_is_deleted_meanwhile_ends():
    async with stage() as on:
        run = await on.trigger(duration=5000.0)

        async def wait():
            with pytest.raises(NotFoundError):
                await on.qoder.runs.wait(run)

        async def script():
            await on.time.sleep_until(60)
            on.sim.delete_run(run.id)

        await on.run(wait(), script())
        assert 60 <= on.time.elapsed <= 80.1


async def test_one_stale_replica_does_not_end_a_run_that_was_just_read():
    async with stage() as on:
        run = await on.trigger(duration=60.0)
        on.sim.faults.add("status", route=RUN, status=404, nth=9)
        assert (await on.run(on.qoder.runs.wait(run.id))).ok


# What will not pass


@BOTH
@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (403, PermissionDeniedError), (400, BadRequestError)]
)
@pytest.mark.parametrize("when", [0.0, 30.0])
async def test_what_will_not_pass_ends_the_wait_at_once(shape, status, error, when):
    async with stage(shape) as on:
        run = await on.trigger(duration=500.0)
        route = RUN if shape == "extended" or not when else EVENTS
        if (status, route) == (403, EVENTS):
            pytest.skip("that leaves the end unknown")

        async def script():
            await on.time.sleep_until(when)
            on.sim.faults.add("status", route=route, status=status, times=ALWAYS)

        async def wait():
            await on.time.sleep(0.0)
            with pytest.raises(error):
                await on.qoder.runs.wait(run.id)
            return on.time.elapsed

        _, at = await on.time.run(script(), wait())
        assert when <= at <= when + longest_delay(when)


@pytest.mark.parametrize("error", [RuntimeError("no token today"), ConnectionResetError("vault")], ids=repr)
async def test_what_a_token_provider_raises_comes_out(error):
    tokens = ["pt-test"] * 3

    def provide():
        if tokens:
            return tokens.pop()
        raise error

    async with stage() as on:
        run = await on.trigger(duration=500.0)
        with pytest.raises((QoderError, type(error))):
            await on.run(on.qoder.with_options(token=provide).runs.wait(run.id))
        assert on.time.elapsed < 330


# Triggers


@pytest.mark.parametrize("kind", ["reset", "truncate", "garbage", "status"])
@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_trigger_whose_answer_is_lost_is_never_sent_again(kind, after_commit):
    async with stage() as on:
        deployment = on.sim.add_deployment(run_duration=5.0)
        on.sim.faults.add(kind, route=TRIGGER, after_commit=after_commit)
        with pytest.raises(AmbiguousTriggerError):
            await on.run(on.qoder.deployments.run_and_wait(deployment))
        assert on.routes == [TRIGGER]
        started = after_commit or kind == "truncate"
        assert len(on.sim.run_ids()) == started


async def test_a_trigger_that_was_refused_is_sent_again_and_starts_one_run():
    async with stage() as on:
        deployment = on.sim.add_deployment(run_duration=5.0)
        on.sim.faults.add("rate_limit", route=TRIGGER, times=2, retry_after=1)
        assert (await on.run(on.qoder.deployments.run_and_wait(deployment))).ok
        assert on.sim.request_counts[TRIGGER] == 3
        assert len(on.sim.run_ids()) == 1


async def test_a_failed_wait_names_the_run_that_was_triggered():
    async with stage(retry=ONCE) as on:
        deployment = on.sim.add_deployment(run_duration=5000.0, timeout=1e6)
        on.sim.faults.add("status", route="GET", status=403, times=ALWAYS)

        async def wait():
            with pytest.raises(PermissionDeniedError) as raised:
                await on.qoder.deployments.run_and_wait(deployment)
            return raised.value

        error = await on.run(wait())
        (run_id,) = on.sim.run_ids()
        assert any(run_id in note for note in error.__notes__)


# The end of the client


@BOTH
async def test_a_client_that_is_closed_ends_its_waits(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=500.0)

        async def wait():
            with pytest.raises(ClientClosedError):
                await on.qoder.runs.wait(run, timeout=None)
            return on.time.elapsed

        async def script():
            await on.time.sleep_until(30)
            await on.qoder.aclose()

        assert 30 <= await on.run(wait(), script()) <= 30 + longest_delay(30)
