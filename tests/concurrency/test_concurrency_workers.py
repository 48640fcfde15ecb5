"""Workers that hand over several values for a key, each of which is released by the reader."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress

import pytest
from concurrency_support import OddError, Play, cancelled_at, forever, is_done_within, other_tasks, settle, steps

from qoder_async._concurrency.workers import Workers

pytestmark = pytest.mark.usefixtures("tidy")


async def three_of(key, hand_over):
    for number in range(3):
        await hand_over((key, number)).wait()
        await steps(1)


async def take_all(workers):
    values = []
    while (handed := await workers.take()) is not None:
        handed.release()
        values.append(handed.value)
    return values


@pytest.mark.parametrize("max_concurrency", [1, 2, 9])
async def test_work_hands_over_several_values_for_a_key(max_concurrency):
    workers = Workers(three_of, range(5), max_concurrency=max_concurrency)
    workers.start()
    values = await take_all(workers)
    assert sorted(values) == list(itertools.product(range(5), range(3)))
    for key in range(5):
        assert [value for value in values if value[0] == key] == [(key, 0), (key, 1), (key, 2)]
    assert await workers.take() is None


async def test_work_may_hand_over_nothing():
    worked = []

    async def hands_over_odd_ones(key, hand_over):
        worked.append(key)
        await steps(1)
        if key % 2:
            await hand_over(key).wait()

    workers = Workers(hands_over_odd_ones, range(9), max_concurrency=2)
    workers.start()
    assert sorted(await take_all(workers)) == [1, 3, 5, 7]
    assert sorted(worked) == list(range(9))


async def test_a_worker_waits_until_its_value_is_released():
    went_on = []

    async def work(key, hand_over):
        await hand_over(key).wait()
        went_on.append(key)

    workers = Workers(work, itertools.count(), max_concurrency=2)
    workers.start()
    first, second = await workers.take(), await workers.take()
    taking = asyncio.ensure_future(workers.take())
    await settle()
    assert went_on == []
    assert not taking.done()
    second.release()
    second.release()
    third = await taking
    assert (first.value, second.value, third.value, went_on) == (0, 1, 2, [1])
    await workers.aclose()
    first.release()
    third.release()
    await settle()
    assert went_on == [1]


async def test_work_may_hand_over_from_several_tasks():
    async def work(key, hand_over):
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(hand_over((key, number)).wait())

    workers = Workers(work, range(3), max_concurrency=2)
    workers.start()
    assert sorted(await take_all(workers)) == list(itertools.product(range(3), range(4)))


@pytest.mark.parametrize("error", [ValueError("work"), OddError("work"), asyncio.CancelledError("work")])
async def test_what_work_raises_comes_after_the_values_handed_over_before(error):
    play = Play()

    async def work(key, hand_over):
        await play.suspends(key)
        if key == 3:
            raise error
        await hand_over(key).wait()
        await forever()

    workers = Workers(work, play.async_keys(9), max_concurrency=4)
    workers.start()
    await settle()
    assert {(await workers.take()).value for _ in range(3)} == {0, 1, 2}
    expected = RuntimeError if isinstance(error, asyncio.CancelledError) else type(error)
    with pytest.raises(expected) as caught:
        await workers.take()
    assert expected is RuntimeError or caught.value is error
    play.assert_is_over()
    assert await workers.take() is None


async def test_what_work_raises_is_not_kept_from_a_slow_reader_by_later_values():
    async def work(key, hand_over):
        await steps(1)
        if key == 2:
            raise ValueError(key)
        await hand_over(key).wait()

    workers = Workers(work, itertools.count(), max_concurrency=3)
    workers.start()
    taken = []

    async def take_slowly():
        while len(taken) < 50:
            handed = await workers.take()
            handed.release()
            taken.append(handed.value)
            await steps(6)

    try:
        with pytest.raises(ValueError, match="2"):
            await take_slowly()
    finally:
        await workers.aclose()
    assert taken == [0, 1]


async def test_one_error_is_given_where_several_are_raised():
    async def work(key, hand_over):
        await steps(1)
        raise ValueError(key)

    workers = Workers(work, range(3), max_concurrency=3)
    workers.start()
    await settle()
    with pytest.raises(ValueError, match=r"\d"):
        await workers.take()
    assert await workers.take() is None


async def test_an_error_of_work_is_given_rather_than_that_of_the_source_after_it():
    gate = asyncio.Event()

    async def work(key, hand_over):
        await gate.wait()
        raise ValueError(key)

    workers = Workers(work, Play().failing_keys(1), max_concurrency=3)
    workers.start()
    await settle()
    gate.set()
    with pytest.raises(ValueError, match="0"):
        await workers.take()
    assert await workers.take() is None


async def test_to_be_cancelled_while_taking_loses_nothing():
    for moment in range(60):
        workers = Workers(three_of, range(3), max_concurrency=2)
        workers.start()
        taken = []

        async def take(workers=workers, taken=taken):
            taken.extend(await take_some(workers, taken))

        async def take_some(workers, taken):
            while (handed := await workers.take()) is not None:
                taken.append(handed.value)
                handed.release()
            return []

        await cancelled_at(take, moment)
        taken += await take_all(workers)
        assert sorted(taken) == list(itertools.product(range(3), range(3)))


async def test_what_was_taken_and_not_released_does_not_hold_up_the_end():
    workers = Workers(three_of, range(3), max_concurrency=2)
    workers.start()
    await workers.take()
    await workers.aclose()
    assert other_tasks() == set()
    assert await workers.take() is None


async def test_work_that_swallows_its_cancellation_is_not_asked_for_more():
    """Not even where it hands over nothing, so that it would not notice by itself."""
    worked, pulled = [], []

    async def keys():
        for key in itertools.count():
            pulled.append(key)
            if key == 2:
                await forever()
            yield key

    async def work(key, hand_over):
        worked.append(key)
        try:
            await forever()
        except asyncio.CancelledError:
            await steps(1)

    workers = Workers(work, keys(), max_concurrency=2)
    workers.start()
    await settle()
    closing = asyncio.create_task(workers.aclose())
    assert await is_done_within(closing), "it hangs"
    await closing
    assert (worked, pulled) == ([0, 1], [0, 1])


async def test_it_begins_once_and_before_anybody_takes():
    workers = Workers(three_of, range(3), max_concurrency=2)
    with pytest.raises(RuntimeError, match="must be entered"):
        await workers.take()
    workers.start()
    with pytest.raises(RuntimeError, match="only once"):
        workers.start()
    await workers.aclose()
    await workers.aclose()


async def test_a_handed_value_may_be_released_before_and_after_somebody_waits():
    log = []

    async def work(key, hand_over):
        handed = hand_over("first")
        await gate.wait()
        await handed.wait()
        log.append("released before")
        handed = hand_over("second")
        waiting = asyncio.ensure_future(handed.wait())
        await steps(3)
        waiting.cancel()
        await asyncio.wait([waiting])
        await handed.wait()
        log.append("released after")

    gate = asyncio.Event()
    workers = Workers(work, [1], max_concurrency=1)
    workers.start()
    first = await workers.take()
    first.release()
    first.release()
    gate.set()
    second = await workers.take()
    await settle()
    assert (first.value, second.value, log) == ("first", "second", ["released before"])
    second.release()
    assert await workers.take() is None
    assert log == ["released before", "released after"]


@pytest.mark.parametrize("order", list(itertools.permutations(["end", "first", "second"])))
async def test_a_key_is_under_way_until_its_work_has_ended_and_all_of_it_is_released(order):
    begun, gate = [], asyncio.Event()

    async def work(key, hand_over):
        begun.append(key)
        hand_over("first")
        hand_over("second")
        await gate.wait()

    workers = Workers(work, itertools.count(), max_concurrency=1)
    workers.start()
    last_steps = {"end": gate.set, "first": (await workers.take()).release, "second": (await workers.take()).release}
    for what in order:
        await settle()
        assert begun == [0]
        last_steps[what]()
        last_steps[what]()
    await settle()
    assert begun == [0, 1]
    await workers.aclose()


async def test_work_that_goes_on_after_the_end_cannot_hand_over():
    async def work(key, hand_over):
        with suppress(asyncio.CancelledError):
            await forever()
        try:
            hand_over(key)
        except BaseException as error:
            raised.append(error)
            raise

    raised = []
    workers = Workers(work, range(2), max_concurrency=2)
    workers.start()
    await settle()
    await workers.aclose()
    assert [type(error) for error in raised] == [asyncio.CancelledError] * 2
    assert workers.take_at_once() is None


async def test_what_is_there_may_be_taken_at_once():
    workers = Workers(three_of, range(2), max_concurrency=2)
    assert workers.take_at_once() is None
    workers.start()
    assert workers.take_at_once() is None
    await settle()
    taken = [workers.take_at_once(), workers.take_at_once()]
    assert sorted(handed.value for handed in taken) == [(0, 0), (1, 0)]
    assert workers.take_at_once() is None
    for handed in taken:
        handed.release()
    assert sorted(await take_all(workers)) == [(0, 1), (0, 2), (1, 1), (1, 2)]
