"""The loop ends, or is ended, while a block is open."""

from __future__ import annotations

import asyncio
import gc
import itertools
from contextlib import asynccontextmanager

import pytest
from concurrency_support import FUNCTIONS as ALL_FUNCTIONS
from concurrency_support import SOURCES, Play, forever, settle, steps, value_of

from qoder_async import map_concurrently

FUNCTIONS = [name for name in ALL_FUNCTIONS if name not in {"cleans_up_slowly", "raises_while_it_ends"}]
"""Those which do not mind to be cancelled twice: the loop cancels all tasks at its end, also who leaves the block."""


def run(script):
    """Run a script in debug mode; the loop must have nothing to complain about."""
    complaints = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        return await script()

    try:
        return asyncio.run(main(), debug=True)
    finally:
        gc.collect()
        assert complaints == []


async def stop_after(number, endless):
    """Make keys, and say that enough is enough where somebody pulls for ever."""
    for key in itertools.count():
        assert key < number, "it pulls for ever"
        if not endless:
            await steps(1)
        yield key


@pytest.mark.parametrize("function", [*FUNCTIONS, "never_ends"])
@pytest.mark.parametrize("source", SOURCES)
def test_a_block_that_is_open_when_the_loop_ends_is_ended(function, source):
    play = Play()
    open_blocks = []

    async def main():
        mapping = map_concurrently(getattr(play, function), getattr(play, source)(), max_concurrency=2)
        open_blocks.append(await mapping.__aenter__())
        await steps(6)

    run(main)
    assert sorted(play.cleaned) == sorted(play.begun)
    assert play.begun


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_block_in_another_task_is_ended_with_the_loop(function):
    play, left = Play(), []

    async def read():
        try:
            async with map_concurrently(getattr(play, function), play.async_keys(99), max_concurrency=2) as outcomes:
                async for _ in outcomes:
                    await steps(2)
        finally:
            left.append(play.source.ag_frame)

    async def main():
        reading = asyncio.create_task(read())
        await steps(20)
        assert not reading.done()

    run(main)
    assert left == [None]
    assert sorted(play.cleaned) == sorted(play.begun)


@pytest.mark.parametrize("is_read", [False, True])
def test_work_that_swallows_the_end_of_the_loop_does_not_go_on_with_other_keys(is_read):
    begun = []

    async def swallows(key):
        begun.append(key)
        try:
            await forever()
        except asyncio.CancelledError:
            await steps(3)

    async def read(mapping):
        async with mapping as outcomes:
            async for _ in outcomes:
                pass

    async def main():
        mapping = map_concurrently(swallows, stop_after(100, endless=True), max_concurrency=3)
        tasks.append(asyncio.create_task(read(mapping) if is_read else mapping.__aenter__()))
        await settle()
        assert begun == [0, 1, 2]

    tasks = []
    run(main)
    assert begun == [0, 1, 2]


def test_a_reader_that_swallows_the_end_of_the_loop_is_told_that_all_has_ended():
    play, told = Play(), []

    async def read():
        async with map_concurrently(play.never_ends, play.sync_keys(99), max_concurrency=2) as outcomes:
            while True:
                try:
                    await anext(outcomes)
                except asyncio.CancelledError:
                    continue
                except RuntimeError as error:
                    told.append(str(error))
                    break

    async def main():
        tasks.append(asyncio.create_task(read()))
        await settle()

    tasks = []
    run(main)
    assert told == ["The work was cancelled by somebody else"]
    assert sorted(play.cleaned) == sorted(play.begun) == [0, 1]


def test_a_generator_that_nobody_closed_ends_its_block_with_the_loop():
    play, held = Play(), []

    async def keys():
        async with map_concurrently(play.suspends, play.iterator_keys(99), max_concurrency=2) as outcomes:
            async for outcome in outcomes:
                yield outcome.key

    async def main():
        held.append(keys())
        assert await anext(held[0]) == 0

    run(main)
    assert held[0].ag_frame is None
    assert sorted(play.cleaned) == sorted(play.begun)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("max_concurrency", [1, 3])
def test_work_that_ends_the_program_ends_all(error, function, max_concurrency):
    play = Play()

    async def exits(key):
        if key == 2:
            await steps(1)
            raise error("2")
        return await getattr(play, function)(key)

    async def main():
        async with map_concurrently(exits, play.sync_keys(99), max_concurrency=max_concurrency) as outcomes:
            async for _ in outcomes:
                await steps(1)

    with pytest.raises(error, match="2"):
        run(main)
    assert sorted(play.cleaned) == sorted(play.begun)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_source_that_ends_the_program_ends_all(error):
    play = Play()

    def keys():
        yield from range(3)
        raise error("3")

    async def main():
        async with map_concurrently(play.suspends, keys(), max_concurrency=2) as outcomes:
            async for _ in outcomes:
                await steps(1)

    with pytest.raises(error, match="3"):
        run(main)
    assert sorted(play.cleaned) == sorted(play.begun)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_body_that_ends_the_program_ends_all(error):
    play = Play()

    async def main():
        async with map_concurrently(play.suspends, play.async_keys(99), max_concurrency=2) as outcomes:
            async for _ in outcomes:
                raise error("body")

    with pytest.raises(error, match="body"):
        run(main)
    assert sorted(play.cleaned) == sorted(play.begun)
    assert play.closed == 1


def test_one_block_after_the_other_in_loops_of_their_own():
    @asynccontextmanager
    async def block():
        async with map_concurrently(value_of, range(9), max_concurrency=3) as outcomes:
            yield outcomes

    async def main():
        async with block() as outcomes:
            return sorted([outcome.key async for outcome in outcomes])

    for _ in range(3):
        assert run(main) == list(range(9))
