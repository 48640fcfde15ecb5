"""What a watch tells of runs that come and go: each creation and each end once, in order, for few requests."""

from __future__ import annotations

from datetime import timedelta

import pytest
from waiting_support import ALL_RUNS, RUN, RUNS, SESSIONS, stage
from watching_support import BOTH, assert_told, ids_of, trigger, watched

from qoder_async import Poll
from qoder_async.models import Deployment

DEPLOYMENTS = "GET /deployments"
DEPLOYMENT = "GET /deployments/{id}"


def busy(on, count, **settings):
    """Deployments whose runs end in every way."""
    usual = {"run_duration": (1, 90), "max_concurrent": 3, "failure_rate": 0.2, "no_session_rate": 0.1}
    return [on.sim.add_deployment(**usual | settings) for _ in range(count)]


@BOTH
@pytest.mark.parametrize("which", ["all", "two hundred", "one"])
async def test_every_creation_and_every_end_is_told_once(shape, which):
    async with stage(shape) as on:
        deployments = busy(on, 1 if which == "one" else 200, stop_rate=0.1)
        runs = []
        told = await watched(
            on,
            trigger(on, deployments, 24, 2.7, runs),
            deployments=None if which == "all" else deployments,
            seconds=190,
        )
        assert len(runs) == 24
        assert_told(on, told, created=runs, finished=runs)
        assert {"completed", "failed"} <= {str(change.finished.state) for change in told if change.finished}


@BOTH
async def test_two_hundred_deployments_are_not_two_hundred_lists(shape):
    async with stage(shape) as on:
        deployments = busy(on, 200)
        runs = []
        told = await watched(on, trigger(on, deployments, 25, 5, runs), deployments=deployments, seconds=300)
        assert_told(on, told, created=runs, finished=runs)
        counts = on.sim.request_counts
        assert counts[DEPLOYMENTS] <= 3
        assert counts[DEPLOYMENT] == counts[RUNS] == 0
        # A look for new runs at least every 8 seconds once it goes slowly, and some looks at each run that goes on.
        assert counts[ALL_RUNS] <= 2 * 300 / 8 + 20
        assert on.requests - counts[ALL_RUNS] - 25 <= 25 * 10


@BOTH
async def test_a_quiet_watch_costs_one_request_a_look(shape):
    async with stage(shape) as on:
        deployments = busy(on, 200)
        on.sim.add_runs(deployments[0], 500, newest=on.time.wall() - timedelta(hours=1))
        told = await watched(on, deployments=deployments, poll=Poll(initial=10, maximum=10), seconds=1200)
        assert told == []
        assert 120 <= on.sim.request_counts[ALL_RUNS] <= 1200 / 8 + 3
        assert on.requests - on.sim.request_counts[ALL_RUNS] <= 4


@BOTH
async def test_one_deployment_is_asked_about_alone(shape):
    async with stage(shape) as on:
        mine, other = busy(on, 2)
        on.sim.add_runs(other, 3000, spacing=0.01)
        runs = []
        told = await watched(on, trigger(on, [mine, other], 6, 3, runs), deployments=mine, seconds=200)
        assert_told(on, told, created=runs[::2], finished=runs[::2])
        assert on.sim.request_counts[ALL_RUNS] == 0


@BOTH
async def test_deployments_may_be_ids_objects_or_both_and_come_twice(shape):
    async with stage(shape) as on:
        first, second, third = busy(on, 3)
        objects = [await on.qoder.deployments.get(each) for each in (first, second)]
        assert isinstance(objects[0], Deployment)
        runs = []
        told = await watched(
            on,
            trigger(on, [first, second, third], 6, 1, runs),
            deployments=iter([*objects, second, first]),
            seconds=150,
        )
        expected = [run for index, run in enumerate(runs) if index % 3 != 2]
        assert_told(on, told, created=expected, finished=expected)


async def test_what_happens_in_between_is_told_as_changed():
    async with stage() as on:
        deployment = on.sim.add_deployment(start_delay=30, run_duration=30)

        async def script():
            run = await on.qoder.deployments.run(deployment)
            await on.time.sleep(100)
            assert [change.kind for change in told] == ["created", "changed", "finished"]
            assert {change.run.id for change in told} == {run.id}

        told = []
        async with on.qoder.runs.watch(deployment) as changes:

            async def reader():
                async for change in changes:
                    told.append(change)
                    if change.kind == "finished":
                        return

            await on.run(reader(), script())
        created, changed, finished = told
        assert (created.previous, created.finished) == (None, None)
        assert (created.run.status, changed.run.status, finished.run.status) == ("pending", "running", "completed")
        assert (changed.previous, finished.previous) == (created.run, changed.run)
        assert finished.finished.ok


