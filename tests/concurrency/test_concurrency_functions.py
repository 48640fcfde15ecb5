"""Functions that do what functions should not do."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar

import pytest
from concurrency_support import (
    FUNCTIONS,
    SOURCES,
    OddError,
    Play,
    all_outcomes,
    forever,
    is_done_within,
    keys_of,
    other_tasks,
    settle,
    steps,
    value_of,
)

from qoder_async import map_concurrently

pytestmark = pytest.mark.usefixtures("tidy")
VARIABLE: ContextVar[object] = ContextVar("VARIABLE", default=None)
NEEDS_EAGER_TASKS = pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.12 brought eager tasks")


@pytest.mark.parametrize("max_concurrency", [1, 3])
async def test_what_a_function_raises_is_the_outcome_of_its_key(max_concurrency):
    errors = [ValueError("a"), asyncio.CancelledError("b"), TimeoutError("c"), StopAsyncIteration("d")]

    async def raises(error):
        await steps(1)
        raise error

    async with map_concurrently(raises, errors, max_concurrency=max_concurrency) as outcomes:
        given = [outcome async for outcome in outcomes]
    assert len(given) == 4
    assert all(outcome.error is outcome.key for outcome in given)


async def test_what_it_waits_for_may_be_cancelled():
    waiting = [asyncio.get_running_loop().create_future() for _ in range(3)]

    async def wait(key):
        return await waiting[key]

    async with map_concurrently(wait, range(3), max_concurrency=2) as outcomes:
        await settle()
        waiting[1].cancel()
        outcome = await anext(outcomes)
        assert (outcome.key, type(outcome.error)) == (1, asyncio.CancelledError)
        waiting[0].set_result("a")
        waiting[2].set_result("c")
        assert sorted([outcome.value async for outcome in outcomes]) == ["a", "c"]


async def fail():
    raise ValueError("part")


async def with_a_timeout(key):
    async with asyncio.timeout(0):
        await forever()


async def with_a_group_that_fails_in_its_body(key):
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        await forever()


async def with_a_group_that_fails_at_its_end(key):
    async with asyncio.TaskGroup() as group:
        group.create_task(fail())


async def with_a_group_that_is_survived(key):
    try:
        await with_a_group_that_fails_at_its_end(key)
    except ExceptionGroup:
        await steps(2)
    return key


@pytest.mark.parametrize("max_concurrency", [1, 2])
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (with_a_timeout, TimeoutError),
        (with_a_group_that_fails_in_its_body, ExceptionGroup),
        # Before Python 3.13 such a group leaves its task marked as being cancelled.
        (with_a_group_that_fails_at_its_end, ExceptionGroup),
        (with_a_group_that_is_survived, int),
    ],
)
async def test_timeouts_and_groups_in_a_function_are_its_own_business(function, kind, max_concurrency):
    outcomes = await all_outcomes(function, range(6), max_concurrency)
    assert sorted(key for key, _ in outcomes) == list(range(6))
    assert {type(value) for _, value in outcomes} == {kind}


async def test_a_source_may_use_a_group_that_fails():
    async def keys():
        for key in range(6):
            yield await with_a_group_that_is_survived(key)

    assert len(await all_outcomes(value_of, keys(), 2)) == 6


@pytest.mark.parametrize("max_concurrency", [1, 3])
async def test_what_except_exception_does_not_see_ends_all(max_concurrency):
    play, error = Play(), OddError("odd")

    async def odd(key):
        await play.suspends(key)
        if key == 2:
            raise error

    keys = []
    async with map_concurrently(odd, play.async_keys(), max_concurrency=max_concurrency) as outcomes:
        with pytest.raises(OddError) as caught:
            await keys_of(outcomes, keys)
        assert caught.value is error
        play.assert_is_over()
        assert [outcome async for outcome in outcomes] == []
    assert keys == [0, 1]


async def test_what_ends_all_comes_also_to_a_slow_reader_of_endless_keys():
    """The keys after it are not worked on, nor given."""
    begun = []

    def keys():
        key = 0
        while True:
            yield key
            key += 1

    async def odd(key):
        begun.append(key)
        await steps(2)
        if key == 3:
            raise OddError(key)

    given = []

    async def read():
        async with map_concurrently(odd, keys(), max_concurrency=3) as outcomes:
            async for outcome in outcomes:
                given.append(outcome.key)
                await steps(10)
                if len(given) == 100:
                    break

    with pytest.raises(OddError):
        await read()
    assert given[:3] == [0, 1, 2]
    assert len(begun) < 10


async def test_a_function_that_swallows_its_cancellation_has_no_outcome_any_more():
    swallowed = []

    async def swallows(key):
        try:
            await forever()
        except asyncio.CancelledError:
            swallowed.append(key)
        return key

    async with map_concurrently(swallows, range(9), max_concurrency=3) as outcomes:
        await settle()
    assert sorted(swallowed) == [0, 1, 2]
    assert [outcome async for outcome in outcomes] == []


async def test_a_function_that_takes_its_cancellation_back_is_ended_all_the_same():
    async def takes_back(key):
        try:
            await forever()
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()
        return key

    async with map_concurrently(takes_back, range(9), max_concurrency=3):
        await settle()


async def test_functions_see_the_context_of_the_block():
    seen = []

    async def see(key):
        await steps(1)
        seen.append(VARIABLE.get())

    token = VARIABLE.set("outside")
    try:
        mapping = map_concurrently(see, range(4), max_concurrency=2)
        VARIABLE.set("entered")
        async with mapping as outcomes:
            VARIABLE.set("later")
            async for _ in outcomes:
                pass
    finally:
        VARIABLE.reset(token)
    assert seen == ["entered"] * 4


async def test_sources_see_the_context_of_the_block():
    seen = []

    async def keys():
        for key in range(4):
            await steps(1)
            seen.append(VARIABLE.get())
            yield key

    token = VARIABLE.set("entered")
    try:
        await all_outcomes(value_of, keys(), 2)
    finally:
        VARIABLE.reset(token)
    assert seen == ["entered"] * 4


@pytest.mark.parametrize("max_concurrency", [1, 2, 9])
async def test_what_a_function_sets_in_its_context_is_not_seen_by_those_of_other_keys(max_concurrency):
    seen = []

    async def see_and_set(key):
        seen.append(VARIABLE.get())
        VARIABLE.set(key)
        await steps(key % 3)

    await all_outcomes(see_and_set, range(6), max_concurrency)
    assert seen == [None] * 6
    assert VARIABLE.get() is None


@pytest.mark.parametrize("max_concurrency", [1, 2, 3, 9])
async def test_a_source_may_set_and_reset_a_variable_around_its_keys(max_concurrency):
    async def keys():
        token = VARIABLE.set("source")
        try:
            for key in range(6):
                yield key
                await steps(1)
        finally:
            VARIABLE.reset(token)

    assert len(await all_outcomes(value_of, keys(), max_concurrency)) == 6


@NEEDS_EAGER_TASKS
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("source", SOURCES)
async def test_tasks_may_begin_eagerly(function, source):
    play = Play()
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        number = 3 if source == "failing_keys" else 5
        for moment in range(12):
            async with map_concurrently(
                getattr(play, function), getattr(play, source)(), max_concurrency=2
            ) as outcomes:
                await steps(moment)
            play.assert_is_over()
        keys = []
        async with map_concurrently(getattr(play, function), getattr(play, source)(), max_concurrency=2) as outcomes:
            try:
                await keys_of(outcomes, keys)
            except LookupError:
                assert source == "failing_keys"
        assert sorted(keys) == list(range(number))
        play.assert_is_over()
    finally:
        loop.set_task_factory(None)


@NEEDS_EAGER_TASKS
async def test_eager_tasks_do_not_nest():
    """A thousand workers begin side by side, not one inside the other."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    play = Play()
    try:
        async with map_concurrently(play.never_ends, range(3000), max_concurrency=3000):
            await settle()
            assert len(play.begun) == 3000
    finally:
        loop.set_task_factory(None)
    play.assert_is_over()


@NEEDS_EAGER_TASKS
@pytest.mark.parametrize("who", ["work", "source"])
async def test_eager_work_and_sources_may_end_their_block_at_once(who):
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)

    async def ends_it(key):
        if who == "work":
            await mapping.aclose()

    async def keys():
        if who == "source":
            await mapping.aclose()
        yield 1

    async def use():
        async with mapping as outcomes:
            assert [outcome async for outcome in outcomes] == []

    mapping = map_concurrently(ends_it, keys(), max_concurrency=1)
    try:
        using = asyncio.create_task(use())
        assert await is_done_within(using), "it hangs"
    finally:
        loop.set_task_factory(None)
    using.result()


@NEEDS_EAGER_TASKS
async def test_with_eager_tasks_nothing_is_pulled_while_it_is_entered():
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    play = Play()
    try:
        async with map_concurrently(play.suspends, play.sync_keys(), max_concurrency=2):
            assert play.pulled == []
    finally:
        loop.set_task_factory(None)
    assert other_tasks() == set()
