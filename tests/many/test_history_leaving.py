"""The block of a history: however it is left, nothing goes on, and the client is as good as new."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from history_support import ROUND, Service, warped
from many_support import ALWAYS, BOTH, RUNS, add, assert_nothing_goes_on, assert_same, stage, turned
from support.clock import ago
from support.leftovers import client_tasks, open_generators

from qoder_async import ConfigurationError

HEEDED = pytest.mark.parametrize("ignores", [False, True], ids=["in windows", "page by page"])


def service_of(count=60, *, ignores=False, latency=0.0, **settings):
    times = [ago(60 * number) for number in range(count)]
    return Service(times, ignore_filters=ignores, latency=latency, **settings)


async def nothing_follows(service):
    requests = len(service.requests)
    await asyncio.sleep(0)
    assert client_tasks() == []
    assert open_generators() == []
    assert service.at_once == 0
    await asyncio.sleep(1000)
    assert len(service.requests) == requests


@HEEDED
@pytest.mark.parametrize("taken", [0, 1, 5, 23, 59, 60])
@pytest.mark.parametrize("how", ["break", "error"])
def test_left_early(how, taken, ignores):
    service = service_of(ignores=ignores, latency=ROUND)

    async def take():
        found = []
        with suppress(KeyError):
            async with service.history(page_size=5) as history:
                for _ in range(taken):
                    found.append((await anext(history)).id)  # noqa: PERF401  one by one
                if how == "error":
                    raise KeyError("mine")
        await nothing_follows(service)
        assert found == service.ids[:taken]
        assert await service.walked() == service.ids

    warped(take())


@BOTH
@pytest.mark.parametrize("taken", [0, 1, 35])
async def test_left_with_requests_on_the_line(shape, taken):
    async with stage(shape) as on:
        (deployment,) = add(on, 300)

        async def take():
            async with on.qoder.runs.history(deployment, page_size=10) as history:
                for _ in range(taken):
                    await anext(history)

        await on.run(take())
        await assert_nothing_goes_on(on)


@BOTH
async def test_left_by_a_timeout_of_the_callers(shape):
    async with stage(shape, timeout=0.5, hangs_after=0.05) as on:
        (deployment,) = add(on, 300)
        on.sim.faults.add("stall", route=RUNS, nth=4, times=ALWAYS)

        async def take():
            async with asyncio.timeout(0.1), on.qoder.runs.history(deployment, page_size=10) as history:
                async for _ in history:
                    pass

        with pytest.raises(TimeoutError):
            await take()
        on.sim.faults.clear()
        await assert_nothing_goes_on(on)


@HEEDED
@pytest.mark.parametrize("again", [0, 1, 3])
@pytest.mark.parametrize("slices", [1, 3])
def test_cancelled_at_every_single_await(slices, again, ignores):
    """And again so many turns later, while it is leaving."""

    async def all_turns():
        turns, ended = 0, False
        while not ended:
            service = service_of(30, ignores=ignores)
            task = asyncio.ensure_future(service.walked(page_size=3, slices=slices))
            await turned(task, turns)
            ended = not task.cancel()
            if again:
                await turned(task, again)
                task.cancel()
            await turned(task, 300)
            assert task.done(), f"cancelled after {turns} turns, it hangs"
            assert task.cancelled() is not ended
            await nothing_follows(service)
            turns += 1
        return turns

    assert warped(all_turns()) > 20


@HEEDED
@pytest.mark.parametrize("slices", [1, 3])
def test_closed_by_another_task_at_every_turn(slices, ignores):
    """The reader's loop ends as if the history had ended."""

    async def take(history, taken):
        async with history:
            async for run in history:
                taken.append(run.id)

    async def all_turns():
        turns, ended = 0, False
        while not ended:
            service, taken = service_of(30, ignores=ignores), []
            history = service.history(page_size=3, slices=slices)
            task = asyncio.ensure_future(take(history, taken))
            await turned(task, turns + 1)
            ended = task.done()
            closer = asyncio.ensure_future(history.aclose())
            await turned(task, 300)
            await turned(closer, 300)
            assert task.done(), f"closed after {turns} turns, it hangs"
            task.result()
            closer.result()
            assert taken == service.ids[: len(taken)]
            await nothing_follows(service)
            turns += 1
        assert taken == service.ids
        return turns

    assert warped(all_turns()) > 20


