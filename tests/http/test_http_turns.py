"""Large answers that come at the same time are read one in every other pass of the event loop."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from qoder_async._http.turns import Turns


async def passes(turns: Turns, count: int) -> list[int]:
    """Take so many turns at once, and give the pass of the loop in which each came."""
    taken: list[int] = []
    now = 0

    async def take() -> None:
        await turns.take()
        taken.append(now)

    tasks = [asyncio.create_task(take()) for _ in range(count)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        now += 1
        assert now < 10 * (count + 1)
    return taken


@pytest.mark.parametrize("count", [1, 2, 5, 50])
async def test_every_other_pass_has_one(count: int) -> None:
    taken = await passes(Turns(), count)
    assert len(taken) == count
    assert all(2 <= later - earlier <= 3 for earlier, later in pairwise(taken))  # to be woken takes a pass, too


async def test_whoever_is_alone_does_not_wait() -> None:
    turns = Turns()
    for _ in range(3):
        taking = turns.take()
        with pytest.raises(StopIteration):
            taking.send(None)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_whoever_is_cancelled_takes_no_turn() -> None:
    turns = Turns()
    order: list[int] = []

    async def take(number: int) -> None:
        await turns.take()
        order.append(number)

    tasks = [asyncio.create_task(take(number)) for number in range(5)]
    await asyncio.sleep(0)
    for number in (1, 2, 4):
        tasks[number].cancel()
    await asyncio.wait(tasks)
    assert order == [0, 3]
    await asyncio.wait_for(turns.take(), 10)


async def test_all_cancelled_leaves_it_free() -> None:
    turns = Turns()
    tasks = [asyncio.create_task(turns.take()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for _ in range(3):
        await asyncio.sleep(0)
    await test_whoever_is_alone_does_not_wait()
    await asyncio.wait_for(turns.take(), 10)
