"""Cursors that expire, shift or lead nowhere: nothing is lost, nothing comes twice, and what cannot come is named."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from core_support import (
    ALWAYS,
    BOTH,
    RUNS,
    SIZES,
    Stopped,
    add,
    assert_whole,
    ids,
    ids_in,
    lines_of,
    served,
    stop_after,
    tick,
)
from support.clock import START
from support.requests_for import is_later_page, later_pages_of, of

from qoder_async import BadRequestError, ExportError, PaginationError, PaginationLoopError
from qoder_async._wire.record_id import read_id
from qoder_async.export import walks


def expires(*parameters, after=0, times=ALWAYS):
    """For ``when=``: of the cursors of each deployment, refuse so many of these parameters, after some good ones."""
    seen = Counter()

    def is_expired(request):
        if not set(parameters) & set(request.query):
            return False
        seen[request.path] += 1
        return after < seen[request.path] <= after + times

    return is_expired


# Cursors that expire

EXPIRED = {
    "some pages": {"parameters": ["page"], "times": 2},
    "some cursors": {"parameters": ["page", "after_id"], "times": 2},
    "all pages": {"parameters": ["page"]},
    "all cursors": {"parameters": ["page", "after_id"]},
}


def expire(on, kind, *, after, status=400):
    settings = EXPIRED[kind]
    when = expires(*settings["parameters"], times=settings.get("times", ALWAYS), after=after)
    return on.sim.faults.add("status", status=status, when=when, times=ALWAYS)


@BOTH
@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
@pytest.mark.parametrize("kind", EXPIRED)
async def test_a_cursor_that_expires_half_way(tmp_path, shape, next_page, kind):
    async with served(tmp_path, shape, sizes=SIZES, sim={"next_page": next_page}) as on:
        refused = expire(on, kind, after=1)
        report = await on.export()
        assert_whole(on)
        assert (refused.hits > 0) is (not kind.endswith("pages") or next_page == "opaque")
        assert report.requests == on.requests


@pytest.mark.parametrize("status", [404, 410, 422])
async def test_other_words_for_an_expired_cursor(tmp_path, status):
    async with served(tmp_path, sizes=SIZES) as on:
        refused = expire(on, "all cursors", after=1, status=status)
        await on.export()
        assert_whole(on)
        assert refused.hits > 0


@BOTH
@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
async def test_a_service_that_ignores_times_and_forgets_cursors(tmp_path, shape, next_page):
    """It begins at the head again, and what is known already is left out."""
    async with served(tmp_path, shape, sizes=SIZES, sim={"next_page": next_page, "ignore_filters": True}) as on:
        times = 2 if next_page == "opaque" else 1
        when = expires("page", "after_id", after=3, times=times)
        refused = on.sim.faults.add("status", status=400, when=when, times=ALWAYS)
        await on.export()
        assert_whole(on)
        assert refused.hits == times


@pytest.mark.parametrize("kind", EXPIRED)
@pytest.mark.parametrize("ignores", [False, True])
async def test_a_cursor_that_expires_between_two_calls(tmp_path, kind, ignores):
    if ignores and kind == "all cursors":
        return  # nothing leads beyond the first page
    async with served(tmp_path, "lean", sizes=SIZES, sim={"next_page": "opaque", "ignore_filters": ignores}) as on:
        tick(on)
        with pytest.raises(Stopped):
            await on.export(max_concurrency=2, on_progress=stop_after(9))
        assert b'"parameter":"page"' in on.beside("checkpoint").read_bytes()
        rows = len(lines_of(on.beside("spool")))
        refused = expire(on, kind, after=0)
        report = await on.export(max_concurrency=2)
        assert_whole(on)
        assert report.resumed_rows == rows
        assert refused.hits > 0


@pytest.mark.parametrize("ignores", [False, True])
async def test_runs_are_added_while_a_cursor_expires(tmp_path, ignores):
    async with served(tmp_path, "lean", sim={"next_page": "opaque", "ignore_filters": ignores}) as on:
        (deployment_id,) = add(on, 40)
        before = ids(on)
        fault = expire(on, "some cursors", after=2)
        tick(on)

        def another(_):
            on.sim.insert_run(deployment_id)

        await on.export(on_progress=another)
        found = ids_in(on.target, "jsonl")
        assert fault.hits == 2
        assert len(found) == len(set(found))
        assert set(before) <= set(found) <= set(ids(on))


@pytest.mark.parametrize("same_time", [False, True])
async def test_a_walk_that_cannot_go_on_says_so(tmp_path, same_time):
    """No cursor works, and all runs are of the same minute: there is no way on, and no endless way either."""
    async with served(tmp_path, sizes=(3,)) as on:
        (dense,) = add(on, 30, spacing=1, same_time=same_time)
        on.sim.faults.add("status", status=400, when=is_later_page, times=ALWAYS)
        with pytest.raises(ExportError) as caught:
            await on.export()
        assert set(caught.value.failures) == {dense}
        assert isinstance(caught.value.failures[dense], BadRequestError)
        assert on.asked(dense) < 10
        on.sim.faults.clear()
        await on.export()
        assert_whole(on)


async def test_a_first_page_that_is_refused_is_not_tried_otherwise(tmp_path):
    async with served(tmp_path, sizes=(12,)) as on:
        on.sim.faults.add("status", status=400, route=RUNS, times=ALWAYS)
        with pytest.raises(ExportError):
            await on.export()
        assert on.sim.request_counts[RUNS] == 1


async def test_a_walk_by_time_stays_within_the_window(tmp_path):
    async with served(tmp_path) as on:
        (deployment_id,) = add(on, 60, newest=START, spacing=20)
        on.sim.faults.add("status", status=400, when=is_later_page, times=ALWAYS)
        await on.export(triggered_after="2026-11-22T08:15:00Z", triggered_before="2026-11-22T08:25:00Z")
        assert ids_in(on.target, "jsonl") == on.sim.run_ids(deployment_id)[16:46]
        asked = {request.query["triggered_before"] for request in on.sim.requests.of(RUNS)}
        assert len(asked) > 2
        assert max(asked) == "2026-11-22T08:25:00Z"


# Cursors that count


class Counting:
    """A service whose cursors say how many runs were sent, so that runs added at the head shift all pages.

    Args:
        on: The place, of the extended shape, which ignores ``page`` itself.
        before: Is called before each answer.
    """

    def __init__(self, on, before=None):
        self._on = on
        self._before = before
        self._request = None
        on.sim.faults.add("body", route=RUNS, when=self._remember, times=ALWAYS, body=self._answer)

    def _remember(self, request):
        self._request = request
        return True

    def _answer(self, _):
        request = self._request
        if self._before is not None:
            self._before(request)
        start = int(request.query.get("page", "c0")[1:])
        end = start + int(request.query["limit"])
        found = self._on.sim.run_ids(request.path.split("/")[2])
        records = b",".join(map(self._on.sent, found[start:end]))
        onward = b'"c%d"' % end if end < len(found) else b"null"
        return b'{"data":[%b],"has_more":%b,"next_page":%b}' % (records, [b"false", b"true"][end < len(found)], onward)


async def test_cursors_that_count(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        Counting(on)
        await on.export()
        assert_whole(on)
        assert any("page" in request.query for request in on.sim.requests.of(RUNS))


@pytest.mark.parametrize("more", [1, 4, 5, 7])
async def test_pages_that_shift(tmp_path, more):
    async with served(tmp_path, sizes=SIZES) as on:
        before = ids(on)

        def shift(request):
            if "page" in request.query:
                for _ in range(more if len(ids(on)) < 200 else 0):
                    on.sim.insert_run(request.path.split("/")[2])

        Counting(on, shift)
        await on.export()
        found = ids_in(on.target, "jsonl")
        assert len(found) == len(set(found))
        assert set(before) <= set(found) <= set(ids(on))


@pytest.mark.parametrize("more", [1, 4, 5, 7])
async def test_pages_that_have_shifted_between_two_calls(tmp_path, more):
    async with served(tmp_path, sizes=SIZES) as on:
        before = ids(on)
        Counting(on)
        tick(on)
        with pytest.raises(Stopped):
            await on.export(on_progress=stop_after(10))
        assert b'"parameter":"page"' in on.beside("checkpoint").read_bytes()
        for deployment_id in on.sim.deployment_ids():
            for _ in range(more):
                on.sim.insert_run(deployment_id)
        await on.export()
        found = ids_in(on.target, "jsonl")
        assert len(found) == len(set(found))
        assert set(before) <= set(found) <= set(ids(on))


ODD = {
    "NaN": b'{"id":"%b","type":"deployment_run","deployment_id":"%b","cost":NaN}',
    "half a surrogate": b'{"id":"%b","type":"deployment_run","deployment_id":"%b","text":"\\ud800"}',
    "deep": b'{"id":"%b","type":"deployment_run","deployment_id":"%b","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
}


@pytest.mark.parametrize("kind", ODD)
async def test_odd_runs_on_pages_that_have_shifted_between_two_calls(tmp_path, kind):
    async with served(tmp_path, sizes=(25,)) as on:
        (deployment_id,) = on.sim.deployment_ids()
        for run_id in on.sim.run_ids():
            on.sim.replace_record(run_id, ODD[kind] % (run_id.encode(), deployment_id.encode()))
        before = ids(on)
        Counting(on)
        tick(on)
        with pytest.raises(Stopped):
            await on.export(on_progress=stop_after(3))
        for _ in range(3):
            on.sim.insert_run(deployment_id)
        await on.export()
        found = [read_id(line) for line in lines_of(on.target)]
        assert len(found) == len(set(found))
        assert set(before) <= set(found)


# Cursors that lead nowhere


def rewrite(change):
    """For ``body=``: change the envelope of a page, and leave its records as they are."""

    def rewritten(body):
        page = json.loads(body)
        return json.dumps(page | change(page)).encode()

    return rewritten


async def test_a_list_that_leads_in_a_circle(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        bad = next(one for one in on.sim.deployment_ids() if len(on.sim.run_ids(one)) == 25)
        first = on.sim.run_ids(bad)[4]
        back = rewrite(lambda _: {"next_page": first, "last_id": first, "has_more": True})
        fault = on.sim.faults.add("body", when=later_pages_of(bad), nth=2, times=ALWAYS, body=back)
        for _ in range(3):
            with pytest.raises(ExportError) as caught:
                await on.export()
            assert isinstance(caught.value.failures[bad], PaginationLoopError)
            found = ids_in(on.beside("spool"), "jsonl")
            assert len(found) == len(set(found)) <= sum(SIZES)
        fault.remove()
        await on.export()
        assert sorted(ids_in(on.target, "jsonl")) == sorted(ids(on))


def without_a_way_on(page):
    """Say that there is more, and not where."""
    records = [{name: value for name, value in record.items() if name != "id"} for record in page["data"]]
    return {"data": records, "next_page": None, "first_id": None, "last_id": None, "has_more": True}


@pytest.mark.parametrize("where", [of, later_pages_of])
async def test_a_list_that_has_more_and_does_not_say_where(tmp_path, where):
    async with served(tmp_path, sizes=(12, 25)) as on:
        bad, _ = on.sim.deployment_ids()
        on.sim.faults.add("body", when=where(bad), times=ALWAYS, body=rewrite(without_a_way_on))
        for _ in range(2):
            with pytest.raises(ExportError) as caught:
                await on.export()
            assert isinstance(caught.value.failures[bad], PaginationError)


async def test_a_page_that_leads_nowhere_comes_once(tmp_path):
    """Its last run has no id, so that nobody can know it again."""
    async with served(tmp_path, sizes=(12,)) as on:
        run_ids = on.sim.run_ids()
        on.sim.replace_record(run_ids[9], b'{"type":"deployment_run"}')
        cut = on.sim.faults.add(
            "body",
            when=later_pages_of(*on.sim.deployment_ids()),
            times=ALWAYS,
            body=rewrite(lambda page: {"next_page": None, "last_id": None}),
        )
        for _ in range(3):
            with pytest.raises(ExportError):
                await on.export()
        cut.remove()
        await on.export()
        assert [read_id(line) for line in lines_of(on.target)].count(None) == 1
        assert len(lines_of(on.target)) == 12


async def test_pages_without_end(tmp_path):
    """A service that says for ever that there is more."""

    def empty(page):
        numbers.append(1)
        return {"data": [], "next_page": f"x{len(numbers)}", "last_id": None, "first_id": None, "has_more": True}

    numbers = []
    async with served(tmp_path, sizes=(12, 25)) as on:
        bad, _ = on.sim.deployment_ids()
        on.sim.faults.add("body", when=of(bad), times=ALWAYS, body=rewrite(empty))
        with pytest.raises(ExportError) as caught:
            await on.export()
        assert isinstance(caught.value.failures[bad], PaginationError)
        assert on.asked(bad) < 110
        on.sim.faults.clear()
        await on.export(resume=False)
        assert_whole(on)


async def test_a_page_size_that_is_refused_is_lowered_once(tmp_path, monkeypatch):
    monkeypatch.setattr(walks, "PAGE_SIZE", 1000)
    async with served(tmp_path, "lean", sizes=(250, 120, 3)) as on:
        report = await on.export(max_concurrency=1)
        assert_whole(on)
        assert report.requests == 1 + 1 + 3 + 2 + 1
