"""What fails: one deployment alone, or the service itself; what came of the others is kept."""

from __future__ import annotations

from itertools import cycle

import pytest
from core_support import ALWAYS, BOTH, DEPLOYMENTS, RUNS, SIZES, assert_same, assert_whole, ids, lines_of, served
from support.requests_for import is_later_page, later_pages_of, of

from qoder_async import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ExportError,
    PermissionDeniedError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)

PAGES = sum(max(1, -(-size // 5)) for size in SIZES)
"""Requests for the runs of a world of ``SIZES``."""
ONCE = RetryPolicy(attempts=1)
KEPT = ["runs.jsonl.checkpoint", "runs.jsonl.spool"]

FOR_GOOD = {
    "400": ("status", {"status": 400}, BadRequestError),
    "403": ("status", {"status": 403}, PermissionDeniedError),
    "501": ("status", {"status": 501}, Exception),
    "a list of something else": ("garbage", {"body": '{"data":5}'}, ResponseDecodeError),
}
FOR_EVER = {
    "500": ("status", {"status": 500}, ServerError),
    "503": ("status", {"status": 503}, ServerError),
    "resets": ("reset", {}, APIConnectionError),
    "HTML": ("garbage", {"html": True}, ResponseDecodeError),
    "truncated": ("truncate", {}, APIConnectionError),
}


def asked_once(on, bad):
    """How many pages the good ones have been asked for."""
    return sum(on.asked(one) for one in on.sim.deployment_ids() if one not in bad)


# One deployment


@BOTH
@pytest.mark.parametrize(
    ("kind", "where"), [("400", of), *[(kind, where) for kind in list(FOR_GOOD)[1:] for where in (of, later_pages_of)]]
)
async def test_a_deployment_that_fails_for_good_stops_nobody(tmp_path, shape, where, kind):
    fault, details, becomes = FOR_GOOD[kind]
    async with served(tmp_path, shape, sizes=SIZES) as on:
        bad = [one for one in on.sim.deployment_ids() if len(on.sim.run_ids(one)) in (12, 25)]
        for one in bad:
            on.sim.faults.add(fault, when=where(one), times=ALWAYS, **details)
        for _ in range(2):
            with pytest.raises(ExportError, match=r"2 of 8 deployments failed.*the same call asks only") as caught:
                await on.export()
            assert set(caught.value.failures) == set(bad)
            assert all(isinstance(error, becomes) for error in caught.value.failures.values())
            assert f"{bad[0]}: " in str(caught.value)
            assert caught.value.path == str(on.target)
            assert on.names == KEPT
        on.sim.faults.clear()
        assert asked_once(on, bad) == PAGES - 3 - 5
        before = on.requests
        report = await on.export()
        assert_whole(on)
        # Asked for only what is missing, and the list.
        assert on.requests - before == report.requests == 1 + 3 + 5 - (2 if where is later_pages_of else 0)
        assert report.resumed_rows == sum(SIZES) - 12 - 25 + (10 if where is later_pages_of else 0)


@pytest.mark.parametrize("retry", [RetryPolicy(), ONCE])
@pytest.mark.parametrize("kind", FOR_EVER)
async def test_one_poison_deployment_among_slow_ones(tmp_path, kind, retry):
    """It is given up after 5 minutes, while the others still go on."""
    fault, details, becomes = FOR_EVER[kind]
    async with served(tmp_path, "lean", sizes=SIZES, virtual=True, retry=retry) as on:
        poison, *_ = on.sim.deployment_ids()

        def slowly(progress):
            return on.clock.sleep(25)

        on.sim.faults.add(fault, when=of(poison), times=ALWAYS, **details)
        with pytest.raises(ExportError, match="1 of 8 deployments failed") as caught:
            await on.export(on_progress=slowly)
        assert set(caught.value.failures) == {poison}
        assert isinstance(caught.value.failures[poison], becomes)
        assert 300 <= on.clock.elapsed < 500
        assert asked_once(on, [poison]) == PAGES - 3
        on.sim.faults.clear()
        report = await on.export()
        assert_whole(on)
        assert report.requests == 1 + 3


@pytest.mark.parametrize("sizes", [SIZES, (3,)])
async def test_one_poison_deployment_among_quick_ones(tmp_path, sizes):
    """All others are whole long before it is given up."""
    async with served(tmp_path, sizes=sizes, virtual=True) as on:
        poison, *_ = on.sim.deployment_ids()
        on.sim.faults.add("status", status=500, when=of(poison), times=ALWAYS)
        with pytest.raises(ExportError, match=f"1 of {len(sizes)} deployments failed") as caught:
            await on.export()
        assert set(caught.value.failures) == {poison}
        assert on.clock.elapsed < 400


@pytest.mark.parametrize("max_concurrency", [1, 3])
async def test_poison_deployments_that_take_all_places(tmp_path, max_concurrency):
    """Whoever comes after them gets a turn, in this call or one of the next."""
    async with served(tmp_path, sizes=SIZES, virtual=True) as on:
        poison = on.sim.deployment_ids()[:max_concurrency]
        on.sim.faults.add("status", status=500, when=of(*poison), times=ALWAYS)
        for _ in range(3):
            with pytest.raises((ExportError, ServerError)):
                await on.export(max_concurrency=max_concurrency)
        assert len(lines_of(on.beside("spool"))) == len(ids(on)) - len(ids(on, poison))


@BOTH
async def test_failures_that_pass_are_not_noticed(tmp_path, shape):
    async with served(tmp_path, shape, sizes=SIZES, virtual=True) as on:
        for fault, details, _ in FOR_EVER.values():
            on.sim.faults.add(fault, share=0.1, **details)
        report = await on.export()
        assert_whole(on)
        assert report.requests == on.requests > PAGES + 1
        assert on.clock.elapsed < 300


async def test_more_failures_than_one_wants_to_read_of(tmp_path):
    async with served(tmp_path, sizes=[1] * 9) as on:
        on.sim.faults.add("status", status=403, route=RUNS, times=ALWAYS)
        with pytest.raises(ExportError, match=r"9 of 9 deployments failed.*; and 4 more") as caught:
            await on.export()
        assert len(caught.value.failures) == 9
        assert str(caught.value).count(": 403 ") == 5


# The service


@pytest.mark.parametrize(("kind", "shape"), list(zip(FOR_EVER, cycle(["extended", "lean"]), strict=False)))
async def test_a_service_that_dies_ends_it_once_after_five_minutes(tmp_path, kind, shape):
    fault, details, becomes = FOR_EVER[kind]
    async with served(tmp_path, shape, sizes=SIZES * 2, virtual=True) as on:
        on.sim.faults.add(fault, when=lambda _: on.requests > 12, times=ALWAYS, **details)
        with pytest.raises(becomes) as caught:
            await on.export(max_concurrency=4)
        assert not isinstance(caught.value, ExportError)
        assert 300 <= on.clock.elapsed < 400
        # Nobody has begun with a deployment after the first was given up.
        assert len({request.path for request in on.sim.requests.of(RUNS)}) <= 12 + 4
        assert on.names == KEPT
        rows = len(lines_of(on.beside("spool")))
        assert rows > 0
        on.sim.faults.clear()
        before = on.requests
        report = await on.export()
        assert_whole(on)
        assert report.resumed_rows == rows
        assert on.requests - before <= 2 * PAGES + 1 - 9


async def test_a_service_that_lists_deployments_and_no_runs(tmp_path):
    """It is not waited for 5 minutes by each of very many deployments."""
    async with served(tmp_path, sizes=[3] * 40, virtual=True) as on:
        on.sim.faults.add("status", status=500, route=RUNS, when=lambda _: on.requests > 7, times=ALWAYS)
        with pytest.raises(ServerError):
            await on.export(max_concurrency=2)
        assert 300 < on.clock.elapsed < 1500
        assert len(lines_of(on.beside("spool"))) >= 3 * 5
        assert len({request.path for request in on.sim.requests.of(RUNS)}) < 20
        on.sim.faults.clear()
        report = await on.export()
        assert_whole(on)
        assert report.resumed_rows >= 3 * 5


async def test_a_service_that_lets_nobody_list_deployments(tmp_path):
    """Who may not do that may read runs all the same: one that is out of order is alone with it."""
    async with served(tmp_path, sizes=SIZES, virtual=True) as on:
        poison, *others = on.sim.deployment_ids()
        on.sim.faults.add("status", status=403, route=DEPLOYMENTS, times=ALWAYS)
        on.sim.faults.add("status", status=500, when=of(poison), times=ALWAYS)
        with pytest.raises(ExportError, match=r"1 of 8 deployments failed"):
            await on.export(deployments=[poison, *others])
        assert len(lines_of(on.beside("spool"))) == len(ids(on, others))


@BOTH
async def test_a_service_that_is_away_for_a_while(tmp_path, shape):
    async with served(tmp_path, shape, sizes=SIZES, virtual=True) as on:
        on.sim.faults.add("status", status=503, when=lambda _: on.requests > 4 and on.clock.elapsed < 290, times=ALWAYS)
        await on.export()
        assert_whole(on)
        assert 290 <= on.clock.elapsed < 400


async def test_the_list_of_deployments_has_patience_too(tmp_path):
    async with served(tmp_path, sizes=SIZES, virtual=True) as on:
        on.sim.faults.add("status", status=503, route=DEPLOYMENTS, when=lambda _: on.clock.elapsed < 200, times=ALWAYS)
        await on.export()
        assert_whole(on)
        assert 200 <= on.clock.elapsed < 300


async def test_a_list_of_deployments_that_never_comes(tmp_path):
    async with served(tmp_path, sizes=SIZES, virtual=True) as on:
        on.sim.faults.add("status", status=503, route=DEPLOYMENTS, when=is_later_page, times=ALWAYS)
        with pytest.raises(ServerError):
            await on.export(deployments=on.qoder.deployments.list(page_size=3))
        assert 300 <= on.clock.elapsed < 400
        # What was listed before is kept.
        assert_same(lines_of(on.beside("spool")), on.all_sent(on.sim.deployment_ids()[:3]))
        on.sim.faults.clear()
        report = await on.export(deployments=on.qoder.deployments.list(page_size=3))
        assert_whole(on)
        assert report.resumed_rows == len(ids(on, on.sim.deployment_ids()[:3]))


@BOTH
@pytest.mark.parametrize("requests", [0, 1, 5])
async def test_a_token_that_is_refused_ends_it_at_once(tmp_path, shape, requests):
    async with served(tmp_path, shape, sizes=SIZES, virtual=True) as on:
        on.sim.faults.add("status", status=401, when=lambda _: on.requests > requests, times=ALWAYS)
        with pytest.raises(AuthenticationError):
            await on.export(max_concurrency=2)
        assert on.clock.elapsed == 0
        assert on.requests <= requests + 2 * 2 + 1
        assert on.names == KEPT
        on.sim.faults.clear()
        report = await on.export()
        assert_whole(on)
        assert (report.resumed_rows > 0) is (requests > 2)


async def test_a_client_that_is_closed_meanwhile(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:

        async def close(_):
            await on.qoder.aclose()

        with pytest.raises(ClientClosedError):
            await on.export(on_progress=close, max_concurrency=1)
        assert on.names == KEPT
        assert len(lines_of(on.beside("spool"))) > 0
