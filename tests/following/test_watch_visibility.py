"""Runs that become visible late, or out of order, and runs that stand at the same instant."""

from __future__ import annotations

from datetime import timedelta

import pytest
from waiting_support import stage
from watching_support import BOTH, assert_told, ids_of, read, trigger, watched

from qoder_async import Poll

LATE = 60.0


@BOTH
async def test_runs_that_show_a_minute_late_are_told(shape):
    async with stage(shape, sim={"visibility_delay": LATE}) as on:
        deployment = on.sim.add_deployment(run_duration=(1, 200), max_concurrent=99)
        runs = []
        told = await watched(on, trigger(on, [deployment], 12, 17, runs), deployments=deployment, seconds=550)
        assert_told(on, told, created=runs, finished=runs)


@BOTH
async def test_runs_that_show_late_are_told_across_watches(shape):
    async with stage(shape, sim={"visibility_delay": LATE}) as on:
        deployment = on.sim.add_deployment(run_duration=(1, 200), max_concurrent=99)
        runs, told = [], []

        async def watch():
            state = None
            while on.time.elapsed < 600:
                async with on.qoder.runs.watch(deployment, since=state) as changes:
                    started.append(None)
                    await read(on, changes, 21, told)
                    state = changes.state
                await on.time.sleep(13)

        async def script():
            while not started:
                await on.time.sleep(0)
            await trigger(on, [deployment], 12, 17, runs)

        started = []
        await on.run(watch(), script())
        assert_told(on, told, created=runs, finished=runs, watches=2)


@BOTH
async def test_a_run_that_shows_only_after_the_watch_began_is_told(shape):
    async with stage(shape, sim={"visibility_delay": LATE}) as on:
        deployment = on.sim.add_deployment(run_duration=1)
        run = (await on.qoder.deployments.run(deployment)).id
        await on.time.advance(30)
        told = await watched(on, deployments=deployment, seconds=60)
        assert_told(on, told, created=[run], finished=[run])


@BOTH
@pytest.mark.parametrize("poll", [Poll(), Poll(initial=120, maximum=120)])
async def test_runs_that_show_in_any_order(shape, poll):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(max_concurrent=99)
        runs = []

        async def script():
            for late in (0, 200, 100, 290, 5, 0, 250):
                await on.time.sleep(7)
                at = on.time.wall()
                runs.append(on.sim.insert_run(deployment, triggered_at=at - timedelta(seconds=late)))

        told = await watched(on, script(), deployments=deployment, poll=poll, seconds=400)
        assert_told(on, told, created=runs, finished=runs)


@BOTH
async def test_many_runs_at_one_instant(shape):
    """More than a page of them, found by several looks."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        runs = []

        async def script():
            for _ in range(3):
                runs.extend(on.sim.add_runs(deployment, 110, same_time=True, state="no_session"))
                await on.time.sleep(6.5)

        told = await watched(on, script(), deployments=deployment, seconds=40)
        assert_told(on, told, created=runs, finished=runs)


@BOTH
async def test_records_that_are_made_seconds_after_the_trigger(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        runs = []
        before = on.sim.insert_run(deployment, triggered_at=on.time.wall() - timedelta(seconds=9), created_after=4)

        async def script():
            for after in (0, 9, 3, 1):
                runs.append(on.sim.insert_run(deployment, created_after=after))
                await on.time.sleep(4)

        told = await watched(on, script(), deployments=deployment, seconds=60)
        assert before not in ids_of(told, "created")
        assert_told(on, told, created=runs, finished=runs)


async def test_a_stale_answer_is_no_change():
    """A replica that lags shows a run as pending after it was seen running."""
    async with stage() as on:
        deployment = on.sim.add_deployment()
        runs = []

        async def script():
            runs.append(on.sim.insert_run(deployment, state="running"))
            await on.time.sleep(15)
            on.sim.patch_record(runs[0], status="pending")
            await on.time.sleep(15)
            on.sim.patch_record(runs[0], status="running")
            await on.time.sleep(15)
            on.sim.set_run(runs[0], status="completed")
            await on.time.sleep(15)
            on.sim.patch_record(runs[0], status="running", completed_at=...)

        told = await watched(on, script(), deployments=deployment, seconds=120)
        assert [change.kind for change in told] == ["created", "finished"]
