"""Outcomes as they come, from keys that are pulled when there is room."""

from __future__ import annotations

import asyncio
import functools
import itertools

import pytest
from concurrency_support import Play, all_outcomes, forever, is_done_within, settle, steps, value_of
from support.clock import SteppedClock

from qoder_async import ConcurrentMap, Outcome, map_concurrently

pytestmark = pytest.mark.usefixtures("tidy")


async def test_outcomes_come_in_the_order_in_which_they_are_done():
    clock = SteppedClock()

    async def sleep(seconds):
        await clock.sleep(seconds)
        if seconds == 2:
            raise ValueError(seconds)
        return seconds * 10

    [outcomes] = await clock.run(all_outcomes(sleep, [3, 1, 2, 0.5]))
    assert [key for key, _ in outcomes] == [1, 0.5, 2, 3]
    assert [value for _, value in outcomes if not isinstance(value, Exception)] == [10, 5, 30]
    assert clock.time == 1003


async def test_an_outcome_has_a_value_or_an_error():
    error = ValueError("odd")

    async def odd(key):
        if key:
            raise error

    async with map_concurrently(odd, [0, 1], max_concurrency=1) as outcomes:
        given = [outcome async for outcome in outcomes]
    assert given == [Outcome(0), Outcome(1, error=error)]
    assert given[1].error is error


@pytest.mark.parametrize("max_concurrency", [1, 2, 3, 8])
@pytest.mark.parametrize("source", ["sync_keys", "async_keys", "stubborn_keys", "iterator_keys"])
async def test_every_key_has_one_outcome(source, max_concurrency):
    play = Play()
    outcomes = await all_outcomes(play.suspends, getattr(play, source)(20), max_concurrency)
    assert sorted(outcomes) == [(key, key) for key in range(20)]
    assert play.most <= max_concurrency
    play.assert_is_over()


@pytest.mark.parametrize("source", ["sync_keys", "async_keys"])
async def test_one_at_a_time_keeps_the_order_of_keys(source):
    play = Play()

    async def shorter_and_shorter(key):
        await steps(20 - key)
        return key

    outcomes = await all_outcomes(shorter_and_shorter, getattr(play, source)(20), 1)
    assert [key for key, _ in outcomes] == list(range(20))


@pytest.mark.parametrize("number", [0, 1, 5])
async def test_there_are_no_more_tasks_than_keys_and_one(number):
    before = asyncio.all_tasks()
    async with map_concurrently(value_of, range(number), max_concurrency=1000) as outcomes:
        most = 0
        for _ in range(60):
            most = max(most, len(asyncio.all_tasks() - before))
            await steps(1)
        assert 1 <= most <= number + 1
        assert len([outcome async for outcome in outcomes]) == number


async def test_a_key_is_pulled_only_when_there_is_room():
    pulled = []
    gates = [asyncio.Event() for _ in range(20)]

    def keys():
        for key in itertools.count():
            pulled.append(key)
            yield key

    async with map_concurrently(lambda key: gates[key].wait(), keys(), max_concurrency=3) as outcomes:
        await settle()
        assert pulled == [0, 1, 2]
        gates[1].set()
        gates[2].set()
        await settle()
        assert pulled == [0, 1, 2]  # what nobody has taken counts as under way
        assert (await anext(outcomes)).key == 1
        await settle()
        assert pulled == [0, 1, 2, 3]
        assert (await anext(outcomes)).key == 2
        await settle()
        assert pulled == [0, 1, 2, 3, 4]


async def test_nothing_is_pulled_before_it_is_entered():
    play = Play()
    mapping = map_concurrently(play.suspends, play.sync_keys(), max_concurrency=2)
    await settle()
    assert play.pulled == []
    async with mapping:
        await settle()
        assert play.pulled == [0, 1]


async def test_a_key_that_is_slow_to_come_holds_nothing_up():
    """What is done is given while the source waits for its next key."""
    go_on = asyncio.Event()

    async def keys():
        yield 0
        yield 1
        await go_on.wait()
        yield 2

    async with map_concurrently(value_of, keys(), max_concurrency=8) as outcomes:
        assert [(await anext(outcomes)).key, (await anext(outcomes)).key] == [0, 1]
        last = asyncio.ensure_future(anext(outcomes))
        await settle()
        assert not last.done()
        go_on.set()
        assert (await last).key == 2


async def test_the_source_is_asked_for_one_key_at_a_time():
    asking = 0

    class Keys:
        def __init__(self):
            self.left = iter(range(20))

        def __aiter__(self):
            return self

        async def __anext__(self):
            nonlocal asking
            assert asking == 0
            asking += 1
            await steps(3)
            asking -= 1
            for key in self.left:
                return key
            raise StopAsyncIteration

    assert len(await all_outcomes(value_of, Keys(), 5)) == 20


async def test_the_source_is_not_asked_again_after_its_end():
    asked = 0

    class Keys:
        def __aiter__(self):
            return self

        async def __anext__(self):
            nonlocal asked
            asked += 1
            if asked == 3:
                raise StopAsyncIteration
            return asked

    assert len(await all_outcomes(value_of, Keys(), 5)) == 2
    assert asked == 3


async def test_endless_keys_are_pulled_as_they_are_needed():
    play = Play()
    endless = itertools.count()
    async with map_concurrently(play.returns_at_once, endless, max_concurrency=4) as outcomes:
        async for outcome in outcomes:
            if outcome.key >= 1000:
                break
    assert 1000 < next(endless) < 1010
    play.assert_is_over()


