"""Watches of services that page, filter and tell the time in their own ways, and clients with other settings."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from email.utils import format_datetime

import pytest
from support.virtual_time import SetByHand, VirtualTime
from waiting_support import ALL_RUNS, RUN, RUNS, SESSION, stage
from watching_support import BOTH, ago, assert_told, read, state_of, trigger_by_hand, watched

from qoder_async import Pace, Poll


@BOTH
@pytest.mark.parametrize(
    "settings",
    [{"next_page": "opaque"}, {"next_page": "absent"}, {"max_page_size": 100}, {"ignore_filters": True}],
    ids=lambda settings: next(iter(settings)) + str(next(iter(settings.values()))),
)
async def test_services_that_page_and_filter_in_their_own_ways(shape, settings):
    async with stage(shape, sim=settings) as on:
        first, second = (on.sim.add_deployment(run_duration=(1, 40), max_concurrent=9) for _ in range(2))
        on.sim.add_runs(second, 130, spacing=4, newest=ago(on, 2), state="no_session")
        old = on.sim.insert_run(first, state="running", triggered_at=ago(on, 400))
        if not settings.get("ignore_filters"):
            on.sim.add_runs(second, 130, spacing=2, newest=ago(on, 1), state="no_session")
        else:
            old = on.sim.insert_run(first, state="running", triggered_at=ago(on, 30))
        runs = []

        async def script():
            await trigger_by_hand(on, [first], 4, 6, runs)
            on.sim.add_runs(second, 110, spacing=0.01, state="no_session")
            runs.extend(on.sim.run_ids(second)[:110])
            on.sim.set_run(old, status="completed")

        told = await watched(on, script(), seconds=80)
        assert_told(on, told, created=runs, finished=[old, *runs])


@BOTH
async def test_a_client_with_one_connection_and_a_pace(shape):
    async with stage(shape, max_connections=1, pace=Pace(reads_per_second=20)) as on:
        deployments = [on.sim.add_deployment(run_duration=(1, 40), max_concurrent=9) for _ in range(3)]
        runs, told, waited = [], [], []
        running = on.sim.insert_run(deployments[0], state="running", triggered_at=ago(on, 400))

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                act = asyncio.ensure_future(trigger_by_hand(on, [deployments[0]], 5, 6, runs))
                wait = asyncio.ensure_future(on.qoder.runs.wait(running))
                await read(on, changes, 40, told)
                on.sim.set_run(running, status="completed")
                await read(on, changes, 60, told)
                await act
                waited.append(await wait)

        await on.run(watch())
        assert_told(on, told, created=runs, finished=[running, *runs])
        assert waited[0].ok


# What time it is


@BOTH
@pytest.mark.parametrize("step", [-3600, -7, 7, 290, 3600])
async def test_a_clock_that_is_set_in_mid_watch_loses_nothing(shape, step, monkeypatch):
    """The machine's, while the service's goes right."""
    monkeypatch.setattr("waiting_support.VirtualTime", SetByHand)
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=0.5)
        runs = []

        async def script():
            acting = asyncio.ensure_future(trigger_by_hand(on, [deployment], 8, 11, runs))
            await on.time.sleep(40)
            on.time.ahead = timedelta(seconds=step)
            await acting

        told = await watched(on, script(), deployments=deployment, seconds=500)
        assert_told(on, told, created=runs, finished=runs)


@BOTH
@pytest.mark.parametrize("ahead", [-3600, 3600])
async def test_failures_that_tell_another_time_lose_nothing(shape, ahead):
    """Something before the service, with a clock of its own, answers now and then in its place."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=60, max_concurrent=9)
        runs = []

        async def script():
            acting = asyncio.ensure_future(trigger_by_hand(on, [deployment], 8, 11, runs))
            for _ in range(12):
                date = format_datetime(on.time.wall() + timedelta(seconds=ahead), usegmt=True)
                route = RUN if shape == "extended" else SESSION
                on.sim.faults.add("status", status=503, route=route, times=4, headers={"Date": date})
                await on.time.sleep(9)
            await acting

        told = await watched(on, script(), deployments=deployment, poll=Poll(initial=1, maximum=2), seconds=190)
        assert_told(on, told, created=runs, finished=runs)


