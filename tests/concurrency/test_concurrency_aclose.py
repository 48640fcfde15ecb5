"""Somebody else ends the block: another task, or the work itself."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from concurrency_support import (
    FUNCTIONS,
    Play,
    cancelled_at,
    forever,
    is_done_within,
    other_tasks,
    settle,
    steps,
    value_of,
)

from qoder_async import map_concurrently

pytestmark = pytest.mark.usefixtures("tidy")


async def read(mapping, given=None, body=0):
    """Enter a block and take its outcomes, each in so many steps."""
    async with mapping as outcomes:
        async for outcome in outcomes:
            if given is not None:
                given.append(outcome.key)
            await steps(body)


async def assert_it_ends(*tasks):
    for task in tasks:
        assert await is_done_within(task), "it hangs"
    for task in tasks:
        await task


@pytest.mark.parametrize("function", [*FUNCTIONS, "never_ends"])
async def test_another_task_ends_the_block_at_any_moment(function):
    for moment in range(25):
        play = Play()
        mapping = map_concurrently(getattr(play, function), play.sync_keys(), max_concurrency=2)
        reading = asyncio.create_task(read(mapping))
        await steps(moment)
        closing = asyncio.create_task(mapping.aclose())
        await assert_it_ends(closing, reading)
        play.assert_is_over()


@pytest.mark.parametrize("body", [0, 1, 5])
async def test_another_task_ends_a_block_whose_source_is_slow_to_close(body):
    for moment in range(1, 25):
        play = Play()
        mapping = map_concurrently(play.suspends, play.async_keys(99), max_concurrency=2)
        reading = asyncio.create_task(read(mapping, body=body))
        await steps(moment)
        closing = asyncio.create_task(mapping.aclose())
        await assert_it_ends(closing, reading)
        play.assert_is_over()
        assert play.closed == (1 if play.pulled else play.closed)


async def slow_to_end(cleaned, key):
    try:
        await forever()
    finally:
        await steps(5)
        cleaned.append(key)


@pytest.mark.parametrize("between", range(5))
async def test_tasks_that_end_the_block_one_after_the_other_do_not_interrupt_its_cleaning_up(between):
    cleaned = []
    async with map_concurrently(partial(slow_to_end, cleaned), range(9), max_concurrency=2) as outcomes:
        await settle()
        first = asyncio.create_task(outcomes.aclose())
        await steps(between)
        second = asyncio.create_task(outcomes.aclose())
        await assert_it_ends(first, second)
        assert sorted(cleaned) == [0, 1]


@pytest.mark.parametrize("between", range(5))
async def test_leaving_a_block_that_is_being_ended_does_not_interrupt_its_cleaning_up(between):
    cleaned = []
    async with map_concurrently(partial(slow_to_end, cleaned), range(9), max_concurrency=2) as outcomes:
        await settle()
        closing = asyncio.create_task(outcomes.aclose())
        await steps(between)
    await closing
    assert sorted(cleaned) == [0, 1]


async def test_leaving_waits_although_another_task_is_ending_the_block_already():
    play = Play()

    async with map_concurrently(play.suspends, play.async_keys(99), max_concurrency=2) as outcomes:
        await anext(outcomes)
        closing = asyncio.create_task(outcomes.aclose())
        await steps(2)
    assert play.source.ag_frame is None
    await closing
    assert play.closed == 1


async def test_whoever_ends_the_block_may_be_cancelled_at_any_moment():
    for moment in range(1, 25):
        play = Play()

        async with map_concurrently(play.cleans_up_slowly, play.iterator_keys(99), max_concurrency=2) as outcomes:
            await steps(5)
            await cancelled_at(outcomes.aclose, moment)
            assert other_tasks() == set()
        play.assert_is_over()


async def test_whoever_is_cancelled_while_ending_the_block_may_still_leave_it():
    for moment in range(40):
        play = Play()

        async def script(play=play):
            async with map_concurrently(play.cleans_up_slowly, play.async_keys(99), max_concurrency=2) as outcomes:
                await anext(outcomes)
                await outcomes.aclose()

        task, _ = await cancelled_at(script, moment)
        assert task.cancelled() or task.exception() is None
        play.assert_is_over()


async def test_two_tasks_that_reach_the_end_at_once_both_end():
    play = Play()
    async with map_concurrently(play.suspends, play.async_keys(99), max_concurrency=2) as outcomes:
        await anext(outcomes)
        await steps(1)
        closing = [asyncio.create_task(outcomes.aclose()) for _ in range(3)]
        ends = [asyncio.create_task(anext(outcomes, None)) for _ in range(3)]
        await assert_it_ends(*closing, *ends)
        assert [task.result() for task in ends] == [None] * 3
    play.assert_is_over()


async def test_ending_it_again_does_nothing():
    keys = Play().iterator_keys()
    async with map_concurrently(value_of, keys, max_concurrency=2) as outcomes:
        await anext(outcomes)
        for _ in range(3):
            await outcomes.aclose()
        assert [outcome async for outcome in outcomes] == []
    await outcomes.aclose()
    assert keys.closed == 1


async def test_what_was_ended_before_it_was_entered_pulls_nothing():
    play = Play()
    mapping = map_concurrently(play.suspends, play.sync_keys(), max_concurrency=2)
    await mapping.aclose()
    try:
        async with mapping as outcomes:
            await settle()
            assert [outcome async for outcome in outcomes] == []
    except RuntimeError:
        pass  # to be refused is as good
    assert play.pulled == []


@pytest.mark.parametrize("max_concurrency", [1, 3])
@pytest.mark.parametrize("then", ["returns", "suspends", "raises"])
async def test_the_work_ends_the_block_it_runs_in(max_concurrency, then):
    play = Play()

    async def ends_it(key):
        await play.suspends(key)
        if key == 3:
            await mapping.aclose()
            await steps(then == "suspends")
            assert then != "raises"

    given = []
    mapping = map_concurrently(ends_it, play.sync_keys(20), max_concurrency=max_concurrency)
    await assert_it_ends(asyncio.create_task(read(mapping, given)))
    assert set(given) <= {0, 1, 2}
    play.assert_is_over()


@pytest.mark.parametrize("max_concurrency", [1, 3])
async def test_work_that_ends_its_block_does_not_interrupt_the_cleaning_up_of_the_source(max_concurrency):
    play = Play()

    async def ends_it(key):
        if key == 1:
            await mapping.aclose()

    mapping = map_concurrently(ends_it, play.async_keys(20), max_concurrency=max_concurrency)
    await assert_it_ends(asyncio.create_task(read(mapping)))
    play.assert_is_over()
    assert play.closed == 1


async def test_work_that_ends_its_block_does_not_interrupt_the_cleaning_up_of_others():
    play = Play()

    async def ends_it(key):
        if key == 2:
            await steps(1)
            await mapping.aclose()
        await play.cleans_up_slowly(key)

    mapping = map_concurrently(ends_it, play.sync_keys(20), max_concurrency=3)
    await assert_it_ends(asyncio.create_task(read(mapping, body=2)))
    play.assert_is_over()


async def in_a_task(ending):
    async with asyncio.TaskGroup() as group:
        group.create_task(ending)


async def in_time(ending):
    await asyncio.wait_for(ending, 99)


async def in_a_block_of_its_own(ending):
    async def wait(_):
        await ending

    async with map_concurrently(wait, [1], max_concurrency=1) as outcomes:
        await anext(outcomes)


@pytest.mark.parametrize("way", [in_a_task, in_time, in_a_block_of_its_own])
@pytest.mark.parametrize("who", ["work", "source"])
async def test_the_work_and_the_source_may_end_the_block_in_another_task(way, who):
    play, has_ended = Play(), []

    async def ends_it(key):
        await play.suspends(key)
        if who == "work" and key == 1:
            await way(mapping.aclose())
            has_ended.append(key)

    async def keys():
        async for key in play.async_keys():
            yield key
            if who == "source" and key == 3:
                await way(mapping.aclose())
                has_ended.append(key)

    mapping = map_concurrently(ends_it, keys(), max_concurrency=2)
    await assert_it_ends(asyncio.create_task(read(mapping)))
    assert len(has_ended) <= 1
    assert sorted(play.cleaned) == sorted(play.begun)
    await play.source.aclose()


async def test_work_may_end_a_block_that_is_not_its_own():
    """And waits for it."""
    play = Play()

    async def ends_it(mapping):
        await mapping.aclose()
        return sorted(play.cleaned)

    async with map_concurrently(play.cleans_up_slowly, play.sync_keys(20), max_concurrency=2) as other:
        await steps(3)
        async with map_concurrently(ends_it, [other], max_concurrency=1) as outcomes:
            assert (await anext(outcomes)).value == [0, 1]
    play.assert_is_over()


async def test_work_that_ends_its_block_whenever_it_ends_itself_does_not_wait_for_its_like():
    async def ends_it(key):
        try:
            await forever()
        finally:
            await mapping.aclose()

    async def use():
        async with mapping:
            await steps(20)

    mapping = map_concurrently(ends_it, range(9), max_concurrency=3)
    await assert_it_ends(asyncio.create_task(use()))
