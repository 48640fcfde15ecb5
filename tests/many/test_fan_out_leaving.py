"""The block of a fan-out: however it is left, nothing goes on, and the client is as good as new."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from many_support import (
    ALWAYS,
    BOTH,
    ORDERS,
    RUNS,
    Direct,
    add,
    assert_each_once,
    assert_nothing_goes_on,
    stage,
    turned,
    walked,
)
from support.leftovers import client_tasks, open_generators
from support.requests_for import later_pages_of

from qoder_async import ConfigurationError
from qoder_async.simulator import Simulator

SIZES = (7, 0, 12, 3, 0, 25)


@BOTH
@ORDERS
@pytest.mark.parametrize("source", ["ids", "pager", "prefetch"])
@pytest.mark.parametrize("taken", [0, 1, 5])
async def test_left_with_break(shape, order, source, taken):
    async with stage(shape) as on:
        deployments = add(on, *SIZES)
        given = (
            deployments
            if source == "ids"
            else on.qoder.deployments.list(page_size=2, prefetch=int(source == "prefetch"))
        )

        async def take():
            async with on.walk(given, order=order, page_size=2, max_concurrency=3) as walk:
                for _ in range(taken):
                    await anext(walk)

        await on.run(take())
        await assert_nothing_goes_on(on)
        assert_each_once(on, (await walked(on, deployments, order=order)).ids)


@ORDERS
async def test_left_with_an_error(order):
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def take():
            async with on.walk(deployments, order=order, page_size=2) as walk:
                async for _ in walk:
                    raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await on.run(take())
        await assert_nothing_goes_on(on)


@ORDERS
async def test_left_by_a_timeout_of_the_callers(order):
    async with stage(timeout=0.5, hangs_after=0.05) as on:
        deployments = add(on, *SIZES)
        on.sim.faults.add("stall", when=later_pages_of(deployments[2]), times=ALWAYS)

        async def take():
            async with asyncio.timeout(0.02), on.walk(deployments, order=order, page_size=5) as walk:
                async for _ in walk:
                    pass

        with pytest.raises(TimeoutError):
            await take()
        await assert_nothing_goes_on(on)


@BOTH
@ORDERS
@pytest.mark.parametrize("source", ["ids", "prefetch"])
async def test_cancelled_at_any_moment(shape, order, source):
    """However many turns of the loop it had, it ends as cancelled, and nothing is left."""
    async with stage(shape) as on:
        deployments = add(on, 5, 0, 3)
        given = deployments if source == "ids" else on.qoder.deployments.list(page_size=1, prefetch=1)

        async def take():
            async with on.walk(given, order=order, page_size=2, max_concurrency=2) as walk:
                async for _ in walk:
                    pass

        for turns in [*range(40), *range(40, 250, 9)]:
            task = asyncio.ensure_future(take())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            assert task.done()
            assert task.cancelled() or task.exception() is None
            assert client_tasks() == []
            assert on.slots_taken == 0
        await assert_nothing_goes_on(on)


@ORDERS
async def test_cancelled_with_each_request_in_turn(order):
    async with stage() as on:
        deployments = add(on, *SIZES)
        tasks = []

        def cancel(request):
            asked.append(request.route)
            if len(asked) == nth:
                tasks[-1].cancel()
            return False

        on.sim.faults.add("status", when=cancel)

        async def take():
            async with on.walk(deployments, order=order, page_size=5, max_concurrency=2) as walk:
                async for _ in walk:
                    pass

        for nth in range(1, 14):
            asked = []
            tasks.append(asyncio.ensure_future(take()))
            await on.run(over(tasks[-1]))
            assert tasks[-1].cancelled()
            assert len(asked) <= nth + 1
            assert client_tasks() == []
        on.sim.faults.clear()
        await assert_nothing_goes_on(on)


async def over(task):
    await asyncio.wait({task})


# Without sockets, so that each turn of the loop is the same every time


def small_world():
    sim = Simulator()
    for count in (5, 0, 3):
        sim.add_runs(sim.add_deployment(), count)
    return sim


async def slow_source(deployments):
    try:
        for deployment in deployments:
            await asyncio.sleep(0)
            yield deployment
        await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def given_as(source, direct):
    ids = direct.sim.deployment_ids()
    return {
        "ids": ids,
        "generator": slow_source(ids),
        "pager": direct.deployments.list(page_size=2),
        "prefetch": direct.deployments.list(page_size=1, prefetch=1),
    }[source]


SOURCES = pytest.mark.parametrize("source", ["ids", "generator", "pager", "prefetch"])


@ORDERS
@SOURCES
@pytest.mark.parametrize(("most", "again"), [(1, 0), (1, 1), (3, 0), (3, 1), (3, 2), (3, 3)])
async def test_cancelled_at_every_single_await(order, source, most, again):
    """And again so many turns later, while it is leaving."""
    turns, ended = 0, False
    while not ended:
        direct = Direct(small_world())
        given = given_as(source, direct)

        async def take(direct=direct, given=given):
            async with direct.runs.fan_out(given, order=order, page_size=2, max_concurrency=most) as walk:
                return [run.id async for run in walk]

        task = asyncio.ensure_future(take())
        await turned(task, turns)
        ended = not task.cancel()
        if again:
            await turned(task, again)
            task.cancel()
        await turned(task, 200)
        assert task.done(), f"cancelled after {turns} turns, it hangs"
        assert task.cancelled() is not ended
        assert open_generators() == []
        assert direct.at_once == 0
        requests = len(direct.requests)
        await asyncio.sleep(0)
        assert client_tasks() == []
        await turned(asyncio.current_task(), 10)
        assert len(direct.requests) == requests
        if source == "generator" and turns > 3:
            assert given.ag_frame is None
        turns += 1
    assert turns > 10


@ORDERS
@SOURCES
async def test_closed_by_another_task_at_every_turn(order, source):
    """The reader's loop ends as if the list had ended."""
    turns, ended = 0, False
    while not ended:
        direct = Direct(small_world())
        given, taken = given_as(source, direct), []

        async def take(walk, taken=taken):
            async with walk:
                async for run in walk:
                    taken.append(run.id)

        walk = direct.runs.fan_out(given, order=order, page_size=2, max_concurrency=2)
        task = asyncio.ensure_future(take(walk))
        await turned(task, turns + 1)
        ended = task.done()
        closer = asyncio.ensure_future(walk.aclose())
        await turned(task, 200)
        await turned(closer, 200)
        assert task.done(), f"closed after {turns} turns, it hangs"
        task.result()
        closer.result()
        assert len(set(taken)) == len(taken) <= 8
        assert direct.at_once == 0
        await asyncio.sleep(0)
        assert client_tasks() == []
        turns += 1
    assert len(taken) == 8
    assert turns > 10


