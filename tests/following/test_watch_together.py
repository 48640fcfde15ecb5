"""Watches beside waits and other watches of the same client, and deployments that come and go."""

from __future__ import annotations

import asyncio

from waiting_support import ALL_RUNS, RUNS, stage
from watching_support import BOTH, assert_told, ids_of, read, watched

from qoder_async import Poll


def lively(on, count=5, **settings):
    return [on.sim.add_deployment(**{"run_duration": (1, 80), "max_concurrent": 9} | settings) for _ in range(count)]


async def trigger(on, deployments, count, every, into):
    for index in range(count):
        into.append(await on.qoder.deployments.run(deployments[index % len(deployments)]))
        await on.time.sleep(every)


@BOTH
async def test_a_watch_and_waits_for_the_same_runs(shape):
    async with stage(shape) as on:
        deployments = lively(on, failure_rate=0.3)
        runs, told, waited = [], [], []

        async def trigger_and_wait(index):
            await on.time.sleep(1 + 3 * index)
            finished = await on.qoder.deployments.run_and_wait(deployments[index % 5])
            runs.append(finished.run.id)
            waited.append(finished)

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                await read(on, changes, 200, told)

        await on.run(watch(), *(trigger_and_wait(index) for index in range(10)))
        assert_told(on, told, created=runs, finished=runs)
        states = {change.run.id: change.finished.state for change in told if change.finished}
        assert {finished.run.id: finished.state for finished in waited} == states


@BOTH
async def test_waiting_within_the_loop_of_a_watch(shape):
    """Whoever waits for each run on its creation hears of its end twice: from the wait and from the watch."""
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told, ends = [], [], []

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                act = asyncio.ensure_future(trigger(on, deployments, 6, 5, runs))
                while len(ids_of(told, "finished")) < 6:
                    change = await anext(changes)
                    told.append(change)
                    if change.kind == "created":
                        ends.append(await on.qoder.runs.wait(change.run))
                await act

        await on.run(watch())
        ids = [run.id for run in runs]
        assert_told(on, told, created=ids, finished=ids)
        assert sorted(finished.run.id for finished in ends) == sorted(ids)


@BOTH
async def test_together_is_cheaper_than_apart(shape):
    async def cost(*, waits, watches):
        async with stage(shape) as on:
            deployments = lively(on, run_duration=(20, 60))
            runs, told = [], [[] for _ in range(watches)]

            async def watch(into):
                async with on.qoder.runs.watch(deployments) as changes:
                    await read(on, changes, 90, into)

            async def script():
                await on.time.sleep(1)
                await trigger(on, deployments, 6, 2, runs)
                await asyncio.gather(*(on.qoder.runs.wait(run) for run in runs[: 6 * waits]))

            await on.run(script(), *(watch(into) for into in told))
            ids = [run.id for run in runs]
            for each in told:
                assert_told(on, each, created=ids, finished=ids)
            return on.requests

    watch = wait = both = two = 0
    for _ in range(2):  # when looks come is partly left to chance
        watch += await cost(waits=0, watches=1)
        wait += await cost(waits=1, watches=0)
        both += await cost(waits=1, watches=1)
        two += await cost(waits=0, watches=2)
    assert both < watch + wait
    assert two < 2 * watch


@BOTH
async def test_two_watches_that_begin_at_different_times(shape):
    async with stage(shape) as on:
        deployments = lively(on, run_duration=(30, 80))
        runs, first, second = [], [], []

        async def watch_later():
            await on.time.sleep(20)
            async with on.qoder.runs.watch(deployments[:2]) as changes:
                late.extend(run.id for run in runs)
                await read(on, changes, 150, second)

        async def watch():
            async with on.qoder.runs.watch() as changes:
                act = asyncio.ensure_future(trigger(on, deployments, 10, 4.1, runs))
                await read(on, changes, 60, first)
                await act

        late = []
        await on.run(watch(), watch_later())
        ids = [run.id for run in runs]
        assert set(ids_of(first, "created")) == set(ids)
        mine = [run.id for run in runs if run.deployment_id in deployments[:2]]
        assert_told(on, second, created=[each for each in mine if each not in late], finished=mine)


@BOTH
async def test_leaving_one_of_two_watches_leaves_the_other(shape):
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told = [], []

        async def short():
            for _ in range(10):
                async with on.qoder.runs.watch(deployments) as changes:
                    await read(on, changes, 7, [])

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                act = asyncio.ensure_future(trigger(on, deployments, 10, 5, runs))
                await read(on, changes, 160, told)
                await act

        await on.run(watch(), short())
        ids = [run.id for run in runs]
        assert_told(on, told, created=ids, finished=ids)


@BOTH
async def test_deployments_that_are_new_are_watched_with_all(shape):
    async with stage(shape) as on:
        runs = []

        async def script():
            for _ in range(4):
                await on.time.sleep(20)
                deployment = (
                    await on.qoder.deployments.create(
                        name="new", agent="agent_0199", environment_id="env_0199", initial_events=[event(shape)]
                    )
                ).id
                runs.append((await on.qoder.deployments.run(deployment)).id)
                await on.qoder.deployments.archive(deployment)

        told = await watched(on, script(), seconds=300)
        assert_told(on, told, created=runs, finished=runs)


def event(shape):
    text = "Go."
    return {"type": "user.message", "content": text if shape == "extended" else [{"type": "text", "text": text}]}


@BOTH
async def test_archived_deployments_are_watched_too(shape):
    """Their last runs go on, and may be watched by name."""
    async with stage(shape) as on:
        one, two, three = lively(on, 3, run_duration=60)
        runs = [(await on.qoder.deployments.run(each)).id for each in (one, two, three)]
        for each in (one, two):
            await on.qoder.deployments.archive(each)
        assert_told(on, await watched(on, deployments=[one, two], seconds=30), finished=[])
        assert_told(on, await watched(on, deployments=one, seconds=60), finished=runs[:1])


@BOTH
async def test_a_deployment_that_is_archived_while_watched(shape):
    async with stage(shape) as on:
        one, two = lively(on, 2, run_duration=60)
        runs = []

        async def script():
            runs.extend([(await on.qoder.deployments.run(each)).id for each in (one, two)])
            await on.time.sleep(10)
            await on.qoder.deployments.archive(one)

        told = await watched(on, script(), deployments=[one, two], seconds=100)
        assert_told(on, told, created=runs, finished=runs)


@BOTH
async def test_three_deployments_are_asked_about_together(shape):
    async with stage(shape) as on:
        deployments = lively(on, 3)
        await watched(on, deployments=deployments, poll=Poll(initial=10, maximum=10), seconds=300)
        assert on.sim.request_counts[RUNS] == 0
        assert on.sim.request_counts[ALL_RUNS] <= 300 / 8 + 4


@BOTH
async def test_cancelled_sessions_end_their_runs(shape):
    async with stage(shape) as on:
        (deployment,) = lively(on, 1, run_duration=500, timeout=1e4)
        runs = []

        async def script():
            await trigger(on, [deployment], 3, 5, runs)
            for run in runs:
                session = on.sim.run(run.id)["session_id"]
                await on.qoder.sessions.cancel(session)

        told = await watched(on, script(), deployments=deployment, seconds=60)
        ids = [run.id for run in runs]
        assert_told(on, told, created=ids, finished=ids)
