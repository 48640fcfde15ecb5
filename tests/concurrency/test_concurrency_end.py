"""Small helpers: to end tasks, to do something for each, and to iterate over anything."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing

import pytest
from concurrency_support import PlainKeys, Play, cancelled_at, forever, settle, steps

from qoder_async._concurrency.ending import end
from qoder_async._concurrency.sources import iterate
from qoder_async.concurrency import for_each

pytestmark = pytest.mark.usefixtures("tidy")


async def slow_to_end(log, error=None):
    try:
        await forever()
    finally:
        await steps(5)
        log.append("ended")
        if error is not None:
            raise error


# end


async def test_it_waits_for_tasks_to_have_ended():
    log = []
    tasks = [asyncio.create_task(slow_to_end(log)) for _ in range(3)]
    await settle()
    await end(*tasks)
    assert log == ["ended"] * 3
    assert all(task.cancelled() for task in tasks)


async def test_what_the_tasks_raise_is_nobodys_business():
    log = []
    tasks = [asyncio.create_task(slow_to_end(log, error)) for error in (ValueError("a"), None, LookupError("b"))]
    await settle()
    await end(*tasks)
    assert len(log) == 3
    assert [task.cancelled() for task in tasks] == [False, True, False]


async def test_tasks_that_have_ended_before_are_no_matter():
    async def fail():
        raise ValueError

    tasks = [asyncio.create_task(steps(0)), asyncio.create_task(fail())]
    await settle()
    await end(*tasks)
    await end()


async def test_tasks_that_have_not_begun_never_begin():
    log = []
    task = asyncio.create_task(slow_to_end(log))
    await end(task)
    assert task.cancelled()
    assert log == []


async def test_tasks_that_swallow_their_cancellation_are_waited_for():
    async def swallows():
        try:
            await forever()
        except asyncio.CancelledError:
            await steps(5)
        return "done"

    task = asyncio.create_task(swallows())
    await settle()
    await end(task)
    assert task.result() == "done"


@pytest.mark.parametrize("times", [1, 2, 3, 5])
async def test_a_caller_that_is_cancelled_still_waits_and_is_cancelled_then(times):
    for moment in range(12):
        log = []
        tasks = [asyncio.create_task(slow_to_end(log, error)) for error in (None, ValueError())]
        await settle()

        async def script(tasks=tasks):
            await end(*tasks)

        ending, was_running = await cancelled_at(script, moment + 1, *[1] * (times - 1))
        assert log == ["ended"] * 2
        assert ending.cancelled() or not was_running or times > 1
    assert not was_running


async def test_the_cancellation_keeps_its_message():
    log = []
    task = asyncio.create_task(slow_to_end(log))
    await settle()
    ending = asyncio.create_task(end(task))
    await steps(2)
    ending.cancel("enough")
    with pytest.raises(asyncio.CancelledError, match="enough"):
        await ending
    assert log == ["ended"]


# for_each


async def test_it_does_it_for_each():
    play = Play()
    await for_each(play.sync_keys(100), play.suspends)
    assert sorted(play.begun) == list(range(100))
    assert 1 < play.most <= 32
    play.assert_is_over()
    await for_each([], play.suspends)


@pytest.mark.parametrize("cleaning", ["cleans_up_slowly", "swallows", "raises_while_it_ends"])
async def test_the_first_error_ends_the_others(cleaning):
    play, error = Play(), LookupError("5")

    async def do(key):
        if key == 5:
            await steps(3)
            raise error
        await forever() if key % 2 else None
        await steps(key * 9)
        await getattr(play, cleaning)(key)

    with pytest.raises((LookupError, ValueError)) as caught:
        await for_each(range(1, 20), do)
    assert caught.value is error
    play.assert_is_over()


async def test_an_error_of_the_things_comes_out():
    def things():
        yield 1
        raise LookupError("things")

    play = Play()
    with pytest.raises(LookupError, match="things"):
        await for_each(things(), play.suspends)
    assert play.cleaned == [1]


async def test_it_may_be_cancelled_at_any_moment():
    for moment in itertools.count():
        play = Play()

        async def script(play=play):
            await for_each(range(5), play.cleans_up_slowly)

        _, was_running = await cancelled_at(script, moment)
        play.assert_is_over()
        if not was_running:
            break
    assert moment > 5


# iterate


def plain(closed):
    try:
        yield from range(3)
    finally:
        closed.append(True)


async def asynchronous(closed):
    try:
        for key in range(3):
            await steps(1)
            yield key
    finally:
        closed.append(True)


@pytest.mark.parametrize("make", [plain, asynchronous])
async def test_generators_of_both_kinds_are_iterated_and_closed(make):
    closed = []
    assert [key async for key in iterate(make(closed))] == [0, 1, 2]
    assert closed == [True]
    held = make(closed)
    async with aclosing(iterate(held)) as things:
        assert await anext(things) == 0
        assert closed == [True]
    assert closed == [True, True]


async def test_other_iterables_are_iterated_too():
    assert [key async for key in iterate([1, 2])] == [1, 2]
    assert [key async for key in iterate("ab")] == ["a", "b"]
    held = iter([1, 2, 3])
    async with aclosing(iterate(held)) as things:
        assert await anext(things) == 1
    assert list(held) == [2, 3]
    keys = PlainKeys(3)
    assert [key async for key in iterate(keys)] == [0, 1, 2]
    assert keys.closed == 1
