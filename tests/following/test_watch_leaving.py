"""The block of a watch: entering and leaving it in every way leaves no task, no request and no slot behind."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.leftovers import client_tasks
from waiting_support import ALWAYS, held, stage
from watching_support import BOTH, SETTLED, assert_told, ids_of, read, state_of

from qoder_async import AsyncQoder, ConfigurationError, NotFoundError, ServerError


def lively(on):
    first, second = (on.sim.add_deployment(run_duration=(1, 40), max_concurrent=9) for _ in range(2))
    for each in (first, second):
        on.sim.insert_run(each, state="running")
    return [first, second]


async def assert_nothing_goes_on(on):
    # The tasks of the test that are over.
    await asyncio.sleep(0)
    assert client_tasks() == []
    assert on.slots_taken == 0
    requests = on.requests
    await on.time.advance(600)
    assert on.requests == requests


@BOTH
async def test_leaving_with_break(shape):
    async with stage(shape) as on:
        deployments = lively(on)

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                await on.qoder.deployments.run(deployments[0])
                async for change in changes:
                    assert change.kind == "created"
                    break

        await on.run(watch())
        await assert_nothing_goes_on(on)


@BOTH
async def test_leaving_with_an_error(shape):
    async with stage(shape) as on:
        deployments = lively(on)

        async def watch():
            async with on.qoder.runs.watch(deployments):
                await on.time.sleep(3)
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            await on.run(watch())
        await assert_nothing_goes_on(on)


@BOTH
@pytest.mark.parametrize("since", ["now", "state", "moment"])
async def test_cancelled_at_any_moment(shape, since):
    """However many turns of the loop it had, the task ends as cancelled, and nothing goes on."""
    async with stage(shape) as on:
        deployments = lively(on)
        given = {"now": None, "state": await state_of(on), "moment": on.time.wall()}[since]

        async def watch():
            async with on.qoder.runs.watch(deployments, since=given) as changes:
                entered.append(turn)
                async for _ in changes:
                    pass

        entered, turn = [], 0
        tried = 0
        while len(entered) < 4 and tried < 60:
            tried += 1
            turn += 1 + turn // 3
            task = asyncio.ensure_future(watch())
            for _ in range(turn):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            assert task.cancelled()
            assert client_tasks() == []
            assert on.slots_taken == 0
        assert len(entered) == 4
        await assert_nothing_goes_on(on)


@BOTH
async def test_cancelled_again_while_it_is_leaving(shape):
    """However often and whenever: what was begun in the background has ended when the block is left."""
    async with stage(shape) as on:
        deployments = lively(on)

        async def watch():
            async with on.qoder.runs.watch(deployments):
                entered.set()
                await asyncio.sleep(60)

        for turns in range(12):
            entered = asyncio.Event()
            task = asyncio.ensure_future(watch())
            await asyncio.wait_for(entered.wait(), 5)
            # In the middle of a look.
            on.time._move(on.time._microseconds + 1_000_000)
            on.time._wake()
            for _ in range(turns):
                await asyncio.sleep(0)
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
            assert task.cancelled()
            assert client_tasks() == []
            assert on.slots_taken == 0
        await assert_nothing_goes_on(on)


@BOTH
async def test_leaving_in_the_middle_of_a_look_while_another_watch_goes_on(shape):
    """What belongs to the one has ended when its block is left; the other goes on."""
    async with stage(shape) as on:
        deployments = lively(on)
        async with on.qoder.runs.watch(deployments):
            for turns in range(8):
                async with on.qoder.runs.watch(deployments):
                    assert watching() == 2
                    on.time._move(on.time._microseconds + 1_000_000)
                    on.time._wake()
                    for _ in range(turns):
                        await asyncio.sleep(0)
                assert watching() == 1
        await assert_nothing_goes_on(on)


def watching():
    return len([task for task in client_tasks() if task.get_name() == "qoder_async watch"])


@BOTH
async def test_cancelled_while_requests_are_under_way(shape):
    """Cancelled with each request in turn."""
    async with stage(shape) as on:
        deployments = lively(on)
        tasks = []

        def cancel(request):
            asked.append(request.route)
            if len(asked) == nth:
                tasks[-1].cancel()
            return False

        on.sim.faults.add("status", when=cancel)

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                async for _ in changes:
                    pass

        for nth in range(1, 16):
            asked = []
            tasks.append(asyncio.ensure_future(watch()))
            with pytest.raises(asyncio.CancelledError):
                await on.run(held(tasks[-1]))
            assert len(asked) >= nth
            assert client_tasks() == []
        await assert_nothing_goes_on(on)


@BOTH
async def test_leaving_while_changes_are_undelivered_drops_them_but_not_from_the_state(shape):
    async with stage(shape) as on:
        deployments = lively(on)
        runs, told = [], []

        async def watch():
            async with on.qoder.runs.watch(deployments[0]) as changes:
                runs.extend(on.sim.insert_run(deployments[0]) for _ in range(5))
                await on.time.sleep(20)
                told.append(await anext(changes))
            assert [change async for change in changes] == []
            async with on.qoder.runs.watch(deployments[0], since=changes.state) as more:
                await read(on, more, SETTLED, told)

        await on.run(watch())
        assert_told(on, told, created=runs, finished=runs, watches=2)
        await assert_nothing_goes_on(on)


@BOTH
async def test_a_watch_that_failed_leaves_nothing(shape):
    async with stage(shape) as on:
        deployments = lively(on)

        async def watch():
            async with on.qoder.runs.watch(deployments) as changes:
                await on.time.sleep(20)
                on.sim.faults.add("status", status=503, times=ALWAYS)
                async for _ in changes:
                    pass

        with pytest.raises(ServerError):
            await on.run(watch())
        on.sim.faults.clear()
        await assert_nothing_goes_on(on)


@pytest.mark.parametrize("fault", ["deployment", "runs"])
async def test_a_block_that_cannot_be_entered_leaves_nothing(fault):
    async with stage() as on:
        deployments = lively(on)
        route = {"deployment": "GET /deployments", "runs": "GET /deployment_runs"}[fault]
        on.sim.faults.add("status", status=404, route=route, times=ALWAYS)

        async def watch():
            async with on.qoder.runs.watch(deployments):
                pytest.fail("entered")

        with pytest.raises(NotFoundError):
            await on.run(watch())
        await assert_nothing_goes_on(on)


# Used in ways that cannot be meant


@pytest.mark.parametrize("since", ["now", "state", "moment"])
async def test_iterating_without_entering(since):
    async with stage() as on:
        given = {"now": None, "state": await state_of(on), "moment": on.time.wall()}[since]
        requests = on.requests
        changes = on.qoder.runs.watch(since=given)
        with pytest.raises(ConfigurationError, match="async with"):
            await asyncio.wait_for(anext(changes), 10)
        assert on.requests == requests


async def test_entering_twice():
    async with stage() as on:
        lively(on)
        changes = on.qoder.runs.watch()
        async with changes:
            with pytest.raises(ConfigurationError, match="once"):
                await changes.__aenter__()
            # The first one goes on.
            assert client_tasks() != []
        with pytest.raises(ConfigurationError, match="once"):
            await changes.__aenter__()
        await assert_nothing_goes_on(on)


async def test_the_state_before_entering():
    async with stage() as on:
        with pytest.raises(ConfigurationError, match="enter"):
            _ = on.qoder.runs.watch().state
        assert on.requests == 0


@BOTH
async def test_two_readers_are_told_so_and_the_first_goes_on(shape):
    async with stage(shape) as on:
        deployments = lively(on)
        told = []

        async def watch():
            async with on.qoder.runs.watch(deployments[0]) as changes:
                first = asyncio.ensure_future(anext(changes))
                await on.time.sleep(1)
                with pytest.raises(RuntimeError, match="one task"):
                    await anext(changes)
                run = on.sim.insert_run(deployments[0])
                told.append(await first)
                await read(on, changes, SETTLED, told)
                return run

        run = await on.run(watch())
        assert_told(on, told, created=[run], finished=[run])


async def test_leaving_while_another_task_reads_ends_its_loop():
    async with stage() as on:
        deployments = lively(on)

        async def watch():
            async with on.qoder.runs.watch(deployments[0]) as changes:
                reader = asyncio.ensure_future(collect(changes))
                await on.time.sleep(5)
            return await asyncio.wait_for(reader, 10)

        async def collect(changes):
            return [change async for change in changes]

        assert ids_of(await on.run(watch()), "created") == []
        await assert_nothing_goes_on(on)


async def test_a_watch_works_in_one_loop_after_the_other():
    """The same client, and the state of a watch in another ``asyncio.run``."""
    async with stage() as on:
        deployments = lively(on)
        state = await state_of(on)
        run = on.sim.insert_run(deployments[0])

        def in_another_loop():
            async def watch():
                other = AsyncQoder("pt-2", base_url=on.sim.url, pace=None)
                async with other, other.runs.watch(since=state) as changes:
                    return [await anext(changes), await anext(changes)]

            return asyncio.run(watch())

        with ThreadPoolExecutor() as pool:
            told = await asyncio.get_running_loop().run_in_executor(pool, in_another_loop)
        assert_told(on, told, created=[run], finished=[run])
