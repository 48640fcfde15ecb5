"""Lists that do not work while single reads do, and the lists of every generation."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from support.clock import START
from waiting_support import (
    ALL_RUNS,
    ALWAYS,
    RUNS,
    SESSIONS,
    SHAPES,
    collect,
    longest_delay,
    spoil,
    stage,
)

from qoder_async import (
    AuthenticationError,
    ResponseDecodeError,
)

BOTH = pytest.mark.parametrize("shape", SHAPES)


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 501])
async def test_lists_that_are_refused_are_done_without(shape, status):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(run_duration=(5.0, 100.0), max_concurrent=9) for _ in range(3)]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(4)]
        for route in (ALL_RUNS, RUNS, SESSIONS):
            on.sim.faults.add("status", route=route, status=status, times=ALWAYS)
        taken, failures = await on.run(collect(on, [run.id for run in runs]))
        if status == 401:
            assert {type(error) for error in failures.values()} == {AuthenticationError}
            return
        assert failures == {}
        for finished, at in taken:
            on.assert_true(finished)
            assert 0 <= at - on.truth(finished.run.id)[1] <= longest_delay(at)
        # Whoever may not read a list is not asked again and again.
        assert sum(on.sim.request_counts[route] for route in (ALL_RUNS, RUNS, SESSIONS)) <= 120


@BOTH
@pytest.mark.parametrize("kind", ["reset", "503", "HTML", "another object"])
async def test_lists_that_always_fail_are_done_without(shape, kind):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(run_duration=(5.0, 100.0), max_concurrent=9) for _ in range(3)]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(4)]
        for route in (ALL_RUNS, RUNS, SESSIONS):
            spoil(on, kind, route=route, times=ALWAYS)
        taken, failures = await on.run(collect(on, [run.id for run in runs]))
        assert failures == {}
        assert len(taken) == 12
        late = []
        for finished, at in taken:
            on.assert_true(finished)
            late.append(at - on.truth(finished.run.id)[1])
        assert min(late) >= 0
        assert max(late) <= 30


def _without_every_second(body):
    page = json.loads(body)
    page["data"] = [record for record in page["data"] if int(record["id"][-1], 16) % 2]
    return json.dumps(page).encode()


@BOTH
async def test_what_a_list_leaves_out_is_read_singly(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(run_duration=(5.0, 100.0), max_concurrent=9) for _ in range(3)]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(8)]
        for route in (ALL_RUNS, RUNS, SESSIONS):
            on.sim.faults.add("body", route=route, body=_without_every_second, times=ALWAYS)
        taken, failures = await on.run(collect(on, [run.id for run in runs]))
        assert failures == {}
        assert len(taken) == 24
        for finished, at in taken:
            on.assert_true(finished)
            assert 0 <= at - on.truth(finished.run.id)[1] <= longest_delay(at)


@pytest.mark.parametrize("lag", [3.0, 30.0])
async def test_lists_of_a_lagging_replica_are_right_in_the_end(lag):
    async with stage() as on:
        deployments = [on.sim.add_deployment(run_duration=(5.0, 200.0), max_concurrent=9) for _ in range(5)]
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(8)]
        pages = []

        def old(body):
            pages.append((on.time.elapsed, body))
            return [page for at, page in pages if at <= max(0.0, on.time.elapsed - lag)][-1]

        on.sim.faults.add("body", route=ALL_RUNS, body=old, times=ALWAYS)
        taken, failures = await on.run(collect(on, [run.id for run in runs]))
        assert failures == {}
        for finished, at in taken:
            on.assert_true(finished)
            assert 0 <= at - on.truth(finished.run.id)[1] <= lag + 2 * longest_delay(at)


@BOTH
async def test_a_record_that_cannot_be_read_fails_alone(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=(5.0, 100.0), max_concurrent=30)
        runs = [(await on.qoder.deployments.run(deployment)).id for _ in range(20)]
        on.sim.replace_record(runs[7], b'{"id":"' + runs[7].encode() + b'","type":"deployment_run"}')
        taken, failures = await on.run(collect(on, runs, timeout=None))
        assert {finished.run.id for finished, _ in taken} == {*runs} - {runs[7]}
        assert {name: type(error) for name, error in failures.items()} == {runs[7]: ResponseDecodeError}
        assert 300 <= on.time.elapsed <= 330
        for finished, at in taken:
            assert at - on.truth(finished.run.id)[1] <= longest_delay(at)


@BOTH
@pytest.mark.parametrize(
    "settings",
    [
        {"max_page_size": 100},
        {"ignore_filters": True},
        {"next_page": "absent"},
        {"next_page": "opaque"},
        {"ignore_filters": True, "max_page_size": 100, "next_page": "opaque"},
    ],
    ids=str,
)
async def test_every_generation_of_lists_is_understood(shape, settings):
    async with stage(shape, sim=settings) as on:
        deployments = [on.sim.add_deployment(run_duration=(5.0, 60.0), max_concurrent=60) for _ in range(3)]
        for deployment in deployments[:2]:
            on.sim.add_runs(deployment, 110, newest=START - timedelta(hours=1))
        # More than a page.
        runs = [await on.qoder.deployments.run(deployment) for deployment in deployments for _ in range(35)]
        taken, failures = await on.run(collect(on, [run.id for run in runs]))
        assert failures == {}
        assert len(taken) == 105
        for finished, at in taken:
            on.assert_true(finished)
            assert 0 <= at - on.truth(finished.run.id)[1] <= longest_delay(at)


@BOTH
async def test_one_connection_is_enough(shape):
    async with stage(shape, max_connections=1) as on:
        runs = [await on.trigger(duration=20.0 + index) for index in range(12)]
        taken, failures = await on.run(collect(on, [run.id for run in runs]))
        assert failures == {}
        for finished, at in taken:
            on.assert_true(finished)
            assert 0 <= at - on.truth(finished.run.id)[1] <= longest_delay(at)
