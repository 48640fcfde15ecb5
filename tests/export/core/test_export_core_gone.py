"""Deployments that go away meanwhile: what had come of them stays, and the report names them."""

from __future__ import annotations

import json

import pytest
from core_support import ALWAYS, BOTH, RUNS, SIZES, TOKEN, add, assert_same, assert_whole, lines_of, served, tick
from support.requests_for import later_pages_of, of

from qoder_async import (
    ExportError,
    NotFoundError,
)


def not_found_from(on, deployment_id, first, **details):
    """Answer 404 from this request for its runs on, counted from 1."""
    on.sim.faults.add("status", status=404, when=of(deployment_id), nth=first, times=ALWAYS, **details)


@BOTH
async def test_a_deployment_that_is_deleted_half_way(tmp_path, shape):
    async with served(tmp_path, shape, sizes=SIZES) as on:
        (lost,) = [one for one in on.sim.deployment_ids() if len(on.sim.run_ids(one)) == 25]
        not_found_from(on, lost, 3)
        report = await on.export()
        assert set(report.gone) == {lost}
        assert "not found" in report.gone[lost].lower()
        assert report.rows == sum(SIZES) - 15
        came = [on.sent(run_id) for run_id in on.sim.run_ids(lost)[:10]]
        others = [one for one in on.sim.deployment_ids() if one != lost]
        assert_same(lines_of(on.target), came + on.all_sent(others))
        assert on.names == ["runs.jsonl"]


@BOTH
async def test_a_deployment_that_is_deleted_before_its_first_page(tmp_path, shape):
    async with served(tmp_path, shape, sizes=SIZES) as on:
        lost = on.sim.deployment_ids()[4]
        not_found_from(on, lost, 1)
        report = await on.export()
        assert set(report.gone) == {lost}
        others = [one for one in on.sim.deployment_ids() if one != lost]
        assert_whole(on, others)


async def test_a_named_deployment_that_is_deleted_half_way_has_disappeared(tmp_path):
    async with served(tmp_path, sizes=(25, 3)) as on:
        lost = on.sim.deployment_ids()[1]
        not_found_from(on, lost, 2)
        report = await on.export(deployments=on.sim.deployment_ids())
        assert (set(report.gone), report.rows) == ({lost}, 8)


async def test_a_named_deployment_that_is_deleted_between_two_calls_has_disappeared(tmp_path):
    """What had come of it stays."""
    async with served(tmp_path, sizes=(25, 3)) as on:
        lost, other = reversed(on.sim.deployment_ids())
        on.sim.faults.add("status", status=403, when=later_pages_of(lost), times=ALWAYS)
        with pytest.raises(ExportError):
            await on.export(deployments=[lost, other])
        on.sim.faults.clear()
        not_found_from(on, lost, 1)
        report = await on.export(deployments=[lost, other])
        assert (set(report.gone), report.rows) == ({lost}, 8)
        assert_same(
            lines_of(on.target), [on.sent(run_id) for run_id in on.sim.run_ids(lost)[:5]] + on.all_sent([other])
        )


async def test_a_deployment_that_has_disappeared_is_not_asked_for_again(tmp_path):
    async with served(tmp_path, sizes=(25, 3, 7)) as on:
        lost, bad, _ = on.sim.deployment_ids()
        not_found_from(on, lost, 1)
        on.sim.faults.add("status", status=403, when=of(bad), times=ALWAYS)
        for _ in range(2):
            with pytest.raises(ExportError):
                await on.export()
        assert on.asked(lost) == 1
        on.sim.faults.clear()
        report = await on.export()
        assert set(report.gone) == {lost}
        assert on.asked(lost) == 1


@BOTH
async def test_a_deployment_that_is_archived_half_way(tmp_path, shape):
    async with served(tmp_path, shape, sizes=SIZES) as on:
        (one,) = [one for one in on.sim.deployment_ids() if len(on.sim.run_ids(one)) == 25]

        async def archive(_):
            if on.asked(one) and not on.sim.deployment(one)["archived_at"]:
                await on.qoder.deployments.archive(one)

        tick(on)
        report = await on.export(on_progress=archive, max_concurrency=1)
        assert on.sim.deployment(one)["archived_at"]
        assert_whole(on)
        assert dict(report.gone) == {}


ODD_REASONS = {
    "half a surrogate": b'{"type":"error","error":{"type":"not_found_error","message":"\\ud800"}}',
    "no UTF-8": b'{"type":"error","error":{"type":"not_found_error","message":"\xff"}}',
    "a control character": b'{"type":"error","error":{"type":"not_found_error","message":"\x00\n"}}',
    "HTML": b"<html>\xff\xfe",
    "nothing": b"",
    "the token": json.dumps({"error": {"message": f"{TOKEN} may not see it"}}).encode(),
}


@pytest.mark.parametrize("kind", ODD_REASONS)
async def test_whatever_the_service_says_of_it(tmp_path, kind):
    async with served(tmp_path, sizes=(3, 7)) as on:
        lost, other = on.sim.deployment_ids()
        not_found_from(on, lost, 1, body=ODD_REASONS[kind])
        on.sim.faults.add("status", status=403, when=of(other), times=ALWAYS, body=ODD_REASONS[kind])
        with pytest.raises(ExportError) as caught:
            await on.export()
        assert TOKEN not in str(caught.value)
        assert all(TOKEN.encode() not in (on.folder / name).read_bytes() for name in on.names)
        on.sim.faults.clear()
        report = await on.export()
        assert set(report.gone) == {lost}
        assert isinstance(report.gone[lost], str)
        assert TOKEN not in report.gone[lost]
        assert_whole(on, [other])


async def test_not_there_and_no_permission_are_two_things(tmp_path):
    async with served(tmp_path, sizes=(3,)) as on:
        on.sim.faults.add("status", status=403, route=RUNS)
        with pytest.raises(ExportError) as caught:
            await on.export()
        (error,) = caught.value.failures.values()
        assert not isinstance(error, NotFoundError)
        add(on, 2)
        await on.export()
        assert_whole(on)
