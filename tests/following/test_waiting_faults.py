"""Polls that fail for a while: none of them fails a run, and none is endured for ever."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
from support.clock import START
from waiting_support import (
    ALWAYS,
    EVENTS,
    ONCE,
    PASSING,
    SESSION,
    SHAPES,
    TRIGGER,
    collect,
    spoil,
    stage,
)

from qoder_async import (
    APIConnectionError,
    RetryPolicy,
    ServerError,
)
from qoder_async.options import Poll

BOTH = pytest.mark.parametrize("shape", SHAPES)
KINDS = pytest.mark.parametrize("kind", PASSING)


# A third of all polls fails


def _spoil_a_third(on):
    for kind in PASSING:
        spoil(on, kind, share=0.03)
    on.sim.faults.add("rate_limit", route="GET", share=0.03, retry_after=2)
    on.sim.faults.add("stall", route="GET", share=0.02)


@BOTH
@pytest.mark.parametrize("retry", [ONCE, RetryPolicy()], ids=["once", "retried"])
@pytest.mark.parametrize("seed", range(3))
async def test_one_run_is_followed_although_a_third_of_all_polls_fails(shape, retry, seed):
    async with stage(shape, sim={"seed": seed}, retry=retry, timeout=0.2) as on:
        rate = ({}, {"failure_rate": 1.0}, {"stop_rate": 1.0})[seed]
        deployment = on.sim.add_deployment(run_duration=240.0, timeout=1e6, **rate)
        _spoil_a_third(on)
        finished, at = await on.run(on.timed(on.qoder.deployments.run_and_wait(deployment)))
        on.assert_true(finished)
        assert 240 <= at <= 400
        assert on.sim.run_ids() == [finished.run.id]


@BOTH
@pytest.mark.parametrize("retry", [ONCE, RetryPolicy()], ids=["once", "retried"])
async def test_many_runs_are_followed_although_a_third_of_all_polls_fails(shape, retry):
    async with stage(shape, retry=retry, timeout=0.2) as on:
        deployments = [
            on.sim.add_deployment(
                run_duration=(5.0, 200.0), timeout=150.0, max_concurrent=9, failure_rate=0.2, stop_rate=0.2
            )
            for _ in range(5)
        ]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(6)]
        _spoil_a_third(on)
        taken, failures = await on.run(collect(on, [run.id for run in runs]))
        assert failures == {}
        for finished, at in taken:
            on.assert_true(finished)
            assert 0 <= at - on.truth(finished.run.id)[1] <= 200
        assert {finished.run.id for finished, _ in taken} == {run.id for run in runs} == set(on.sim.run_ids())


@BOTH
async def test_many_waiters_trigger_once_each_although_a_third_of_all_polls_fails(shape):
    async with stage(shape, timeout=0.2) as on:
        deployments = [on.sim.add_deployment(run_duration=(5.0, 100.0)) for _ in range(12)]
        _spoil_a_third(on)
        endings = await on.time.run(*(on.qoder.deployments.run_and_wait(deployment) for deployment in deployments))
        assert sorted(finished.run.id for finished in endings) == sorted(on.sim.run_ids())
        assert on.sim.request_counts[TRIGGER] == 12
        for finished in endings:
            on.assert_true(finished)


@BOTH
@KINDS
async def test_each_kind_of_fault_passes(shape, kind):
    async with stage(shape) as on:
        run = await on.trigger(duration=60.0)
        other = await on.trigger(duration=70.0)
        fault = spoil(on, kind, share=0.4)
        taken, failures = await on.run(collect(on, [run, other.id]))
        assert fault.hits >= 3
        assert failures == {}
        assert {finished.run.id for finished, _ in taken} == {run.id, other.id}
        for finished, _ in taken:
            on.assert_true(finished)


# Five minutes


@BOTH
@pytest.mark.parametrize(
    ("kind", "retry"),
    [("500", ONCE), ("500", RetryPolicy()), ("reset", ONCE), ("HTML", RetryPolicy())],
    ids=["500-once", "500-retried", "reset-once", "HTML-retried"],
)
async def test_five_minutes_without_a_good_answer_end_the_wait(shape, kind, retry):
    async with stage(shape, retry=retry) as on:
        run = await on.trigger(duration=5000.0)

        async def script():
            await on.time.sleep_until(40)
            spoil(on, kind, times=ALWAYS)

        async def wait():
            with pytest.raises(PASSING[kind][2]) as raised:
                await on.qoder.runs.wait(run.id, timeout=None)
            return raised.value, on.time.elapsed

        error, at = await on.run(wait(), script())
        assert 330 <= at <= 375
        assert any(run.id in note for note in error.__notes__)
        assert len(on.sim.run_ids()) == 1


@BOTH
@pytest.mark.parametrize("retry", [ONCE, RetryPolicy()], ids=["once", "retried"])
async def test_a_service_that_is_down_from_the_start_is_endured_for_five_minutes(shape, retry):
    async with stage(shape, retry=retry) as on:
        run = await on.trigger(duration=5000.0)
        spoil(on, "reset", times=ALWAYS)

        async def wait():
            with pytest.raises(APIConnectionError):
                await on.qoder.runs.wait(run.id, timeout=None)
            return on.time.elapsed

        assert 300 <= await on.run(wait()) <= 330


@BOTH
@pytest.mark.parametrize("retry", [ONCE, RetryPolicy()], ids=["once", "retried"])
async def test_a_little_less_than_five_minutes_do_not_end_the_wait(shape, retry):
    async with stage(shape, retry=retry) as on:
        run = await on.trigger(duration=300.0)

        async def script():
            await on.time.sleep_until(20)
            fault = spoil(on, "500", times=ALWAYS)
            await on.time.sleep(285)
            fault.remove()

        finished, at = await on.run(on.timed(on.qoder.runs.wait(run.id, timeout=None)), script())
        assert finished.ok
        assert 305 <= at <= 330


@BOTH
async def test_five_minutes_count_from_the_last_good_answer_not_altogether(shape):
    async with stage(shape, retry=ONCE) as on:
        run = await on.trigger(duration=1500.0)

        async def script():
            for begin in range(20, 1500, 300):
                await on.time.sleep_until(begin)
                fault = spoil(on, "500", times=ALWAYS)
                await on.time.sleep(270)
                fault.remove()

        finished = await on.run(on.qoder.runs.wait(run.id, timeout=None), script())
        assert finished.ok


@BOTH
async def test_many_are_given_up_each_with_an_error_of_its_own(shape):
    async with stage(shape, retry=ONCE) as on:
        deployments = [on.sim.add_deployment(run_duration=5000.0, timeout=1e6, max_concurrent=9) for _ in range(5)]
        runs = [(await on.qoder.deployments.run(deployment)).id for deployment in deployments for _ in range(4)]

        async def script():
            await on.time.sleep_until(40)
            spoil(on, "500", times=ALWAYS)

        taken, failures = await on.run(collect(on, runs, timeout=None), script())
        assert taken == []
        assert set(failures) == set(runs)
        assert {type(error) for error in failures.values()} == {ServerError}
        assert len({id(error) for error in failures.values()}) == len(runs)
        assert 330 <= on.time.elapsed <= 375


@BOTH
async def test_whoever_joins_during_an_outage_has_five_minutes_too(shape):
    async with stage(shape, retry=ONCE) as on:
        run = await on.trigger(duration=600.0)

        async def script():
            await on.time.sleep_until(20)
            fault = spoil(on, "500", times=ALWAYS)
            await on.time.sleep_until(345)
            fault.remove()

        async def early():
            with pytest.raises(ServerError):
                await on.qoder.runs.wait(run.id, timeout=None)
            return on.time.elapsed

        async def late():
            await on.time.sleep_until(300)
            return await on.qoder.runs.wait(run.id, timeout=None)

        (_, given_up_at, finished) = await on.time.run(script(), early(), late())
        assert given_up_at <= 345
        assert finished.ok


async def test_events_that_can_never_be_read_are_not_endured_for_ever():
    async with stage("lean", retry=ONCE) as on:
        run = await on.trigger(duration=100.0)
        spoil(on, "500", route=EVENTS, times=ALWAYS)

        async def wait():
            with pytest.raises(ServerError):
                await on.qoder.runs.wait(run.id, timeout=1000.0)
            return on.time.elapsed

        assert await on.run(wait()) <= 450


async def test_events_of_many_that_can_never_be_read_are_not_endured_for_ever():
    async with stage("lean", retry=ONCE) as on:
        runs = [(await on.trigger(duration=100.0)).id for _ in range(8)]
        spoil(on, "500", route=EVENTS, times=ALWAYS)
        taken, failures = await on.run(collect(on, runs, timeout=1000.0))
        assert (taken, set(failures)) == ([], set(runs))
        assert on.time.elapsed <= 450


async def test_a_session_that_can_never_be_read_hides_nothing_that_its_events_say():
    async with stage("lean", retry=ONCE) as on:
        run = await on.trigger(duration=500.0)
        spoil(on, "500", route=SESSION, times=ALWAYS)
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run.id, timeout=None)))
        assert finished.state == "completed"
        assert 500 <= at <= 520


async def test_events_that_are_not_read_for_a_while_lose_nothing():
    async with stage("lean", retry=ONCE) as on:
        runs = [await on.trigger(duration=30.0 + 5 * index, stop_rate=index % 2) for index in range(4)]
        fault = spoil(on, "HTML", route=EVENTS, times=ALWAYS)

        async def script():
            await on.time.sleep_until(250)
            fault.remove()

        taken, failures = await on.run(collect(on, runs, timeout=None), script())
        assert failures == {}
        assert len(taken) == 4
        for finished, _ in taken:
            on.assert_true(finished)


@BOTH
async def test_one_failed_poll_of_somebody_who_seldom_looks_does_not_end_the_wait(shape):
    async with stage(shape, retry=ONCE) as on:
        run = await on.trigger(duration=2000.0)
        fault = spoil(on, "500", nth=3)
        poll = Poll(initial=400, factor=1, maximum=400)
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run, timeout=None, poll=poll)))
        assert fault.hits == 1
        assert finished.ok
        assert 2000 <= at <= 2400


@BOTH
async def test_an_outage_ends_the_wait_of_somebody_who_seldom_looks(shape):
    async with stage(shape, retry=ONCE) as on:
        run = await on.trigger(duration=1e5)
        spoil(on, "500", nth=3, times=ALWAYS)

        async def wait():
            with pytest.raises(ServerError):
                await on.qoder.runs.wait(run, timeout=None, poll=Poll(initial=400, factor=1, maximum=400))
            return on.time.elapsed

        assert 600 <= await on.run(wait()) <= 1700


# The simulator


async def test_the_answers_of_faults_tell_the_simulated_time():
    from qoder_async.simulator import ManualClock, Simulator

    async with Simulator(clock=ManualClock(START - timedelta(days=400))) as sim:
        import aiohttp

        sim.faults.add("status", status=404)
        async with aiohttp.ClientSession() as http, http.get(f"{sim.url}/deployments") as answer:
            assert parsedate_to_datetime(answer.headers["Date"]) == START - timedelta(days=400)
