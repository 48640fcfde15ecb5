"""Many runs awaited together: all told rightly, for few requests, and no later than by a loop for each."""

from __future__ import annotations

import itertools
import random

import pytest
from waiting_support import SHAPES, stage

from qoder_async import Pace
from qoder_async.following.cadence import next_wait
from qoder_async.options import Poll

BOTH = pytest.mark.parametrize("shape", SHAPES)
RUNS, DEPLOYMENTS = 80, 4
MOST = {"extended": 0.03, "lean": 0.15}
"""The share of the requests of one loop for each run."""


def loops(durations, chance):
    """What a loop for each run would send, and how late it would be: it looks, and waits as the library does."""
    looks, delays = 0, []
    for duration in durations:
        elapsed = 0.0
        looks += 1
        while elapsed < duration:
            elapsed += next_wait(Poll(), elapsed, chance.random())
            looks += 1
        delays.append(elapsed - duration)
    return looks, delays


def at(share, values):
    return sorted(values)[int(len(values) * share)]


async def triggered(on, count=RUNS):
    deployments = [
        on.sim.add_deployment(
            run_duration=(5.0, 240.0),
            timeout=220.0,
            max_concurrent=RUNS,
            failure_rate=0.1,
            stop_rate=0.1,
            no_session_rate=0.03,
        )
        for _ in range(DEPLOYMENTS)
    ]
    runs = [await on.qoder.deployments.run(deployments[number % DEPLOYMENTS]) for number in range(count)]
    on.forget()
    return runs


async def in_one_block(on, runs):
    async with on.qoder.runs.as_completed(runs, timeout=None) as ending:
        return [(finished, on.time.elapsed) async for finished in ending]


async def each_by_itself(on, runs):
    return await on.time.run(*(on.timed(on.qoder.runs.wait(run, timeout=None)) for run in runs))


@BOTH
@pytest.mark.parametrize(("way", "known"), [("block", "runs"), ("waits", "ids")])
async def test_many_cost_few_requests_and_are_told_in_time(shape, way, known):
    random.seed(7)
    async with stage(shape) as on:
        runs = await triggered(on)
        asked = runs if known == "runs" else [run.id for run in runs]
        endings = await (on.run(in_one_block(on, asked)) if way == "block" else each_by_itself(on, asked))
        assert sorted(finished.run.id for finished, _ in endings) == sorted(run.id for run in runs)
        delays, durations = [], []
        for finished, noticed in endings:
            on.assert_true(finished)
            over = on.truth(finished.run.id)[1]
            durations.append(over)
            delays.append(noticed - over)
        assert min(delays) >= 0
        many = 5
        looks, late = loops(durations * many, random.Random(7))
        assert on.requests <= MOST[shape] * looks / many
        assert at(0.5, delays) <= at(0.5, late) * 1.15
        assert at(0.95, delays) <= at(0.95, late) * 1.05
        assert max(delays) <= 10.001


@BOTH
async def test_the_pace_of_the_client_is_kept(shape):
    async with stage(shape) as on:
        runs = await triggered(on, 40)
        paced = on.qoder.with_options(pace=Pace(reads_per_second=5))
        moments = []
        on.sim.faults.add("body", when=lambda request: moments.append(on.time.elapsed), body=b"never used")

        async def wait():
            async with paced.runs.as_completed(runs, timeout=None) as ending:
                return [finished async for finished in ending]

        endings = await on.run(wait())
        assert len(endings) == 40
        for finished in endings:
            on.assert_true(finished)
        assert all(later - earlier >= 0.19 for earlier, later in itertools.pairwise(moments))


@BOTH
async def test_a_few_of_a_long_and_busy_history_are_not_searched_for_in_vain(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(run_duration=(100.0, 200.0), max_concurrent=500) for _ in range(4)]
        awaited = [await on.qoder.deployments.run(deployment) for deployment in deployments]
        await on.time.advance(1.0)
        # Behind very many newer runs.
        for deployment in deployments:
            on.sim.add_runs(deployment, 1100, spacing=0.0)
        on.forget()
        endings = await on.run(in_one_block(on, [run.id for run in awaited]))
        assert {finished.run.id for finished, _ in endings} == {run.id for run in awaited}
        looks, _ = loops([on.truth(run.id)[1] for run in awaited], random.Random(7))
        assert on.requests <= looks * 1.3 + 30
