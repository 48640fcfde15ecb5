"""Waits are cancelled at each turn of the loop: nothing is sent after it, nothing is left, nobody else notices."""

from __future__ import annotations

import asyncio

import pytest
from support.leftovers import client_tasks
from waiting_support import SHAPES, TRIGGER, longest_delay, stage

from qoder_async.options import Poll

BOTH = pytest.mark.parametrize("shape", SHAPES)
DURATION = 0.4
"""Seconds: a run that is over at the second look."""
SILENCE = 45.0
"""Seconds in which nothing must be sent."""


async def turn(on):
    """Let the loop turn once; where nobody has anything to do, time goes on to whoever sleeps the shortest."""
    await asyncio.sleep(0)
    time = on.time
    idle = not time._requests.are_coming and not asyncio.get_running_loop()._ready
    if idle and (following := time._next_sleeper()) is not None:
        time._move(following)
        time._wake()


async def cancelled_after(on, turns, waiting, *, again=False):
    """Start to wait, cancel it after so many turns of the loop, and tell whether there was still anything to cancel."""
    task = asyncio.ensure_future(waiting)
    for _ in range(turns):
        await turn(on)
        if task.done():
            break
    aborted = len(on.time._requests._waiting)
    task.cancel()
    if again:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait([task])
    return task, aborted


def every_turn():
    """1, 2, 3, …: the caller ends it when nothing is left to be cancelled."""
    return range(500)


async def as_completed(on, runs, given):
    async with on.qoder.runs.as_completed(runs) as ending:
        async for finished in ending:
            given.append(finished)


@BOTH
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
async def test_a_wait_that_is_cancelled_leaves_nothing(shape, again):
    async with stage(shape) as on:
        for turns in every_turn():
            run = await on.trigger(duration=DURATION)
            task, aborted = await cancelled_after(on, turns, on.qoder.runs.wait(run.id), again=again)
            assert client_tasks() == [], f"after {turns} turns"
            assert on.slots_taken == 0, f"after {turns} turns"
            assert aborted <= 1
            sent = on.requests
            await on.time.advance(SILENCE)
            assert on.requests - sent <= aborted, f"after {turns} turns"
            if not task.cancelled():
                break
        assert task.result().ok
        assert turns > 30


@BOTH
async def test_a_trigger_that_is_cancelled_starts_one_run_at_most(shape):
    async with stage(shape) as on:
        deployment = on.sim.add_deployment(run_duration=DURATION)
        for turns in every_turn():
            before = len(on.sim.run_ids())
            on.forget()
            task, aborted = await cancelled_after(on, turns, on.qoder.deployments.run_and_wait(deployment))
            assert client_tasks() == []
            assert aborted <= 1
            sent = on.requests
            await on.time.advance(SILENCE)
            assert on.requests - sent <= aborted
            assert on.sim.request_counts[TRIGGER] <= 1
            assert len(on.sim.run_ids()) - before == on.sim.request_counts[TRIGGER]
            if not task.cancelled():
                break
        assert task.result().ok
        assert turns > 30


@pytest.mark.parametrize(
    ("shape", "others"),
    [("extended", "of the same run"), ("lean", "of another run"), ("extended", "of both"), ("lean", "of both")],
)
async def test_a_wait_that_is_cancelled_disturbs_no_other(shape, others):
    async with stage(shape) as on:
        for turns in every_turn():
            begun = on.time.elapsed
            run, other = await on.trigger(duration=DURATION), await on.trigger(duration=2 * DURATION)
            watched = {"of the same run": [run], "of another run": [other], "of both": [run, other]}[others]
            waiting = [asyncio.ensure_future(on.timed(on.qoder.runs.wait(each.id))) for each in watched]
            task, _ = await cancelled_after(on, turns, on.qoder.runs.wait(run.id))
            for each, (finished, at) in zip(watched, await on.time.run(*map(_result, waiting)), strict=True):
                on.assert_true(finished)
                assert finished.run.id == each.id
                lasted = at - begun
                duration = DURATION if each is run else 2 * DURATION
                assert duration <= lasted <= duration + longest_delay(duration), f"after {turns} turns"
            assert client_tasks() == []
            assert on.slots_taken == 0
            if not task.cancelled():
                break
        assert task.result().ok
        assert turns > 30


