"""How long somebody waits: the time is kept to a tick, whatever hangs, and the run goes on."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta

import pytest
from waiting_support import ALL_RUNS, ALWAYS, EVENTS, ONCE, RUN, RUNS, SESSIONS, SHAPES, stage

from qoder_async import ConfigurationError, RetryPolicy, RunTimeoutError

BOTH = pytest.mark.parametrize("shape", SHAPES)
BAD = [0, -1, math.inf, math.nan, "10", True, timedelta(0), timedelta(seconds=-1), b"1", [5]]


@BOTH
@pytest.mark.parametrize("limit", [0.3, 25.0, timedelta(seconds=90)])
async def test_the_time_is_kept_to_a_tick(shape, limit):
    async with stage(shape) as on:
        run = await on.trigger(duration=500.0)
        with pytest.raises(RunTimeoutError) as raised:
            await on.run(on.qoder.runs.wait(run.id, timeout=limit))
        seconds = limit.total_seconds() if isinstance(limit, timedelta) else limit
        assert seconds <= on.time.elapsed <= seconds + 0.001
        assert isinstance(raised.value, TimeoutError)
        assert f"{run.id} had not ended after timeout={seconds:g} seconds" in str(raised.value)


@BOTH
async def test_the_error_has_the_run_as_last_seen_and_the_run_goes_on(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=100.0, start_delay=20.0)
        with pytest.raises(RunTimeoutError) as raised:
            await on.run(on.qoder.runs.wait(run, timeout=60))
        seen = raised.value.run
        assert seen.id == run.id
        if shape == "extended":
            assert (run.status, seen.status) == ("pending", "running")
            assert "last seen as running" in str(raised.value)
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run)))
        assert finished.ok
        assert 120 <= at <= 130
        assert len(on.sim.run_ids()) == 1


async def test_a_run_that_was_never_seen_is_not_in_the_error():
    async with stage(retry=ONCE) as on:
        run = await on.trigger()
        on.sim.faults.add("status", route=RUN, status=500, times=ALWAYS)
        with pytest.raises(RunTimeoutError) as raised:
            await on.run(on.qoder.runs.wait(run.id, timeout=30))
        assert raised.value.run is None
        assert str(raised.value) == f"{run.id} was not seen within timeout=30 seconds: nothing is known of it"
        with pytest.raises(RunTimeoutError) as raised:
            await on.run(on.qoder.runs.wait(run, timeout=30))
        assert raised.value.run == run


async def test_without_a_timeout_it_takes_as_long_as_it_takes():
    async with stage() as on:
        run = await on.trigger(duration=4000.0)
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run, timeout=None)))
        assert finished.ok
        assert at >= 4000


async def test_an_hour_is_the_usual_timeout():
    async with stage() as on:
        run = await on.trigger(duration=4000.0)
        with pytest.raises(RunTimeoutError, match="timeout=3600 seconds"):
            await on.run(on.qoder.runs.wait(run))
        assert 3600 <= on.time.elapsed <= 3600.001


@pytest.mark.parametrize("value", BAD, ids=repr)
async def test_a_bad_timeout_is_refused_before_any_request(value):
    async with stage() as on:
        deployment = on.sim.add_deployment()
        with pytest.raises(ConfigurationError, match="timeout"):
            await on.qoder.runs.wait("drun_1", timeout=value)
        with pytest.raises(ConfigurationError, match="timeout"):
            await on.qoder.deployments.run_and_wait(deployment, timeout=value)
        with pytest.raises(ConfigurationError, match="timeout"):
            on.qoder.runs.as_completed(["drun_1"], timeout=value)
        assert on.requests == 0
        assert on.sim.run_ids() == []


@pytest.mark.parametrize(
    "bad",
    [{"poll": 5}, {"poll": None}, {"on_update": "print"}, {"on_update": 5}],
    ids=repr,
)
async def test_other_bad_arguments_are_refused_before_any_request(bad):
    async with stage() as on:
        deployment = on.sim.add_deployment()
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            await on.qoder.runs.wait("drun_1", **bad)
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            await on.qoder.deployments.run_and_wait(deployment, **bad)
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            on.qoder.runs.as_completed(["drun_1"], **bad)
        assert on.requests == 0
        assert on.sim.run_ids() == []


@pytest.mark.parametrize("run", ["", "../deployments", "drun_1/../x", None, 5, b"drun_1"], ids=repr)
async def test_what_is_no_run_is_refused_before_any_request(run):
    async with stage() as on:
        with pytest.raises(ConfigurationError):
            await on.qoder.runs.wait(run)
        with pytest.raises(ConfigurationError):
            on.qoder.runs.as_completed([run])
        assert on.requests == 0


@pytest.mark.parametrize("runs", ["drun_1", None, 5], ids=repr)
async def test_what_is_no_list_of_runs_is_refused(runs):
    async with stage() as on:
        with pytest.raises(ConfigurationError, match="runs"):
            on.qoder.runs.as_completed(runs)


# Whatever hangs

STALLS = {
    "a read of a run": ("extended", RUN),
    "a list of everything": ("extended", ALL_RUNS),
    "a list of a deployment": ("extended", RUNS),
    "events": ("lean", EVENTS),
    "a list of sessions": ("lean", SESSIONS),
}


@pytest.mark.parametrize("case", STALLS)
async def test_the_time_is_kept_while_a_poll_hangs(case):
    shape, route = STALLS[case]
    async with stage(shape, hangs_after=0.05, timeout=600.0) as on:
        deployments = [on.sim.add_deployment(run_duration=900.0, timeout=1e6, max_concurrent=9) for _ in range(2)]
        if route in (ALL_RUNS, SESSIONS):
            deployments += [on.sim.add_deployment(run_duration=900.0, timeout=1e6) for _ in range(4)]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments]
        if route == RUNS:
            runs += [await on.qoder.deployments.run(deployments[0]) for _ in range(3)]
        stall = on.sim.faults.add("stall", route=route, times=ALWAYS)
        endings = await on.time.run(*(_how_it_ends(on, on.qoder.runs.wait(run, timeout=50.0)) for run in runs))
        assert stall.hits >= 1
        for error, at in endings:
            assert isinstance(error, RunTimeoutError)
            assert 50 <= at <= 50.001


@BOTH
async def test_the_time_is_kept_while_somebody_elses_poll_hangs(shape):
    async with stage(shape, hangs_after=0.05, timeout=600.0) as on:
        slow, quick = [await on.trigger(duration=duration) for duration in (900.0, 30.0)]
        name = slow.id if shape == "extended" else slow.session_id
        on.sim.faults.add("stall", when=lambda request: name in request.path, times=ALWAYS)
        (late, late_at), (finished, at) = await on.time.run(
            _how_it_ends(on, on.qoder.runs.wait(slow, timeout=70.0)), _how_it_ends(on, on.qoder.runs.wait(quick))
        )
        assert isinstance(late, RunTimeoutError)
        assert 70 <= late_at <= 70.001
        assert finished.ok
        assert 30 <= at <= 46


@BOTH
async def test_the_time_is_kept_while_a_call_waits_for_its_next_attempt(shape):
    async with stage(shape, retry=RetryPolicy(initial=500.0, maximum=500.0)) as on:
        run = await on.trigger(duration=900.0)
        on.sim.faults.add("reset", route="GET", times=ALWAYS)
        with pytest.raises(RunTimeoutError):
            await on.run(on.qoder.runs.wait(run, timeout=20))
        assert 20 <= on.time.elapsed <= 20.001


async def test_the_time_counts_from_the_answer_to_the_trigger():
    async with stage(retry=RetryPolicy(initial=100.0, maximum=100.0)) as on:
        deployment = on.sim.add_deployment(run_duration=900.0, timeout=1e6)
        on.sim.faults.add("status", route="POST", status=429)
        with pytest.raises(RunTimeoutError):
            await on.run(on.qoder.deployments.run_and_wait(deployment, timeout=20))
        assert 70 <= on.time.elapsed <= 120.001
        assert len(on.sim.run_ids()) == 1


@BOTH
async def test_each_waiter_has_a_time_of_its_own(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=60.0)
        limits = [5.0, 17.0, 33.3, 59.0, 300.0, None]
        endings = await on.time.run(*(_how_it_ends(on, on.qoder.runs.wait(run.id, timeout=limit)) for limit in limits))
        for limit, (outcome, at) in zip(limits[:4], endings, strict=False):
            assert isinstance(outcome, RunTimeoutError)
            assert limit <= at <= limit + 0.001
        for outcome, at in endings[4:]:
            assert outcome.ok
            assert 60 <= at <= 70


async def test_a_run_that_ends_with_the_time_has_ended():
    async with stage() as on:
        run = await on.trigger(duration=500.0)

        async def script():
            await on.time.sleep_until(19.5)
            on.sim.set_run(run.id, status="completed")

        waits = [on.qoder.runs.wait(run.id, timeout=20.0 + step / 10) for step in range(120)]
        endings = await on.time.run(script(), *(_how_it_ends(on, wait) for wait in waits))
        ended = [at for outcome, at in endings[1:] if not isinstance(outcome, RunTimeoutError)]
        late = [at for outcome, at in endings[1:] if isinstance(outcome, RunTimeoutError)]
        # All who are still there when somebody looks are told at once.
        assert len(set(ended)) == 1
        assert max(late, default=0) <= ended[0]


async def test_a_timeout_around_it_works_too():
    async with stage() as on:
        run = await on.trigger(duration=500.0)
        waiting = asyncio.ensure_future(on.qoder.runs.wait(run))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await waiting
        assert waiting.cancelled()


async def _how_it_ends(on, waiting):
    try:
        return await waiting, on.time.elapsed
    except RunTimeoutError as error:
        return error, on.time.elapsed
