"""Cancelled at any moment: nothing goes on, nothing is held, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import threading

import pytest
from core_support import (
    ENDINGS,
    SIZES,
    Stopped,
    add,
    assert_nothing_is_left,
    assert_same,
    assert_whole,
    ids,
    ids_in,
    lines_of,
    served,
    stop_after,
)
from support.leftovers import names_in, open_files

from qoder_async import ExportError
from qoder_async.export import fetching, job, publishing, walks
from qoder_async.export.exporting import export_runs
from qoder_async.export.lock import FileLock
from qoder_async.export.spool import Spool


async def cancelled(task, *, times=1):
    """Cancel, and wait for the end."""
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


@pytest.mark.parametrize("name", [f"runs.{ending}" for ending in ENDINGS])
async def test_cancelled_at_random_moments_until_it_is_whole(tmp_path, name):
    chance = random.Random(name)
    async with served(tmp_path, sizes=SIZES, request_takes=1) as on:
        attempts = 0
        while True:
            attempts += 1
            task = asyncio.create_task(on.export(name, max_concurrency=3))
            for _ in range(chance.randrange(1, 30) * attempts):
                await asyncio.sleep(0)
            if task.done() or not await cancelled(task, times=chance.choice((1, 3))):
                break
            await assert_nothing_is_left(on)
        assert task.result().rows == sum(SIZES)
        assert_same(ids_in(on.folder / name, name.partition(".")[2]), ids(on))
        assert on.names == [name]
        assert attempts > 3


async def test_cancelled_ever_later(tmp_path):
    """Some turns of the loop later each time, until there is nothing left to cancel."""
    was_late = False
    async with served(tmp_path, sizes=(0, 7, 3), request_takes=1) as on:
        for steps in (*range(20), *(round(20 * 1.13**more) for more in range(50))):
            (tmp_path / str(steps)).mkdir()
            name = f"{steps}/runs.csv"
            task = asyncio.create_task(on.export(name))
            for _ in range(steps):
                await asyncio.sleep(0)
            was_late = was_late or not await cancelled(task)
            await assert_nothing_is_left(on)
            assert open_files(tmp_path) == []
            await on.export(name)
            assert_same(ids_in(tmp_path / name, "csv"), ids(on))
            assert names_in(tmp_path / str(steps)) == ["runs.csv"]
            if was_late:
                break
        assert was_late


class Gate:
    """Holds a function in its thread until it is opened.

    Args:
        original: The function.
    """

    def __init__(self, original):
        self._original = original
        self._is_open = threading.Event()
        self._has_come = threading.Event()

    def __call__(self, *args, **kwargs):
        self._has_come.set()
        self._is_open.wait(10)
        return self._original(*args, **kwargs)

    async def reached(self):
        while not self._has_come.is_set():  # noqa: ASYNC110  it is a thread that sets it
            await asyncio.sleep(0.001)

    def open(self):
        self._is_open.set()


async def held_at(on, gate, name="runs.jsonl"):
    """An export whose thread waits at a gate, cancelled; then the gate is opened."""
    task = asyncio.create_task(on.export(name))
    await gate.reached()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.002)
        # The thread is not done, and nobody else may begin.
        assert not task.done()
        with pytest.raises(ExportError, match="another process or task"):
            await on.export(name)
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_nothing_is_left(on)


@pytest.mark.parametrize("where", ["begin", "last_ids", "clean_up"])
async def test_cancelled_while_a_thread_works(tmp_path, monkeypatch, where):
    async with served(tmp_path, sizes=SIZES) as on:
        gate = Gate(getattr(job.ExportJob, f"_{where}"))
        monkeypatch.setattr(job.ExportJob, f"_{where}", lambda *args: gate(*args))  # noqa: PLW0108  it is no method
        await held_at(on, gate)
        await on.export()
        assert_whole(on)


async def test_cancelled_while_the_spool_is_opened(tmp_path, monkeypatch):
    async with served(tmp_path, sizes=SIZES) as on:
        gate = Gate(Spool._open)
        monkeypatch.setattr(Spool, "_open", lambda *args: gate(*args))  # noqa: PLW0108  it is no method
        await held_at(on, gate)
        await on.export()
        assert_whole(on)


@pytest.mark.parametrize("steps", ["write", "fsync", "replace"])
async def test_cancelled_while_the_disk_is_busy(tmp_path, monkeypatch, steps):
    """What was being written is whole, and counted, when the export ends."""
    async with served(tmp_path, sizes=SIZES) as on:
        with pytest.raises(Stopped):
            await on.export(on_progress=stop_after(1))
        rows = len(lines_of(on.beside("spool")))
        gate = Gate(getattr(os, steps))

        def only_in_threads(*args, **kwargs):
            call = gate if threading.current_thread() is not threading.main_thread() else gate._original
            return call(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, steps, only_in_threads)
            await held_at(on, gate)
        report = await on.export()
        assert_whole(on)
        assert report.resumed_rows >= rows


@pytest.mark.parametrize("ending", ENDINGS)
async def test_cancelled_while_the_target_is_written(tmp_path, monkeypatch, ending):
    name = f"runs.{ending}"
    async with served(tmp_path, sizes=SIZES) as on:
        gate = Gate(publishing.move_into_place)
        monkeypatch.setattr(publishing, "move_into_place", gate)
        await held_at(on, gate, name)
        requests = on.requests
        await on.export(name)
        assert on.requests == requests
        assert_same(ids_in(on.folder / name, ending), ids(on))
        assert on.names == [name]


@pytest.mark.parametrize("ending", ENDINGS[1:])
async def test_cancelled_the_writing_ends_early(tmp_path, monkeypatch, ending):
    """It is not carried on to its end, which may be minutes away."""
    name = f"runs.{ending}"
    came, may_go, parts = threading.Event(), threading.Event(), []
    original = publishing.read_batches

    def held_after_the_first(path, note):
        for number, batch in enumerate(original(path, note)):
            parts.append(number)
            yield batch
            came.set()
            may_go.wait(10)

    async with served(tmp_path, sizes=(1_600, 1_600)) as on:
        with monkeypatch.context() as patch:
            patch.setattr(publishing, "read_batches", held_after_the_first)
            patch.setattr(walks, "PAGE_SIZE", 1000)
            task = asyncio.create_task(on.export(name))
            while not came.is_set():  # noqa: ASYNC110  it is a thread that sets it
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.sleep(0.001)
            may_go.set()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert parts == [0]
        await assert_nothing_is_left(on)
        assert not (on.folder / name).exists()
        report = await on.export(name)
        assert (report.requests, report.resumed_rows) == (0, 3_200)
        assert_same(ids_in(on.folder / name, ending), ids(on))
        assert on.names == [name]


async def test_a_timeout_is_a_cancellation(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        now = asyncio.get_running_loop().time

        def is_sixth(_):
            if on.requests != 6:
                return False
            limit.reschedule(now())
            return True

        on.sim.faults.add("stall", when=is_sixth)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                await on.export(max_concurrency=1)
        assert on.names == ["runs.jsonl.checkpoint", "runs.jsonl.spool"]
        report = await on.export()
        assert_whole(on)
        assert report.resumed_rows > 0


async def test_what_came_before_the_cancellation_is_kept(tmp_path, monkeypatch):
    """Also what no checkpoint had counted until then."""
    monkeypatch.setattr(fetching, "_SAVED_EVERY", 1e9)
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:
        task = None

        def cancel(progress):
            if progress.rows >= 20:
                task.cancel()

        task = asyncio.create_task(on.export(on_progress=cancel))
        with pytest.raises(asyncio.CancelledError):
            await task
        rows = len(lines_of(on.beside("spool")))
        assert rows >= 20
        report = await on.export()
        assert report.resumed_rows == rows
        assert_whole(on)


async def test_the_second_waits_for_the_first(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        first = asyncio.create_task(on.export())
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(ExportError, match="another process or task"):
                await on.export(resume=False)
        await first
        assert_whole(on)
        # And right after it.
        add(on, 4)
        await on.export()
        assert_whole(on)


async def test_a_link_to_the_same_target_is_the_same_target(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        (tmp_path / "link.jsonl").symlink_to("runs.jsonl")
        with FileLock(on.target), pytest.raises(ExportError, match="another process or task"):
            await on.export("link.jsonl")
        (tmp_path / "link.jsonl").unlink()


async def test_a_target_that_somebody_else_writes(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        with FileLock(on.target), pytest.raises(ExportError, match="another process or task") as caught:
            await on.export()
        assert caught.value.path == str(on.target)
        assert (on.requests, on.names) == (0, [])


@pytest.mark.parametrize("calls", [1, 2, 5, 8])
@pytest.mark.parametrize("is_async", [False, True])
async def test_what_on_progress_raises_ends_it(tmp_path, calls, is_async):
    """And what had come until then is kept."""
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:
        stop = stop_after(calls)

        async def stop_later(progress):
            await asyncio.sleep(0)
            stop(progress)

        with pytest.raises(Stopped):
            await on.export(on_progress=stop_later if is_async else stop)
        rows = len(lines_of(on.beside("spool")))
        report = await on.export()
        assert report.resumed_rows == rows
        assert_whole(on)


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_what_on_progress_raises_at_the_very_end(tmp_path, ending):
    """All is fetched, or even in place: the next call asks for nothing."""
    async with served(tmp_path, sizes=SIZES) as on:
        for phase in ("fetching", "writing"):

            def stop(progress, phase=phase):
                if progress.phase == phase and progress.rows == sum(SIZES):
                    raise Stopped

            with pytest.raises(Stopped):
                await on.export(f"runs.{ending}", on_progress=stop)
        requests = on.requests
        report = await on.export(f"runs.{ending}")
        assert (on.requests, report.requests, report.rows) == (requests, 0, sum(SIZES))
        assert report.resumed_rows == sum(SIZES)
        assert_same(ids_in(tmp_path / f"runs.{ending}", ending), ids(on))
        assert on.names == [f"runs.{ending}"]


async def test_a_loop_that_ends(tmp_path):
    """``asyncio.run`` ends what is left; the next one goes on."""
    async with served(tmp_path, sizes=SIZES) as on:

        def in_another_loop():
            from support.clock import FakeClock, use_clock

            from qoder_async import AsyncQoder

            async def begin():
                qoder = use_clock(AsyncQoder("pt-x", base_url=on.sim.url, pace=None), FakeClock())
                task = asyncio.create_task(export_runs(qoder, on.target))
                while not on.beside("spool").exists():  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.001)
                assert not task.done()

                async def close():
                    try:
                        await task
                    finally:
                        await qoder.aclose()

                asyncio.create_task(close())  # noqa: RUF006  the loop ends it
                await asyncio.sleep(0)

            asyncio.run(begin())

        await asyncio.get_running_loop().run_in_executor(None, in_another_loop)
        assert open_files(tmp_path) == []
        await on.export()
        assert_whole(on)
