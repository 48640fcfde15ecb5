"""However and whenever a block is left, nothing is left of it."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing

import pytest
from concurrency_support import (
    FUNCTIONS,
    SOURCES,
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
EVERY_FUNCTION = pytest.mark.parametrize("function", FUNCTIONS)
EVERY_SOURCE = pytest.mark.parametrize("source", SOURCES)


def mapped(play, function, source, max_concurrency=2):
    return map_concurrently(getattr(play, function), getattr(play, source)(), max_concurrency=max_concurrency)


async def every_moment(make, *later):
    """Cancel what ``make`` makes at every step it takes; ``make`` gives a script and what to check after it."""
    for moment in itertools.count():
        script, check = make()
        task, was_running = await cancelled_at(script, moment, *later)
        check(task)
        if not was_running and not later:
            return moment
        if later and moment > 40:
            return moment
    raise AssertionError


# By one's own will.


@EVERY_SOURCE
@EVERY_FUNCTION
@pytest.mark.parametrize("taken", [1, 3])
async def test_a_break_ends_all(function, source, taken):
    play = Play()
    async with mapped(play, function, source, 3) as outcomes:
        for _ in range(taken):
            await anext(outcomes)
    play.assert_is_over()


@EVERY_SOURCE
@EVERY_FUNCTION
async def test_leaving_at_any_moment_ends_all(function, source):
    for moment in range(25):
        play = Play()
        async with mapped(play, function, source, 3):
            await steps(moment)
        play.assert_is_over()


@EVERY_FUNCTION
async def test_an_exception_of_the_body_comes_out_as_it_is(function):
    play, error = Play(), LookupError("body")

    async def use():
        async with mapped(play, function, "async_keys") as outcomes:
            async for _ in outcomes:
                raise error

    with pytest.raises(LookupError) as caught:
        await use()
    assert caught.value is error
    play.assert_is_over()


@EVERY_FUNCTION
async def test_a_timeout_around_it_is_a_timeout(function):
    play = Play()

    async def use():
        async with asyncio.timeout(0), mapped(play, function, "async_keys") as outcomes:
            await anext(outcomes)
            await forever()

    with pytest.raises(TimeoutError):
        await use()
    play.assert_is_over()
    assert asyncio.current_task().cancelling() == 0


async def test_a_timeout_of_one_step_leaves_the_block_in_use():
    play = Play()
    async with mapped(play, "never_ends", "sync_keys") as outcomes:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(outcomes)
        await settle()
        assert play.begun == [0, 1]
        assert play.cleaned == []
    play.assert_is_over()


async def test_a_generator_around_it_that_is_closed_ends_all():
    play = Play()

    async def keys():
        async with mapped(play, "suspends", "async_keys") as outcomes:
            async for outcome in outcomes:
                yield outcome.key

    async with aclosing(keys()) as given:
        assert await anext(given) == 0
    play.assert_is_over()


async def test_a_block_in_a_block_ends_with_it():
    inner, outer = Play(), Play()
    async with mapped(inner, "suspends", "async_keys") as first:

        async def slow(outcome):
            return await outer.cleans_up_slowly(outcome.key)

        async with map_concurrently(slow, first, max_concurrency=2) as second:
            await anext(second)
        inner.assert_is_over()
    outer.assert_is_over()


async def test_it_waits_for_the_cleaning_up():
    cleaned = []

    async def slow_to_end(key):
        try:
            await forever()
        finally:
            await steps(50)
            cleaned.append(key)

    async with map_concurrently(slow_to_end, range(9), max_concurrency=4):
        await settle()
    assert sorted(cleaned) == [0, 1, 2, 3]


async def test_no_key_is_pulled_once_it_is_left():
    play = Play()
    async with mapped(play, "swallows", "sync_keys"):
        await steps(4)
        pulled = len(play.pulled)
        assert pulled == 2
    assert len(play.pulled) == pulled
    await settle()
    assert len(play.pulled) == pulled


async def test_what_the_work_raises_while_it_is_ended_is_nobodys_business():
    play = Play()
    async with mapped(play, "raises_while_it_ends", "sync_keys"):
        await steps(4)
        assert play.begun == [0, 1]
    play.assert_is_over()


async def test_an_error_of_the_source_that_nobody_took_is_forgotten():
    play = Play()
    async with mapped(play, "suspends", "failing_keys", 5):
        await settle()
    play.assert_is_over()


# By cancellation.


@EVERY_SOURCE
@EVERY_FUNCTION
async def test_a_reader_that_is_cancelled_at_any_moment_ends_all(function, source):
    def make():
        play = Play()

        async def script():
            async with mapped(play, function, source) as outcomes:
                async for _ in outcomes:
                    await steps(1)

        def check(task):
            play.assert_is_over()

        return script, check

    assert await every_moment(make) > 5


@pytest.mark.parametrize("function", ["suspends", "swallows", "cleans_up_slowly", "raises_while_it_ends"])
async def test_a_reader_that_breaks_is_cancelled_at_any_moment(function):
    def make():
        play = Play()

        async def script():
            async with mapped(play, function, "async_keys", 3) as outcomes:
                async for outcome in outcomes:
                    if outcome.key == 1:
                        break

        def check(task):
            play.assert_is_over()

        return script, check

    assert await every_moment(make) > 5


@pytest.mark.parametrize("function", ["suspends", "swallows", "cleans_up_slowly", "raises_while_it_ends"])
@pytest.mark.parametrize("source", ["sync_keys", "iterator_keys", "stubborn_keys"])
@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_reader_that_is_cancelled_twice_ends_all(function, source, after):
    """The second cancellation does not interrupt the cleaning up of the work."""

    def make():
        play = Play()

        async def script():
            async with mapped(play, function, source) as outcomes:
                async for _ in outcomes:
                    await steps(1)

        def check(task):
            play.assert_is_over()

        return script, check

    await every_moment(make, after)


async def test_a_cancellation_is_not_lost():
    def make():
        play, is_left = Play(), []

        async def script():
            async with mapped(play, "cleans_up_slowly", "async_keys") as outcomes:
                async for _ in outcomes:
                    await steps(1)
            is_left.append(True)

        def check(task):
            assert task.cancelled() is not bool(is_left)
            play.assert_is_over()

        return script, check

    await every_moment(make)


async def test_a_timeout_at_any_moment_is_told_from_a_cancellation():
    loop = asyncio.get_running_loop()

    def make():
        play = Play()
        scopes = []

        async def script():
            async with asyncio.timeout(None) as scope:
                scopes.append(scope)
                async with mapped(play, "cleans_up_slowly", "async_keys") as outcomes:
                    async for _ in outcomes:
                        await steps(1)

        return play, scopes, script

    for moment in range(1, 200):
        play, scopes, script = make()
        task = asyncio.create_task(script())
        await steps(moment)
        if task.done():
            break
        scopes[0].reschedule(loop.time() - 1)
        assert await is_done_within(task)
        if not scopes[0].expired():
            break  # it was done before
        assert isinstance(task.exception(), TimeoutError)
        play.assert_is_over()
    assert moment > 20


@pytest.mark.parametrize("function", ["returns_at_once", "suspends", "raises", "cancels_itself"])
@pytest.mark.parametrize("source", ["sync_keys", "async_keys", "failing_keys", "stubborn_keys"])
async def test_a_reader_that_is_cancelled_at_any_moment_and_goes_on_loses_nothing(function, source):
    def make():
        play = Play()
        keys, errors = [], []

        async def script():
            async with mapped(play, function, source) as outcomes:
                while True:
                    try:
                        outcome = await anext(outcomes, None)
                    except asyncio.CancelledError:
                        asyncio.current_task().uncancel()
                        continue
                    except LookupError as error:
                        errors.append(error)
                        continue
                    if outcome is None:
                        break
                    keys.append(outcome.key)

        def check(task):
            if not task.cancelled():
                assert sorted(keys) == list(range(3 if source == "failing_keys" else 5))
                assert len(errors) == (source == "failing_keys")
            play.assert_is_over()

        return script, check

    assert await every_moment(make) > 5


async def test_an_outcome_that_comes_with_a_cancellation_is_not_lost():
    gate = asyncio.Event()
    async with map_concurrently(lambda _: gate.wait(), [1], max_concurrency=1) as outcomes:
        reading = asyncio.ensure_future(anext(outcomes))
        await settle()
        gate.set()
        while not outcomes._workers._ready:
            await steps(1)
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        assert (await anext(outcomes)).key == 1


async def test_a_key_whose_task_somebody_cancels_has_that_for_an_outcome():
    """A function cannot tell its own cancellation from that of others."""
    play, tasks = Play(), []

    async def waits(key):
        tasks.append(asyncio.current_task())
        await play.never_ends(key)

    async with map_concurrently(waits, play.async_keys(), max_concurrency=2) as outcomes:
        await settle()
        tasks[1].cancel()
        outcome = await anext(outcomes)
        assert (outcome.key, type(outcome.error)) == (1, asyncio.CancelledError)
        await settle()
        assert play.begun == [0, 1, 2]
    play.assert_is_over()


@pytest.mark.parametrize("number", [2, 5])
@pytest.mark.parametrize("source", ["sync_keys", "async_keys", "iterator_keys"])
async def test_whoever_cancels_the_pulling_of_keys_is_told_and_ends_all(source, number):
    """Whether it waits for room or for a key; the reader is not cancelled by that."""
    for moment in range(12):
        play, tasks = Play(), set()

        async def waits(key, play=play, tasks=tasks):
            tasks.add(asyncio.current_task())
            await play.never_ends(key)

        async with map_concurrently(waits, getattr(play, source)(), max_concurrency=number) as outcomes:
            await steps(moment)
            while len(others := other_tasks() - tasks) > 1:  # those that have not begun
                await steps(1)
            if not others:
                break  # all keys are pulled
            others.pop().cancel()
            with pytest.raises(RuntimeError, match="cancelled by somebody else"):
                await anext(outcomes)
            play.assert_is_over()
            assert [outcome async for outcome in outcomes] == []
    assert moment > 1


async def test_any_worker_may_be_cancelled_at_any_moment():
    for moment, which in itertools.product(range(25), range(3)):
        play = Play()
        try:
            async with mapped(play, "suspends", "async_keys", 3) as outcomes:
                await steps(moment)
                workers = sorted(other_tasks(), key=lambda task: task.get_name())
                for worker in workers[which : which + 1]:
                    worker.cancel()
                async for _ in outcomes:
                    pass
        except RuntimeError as error:
            assert "cancelled by somebody else" in str(error)  # noqa: PT017  it may also be too late to matter
        play.assert_is_over()


async def test_values_that_came_before_somebody_cancelled_are_given():
    async with map_concurrently(value_of, [7], max_concurrency=1) as outcomes:
        await settle()
        other_tasks().pop().cancel()
        await settle()
        assert (await anext(outcomes)).value == 7
        with pytest.raises(RuntimeError, match="cancelled by somebody else"):
            await anext(outcomes)
