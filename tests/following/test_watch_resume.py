"""Going on from ``changes.state``: what both watches tell together is everything, once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from waiting_support import stage
from watching_support import BOTH, SETTLED, assert_sound, assert_told, ids_of, read, state_of

from qoder_async import AsyncQoder
from qoder_async.models import RunStatus

SECOND, HOUR, DAY = 1.0, 3600.0, 86_400.0


def lively(on, count=4):
    return [
        on.sim.add_deployment(
            run_duration=(1, 80), start_delay=(0, 9), max_concurrent=3, failure_rate=0.2, no_session_rate=0.1
        )
        for _ in range(count)
    ]


async def trigger_in_bursts(on, deployments, bursts, every, into):
    """Trigger a few runs at once, again and again."""
    for burst in range(bursts):
        for index in range(burst % 4 + 1):
            into.append((await on.qoder.deployments.run(deployments[(burst + index) % len(deployments)])).id)
        await on.time.sleep(every)


async def read_some(changes, count, into):
    for _ in range(count):
        into.append(await anext(changes))


def another_client(on):
    return on.time.use(AsyncQoder("pt-other", base_url=on.sim.url, pace=None))


@BOTH
@pytest.mark.parametrize("deployed", [None, "several"])
async def test_leaving_after_every_change(shape, deployed):
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told = [], []

        async def watch_piecewise():
            state = None
            while True:
                chosen = None if deployed is None else deployments
                async with on.qoder.runs.watch(chosen, since=state) as changes:
                    entered.set()
                    got = []
                    await read(on, first_of(changes, 1), SETTLED * 3, got)
                    state = changes.state
                told.extend(got)
                if not got:
                    return

        entered = asyncio.Event()

        async def script():
            await entered.wait()
            await trigger_in_bursts(on, deployments, 5, 11, runs)

        await on.run(watch_piecewise(), script())
        assert_told(on, told, created=runs, finished=runs, watches=2)


async def first_of(changes, count):
    for _ in range(count):
        yield await anext(changes)


@BOTH
@pytest.mark.parametrize("pause", [SECOND, DAY])
async def test_every_state_on_the_way_goes_on_from_just_there(shape, pause):
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told, states = [], [], []

        async def watch():
            async with on.qoder.runs.watch() as changes:
                states.append(changes.state)
                act = asyncio.ensure_future(trigger_in_bursts(on, deployments, 6, 12, runs))
                await read(on, noting(changes), 200, told)
                await act

        async def noting(changes):
            async for change in changes:
                # A state that is taken just before is as good, until the change is delivered.
                states.append(changes.state)
                yield change

        await on.run(watch())
        assert_told(on, told, created=runs, finished=runs)
        assert len(states) == len(told) + 1
        await on.time.advance(pause)

        async def go_on(state, before):
            rest = []
            async with another_client(on) as other, other.runs.watch(since=str(state)) as changes:
                await read(on, changes, 15, rest)
            left = told[before:]
            assert_told(on, rest, created=ids_of(left, "created"), finished=ids_of(left, "finished"), watches=2)

        # All at the same time: they are clients of their own.
        await on.run(*(go_on(state, before) for before, state in list(enumerate(states))[::4]))


@BOTH
@pytest.mark.parametrize("pause", [SECOND, HOUR, DAY])
async def test_what_happens_in_between_is_told_afterwards(shape, pause):
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told = [], []
        long = on.sim.add_deployment(run_duration=pause + 100, timeout=1e7)
        runs.append((await on.qoder.deployments.run(long)).id)

        async def watch(state, seconds):
            async with on.qoder.runs.watch(since=state) as changes:
                await read(on, changes, seconds, told)
                return changes.state

        async def script():
            state = await watch(None, 1)
            await trigger_in_bursts(on, deployments, 5, pause / 5, runs)
            state = await watch(state, 20)
            await trigger_in_bursts(on, deployments, 3, 1, runs)
            await watch(state, 200)

        await on.run(script())
        assert_told(on, told, created=runs[1:], finished=runs, watches=3)


@BOTH
@pytest.mark.parametrize("read_before", [0, 1, 2, 3, 5])
async def test_leaving_in_the_middle_of_a_burst(shape, read_before):
    """One look finds many changes; some are delivered, the others wait, and more come."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(max_concurrent=99)
        runs = [on.sim.insert_run(deployment, state="running") for _ in range(3)]
        expected = list(runs)
        told = []

        async def script():
            async with on.qoder.runs.watch(deployment) as changes:
                for run in runs:
                    on.sim.set_run(run, status="failed")
                expected.extend(on.sim.insert_run(deployment) for _ in range(4))
                await on.time.sleep(30)
                await read_some(changes, read_before, told)
                expected.append(on.sim.insert_run(deployment))
                await on.time.sleep(400)
                state = changes.state
            assert changes.state == state
            async with on.qoder.runs.watch(deployment, since=state) as changes:
                await read(on, changes, 60, told)

        await on.run(script())
        assert_told(on, told, created=expected[3:], finished=expected, watches=2)