async def test_times_that_are_spelled_differently_are_no_change():
    async with stage() as on:
        deployment = on.sim.add_deployment(run_duration=1e6, timeout=1e7)

        async def script():
            run = await on.qoder.deployments.run(deployment)
            for digits in (3, 9, 6):
                await on.time.sleep(20)
                on.sim.patch_record(run.id, triggered_at=f"{on.time._start.isoformat()[:19]}.{'0' * digits}Z")

        told = await watched(on, script(), deployments=deployment, seconds=100)
        assert [change.kind for change in told] == ["created"]


async def test_words_nobody_knows_go_on_until_there_is_an_end():
    async with stage() as on:
        deployment = on.sim.add_deployment()
        runs = []

        async def script():
            run = on.sim.insert_run(deployment, state="running")
            runs.append(run)
            for word in ("queued", "thinking"):
                await on.time.sleep(15)
                on.sim.set_run(run, status=word)
            await on.time.sleep(15)
            on.sim.patch_record(run, status="evaporated", completed_at="2026-11-22T08:31:00Z")

        told = await watched(on, script(), deployments=deployment, seconds=90)
        assert [(change.kind, change.run.status) for change in told] == [
            ("created", "running"),
            ("changed", "queued"),
            ("changed", "thinking"),
            ("finished", "evaporated"),
        ]
        assert told[-1].finished.state == "evaporated"


@BOTH
async def test_a_run_that_is_over_when_it_is_found_is_told_as_created_and_finished(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        runs = []

        async def script():
            for state in ("completed", "failed", "skipped", "no_session", "stopped", "timed_out"):
                runs.append(on.sim.insert_run(deployment, state=state))
                await on.time.sleep(4)

        told = await watched(on, script(), deployments=deployment, seconds=60)
        assert_told(on, told, created=runs, finished=runs)
        assert ids_of(told, "created") == runs


async def test_cron_schedules_and_retries_are_told():
    async with stage() as on:
        on.sim.add_deployment(schedule="* * * * *", run_duration=20, failure_rate=0.5, max_retries=2)
        told = await watched(on, seconds=900)
        going_on = [run for run in on.sim.run_ids() if on.sim.run(run)["status"] in ("pending", "running")]
        runs = on.sim.run_ids()
        assert len(runs) > 18
        # The last ones may be seen with the next look.
        late = {run for run in runs if on.sim._world.table.completed[on.sim._world.run(run)] / 1e6 > now(on) - 10}
        for kind in ("created", "finished"):
            ids = ids_of(told, kind)
            assert len(ids) == len(set(ids))
            assert set(runs) - late - set(going_on) <= set(ids) <= set(runs)


def now(on):
    return on.time.wall().timestamp()


@BOTH
async def test_runs_are_seen_soon(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=25)
        seen = []

        async def script():
            await on.time.sleep(100)
            seen.append((await on.qoder.deployments.run(deployment)).id)
            seen.append(on.time.elapsed)

        async with on.qoder.runs.watch(deployment, poll=Poll(initial=1, maximum=2)) as changes:

            async def reader():
                times = []
                async for change in changes:
                    times.append((change.kind, on.time.elapsed))
                    if change.kind == "finished":
                        return times
                return None

            times, _ = await on.time.run(reader(), script())
        assert times[0][0] == "created"
        assert times[0][1] - seen[1] <= 2.001
        assert times[-1][1] - seen[1] - 25 <= 2.001


async def test_a_single_run_that_goes_on_costs_little_beside_the_looks():
    async with stage() as on:
        deployment = on.sim.add_deployment(run_duration=1e6, timeout=1e7)

        async def script():
            await on.qoder.deployments.run(deployment)

        await watched(on, script(), deployments=deployment, seconds=1000)
        # Until the run is older than the look-back, the looks show it, too.
        assert on.sim.request_counts[RUNS] + on.sim.request_counts[RUN] <= 2 * 1000 / 8 + 60
        assert on.sim.request_counts[SESSIONS] == 0