@ORDERS
async def test_who_is_cancelled_while_it_waits_for_a_run_loses_nothing(order):
    """A run that a reader with a short patience did not get comes to the next."""
    for turns in range(12):
        direct = Direct(small_world())
        found = []
        async with direct.runs.fan_out(direct.sim.deployment_ids(), order=order, page_size=2) as walk:
            while True:
                reader = asyncio.ensure_future(anext(walk))
                await turned(reader, turns)
                if reader.cancel():
                    await asyncio.wait({reader})
                with suppress(asyncio.CancelledError):
                    try:
                        found.append(reader.result().id)
                    except StopAsyncIteration:
                        break
                if turns == 0:
                    found.append((await anext(walk)).id)
                    if len(found) == 8:
                        break
        assert sorted(found) == sorted(direct.sim.run_ids())


# Used in ways that cannot be meant


@ORDERS
async def test_iterating_without_entering(order):
    async with stage() as on:
        walk = on.walk(add(on, 3), order=order)
        with pytest.raises(ConfigurationError, match="async with"):
            await anext(walk)
        assert on.requests == 0


@ORDERS
async def test_entering_twice(order):
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def take():
            walk = on.walk(deployments, order=order)
            async with walk:
                with pytest.raises(ConfigurationError, match="once"):
                    await walk.__aenter__()
                runs = [run.id async for run in walk]
            with pytest.raises(ConfigurationError, match="once"):
                await walk.__aenter__()
            return runs

        assert_each_once(on, await on.run(take()))
        await assert_nothing_goes_on(on)


@ORDERS
@pytest.mark.parametrize("taken", [0, 1, 2])
async def test_iterating_after_leaving(order, taken):
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def take():
            async with on.walk(deployments, order=order, page_size=5) as walk:
                for _ in range(taken):
                    await anext(walk)
            requests = on.requests
            assert [run async for run in walk] == []
            assert walk.progress.runs == taken
            await walk.aclose()
            assert on.requests == requests

        await on.run(take())
        await assert_nothing_goes_on(on)


@ORDERS
async def test_closed_before_it_is_entered_it_sends_nothing(order):
    async with stage() as on:
        deployments = add(on, *SIZES)

        async def take():
            walk = on.walk(deployments, order=order)
            await walk.aclose()
            with suppress(ConfigurationError):
                async with walk:
                    await on.time.sleep(10)
                    assert [run async for run in walk] == []

        await on.run(take())
        assert on.count(RUNS) == 0


@ORDERS
async def test_never_entered_it_leaves_nothing(order):
    async with stage() as on:
        deployments = add(on, *SIZES)
        on.walk(deployments, order=order)
        on.walk(on.qoder.deployments.list(prefetch=1), order=order)
        await on.walk(deployments, order=order).aclose()
        await assert_nothing_goes_on(on)


@ORDERS
async def test_two_readers_are_told_so_and_the_first_goes_on(order):
    async with stage() as on:
        deployments = add(on, *SIZES)
        on.sim.faults.add("status", status=503, times=ALWAYS, when=lambda _: on.time.elapsed < 20)

        async def take():
            async with on.walk(deployments, order=order) as walk:
                first = asyncio.ensure_future(anext(walk))
                await on.time.sleep(1)
                with pytest.raises(RuntimeError, match="one task"):
                    await anext(walk)
                return [await first, *[run async for run in walk]]

        assert_each_once(on, [run.id for run in await on.run(take())])