@BOTH
async def test_many_that_are_awaited_together_may_be_cancelled(shape):
    async with stage(shape) as on:
        for turns in every_turn():
            deployment = on.sim.add_deployment(run_duration=(0.2, 1.2), max_concurrent=9)
            runs = [await on.qoder.deployments.run(deployment) for _ in range(3)]
            given = []
            task, aborted = await cancelled_after(on, turns, as_completed(on, [run.id for run in runs], given))
            assert client_tasks() == [], f"after {turns} turns"
            assert on.slots_taken == 0
            sent = on.requests
            await on.time.advance(SILENCE)
            assert on.requests - sent <= aborted
            assert len({finished.run.id for finished in given}) == len(given)
            if not task.cancelled():
                break
        assert len(given) == 3
        assert turns > 30


async def test_very_many_may_be_cancelled_before_all_of_them_are_followed():
    async with stage() as on:
        runs = [f"drun_{number}" for number in range(5000)]
        for turns in (1, 2, 3, 5, 8, 13):
            task, aborted = await cancelled_after(on, turns, as_completed(on, runs, []))
            assert task.cancelled()
            assert client_tasks() == [], f"after {turns} turns"
            assert on.slots_taken == 0
            sent = on.requests
            await on.time.advance(SILENCE)
            assert on.requests - sent <= aborted


@BOTH
async def test_a_wait_in_whose_update_it_is_cancelled_leaves_nothing(shape):
    async with stage(shape) as on:
        for stop in range(4):
            run = await on.trigger(duration=30.0, start_delay=10.0)
            told = []

            async def slow(seen, told=told):
                told.append(seen)
                await on.time.sleep(5)

            async def script(stop=stop, told=told, run=run):
                task = asyncio.ensure_future(on.qoder.runs.wait(run.id, on_update=slow))
                while len(told) < stop and not task.done():
                    await on.time.sleep(1)
                task.cancel()
                await asyncio.wait([task])
                assert client_tasks() == []
                return task

            await on.run(script())
            sent = on.requests
            await on.time.advance(SILENCE)
            assert on.requests == sent


@BOTH
async def test_those_who_stay_are_told_although_most_are_cancelled_in_the_same_moment(shape):
    async with stage(shape) as on:
        run = await on.trigger(duration=50.0)

        async def script():
            tasks = [asyncio.ensure_future(on.timed(on.qoder.runs.wait(run.id))) for _ in range(50)]
            for at in range(49):
                await on.time.sleep_until(at + 0.5)
                tasks[at].cancel()
            finished, ended = await tasks[49]
            assert all(task.cancelled() for task in tasks[:49])
            return finished, ended

        finished, ended = await on.run(script())
        assert finished.ok
        assert 50 <= ended <= 61


@BOTH
async def test_the_last_one_leaves_in_the_moment_in_which_another_comes(shape):
    async with stage(shape) as on:
        for turns in every_turn():
            run = await on.trigger(duration=DURATION)
            leaving = asyncio.ensure_future(on.qoder.runs.wait(run.id))
            for _ in range(turns):
                await turn(on)
            is_over = leaving.done()
            leaving.cancel()
            coming = asyncio.ensure_future(on.qoder.runs.wait(run.id))
            await asyncio.sleep(0)
            third = asyncio.ensure_future(on.qoder.runs.wait(run.id, poll=Poll(initial=0.1, maximum=0.1)))
            endings = await on.time.run(_result(coming), _result(third))
            assert [finished.run.id for finished in endings] == [run.id, run.id]
            await asyncio.wait([leaving])
            assert client_tasks() == []
            if is_over:
                break
        assert turns > 30


async def test_a_timeout_of_asyncio_around_many_waits_leaves_nothing():
    async with stage() as on:
        runs = [await on.trigger(duration=500.0) for _ in range(10)]

        async def wait():
            async with asyncio.timeout(0.1), asyncio.TaskGroup() as group:
                for run in runs:
                    group.create_task(on.qoder.runs.wait(run.id))

        with pytest.raises(TimeoutError):
            await wait()
        assert client_tasks() == []
        assert on.slots_taken == 0


async def test_a_client_that_is_left_with_a_wait_under_way_leaves_nothing():
    async with stage() as on:
        run = await on.trigger(duration=500.0)
        task = asyncio.ensure_future(on.qoder.runs.wait(run.id))
        await on.time.advance(5)
        task.cancel()
        await on.qoder.aclose()
        await asyncio.wait([task])
        assert task.cancelled()
        assert client_tasks() == []


async def _result(task):
    return await task
