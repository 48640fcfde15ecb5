"""One run awaited alone: what it costs, and how late its end is noticed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from waiting_support import (
    EVENTS,
    RUN,
    SESSION,
    SHAPES,
    TRIGGER,
    longest_delay,
    most_looks,
    stage,
)

from qoder_async.options import Poll

BOTH = pytest.mark.parametrize("shape", SHAPES)
ENDINGS = ["completed", "failed", "timed_out", "skipped", "no_session", "stopped"]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_run_that_is_over_costs_one_request_and_no_time(ending):
    async with stage() as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state=ending)
        finished = await on.run(on.qoder.runs.wait(run_id))
        on.assert_true(finished)
        assert on.routes == [RUN]
        assert on.time.elapsed == 0


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_lean_run_that_is_over_costs_three_requests_and_no_time(ending):
    async with stage("lean") as on:
        run_id = on.sim.insert_run(on.sim.add_deployment(), state=ending)
        finished = await on.run(on.qoder.runs.wait(run_id))
        on.assert_true(finished)
        assert on.routes == ([RUN] if ending in ("no_session", "skipped") else [RUN, EVENTS, SESSION])
        assert on.time.elapsed == 0


@BOTH
async def test_a_run_object_that_says_that_it_is_over_is_believed(shape):
    async with stage(shape) as on:
        run = await on.qoder.runs.get(on.sim.insert_run(on.sim.add_deployment(), state="no_session"))
        on.forget()
        assert (await on.run(on.qoder.runs.wait(run))).state == "failed"
        assert on.routes == []


async def test_a_lean_run_object_costs_no_look_at_the_run():
    async with stage("lean") as on:
        run = await on.qoder.runs.get(on.sim.insert_run(on.sim.add_deployment()))
        on.forget()
        assert (await on.run(on.qoder.runs.wait(run))).state == "completed"
        assert on.routes == [EVENTS, SESSION]


@BOTH
@pytest.mark.parametrize("duration", [2.0, 20.0, 300.0, 900.0])
@pytest.mark.parametrize("known", ["id", "run"])
async def test_the_end_is_noticed_within_a_wait_and_looks_are_few(shape, duration, known):
    async with stage(shape) as on:
        run = await on.trigger(duration=duration)
        on.forget()
        waited = on.qoder.runs.wait(run if known == "run" else run.id, timeout=None)
        finished, at = await on.run(on.timed(waited))
        on.assert_true(finished)
        assert duration <= at <= duration + longest_delay(duration)
        # A lean run is read once, and its session a few times: the longer it works, the rarer.
        spare = 0 if shape == "extended" else 8
        assert on.requests <= most_looks(duration) + spare
        assert on.requests >= duration / 10


async def test_run_and_wait_triggers_once_and_looks_at_once():
    async with stage() as on:
        deployment = on.sim.add_deployment(run_duration=3.0)
        finished, at = await on.run(on.timed(on.qoder.deployments.run_and_wait(deployment)))
        assert finished.ok
        assert 3 <= at <= 3 + longest_delay(3)
        assert on.routes[:2] == [TRIGGER, RUN]
        assert on.routes.count(TRIGGER) == len(on.sim.run_ids()) == 1


@BOTH
@pytest.mark.parametrize("rate", ["failure_rate", "stop_rate", "no_session_rate"])
async def test_run_and_wait_tells_how_it_ended(shape, rate):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=3.0, **{rate: 1.0})
        finished = await on.run(on.qoder.deployments.run_and_wait(deployment))
        on.assert_true(finished)
        assert finished.run.id == on.sim.run_ids()[0]


@BOTH
async def test_a_run_that_finds_no_place_is_over_with_its_trigger(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(max_concurrent=1)
        await on.qoder.deployments.run(deployment)
        on.forget()
        finished = await on.run(on.qoder.deployments.run_and_wait(deployment))
        on.assert_true(finished)
        assert on.routes == [TRIGGER]
        assert on.time.elapsed == 0


async def test_the_cadence_is_the_callers():
    async with stage() as on:
        run = await on.trigger(duration=100.0)
        on.forget()
        poll = Poll(initial=30.0, factor=1.0, maximum=timedelta(seconds=30))
        finished, at = await on.run(on.timed(on.qoder.runs.wait(run.id, poll=poll)))
        assert finished.ok
        assert 100 <= at <= 130
        assert 5 <= on.requests <= 6