@BOTH
async def test_a_state_before_the_first_change_and_from_a_watch_that_told_nothing(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=20)
        over = on.sim.insert_run(deployment)
        state = await state_of(on)
        run = (await on.qoder.deployments.run(deployment)).id
        for _ in range(3):
            state = await state_of(on, since=state)
            await on.time.advance(3)
        told = []

        async def watch():
            async with on.qoder.runs.watch(since=state) as changes:
                await read(on, changes, 60, told)

        await on.run(watch())
        assert over not in {change.run.id for change in told}
        assert_told(on, told, created=[run], finished=[run])


@BOTH
async def test_cancelled_reads_and_the_states_after_them(shape):
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told, states = [], [], []

        async def watch():
            async with on.qoder.runs.watch() as changes:
                while on.time.elapsed < 150:
                    await read(on, first_of_forever(changes), 0.37, told)
                    states.append((len(told), changes.state))

        async def first_of_forever(changes):
            while True:
                yield await anext(changes)

        async def script():
            await on.time.sleep(0.1)  # the block is entered by then
            await trigger_in_bursts(on, deployments, 5, 9, runs)

        await on.run(watch(), script())
        rest = []
        assert_sound(on, told)

        async def go_on(before, state):
            after = told[:before]
            async with on.qoder.runs.watch(since=state) as changes:
                await read(on, changes, 15, after)
            rest.append(after)

        await on.run(*(go_on(*each) for each in states[:: len(states) // 12]))
        assert len(rest) >= 12
        for all_of_it in rest:
            assert_told(on, all_of_it, created=runs, finished=runs, watches=2)


async def test_what_was_told_as_changed_is_not_told_again():
    async with stage() as on:
        deployment = on.sim.add_deployment()
        run = on.sim.insert_run(deployment, state="pending")
        told = []

        async def watch(state, seconds=15.0):
            async with on.qoder.runs.watch(deployment, since=state) as changes:
                await read(on, changes, seconds, told)
                return changes.state

        async def script():
            state = await watch(None)
            assert told == []
            on.sim.set_run(run, status="running")
            changed = await watch(state)
            assert [(change.kind, change.run.status) for change in told] == [("changed", RunStatus.RUNNING)]
            assert await watch(changed) is not None
            assert len(told) == 1
            # From the older state it is news, as it should be.
            await watch(state)
            assert [change.kind for change in told] == ["changed", "changed"]
            assert told[1].previous is None
            on.sim.set_run(run, status="completed")
            await watch(changed)
            assert [change.kind for change in told] == ["changed", "changed", "finished"]

        await on.run(script())


@BOTH
async def test_a_run_that_is_deleted_in_between_is_a_failure_and_the_others_go_on(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(max_concurrent=9)
        gone, stays = (on.sim.insert_run(deployment, state="running") for _ in range(2))
        state = await state_of(on)
        on.sim.delete_run(gone)
        told = []

        async def watch():
            async with on.qoder.runs.watch(since=state) as changes:
                await read(on, changes, 20, told)
                on.sim.set_run(stays, status="completed")
                await read(on, changes, 20, told)
                assert set(changes.failures) == {gone}
                return changes.state

        later = await on.run(watch())
        assert_told(on, told, finished=[stays])
        assert json.loads(later)["unfinished"] == {}


@BOTH
@pytest.mark.parametrize("pause", [SECOND, HOUR])
async def test_five_hundred_runs_in_between(shape, pause):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        state = await state_of(on, deployments=deployment)
        until = on.time.wall() + timedelta(seconds=pause)
        runs = on.sim.add_runs(deployment, 500, spacing=pause / 600, newest=until, state="no_session")
        await on.time.advance(pause)
        told = []

        async def script():
            nonlocal state
            while len(told) < 1000:
                async with on.qoder.runs.watch(deployment, since=state) as changes:
                    await read_some(changes, min(170, 1000 - len(told)), told)
                    state = changes.state
            async with on.qoder.runs.watch(deployment, since=state) as changes:
                await read(on, changes, 15, told)

        await on.run(script())
        assert_told(on, told, created=runs, finished=runs, watches=2)
        if shape == "extended":
            assert ids_of(told, "created") == runs[::-1]


@BOTH
async def test_stopping_again_while_it_catches_up(shape):
    """What the second watch told lies within the look-back of the third, but hours after the state of the first."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        state = await state_of(on)
        await on.time.advance(2 * HOUR)
        runs = [
            on.sim.insert_run(deployment, triggered_at=on.time.wall() - timedelta(seconds=seconds))
            for seconds in (HOUR, 60, 50, 40)
        ]
        told = []

        async def script():
            nonlocal state
            for count in (4, 1, 1):
                async with on.qoder.runs.watch(since=state) as changes:
                    await read(on, first_of(changes, count), SETTLED, told)
                    state = changes.state
            async with on.qoder.runs.watch(since=state) as changes:
                await read(on, changes, SETTLED, told)

        await on.run(script())
        assert_told(on, told, created=runs, finished=runs, watches=4)


@BOTH
async def test_stopping_before_all_is_told_that_was_hours_ago(shape):
    """The state says that a look is over only once all is delivered that it found."""
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        state = await state_of(on)
        runs = on.sim.add_runs(deployment, 5, spacing=600, newest=on.time.wall() + timedelta(hours=1))
        await on.time.advance(3 * HOUR)
        told = []

        async def script():
            nonlocal state
            for _ in range(4):
                async with on.qoder.runs.watch(since=state) as changes:
                    await read(on, first_of(changes, 3), SETTLED, told)
                    state = changes.state

        await on.run(script())
        assert_told(on, told, created=runs, finished=runs, watches=4)


@BOTH
async def test_a_state_is_small_and_forgets(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=5, max_concurrent=99)
        long = on.sim.insert_run(deployment, state="running")
        sizes = []

        async def watch():
            async with on.qoder.runs.watch(deployment) as changes:
                for _ in range(3):
                    on.sim.add_runs(deployment, 50, spacing=1, state="no_session")
                    await read(on, changes, 150, [])
                    sizes.append(len(changes.state))
                await read(on, changes, 400, [])
                return changes.state

        last = await on.run(watch())
        assert max(sizes) < 3 * 50 * 45
        assert len(last) < 300
        assert long in last
        assert json.loads(last)["unfinished"].keys() == {long}


@BOTH
async def test_going_on_with_fewer_deployments_tells_of_these_only(shape):
    async with stage(shape) as on:
        first, second = (on.sim.add_deployment(max_concurrent=9) for _ in range(2))
        runs = [on.sim.insert_run(each, state="running") for each in (first, second)]
        state = await state_of(on)
        told = []

        async def watch():
            async with on.qoder.runs.watch(first, since=state) as changes:
                for run in runs:
                    on.sim.set_run(run, status="completed")
                await read(on, changes, SETTLED, told)

        await on.run(watch())
        assert_told(on, told, finished=runs[:1], watches=2)


@BOTH
async def test_a_machine_that_stood_still(shape):
    """The clock jumps by hours between two looks, as on a laptop that slept."""
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told = [], []

        async def watch():
            async with on.qoder.runs.watch() as changes:
                await read(on, changes, 20, told)
                for each in deployments:
                    on.sim.add_runs(each, 40, spacing=600, newest=on.time.wall() + timedelta(hours=7))
                on.time._move(on.time._microseconds + 8 * 3600 * 1_000_000)
                runs.extend(on.sim.run_ids())
                await read(on, changes, 60, told)

        await on.run(watch())
        assert_told(on, told, created=runs, finished=runs)
