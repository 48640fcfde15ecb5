"""Sources of keys that fail, block, swallow and must be closed."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

import pytest
from concurrency_support import (
    OddError,
    PlainKeys,
    Play,
    all_outcomes,
    forever,
    is_done_within,
    keys_of,
    settle,
    steps,
    value_of,
)

from qoder_async import map_concurrently

pytestmark = pytest.mark.usefixtures("tidy")


def sync_failing(number, error):
    yield from range(number)
    raise error


async def async_failing(number, error):
    for key in range(number):
        yield key
    await steps(1)
    raise error


class IteratorFailing:
    """Fails before it gives an iterator."""

    def __init__(self, number, error):
        self.error = error

    def __iter__(self):
        raise self.error


@pytest.mark.parametrize("max_concurrency", [1, 2, 10])
@pytest.mark.parametrize("number", [0, 1, 5])
@pytest.mark.parametrize("make", [sync_failing, async_failing])
async def test_what_a_source_raises_comes_after_the_outcomes_of_the_keys_before(make, number, max_concurrency):
    error, keys = LookupError("keys"), []
    async with map_concurrently(value_of, make(number, error), max_concurrency=max_concurrency) as outcomes:
        with pytest.raises(LookupError) as caught:
            await keys_of(outcomes, keys)
        assert caught.value is error
        assert sorted(keys) == list(range(number))
        assert [outcome async for outcome in outcomes] == []


async def test_it_comes_also_after_outcomes_that_are_slow():
    gate, error = asyncio.Event(), LookupError("keys")
    async with map_concurrently(lambda _: gate.wait(), sync_failing(2, error), max_concurrency=9) as outcomes:
        reading = asyncio.ensure_future(anext(outcomes))
        await settle()
        assert not reading.done()
        gate.set()
        assert (await reading).key == 0
        assert (await anext(outcomes)).key == 1
        with pytest.raises(LookupError):
            await anext(outcomes)


async def test_a_source_without_an_iterator_fails_as_any():
    with pytest.raises(LookupError):
        await all_outcomes(value_of, IteratorFailing(0, LookupError("keys")))


async def test_a_source_without_an_async_iterator_cannot_be_entered():
    class Keys:
        def __aiter__(self):
            raise LookupError("keys")

    mapping = map_concurrently(value_of, Keys(), max_concurrency=1)
    with pytest.raises(LookupError):
        await mapping.__aenter__()
    await mapping.aclose()


@pytest.mark.parametrize("make", [sync_failing, async_failing])
async def test_a_source_may_raise_what_except_exception_does_not_see(make):
    error = OddError("keys")
    with pytest.raises(OddError) as caught:
        await all_outcomes(value_of, make(3, error))
    assert caught.value is error


@pytest.mark.parametrize("make", [sync_failing, async_failing])
async def test_a_source_that_raises_a_cancellation_of_its_own_is_not_swallowed(make):
    error = asyncio.CancelledError("keys")
    with pytest.raises(asyncio.CancelledError) as caught:
        await all_outcomes(value_of, make(3, error))
    assert caught.value is error
    assert asyncio.current_task().cancelling() == 0


async def test_a_source_that_failed_is_not_asked_again():
    asked = 0

    class Keys:
        def __aiter__(self):
            return self

        async def __anext__(self):
            nonlocal asked
            asked += 1
            if asked == 3:
                raise LookupError("keys")
            return asked

    with pytest.raises(LookupError):
        await all_outcomes(value_of, Keys(), 5)
    assert asked == 3


async def test_an_async_source_is_closed_at_the_end():
    play = Play()
    async with map_concurrently(play.suspends, play.async_keys(), max_concurrency=2) as outcomes:
        async for _ in outcomes:
            pass
        assert play.closed == 1
    play.assert_is_over()


async def test_an_async_source_is_closed_when_the_block_is_left():
    play = Play()
    async with map_concurrently(play.suspends, play.async_keys(), max_concurrency=2) as outcomes:
        await anext(outcomes)
        assert play.closed == 0
    assert play.closed == 1
    play.assert_is_over()


async def test_an_async_iterator_is_closed_too():
    keys = PlainKeys()
    async with map_concurrently(value_of, keys, max_concurrency=2) as outcomes:
        await anext(outcomes)
        assert keys.closed == 0
    assert keys.closed >= 1


async def test_the_iterator_of_an_async_iterable_is_closed():
    iterator = PlainKeys()

    class Keys:
        def __aiter__(self):
            return iterator

    async with map_concurrently(value_of, Keys(), max_concurrency=2) as outcomes:
        await anext(outcomes)
    assert iterator.closed >= 1


async def test_a_sync_generator_is_closed_when_the_block_is_left():
    closed = []

    def keys():
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    held = keys()
    async with map_concurrently(value_of, held, max_concurrency=2) as outcomes:
        await anext(outcomes)
        assert closed == []
    assert closed == [True]


async def test_what_a_source_raises_while_it_is_closed_comes_out_of_the_block():
    error = LookupError("closing")

    async def keys():
        try:
            while True:
                yield 1
        finally:
            raise error

    with pytest.raises(LookupError) as caught:
        async with map_concurrently(value_of, keys(), max_concurrency=2) as outcomes:
            await anext(outcomes)
    assert caught.value is error


async def test_a_source_that_waits_is_ended_while_it_waits():
    ended = []

    async def keys():
        try:
            yield 0
            await forever()
        finally:
            await steps(3)
            ended.append(True)

    async with map_concurrently(value_of, keys(), max_concurrency=3) as outcomes:
        assert (await anext(outcomes)).key == 0
        await settle()
        assert ended == []
    assert ended == [True]


async def test_a_source_that_turns_its_cancellation_into_an_error_is_left_in_peace():
    async def keys():
        yield 0
        try:
            await forever()
        except asyncio.CancelledError:
            raise LookupError("cancelled") from None

    async with map_concurrently(value_of, keys(), max_concurrency=3) as outcomes:
        await anext(outcomes)
        await settle()


async def test_a_source_that_swallows_its_cancellation_and_goes_on_is_not_asked_again():
    given = []

    async def keys():
        for key in itertools.count():
            try:
                await forever() if key == 3 else await steps(1)
            except asyncio.CancelledError:
                await steps(2)
            given.append(key)
            yield key

    async with map_concurrently(value_of, keys(), max_concurrency=9) as outcomes:
        for _ in range(3):
            await anext(outcomes)
        await settle()
    assert given == [0, 1, 2, 3]


async def test_a_source_that_swallows_its_cancellation_while_all_room_is_taken_does_not_hold_up_the_end():
    async def keys():
        yield 0
        for key in itertools.count(1):
            with suppress(asyncio.CancelledError):
                await forever()
            yield key

    async def use():
        async with map_concurrently(value_of, keys(), max_concurrency=2):
            await steps(9)

    using = asyncio.create_task(use())
    assert await is_done_within(using), "it hangs"
    using.result()


async def test_after_the_block_was_left_an_error_of_the_source_is_not_given():
    """The outcomes before it are not given any more either."""
    play = Play()
    async with map_concurrently(play.suspends, play.failing_keys(), max_concurrency=5) as outcomes:
        await settle()
    assert [outcome async for outcome in outcomes] == []


async def test_a_source_that_closes_the_block_ends_it():
    async def keys():
        yield 0
        await steps(9)
        await mapping.aclose()
        yield 1

    given = []
    mapping = map_concurrently(value_of, keys(), max_concurrency=2)

    async def read():
        async with mapping as outcomes:
            await keys_of(outcomes, given)

    reading = asyncio.create_task(read())
    assert await is_done_within(reading)
    await reading
    assert given == [0]