async def test_one_block_feeds_another():
    async with map_concurrently(value_of, range(30), max_concurrency=3) as first:

        async def double(outcome):
            await steps(3)
            return outcome.value * 2

        async with map_concurrently(double, first, max_concurrency=4) as second:
            values = [outcome.value async for outcome in second]
    assert sorted(values) == [key * 2 for key in range(30)]


async def test_equal_and_unhashable_keys_are_keys_as_any():
    assert await all_outcomes(value_of, [[1], [1], None, None], 1) == [
        ([1], [1]),
        ([1], [1]),
        (None, None),
        (None, None),
    ]


async def test_a_second_reader_is_refused_and_the_first_goes_on():
    gate = asyncio.Event()
    async with map_concurrently(lambda _: gate.wait(), [1], max_concurrency=1) as outcomes:
        first = asyncio.ensure_future(anext(outcomes))
        await settle()
        with pytest.raises(RuntimeError, match="Only one task"):
            await anext(outcomes)
        gate.set()
        await steps(1)
        assert (await first).key == 1


async def test_tasks_may_take_turns():
    async with map_concurrently(value_of, range(4), max_concurrency=2) as outcomes:
        keys = [(await asyncio.ensure_future(anext(outcomes))).key for _ in range(4)]
        assert await asyncio.ensure_future(anext(outcomes, None)) is None
    assert sorted(keys) == [0, 1, 2, 3]


async def test_it_is_entered_only_once():
    mapping = map_concurrently(value_of, range(3), max_concurrency=2)
    async with mapping as outcomes:
        with pytest.raises(RuntimeError, match="only once"):
            await mapping.__aenter__()
        assert len([outcome async for outcome in outcomes]) == 3
    with pytest.raises(RuntimeError, match="only once"):
        await mapping.__aenter__()


async def test_it_is_iterated_only_inside():
    mapping = map_concurrently(value_of, range(3), max_concurrency=2)
    with pytest.raises(RuntimeError, match="must be entered"):
        await anext(mapping)
    async with mapping as outcomes:
        await anext(outcomes)
        await steps(10)
    assert [outcome async for outcome in outcomes] == []


async def test_after_the_end_it_stays_at_the_end():
    async with map_concurrently(value_of, range(3), max_concurrency=2) as outcomes:
        assert len([outcome async for outcome in outcomes]) == 3
        for _ in range(3):
            assert [outcome async for outcome in outcomes] == []


async def test_a_second_loop_goes_on_where_the_first_stopped():
    async with map_concurrently(value_of, range(5), max_concurrency=1) as outcomes:
        async for outcome in outcomes:
            if outcome.key == 2:
                break
        assert [outcome.key async for outcome in outcomes] == [3, 4]


@pytest.mark.parametrize("number", [0, -1, 1.5, 2.0, "3", None, True, False])
def test_a_bad_number_is_refused(number):
    with pytest.raises(ValueError, match="max_concurrency must be a whole number of 1 or more, got"):
        map_concurrently(value_of, [1], max_concurrency=number)


@pytest.mark.parametrize("keys", [None, 5, value_of, list, object()])
def test_bad_keys_are_refused(keys):
    with pytest.raises(TypeError, match="keys must be an iterable or an async iterable, got"):
        map_concurrently(value_of, keys, max_concurrency=1)


@pytest.mark.parametrize("fn", [None, 5, "get"])
def test_what_cannot_be_called_is_refused(fn):
    with pytest.raises(TypeError, match="fn must be an async function of a key, got"):
        map_concurrently(fn, [1], max_concurrency=1)


async def test_a_function_that_is_not_async_is_told_so():
    with pytest.raises(TypeError, match=r"fn must be an async function, got .*str.*cannot be awaited"):
        await all_outcomes(str, [1, 2, 3])


async def test_what_returns_any_awaitable_will_do():
    assert sorted(await all_outcomes(lambda key: asyncio.ensure_future(value_of(key)), [1, 2])) == [(1, 1), (2, 2)]
    assert sorted(await all_outcomes(functools.partial(value_of), [1, 2])) == [(1, 1), (2, 2)]


async def test_what_raises_before_it_returns_an_awaitable_has_failed():
    error = ValueError("early")

    def early(key):
        raise error

    assert await all_outcomes(early, [1]) == [(1, error)]


def test_its_repr_names_the_function():
    assert repr(map_concurrently(value_of, [], max_concurrency=1)) == "<ConcurrentMap of value_of>"
    assert repr(map_concurrently(functools.partial(value_of), [], max_concurrency=1)).startswith(
        "<ConcurrentMap of functools.partial("
    )
    assert isinstance(map_concurrently(value_of, [], max_concurrency=1), ConcurrentMap)


def test_it_may_be_made_without_a_loop():
    mapping = map_concurrently(value_of, range(9), max_concurrency=3)

    async def use():
        async with mapping as outcomes:
            return [outcome.key async for outcome in outcomes]

    assert sorted(asyncio.run(use())) == list(range(9))


async def test_a_reader_that_never_suspends_lets_others_run():
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async def read():
        await all_outcomes(Play().returns_at_once, range(100))

    ticking = asyncio.ensure_future(tick())
    reading = asyncio.ensure_future(read())
    assert await is_done_within(reading)
    ticking.cancel()
    await asyncio.wait([ticking])
    assert ticks > 30


async def test_an_endless_wait_holds_only_its_own_place():
    async def odd(key):
        if key == 0:
            await forever()
        return key

    async with map_concurrently(odd, range(50), max_concurrency=2) as outcomes:
        keys = [(await anext(outcomes)).key for _ in range(49)]
    assert keys == list(range(1, 50))
