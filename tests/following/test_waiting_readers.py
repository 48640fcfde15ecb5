"""Who reads of many runs: leaving the block, several readers, cancelled ones, and updates that raise."""

from __future__ import annotations

import asyncio

import pytest
from support.leftovers import client_tasks
from waiting_support import SHAPES, of_one_deployment, stage, take, triggered

from qoder_async import (
    ConfigurationError,
    QoderError,
)

BOTH = pytest.mark.parametrize("shape", SHAPES)


# Leaving


@BOTH
async def test_leaving_early_ends_the_work(shape):
    async with stage(shape) as on:
        runs = await of_one_deployment(on, 50)

        async def work():
            async with on.qoder.runs.as_completed(runs) as ending:
                async for _ in ending:
                    break
                assert len(client_tasks()) >= 1
            assert client_tasks() == []
            requests = on.requests
            await on.time.sleep(100)
            assert on.requests == requests
            assert len(ending.pending) == 49

        await on.run(work())


async def test_an_exception_in_the_block_ends_the_work_and_comes_out():
    async with stage() as on:
        runs = await triggered(on, [10.0, 20.0])

        async def work():
            async with on.qoder.runs.as_completed(runs) as ending:
                async for _ in ending:
                    raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError, match="mine"):
            await on.run(work())
        assert client_tasks() == []


async def test_it_can_be_entered_only_once():
    async with stage() as on:
        (run,) = await triggered(on, [10.0])
        ending = on.qoder.runs.as_completed([run])

        async def work():
            async with ending:
                with pytest.raises(ConfigurationError, match="once"):
                    await ending.__aenter__()
                assert (await anext(ending)).ok
            with pytest.raises(ConfigurationError, match="once"):
                await ending.__aenter__()

        await on.run(work())


async def test_it_cannot_be_iterated_outside_of_its_block():
    async with stage() as on:
        runs = await triggered(on, [10.0, 20.0])
        ending = on.qoder.runs.as_completed(runs)
        with pytest.raises(ConfigurationError, match="entered"):
            await anext(ending)

        async def work():
            async with ending:
                await anext(ending)

        await on.run(work())
        assert [finished async for finished in ending] == []


# Readers


async def test_a_second_reader_is_refused_and_the_first_goes_on():
    async with stage() as on:
        runs = await triggered(on, [10.0, 20.0])

        async def work():
            async with on.qoder.runs.as_completed(runs) as ending:
                first = asyncio.ensure_future(take(on, ending))
                await on.time.sleep(1)
                with pytest.raises((RuntimeError, QoderError)):
                    await anext(ending)
                return await first

        taken = await on.run(work())
        assert [finished.run.id for finished, _ in taken] == [run.id for run in runs]


async def test_two_readers_are_never_given_the_same_run():
    async with stage() as on:
        runs = await triggered(on, [10.0, 10.0, 10.0, 10.0])
        given = []

        async def slow(run):
            await on.time.sleep(3)

        async def read(ending):
            while True:
                try:
                    given.append((await anext(ending)).run.id)
                except StopAsyncIteration:
                    return
                except (RuntimeError, QoderError):
                    await on.time.sleep(1)

        async def work():
            async with on.qoder.runs.as_completed(runs, on_update=slow) as ending:
                await asyncio.gather(read(ending), read(ending))

        await on.run(work())
        assert sorted(given) == sorted(run.id for run in runs)


async def test_a_reader_in_another_task_ends_with_the_block():
    async with stage() as on:
        (run,) = await triggered(on, [500.0])

        async def work():
            async with on.qoder.runs.as_completed([run]) as ending:
                reader = asyncio.ensure_future(take(on, ending))
                await on.time.sleep(20)
            done, _ = await asyncio.wait([reader], timeout=0.2)
            reader.cancel()
            await asyncio.wait([reader])
            return done, reader

        done, reader = await on.run(work())
        assert done == {reader}, "the reader waits for ever"
        assert reader.result() == []


@BOTH
async def test_a_cancelled_reader_loses_nothing(shape):
    async with stage(shape) as on:
        runs = await of_one_deployment(on, 30, longest=60.0)
        given = []

        async def work():
            async with on.qoder.runs.as_completed(runs) as ending:
                while ending.pending:
                    reader = asyncio.ensure_future(anext(ending))
                    await on.time.sleep(0.7)
                    reader.cancel()
                    await asyncio.wait([reader])
                    if not reader.cancelled():
                        given.append(reader.result().run.id)

        await on.run(work())
        assert sorted(given) == sorted(run.id for run in runs)


# Updates


async def test_updates_are_told_in_the_task_that_iterates_before_the_run_is_given():
    async with stage() as on:
        runs = [await on.trigger(duration=30.0 + index, start_delay=10.0) for index in range(4)]
        told, tasks = {}, set()

        def note(run):
            told.setdefault(run.id, []).append(str(run.status))
            tasks.add(asyncio.current_task())

        async def work():
            async with on.qoder.runs.as_completed(runs, on_update=note) as ending:
                async for finished in ending:
                    assert told[finished.run.id][-1] == "completed"
            assert tasks == {asyncio.current_task()}

        await on.run(work())
        assert list(told.values()) == [["pending", "running", "completed"]] * 4


@BOTH
async def test_an_exception_in_an_update_loses_no_run(shape):
    async with stage(shape) as on:
        runs = await of_one_deployment(on, 20, longest=40.0)
        given, failed = [], []

        def fail_at_first(run):
            if (run.id, str(run.status)) not in failed:
                failed.append((run.id, str(run.status)))
                raise ZeroDivisionError("mine")

        async def work():
            async with on.qoder.runs.as_completed([run.id for run in runs], on_update=fail_at_first) as ending:
                while ending.pending:
                    try:
                        given.append((await anext(ending)).run.id)
                    except ZeroDivisionError:
                        continue

        await on.run(work())
        assert sorted(given) == sorted(run.id for run in runs)
        assert len(failed) == (40 if shape == "extended" else 20)


@BOTH
async def test_a_cancellation_in_an_update_loses_no_run(shape):
    async with stage(shape) as on:
        runs = await of_one_deployment(on, 20, longest=40.0)
        given, told = [], []

        async def slow(run):
            await on.time.sleep(1.0 if len(told) % 2 else 5.0)
            told.append(run.id)

        async def work():
            async with on.qoder.runs.as_completed([run.id for run in runs], on_update=slow) as ending:
                while ending.pending:
                    reader = asyncio.ensure_future(anext(ending))
                    await on.time.sleep(2.5)
                    reader.cancel()
                    await asyncio.wait([reader])
                    if not reader.cancelled():
                        given.append(reader.result().run.id)
                    elif len(told) % 2 == 0:
                        told.append("cut short")

        await on.run(work())
        assert sorted(given) == sorted(run.id for run in runs)