@HEEDED
@pytest.mark.parametrize("slices", [1, 2, 8])
def test_who_is_cancelled_while_it_waits_for_a_run_loses_nothing(slices, ignores):
    """A run that a reader with a short patience did not get comes to the next."""
    service = service_of(300, ignores=ignores, latency=ROUND)

    async def take():
        found = []
        async with service.history(page_size=10, slices=slices) as history:
            while True:
                try:
                    found.append((await asyncio.wait_for(anext(history), 0.4 * ROUND)).id)
                except TimeoutError:
                    continue
                except StopAsyncIteration:
                    return found

    assert warped(take()) == service.ids


@HEEDED
def test_who_is_cancelled_at_any_turn_loses_nothing(ignores):
    async def all_turns():
        for turns in range(1, 14):
            service, found = service_of(30, ignores=ignores), []
            async with service.history(page_size=3, slices=3) as history:
                while True:
                    reader = asyncio.ensure_future(anext(history, None))
                    await turned(reader, turns)
                    if reader.cancel():
                        await asyncio.wait({reader})
                    if not reader.cancelled():
                        if reader.result() is None:
                            break
                        found.append(reader.result().id)
            assert found == service.ids

    warped(all_turns())


# Used in ways that cannot be meant


def test_iterating_without_entering():
    service = service_of()

    async def take():
        with pytest.raises(ConfigurationError, match="async with"):
            await anext(service.history())

    warped(take())
    assert service.requests == []


@HEEDED
def test_entering_twice(ignores):
    service = service_of(ignores=ignores)

    async def take():
        history = service.history(page_size=5)
        async with history:
            with pytest.raises(ConfigurationError, match="once"):
                await history.__aenter__()
            found = [run.id async for run in history]
        with pytest.raises(ConfigurationError, match="once"):
            await history.__aenter__()
        return found

    assert warped(take()) == service.ids


@HEEDED
@pytest.mark.parametrize("taken", [0, 1, 12])
def test_iterating_after_leaving(taken, ignores):
    service = service_of(ignores=ignores)

    async def take():
        async with service.history(page_size=5) as history:
            for _ in range(taken):
                await anext(history)
        requests = len(service.requests)
        assert [run async for run in history] == []
        await history.aclose()
        assert len(service.requests) == requests

    warped(take())


def test_after_the_end_it_stays_at_the_end():
    service = service_of()

    async def take():
        async with service.history(page_size=5) as history:
            assert [run.id async for run in history] == service.ids
            requests = len(service.requests)
            service.sim.insert_run(service.dep)
            assert [run async for run in history] == []
            await asyncio.sleep(1000)
            assert len(service.requests) == requests

    warped(take())


def test_never_entered_it_sends_nothing():
    service = service_of()

    async def take():
        service.history()
        history = service.history()
        await history.aclose()
        await history.aclose()
        with pytest.raises(ConfigurationError, match="once"):
            await history.__aenter__()
        await nothing_follows(service)

    warped(take())
    assert service.requests == []


@HEEDED
def test_two_readers_are_told_so_and_the_first_goes_on(ignores):
    service = service_of(ignores=ignores, latency=ROUND)

    async def take():
        async with service.history(page_size=5) as history:
            found = [(await anext(history)).id for _ in range(20)]
            first = asyncio.ensure_future(anext(history))
            await asyncio.sleep(0)
            if not first.done():
                with pytest.raises(RuntimeError, match="one task"):
                    await anext(history)
            found.append((await first).id)
            return found + [run.id async for run in history]

    assert warped(take()) == service.ids


# Together


@BOTH
async def test_two_histories_at_once_on_one_client(shape):
    async with stage(shape) as on:
        one, other = add(on, 300, 200, spacing=10)

        async def take(deployment, **settings):
            async with on.qoder.runs.history(deployment, page_size=10, **settings) as history:
                return [run.id async for run in history]

        found = await on.time.run(take(one), take(other), take(one, slices=3), take(one, triggered_before=ago(1500)))
        assert found[0] == found[2] == on.sim.run_ids(one)
        assert found[1] == on.sim.run_ids(other)
        assert found[3] == found[0][151:]
        assert_same(found[0] + found[1], on.sim.run_ids())
        await assert_nothing_goes_on(on)


def test_one_is_left_while_the_other_goes_on():
    service = service_of(200, latency=ROUND)

    async def take():
        async with service.history(page_size=5) as one:
            await anext(one)
            found = asyncio.ensure_future(service.walked(page_size=5))
            await asyncio.sleep(3 * ROUND)
        assert await found == service.ids
        await nothing_follows(service)

    warped(take())
