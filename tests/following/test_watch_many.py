"""Much at once: bursts, slow readers, long watches. Memory stays bounded, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from waiting_support import ALL_RUNS, RUNS, stage
from watching_support import BOTH, assert_told, held, held_runs, ids_of, read, watched

from qoder_async import Poll

MINUTES = 60.0


@BOTH
@pytest.mark.parametrize("which", ["all", "one"])
async def test_five_hundred_runs_between_two_looks(shape, which):
    async with stage(shape) as on:
        first, second = (on.sim.add_deployment() for _ in range(2))
        runs = []

        async def script():
            for _ in range(2):
                await on.time.sleep(15)
                runs.extend(on.sim.add_runs(first, 500, spacing=0.01, state="no_session"))

        told = await watched(
            on, script(), deployments=None if which == "all" else first, poll=Poll(initial=9, maximum=9), seconds=45
        )
        assert_told(on, told, created=runs, finished=runs)
        assert second is not None
        # Each look walks down to where it was 5 minutes ago: at the end past 1,000 runs, in pages of 100 or 1000.
        most = 11 if shape == "lean" else 5
        assert on.sim.request_counts[ALL_RUNS] + on.sim.request_counts[RUNS] <= 7 * most


@BOTH
async def test_two_hundred_deployments_that_all_run_at_once(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(run_duration=(5, 40)) for _ in range(200)]
        runs = []

        async def script():
            world = on.sim._world
            await on.time.sleep(3)
            for each in deployments:
                number = world.trigger(world.deployment(each), 0, world.settle())
                runs.append(world.mint.make("drun", number))

        told = await watched(on, script(), deployments=deployments, seconds=90)
        assert_told(on, told, created=runs, finished=runs)
        # In 90 seconds there are about 20 looks, for a few pages each; lean ends are read one by one, some twice.
        assert on.requests <= 150 + (0 if shape == "extended" else 6 * 200)


@BOTH
async def test_a_reader_that_takes_twenty_minutes(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=(1, 50), max_concurrent=99)
        runs, told, most = [], [], []

        async def script():
            for _ in range(16):
                runs.append(on.sim.insert_run(deployment))
                runs.append((await on.qoder.deployments.run(deployment)).id)
                await on.time.sleep(140)

        async def watch():
            async with on.qoder.runs.watch(deployment, poll=Poll(maximum=30)) as changes:
                act = asyncio.ensure_future(script())
                for _ in range(2):
                    told.append(await anext(changes))
                    await on.time.sleep(20 * MINUTES)
                    most.append(len(held(changes)))
                await read(on, changes, 100, told)
                await act

        await on.run(watch())
        assert_told(on, told, created=runs, finished=runs)
        assert max(most) <= 40


@BOTH
async def test_a_reader_that_sleeps_while_thousands_come_is_waited_for(shape):
    """Back-pressure: no more is looked for while a thousand changes are not read."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        runs, told = [], []

        async def watch():
            async with on.qoder.runs.watch(deployment, poll=Poll(initial=10, maximum=10)) as changes:
                for _ in range(5):
                    runs.extend(on.sim.add_runs(deployment, 400, spacing=0.01, state="no_session"))
                    await on.time.sleep(60)
                kept, requests = len(held(changes)), on.requests
                await on.time.sleep(60)
                assert on.requests == requests
                await read(on, changes, 60, told)
                return kept

        kept = await on.run(watch())
        # Three looks or four fill it; each found 400.
        assert 1000 <= kept <= 1700
        assert_told(on, told, created=runs, finished=runs)


@BOTH
async def test_reads_that_are_given_up_again_and_again(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=(1, 20), max_concurrent=99)
        runs, told = [], []

        async def script():
            for _ in range(12):
                runs.append((await on.qoder.deployments.run(deployment)).id)
                await on.time.sleep(4)

        async def watch():
            async with on.qoder.runs.watch(deployment) as changes:
                act = asyncio.ensure_future(script())
                while on.time.elapsed < 90:
                    reader = asyncio.ensure_future(anext(changes))
                    await asyncio.wait(
                        {reader, asyncio.ensure_future(on.time.sleep(0.11))}, return_when="FIRST_COMPLETED"
                    )
                    reader.cancel()
                    await asyncio.wait({reader})
                    if not reader.cancelled():
                        told.append(reader.result())
                await act

        await on.run(watch())
        assert_told(on, told, created=runs, finished=runs)


@BOTH
async def test_a_read_with_a_timeout_of_asyncio(shape):
    """``asyncio.wait_for(anext(changes), …)`` in real time, cut short hundreds of times."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        told, runs = [], []
        async with on.qoder.runs.watch(deployment) as changes:
            for _ in range(60):
                if len(runs) < 8:
                    runs.append(on.sim.insert_run(deployment))
                await on.time.advance(2)
                for _ in range(3):
                    try:
                        told.append(await asyncio.wait_for(anext(changes), 0.0005))
                    except TimeoutError:
                        break
        assert_told(on, told, created=runs, finished=runs)


@BOTH
async def test_a_long_watch_holds_only_what_goes_on_and_what_is_new(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=20, max_concurrent=99)
        told, sizes, tasks = [], [], []

        async def watch():
            async with on.qoder.runs.watch(deployment) as changes:
                for _ in range(3):
                    for _ in range(20):
                        await on.qoder.deployments.run(deployment)
                    await read(on, changes, 400, told)
                    sizes.append((len(held(changes)), len(changes.state)))
                    tasks.append(len(client_tasks_of(on)))

        await on.run(watch())
        assert len(ids_of(told, "finished")) == 60
        # Of runs that have ended minutes ago nothing is left, in memory or in the state.
        assert max(count for count, _ in sizes) <= 5
        assert max(size for _, size in sizes) < 300
        assert max(tasks) <= 6


def client_tasks_of(on):
    return [task for task in asyncio.all_tasks() if "qoder_async" in str(task.get_name())]


@BOTH
async def test_runs_that_cannot_be_followed_are_not_held_for_ever(shape):
    """Their failures are, for they may be asked for, but nothing else."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(max_concurrent=999)

        async def watch():
            async with on.qoder.runs.watch(deployment) as changes:
                for _ in range(2):
                    runs = [on.sim.insert_run(deployment, state="running") for _ in range(20)]
                    await read(on, changes, 20, [])
                    for run in runs:
                        if shape == "extended":
                            on.sim.delete_run(run)
                        else:
                            on.sim.delete_session(on.sim.run(run)["session_id"])
                    await read(on, changes, 400, [])
                return held(changes) - set(changes.failures), held_runs(changes)

        ids, runs = await on.run(watch())
        assert ids == set()
        assert runs == []


async def test_a_list_that_is_long_costs_no_more_than_the_lists_of_the_deployments():
    """Three deployments are watched in an account with thousands of others' runs a minute."""
    async with stage() as on:
        mine = [on.sim.add_deployment(run_duration=10) for _ in range(3)]
        other = on.sim.add_deployment()
        runs = []

        async def script():
            for index in range(18):
                on.sim.add_runs(other, 300, spacing=0.02, newest=on.time.wall() + timedelta(seconds=6))
                if index % 3 == 0:
                    runs.append((await on.qoder.deployments.run(mine[index % 2])).id)
                await on.time.sleep(6)

        told = await watched(on, script(), deployments=mine, poll=Poll(initial=5, maximum=5), seconds=150)
        assert_told(on, told, created=runs, finished=runs)
        looks = 150 / 4
        assert on.sim.request_counts[ALL_RUNS] + on.sim.request_counts[RUNS] <= looks * 2 * 4 + 40
