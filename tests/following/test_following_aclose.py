"""What iterates in the background may be ended by another task."""

from __future__ import annotations

import asyncio

import pytest
from support.leftovers import client_tasks
from waiting_support import ALWAYS, EVENTS, SHAPES, stage

from qoder_async import ConfigurationError

BOTH = pytest.mark.parametrize("shape", SHAPES)


@BOTH
@pytest.mark.parametrize("what", ["as_completed", "watch"])
async def test_another_task_ends_the_iteration(shape, what):
    async with stage(shape) as on:
        run = await on.trigger(duration=500.0)
        given = []

        async def read(background):
            async with background:
                given.extend([each async for each in background])
            return on.time.elapsed

        async def script(background):
            await on.time.sleep(20)
            await background.aclose()
            await background.aclose()
            assert client_tasks() == []

        background = on.qoder.runs.as_completed([run]) if what == "as_completed" else on.qoder.runs.watch()
        ended_at, _ = await on.time.run(read(background), script(background))
        assert (given, ended_at) == ([], 20)
        sent = on.requests
        await on.time.advance(100)
        assert on.requests == sent


async def test_closing_what_was_never_entered_does_nothing():
    async with stage() as on:
        await on.qoder.runs.watch().aclose()
        await on.qoder.runs.as_completed(["drun_1"]).aclose()
        assert on.requests == 0


async def test_an_end_that_was_found_is_not_given_after_the_close():
    async with stage() as on:
        runs = [await on.trigger(duration=1.0), await on.trigger(duration=500.0)]

        async def script():
            async with on.qoder.runs.as_completed(runs) as ending:
                await on.time.sleep(30)
                await ending.aclose()
                with pytest.raises(StopAsyncIteration):
                    await anext(ending)
                return ending.pending

        pending = await on.run(script())
        assert pending == tuple(run.id for run in runs)


@pytest.mark.parametrize("what", ["as_completed", "watch"])
async def test_what_was_closed_cannot_be_entered(what):
    async with stage() as on:
        run = await on.trigger(duration=500.0)
        sent = on.requests
        background = on.qoder.runs.as_completed([run]) if what == "as_completed" else on.qoder.runs.watch()
        await background.aclose()
        with pytest.raises(ConfigurationError, match=f"{what} can be entered only once"):
            await background.__aenter__()
        assert client_tasks() == []
        assert on.requests == sent


async def enter_and_read(background):
    async with background:
        return [each async for each in background]


@BOTH
async def test_a_watch_that_is_closed_while_it_is_entered_ends_quietly(shape):
    """However many turns of the loop it had: it gives nothing, and sends nothing more."""
    async with stage(shape) as on:
        await on.trigger(duration=5000.0)
        for turns in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233):
            changes = on.qoder.runs.watch()
            reader = asyncio.ensure_future(enter_and_read(changes))
            for _ in range(turns):
                await asyncio.sleep(0)
            await changes.aclose()
            assert await asyncio.wait_for(reader, 5) == []
            assert client_tasks() == []
            await on.time.advance(1)  # what was under way has come to the service
            sent = on.requests
            await on.time.advance(60)
            assert on.requests == sent


@BOTH
async def test_a_watch_that_waits_for_the_service_to_be_entered_is_closed_at_once(shape):
    async with stage(shape) as on:
        await on.trigger(duration=5000.0)
        route = EVENTS if shape == "lean" else "GET"
        on.sim.faults.add("status", status=503, route=route, times=ALWAYS)
        changes = on.qoder.runs.watch()

        async def script():
            await on.time.sleep(60)
            await changes.aclose()
            return on.time.elapsed, on.requests

        given, (closed_at, sent) = await on.time.run(enter_and_read(changes), script())
        assert (given, closed_at, on.time.elapsed) == ([], 60, 60)
        await on.time.advance(600)
        assert on.requests == sent
        with pytest.raises(StopAsyncIteration):
            await anext(changes)


async def test_as_completed_that_is_closed_while_it_is_entered_follows_nothing_more():
    """With thousands of runs, others get their turn meanwhile."""
    async with stage() as on:
        ending = on.qoder.runs.as_completed([f"drun_{number}" for number in range(2500)])
        reader = asyncio.ensure_future(enter_and_read(ending))
        await asyncio.sleep(0)
        await ending.aclose()
        assert await asyncio.wait_for(reader, 5) == []
        desk = on.qoder.runs._trackers.get().desk
        assert (len(desk._followed), len(desk._followers), len(desk._runs_of)) == (0, 0, 0)
        assert len(ending.pending) == 2500
