"""What is held does not grow with the number of keys."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from concurrency_support import OddError, steps

from qoder_async import map_concurrently
from qoder_async._concurrency.workers import Workers

pytestmark = pytest.mark.usefixtures("tidy")
MANY_KEYS = 20_000
FEW = 8


class Key:
    """Something that tells whether it is held."""

    __slots__ = ("__weakref__", "number")

    def __init__(self, number):
        self.number = number


class Census:
    """Makes keys and counts those that are alive.

    Attributes:
        most: How many were alive at once.
    """

    def __init__(self, number):
        self.alive = weakref.WeakSet()
        self.number = number
        self.most = 0

    def keys(self):
        for number in range(self.number):
            key = Key(number)
            self.alive.add(key)
            self.most = max(self.most, len(self.alive.data))
            yield key


async def test_any_number_of_keys_is_held_a_few_at_a_time():
    census, count = Census(MANY_KEYS), 0

    async def same(key):
        return key

    async with map_concurrently(same, census.keys(), max_concurrency=FEW) as outcomes:
        async for outcome in outcomes:
            count += outcome.value is outcome.key
            if count == MANY_KEYS // 2:
                gc.collect()
                half = len(gc.get_objects())
        gc.collect()
        assert len(gc.get_objects()) - half < 100
        assert len(asyncio.all_tasks()) == 1
    assert count == MANY_KEYS
    assert census.most <= FEW + 4


async def test_keys_whose_work_fails_are_held_a_few_at_a_time():
    """Without the help of the garbage collector: errors are not part of a circle."""
    census, count = Census(200), 0

    async def fail(key):
        raise ValueError(key.number)

    gc.disable()
    try:
        async with map_concurrently(fail, census.keys(), max_concurrency=FEW) as outcomes:
            async for outcome in outcomes:
                count += outcome.error is not None
    finally:
        gc.enable()
    assert count == 200
    assert census.most <= FEW + 4


async def test_values_that_nobody_takes_are_held_a_few_at_a_time():
    census = Census(1000)

    async def hand_it_over(key, hand_over):
        hand_over(key)

    workers = Workers(hand_it_over, census.keys(), max_concurrency=FEW)
    workers.start()
    await steps(200)
    assert census.most == FEW
    await workers.aclose()


@pytest.mark.parametrize("ends", ["break", "end", "error"])
async def test_nothing_is_held_after_the_block(ends):
    census = Census(5)

    async def work(key):
        await steps(1)
        if ends == "error" and key.number == 3:
            raise OddError

    async def use():
        try:
            async with map_concurrently(work, census.keys(), max_concurrency=2) as outcomes:
                async for _ in outcomes:
                    if ends == "break":
                        break
        except OddError:
            pass
        return outcomes

    outcomes = await use()
    gc.collect()
    assert len(census.alive) == 0
    assert await anext(outcomes, None) is None
