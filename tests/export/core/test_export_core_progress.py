"""What is told on the way: figures that only grow, not too often, and all of it in the end."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from core_support import ALWAYS, BOTH, SIZES, Stopped, served, stop_after
from support.requests_for import later_pages_of, of

from qoder_async import ExportError, Pace
from qoder_async.export import ticking
from qoder_async.export.progress import ExportProgress

GROWING = ("deployments_done", "rows", "bytes", "requests", "rows_written")


def check(told):
    """What holds of any export that was not interrupted."""
    assert told
    for one, next_one in pairwise(told):
        for name in GROWING:
            assert getattr(one, name) <= getattr(next_one, name), name
        assert (one.phase, next_one.phase) != ("writing", "fetching")
        assert one.deployments_total in (None, next_one.deployments_total)
    for each in told:
        assert isinstance(each, ExportProgress)
        assert each.deployments_total is None or each.deployments_done <= each.deployments_total
        assert each.rows_per_second >= 0
        assert len(set(each.current_deployments)) == len(each.current_deployments)
        assert each.phase == "writing" or each.rows_written == 0


@BOTH
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_from_the_beginning_to_the_end(tmp_path, shape, is_async, ending):
    told = []

    async def tell(progress):
        await asyncio.sleep(0)
        told.append(progress)

    async with served(tmp_path, shape, sizes=SIZES, ticks=True) as on:
        report = await on.export(f"runs.{ending}", on_progress=tell if is_async else told.append)
        check(told)
        # The end of each phase is told in any case.
        fetched = [each for each in told if each.phase == "fetching"][-1]
        for last in (fetched, told[-1]):
            assert (last.rows, last.deployments_done, last.deployments_total) == (sum(SIZES), len(SIZES), len(SIZES))
            assert last.bytes == sum(len(line) + 1 for line in on.all_sent())
            assert last.requests == report.requests == on.requests
            assert last.current_deployments == ()
        assert (told[-1].phase, told[-1].rows_written) == ("writing", sum(SIZES))
        assert any(each.current_deployments for each in told)


@pytest.mark.parametrize("deployments", [None, "list", "generator"])
async def test_how_many_deployments_there_are(tmp_path, deployments):
    told = []
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:
        some = on.sim.deployment_ids()
        source = {None: None, "list": [*some, some[0]], "generator": iter(some)}[deployments]
        await on.export(deployments=source, on_progress=told.append, max_concurrency=1)
        check(told)
        totals = [each.deployments_total for each in told]
        assert totals[-1] == len(some)
        if deployments == "list":
            assert set(totals) == {len(some)}
        if deployments == "generator":
            assert totals[0] is None


async def test_not_too_often(tmp_path):
    """About every quarter of a second, however fast the pages come; a request takes a tenth here."""
    told = []
    async with served(tmp_path, sizes=[5] * 60, virtual=True, pace=Pace(reads_per_second=10)) as on:
        await on.export(on_progress=lambda progress: told.append(on.clock.elapsed))
        assert on.clock.elapsed > 5
        assert on.clock.elapsed < len(told) < 4 * on.clock.elapsed + 4


async def test_it_tells_nothing_of_the_past_as_speed(tmp_path):
    told = []
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:
        with pytest.raises(Stopped):
            await on.export(on_progress=stop_after(7))
        report = await on.export(on_progress=told.append)
        check(told)
        assert told[0].rows >= report.resumed_rows > 0
        for each in told:
            assert each.phase == "writing" or each.rows_per_second <= each.rows - report.resumed_rows
        assert told[-1].rows == report.rows == sum(SIZES)


async def test_all_requests_count_also_those_that_fail(tmp_path):
    told = []
    async with served(tmp_path, sizes=SIZES, virtual=True) as on:
        bad, worse, *_ = on.sim.deployment_ids()
        on.sim.faults.add("status", status=500, when=of(worse), times=ALWAYS)
        on.sim.faults.add("status", status=403, when=later_pages_of(bad), times=ALWAYS)
        with pytest.raises(ExportError):
            await on.export(on_progress=told.append)
        check(told)
        assert told[-1].deployments_done == len(SIZES)
        assert told[-1].requests == on.requests


async def test_it_is_told_while_nothing_comes(tmp_path, monkeypatch):
    """A program that shows it shall not look dead."""
    monkeypatch.setattr(ticking, "_TICK", 0.01)
    told = []
    came = asyncio.Event()

    def tell(progress):
        told.append(progress)
        if len(told) > 3:
            came.set()

    async with served(tmp_path, sizes=(3,), ticks=True, timeout=20) as on:
        on.sim.faults.add("stall", when=of(*on.sim.deployment_ids()))
        task = asyncio.create_task(on.export(on_progress=tell))
        await asyncio.wait_for(came.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert told[-1].current_deployments == tuple(on.sim.deployment_ids())
        check(told)


async def test_nobody_needs_to_be_told(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        report = await on.export(on_progress=None)
        assert report.rows == sum(SIZES)
