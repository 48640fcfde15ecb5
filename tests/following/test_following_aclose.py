"""What iterates in the background may be ended by another task."""

from __future__ import annotations

import pytest
from waiting_support import SHAPES, client_tasks, stage

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
