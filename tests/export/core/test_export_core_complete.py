"""An export holds every run once, as the service sent it, and leaves nothing but its target behind."""

from __future__ import annotations

import asyncio
import json
import pickle

import attrs
import pytest
from core_support import (
    BOTH,
    DEPLOYMENTS,
    ENDINGS,
    RUNS,
    SIZES,
    add,
    assert_same,
    assert_whole,
    ids,
    ids_in,
    lines_of,
    served,
    tick,
)
from support.clock import START

from qoder_async.export import walks


@BOTH
@pytest.mark.parametrize("next_page", ["last_id", "opaque", "absent"])
async def test_every_run_byte_for_byte(tmp_path, shape, next_page):
    async with served(tmp_path, shape, sizes=SIZES, sim={"next_page": next_page}) as on:
        on.sim.add_deployment(archived=True)
        report = await on.export()
        assert_whole(on)
        assert (report.path, report.format) == (str(on.target), "jsonl")
        assert (report.rows, report.resumed_rows, report.undecodable) == (sum(SIZES), 0, 0)
        assert (report.deployments, dict(report.gone)) == (len(SIZES) + 1, {})
        assert report.bytes == on.target.stat().st_size == sum(len(line) + 1 for line in on.all_sent())
        assert report.requests == on.requests
        (listing, *_) = on.sim.requests.of(DEPLOYMENTS)
        assert listing.query["include_archived"] == "true"


@BOTH
@pytest.mark.parametrize("ending", ENDINGS)
async def test_every_format(tmp_path, shape, ending):
    async with served(tmp_path, shape, sizes=SIZES) as on:
        name = f"runs.{ending}"
        report = await on.export(name)
        assert_same(ids_in(on.folder / name, ending), ids(on))
        assert on.names == [name]
        assert report.rows == sum(SIZES)
        assert report.bytes == (on.folder / name).stat().st_size
        # A second time over the first.
        add(on, 6)
        assert (await on.export(name)).resumed_rows == 0
        assert_same(ids_in(on.folder / name, ending), ids(on))
        assert on.names == [name]


async def test_a_name_without_an_ending(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        await on.export("runs", format="csv")
        assert_same(ids_in(on.folder / "runs", "csv"), ids(on))
        assert on.names == ["runs"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("sizes", [(), (0, 0)])
async def test_nothing_at_all(tmp_path, ending, sizes):
    async with served(tmp_path, sizes=sizes) as on:
        report = await on.export(f"runs.{ending}")
        assert (report.rows, report.deployments) == (0, len(sizes))
        assert ids_in(on.folder / f"runs.{ending}", ending) == []
        assert on.names == [f"runs.{ending}"]
        assert (await on.export(f"runs.{ending}")).rows == 0


@BOTH
async def test_pages_as_large_as_the_service_gives_them(tmp_path, shape, monkeypatch):
    monkeypatch.setattr(walks, "PAGE_SIZE", 1000)
    async with served(tmp_path, shape) as on:
        deployments = add(on, 1050)
        await on.export(deployments=deployments)
        assert_whole(on)
        # One that is refused, where 100 is the most.
        assert on.sim.request_counts[RUNS] == (2 if shape == "extended" else 1 + 11)


async def test_thousands_of_deployments_of_which_few_have_runs(tmp_path):
    """Nearly every deployment costs one request and no line."""
    async with served(tmp_path, request_takes=0.001) as on:
        for number in range(5_000):
            on.sim.add_deployment(name=f"d{number}")
        busy = on.sim.deployment_ids()[::1000]
        for deployment_id in busy:
            on.sim.add_runs(deployment_id, 7)
        report = await on.export(max_concurrency=32)
        assert_whole(on)
        assert (report.rows, report.deployments) == (35, 5_000)
        assert report.requests == 50 + 5_000 + len(busy)


@BOTH
async def test_a_window_of_time(tmp_path, shape):
    async with served(tmp_path, shape) as on:
        (deployment_id,) = add(on, 30, newest=START, spacing=60)
        report = await on.export(triggered_after="2026-11-22T08:05:00Z", triggered_before="2026-11-22T08:20:00Z")
        # The one at 8:05 is in, the one at 8:20 is not.
        expected = on.sim.run_ids(deployment_id)[11:26]
        assert [json.loads(line)["id"] for line in lines_of(on.target)] == expected
        assert report.rows == 15


async def test_a_service_that_ignores_filters(tmp_path):
    async with served(tmp_path, sim={"ignore_filters": True}) as on:
        (deployment_id,) = add(on, 30, newest=START, spacing=60)
        await on.export(triggered_after="2026-11-22T08:05:00Z", triggered_before="2026-11-22T08:20:00Z")
        expected = on.sim.run_ids(deployment_id)[11:26]
        assert [json.loads(line)["id"] for line in lines_of(on.target)] == expected


async def test_several_at_once_to_different_targets(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        await asyncio.gather(*[on.export(f"{number}.jsonl") for number in range(5)])
        for number in range(5):
            assert_same(lines_of(on.folder / f"{number}.jsonl"), on.all_sent())
        assert on.names == [f"{number}.jsonl" for number in range(5)]


async def test_runs_triggered_meanwhile_do_no_harm(tmp_path):
    async with served(tmp_path) as on:
        deployments = add(on, *SIZES, newest=START)
        before = ids(on)

        def another(_):
            for deployment_id in deployments:
                on.sim.insert_run(deployment_id)

        tick(on)
        await on.export(on_progress=another)
        found = ids_in(on.target, "jsonl")
        assert len(found) == len(set(found))
        assert set(before) <= set(found) <= set(ids(on))


async def test_a_report_pickles_and_becomes_json(tmp_path):
    async with served(tmp_path, sizes=(3,)) as on:
        report = await on.export()
    assert pickle.loads(pickle.dumps(report)) == report
    assert json.loads(json.dumps(attrs.asdict(report)))["rows"] == 3