class Sleepy(VirtualTime):
    """A machine whose steady clock stands still while the machine does."""

    slept = 0.0

    def now(self):
        return super().now() - self.slept

    def oversleep(self, seconds):
        self.slept += seconds
        self._move(self._microseconds + round(seconds * 1_000_000))


@BOTH
async def test_a_machine_that_slept_for_hours_catches_up_once(shape, monkeypatch):
    """The looks after the first do not go back by hours again."""
    monkeypatch.setattr("waiting_support.VirtualTime", Sleepy)
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        told = []

        async def watch():
            async with on.qoder.runs.watch(poll=Poll(initial=10, maximum=10)) as changes:
                await read(on, changes, 20, told)
                on.sim.add_runs(
                    deployment, 600, spacing=45, newest=on.time.wall() + timedelta(hours=8), state="no_session"
                )
                on.time.oversleep(8 * 3600)
                await read(on, changes, 20, told)
                requests = on.requests
                await read(on, changes, 120, told)
                return on.requests - requests

        requests = await on.run(watch())
        runs = on.sim.run_ids()
        assert_told(on, told, created=runs, finished=runs)
        assert requests <= 3 * 120 / 8


# What it costs


async def test_a_busy_account_is_read_in_large_pages():
    """600 runs lie within the look-back: that is a page of 1000 and not seven of 100, at each look."""
    async with stage() as on:
        first, second = (on.sim.add_deployment() for _ in range(2))
        on.sim.add_runs(first, 600, spacing=0.5, newest=ago(on, 1))
        runs = []

        async def script():
            for _ in range(20):
                runs.extend(on.sim.add_runs(first, 10, spacing=0.5, newest=ago(on, -5)))
                await on.time.sleep(5)

        told = await watched(on, script(), poll=Poll(initial=10, maximum=10), seconds=130)
        assert second is not None
        assert_told(on, told, created=runs, finished=runs)
        looks = 130 / 8
        assert on.sim.request_counts[ALL_RUNS] <= 2 * looks + 10


@BOTH
async def test_going_on_with_many_unfinished_runs_is_not_as_many_requests(shape):
    async with stage(shape) as on:
        deployments = [on.sim.add_deployment(max_concurrent=999) for _ in range(4)]
        runs = [run for each in deployments for run in on.sim.add_runs(each, 60, spacing=30, state="running")]
        state = await state_of(on)
        on.forget()
        told = []

        async def watch():
            async with on.qoder.runs.watch(since=state) as changes:
                await read(on, changes, 20, told)
                cost.append(on.requests)
                for run in runs:
                    on.sim.set_run(run, status="completed")
                await read(on, changes, 40, told)

        cost = []
        await on.run(watch())
        assert_told(on, told, finished=runs, watches=2)
        # By an id alone nobody knows where a run belongs; the lists show most of them.
        assert cost[0] <= 100


async def test_keeping_the_state_after_each_change_stays_cheap():
    """Whoever catches up with thousands of runs, and keeps the state each time, must not write them all each time."""
    async with stage() as on:
        deployment = on.sim.add_deployment()
        on.sim.add_runs(deployment, 2000, spacing=60)
        since = ago(on, 2001 * 60)
        sizes = []

        async def watch():
            async with on.qoder.runs.watch(deployment, since=since) as changes:
                for number in range(4000):
                    await anext(changes)
                    if number % 100 == 0:
                        sizes.append(len(changes.state))

        await on.run(watch())
        assert max(sizes) <= 20_000
        assert on.sim.request_counts[RUNS] <= 25


async def test_catching_up_takes_steps_in_proportion():
    """Six times as many runs take six times as many calls, not thirty-six times: the loop stands still meanwhile."""

    async def steps(count):
        async with stage() as on:
            deployment = on.sim.add_deployment()
            on.sim.add_runs(deployment, count, spacing=60, render=True)
            taken = 0

            def count_one(frame, event, argument):
                nonlocal taken
                taken += 1

            sys.setprofile(count_one)
            try:
                await state_of(on, deployments=deployment, since=ago(on, 60 * count))
            finally:
                sys.setprofile(None)
            return taken

    assert await steps(1800) < 8 * await steps(300)
