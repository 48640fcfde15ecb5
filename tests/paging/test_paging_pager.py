"""What a pager offers: items, pages, cuts, raw records."""

from __future__ import annotations

import json
from contextlib import aclosing

import attrs
import pytest
from paging_support import (
    BAD,
    DEP,
    Book,
    ScriptedTransport,
    answer,
    as_records,
    in_turn,
    limits_of,
    run_record,
    to_json,
    walk,
    walk_raw,
)
from support.served import ids_of

from qoder_async import ConfigurationError, Cursor, DeploymentRun, Page, Pager, ResponseDecodeError

MODES = [("extended", "last_id"), ("lean", "last_id"), ("lean", "opaque"), ("lean", "absent")]


# How much


@pytest.mark.parametrize(("shape", "next_page"), MODES)
@pytest.mark.parametrize(
    ("max_items", "limits"),
    [
        (0, []),
        (1, ["1"]),
        (9, ["9"]),
        (10, ["10"]),
        (11, ["10", "10"]),
        (20, ["10", "10"]),
        (24, ["10", "10", "10"]),
        (25, ["10", "10", "10"]),
        (26, ["10", "10", "10"]),
        (1000, ["10", "10", "10"]),
    ],
)
async def test_max_items_delivers_so_many_and_asks_for_no_more_pages(serve, shape, next_page, max_items, limits):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 25)
    assert await ids_of(qoder.runs.list(dep, page_size=10, max_items=max_items)) == ids[:max_items]
    assert limits_of(sim) == limits
    sim.requests.clear()
    assert [run.id for run in await qoder.runs.list(dep, page_size=10).collect(max_items)] == ids[:max_items]
    assert limits_of(sim) == limits


@pytest.mark.parametrize(("shape", "next_page"), MODES)
@pytest.mark.parametrize("max_items", [1, 9, 10, 11, 20, 24])
async def test_after_a_cut_walk_the_last_page_says_where_it_goes_on(serve, shape, next_page, max_items):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 25)
    head = await walk(qoder.runs.list(dep, page_size=10, max_items=max_items))
    page = head.pages[-1]
    assert page.has_more
    assert await ids_of(qoder.runs.list(dep, cursor=str(page.next_cursor))) == ids[max_items:]


@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
@pytest.mark.parametrize("max_items", [1, 9, 10, 11, 20, 24])
async def test_after_a_cut_walk_over_sessions_too(serve, shape, next_page, max_items):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    sim.add_runs(sim.add_deployment(), 25)
    ids = await ids_of(qoder.sessions.list())
    head = await walk(qoder.sessions.list(page_size=10, max_items=max_items))
    rest = await ids_of(qoder.sessions.list(cursor=str(head.pages[-1].next_cursor)))
    assert (head.ids, rest) == (ids[:max_items], ids[max_items:])


@pytest.mark.parametrize("max_items", [25, 26, 1000])
async def test_at_the_end_of_the_list_there_is_no_next_cursor(serve, shape, max_items):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.add_runs(dep, 25)
    walked = await walk(qoder.runs.list(dep, page_size=10, max_items=max_items))
    assert [page.has_more for page in walked.pages] == [True, True, False]
    assert [page.next_cursor is None for page in walked.pages] == [False, False, True]


async def test_a_cut_walk_with_filters_asks_for_whole_pages_and_goes_on_exactly(serve):
    """The second of three is wanted; limit must not shrink to what is wanted of many that are not."""
    sim, qoder = await serve(shape="extended", ignore_filters=True)
    dep = sim.add_deployment()
    ids = []
    for n in range(60):
        run_id = sim.insert_run(dep, state="failed" if n % 3 == 0 else "completed")
        ids[:0] = [run_id] if n % 3 == 0 else []
    head = await walk(qoder.runs.list(dep, status="failed", page_size=30, max_items=7))
    assert head.ids == ids[:7]
    assert limits_of(sim) == ["30"]
    rest = await walk(qoder.runs.list(dep, status="failed", cursor=head.pages[-1].next_cursor))
    assert rest.ids == ids[7:]


async def test_collect_heeds_the_smaller_of_both_bounds(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 25)
    pager = qoder.runs.list(dep, max_items=8)
    assert [[run.id for run in await pager.collect(n)] for n in (None, 3, 20)] == [ids[:8], ids[:3], ids[:8]]


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "3"])
async def test_collect_refuses_what_is_no_count(wrong):
    with pytest.raises(ConfigurationError, match="max_items"):
        await ScriptedTransport(in_turn()).runs.list(DEP).collect(wrong)


# Pages


async def test_first_page_is_one_request(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 25)
    for prefetch in (0, 1):
        page = await qoder.runs.list(dep, page_size=10, prefetch=prefetch).first_page()
        assert isinstance(page, Page)
        assert [run.id for run in page.items] == ids[:10]
        assert page.has_more
        assert page.request_id
        assert [record["id"] for record in json.loads(page.raw)["data"]] == ids[:10]
        assert page.problems == ()
    assert len(sim.requests) == 2
    page = await qoder.runs.list(dep, cursor=page.next_cursor).first_page()
    assert [run.id for run in page.items] == ids[10:]
    assert not page.has_more


async def test_first_page_of_nothing(serve, shape):
    sim, qoder = await serve(shape=shape)
    page = await qoder.runs.list(sim.add_deployment()).first_page()
    assert (page.items, page.next_cursor, page.has_more) == ([], None, False)
    page = await qoder.runs.list(sim.add_deployment(), max_items=0, cursor="after_id:x").first_page()
    assert (page.items, str(page.next_cursor)) == ([], "after_id:x")
    assert len(sim.requests) == 1


async def test_pages_that_filters_empty_are_pages(serve):
    sim, qoder = await serve(shape="extended", ignore_filters=True)
    dep = sim.add_deployment()
    sim.add_runs(dep, 30)
    wanted = sim.insert_run(dep, state="failed")
    walked = await walk(qoder.runs.list(dep, status="failed", page_size=10))
    assert walked.ids == [wanted]
    assert len(walked.pages) == 4
    assert all(page.raw for page in walked.pages)


async def test_more_than_100_pages_that_filters_empty_are_no_error():
    book = Book({f"r{n}": to_json(run_record(f"r{n}", status="completed")) for n in range(150)})
    book.records["r149"] = to_json(run_record("r149", status="failed"))
    transport = ScriptedTransport(book)
    assert await ids_of(transport.runs.list(DEP, status="failed", page_size=1)) == ["r149"]


# Raw records


async def test_raw_gives_the_bytes_of_the_server(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 20)
    odd = b'{ "id":"' + ids[3].encode() + b'" ,\n "b" : 1.0e2, "b":"\\u00e9\xc3\xa9" }'
    sim.replace_record(ids[3], odd)
    runs = [run.raw async for run in qoder.runs.list(dep, page_size=7, on_invalid="skip")]
    raws = [raw async for raw in qoder.runs.list(dep, page_size=7).raw()]
    assert raws.pop(3) == odd
    assert raws == runs
    assert [json.loads(raw) for raw in raws] == [sim.run(run_id) for n, run_id in enumerate(ids) if n != 3]


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize("on_invalid", ["raise", "skip"])
async def test_raw_delivers_records_that_do_not_decode(how, on_invalid):
    records = {f"r{n}": to_json(run_record(f"r{n}")) for n in range(25)}
    for n in (0, 9, 10, 24):
        records[f"r{n}"] = BAD[how](run_record(f"r{n}"))
    transport = ScriptedTransport(Book(records))
    raws = [raw async for raw in transport.runs.list(DEP, page_size=10, on_invalid=on_invalid).raw()]
    assert raws == list(records.values())
    assert len(transport.queries) == 3


async def test_raw_with_a_filter_reads_the_records(serve):
    sim, qoder = await serve(shape="extended", ignore_filters=True)
    dep = sim.add_deployment()
    ids = [sim.insert_run(dep, state="failed" if n % 2 else "completed") for n in range(10)][::-1]
    raws = [raw async for raw in qoder.runs.list(dep, status="failed", page_size=3).raw()]
    assert [json.loads(raw) for raw in raws] == [sim.run(run_id) for run_id in ids[::2]]


async def test_raw_with_a_filter_treats_bad_records_as_the_pager_says():
    records = {f"r{n}": to_json(run_record(f"r{n}")) for n in range(5)} | {"r2": b"17"}
    pager = ScriptedTransport(Book(records)).runs.list_all(trigger_type="manual")
    raws, error = await walk_raw(pager)
    assert isinstance(error, ResponseDecodeError)
    assert raws == [records["r0"], records["r1"]]
    lenient = ScriptedTransport(Book(records)).runs.list_all(trigger_type="manual", on_invalid="skip")
    assert [raw async for raw in lenient.raw()] == [raw for raw in records.values() if raw != b"17"]


async def test_raw_heeds_max_items_and_cursor():
    records = {f"r{n}": to_json(run_record(f"r{n}")) for n in range(30)}
    transport = ScriptedTransport(Book(records))
    raws = [raw async for raw in transport.runs.list(DEP, cursor="after_id:r4", page_size=10, max_items=12).raw()]
    assert raws == list(records.values())[5:17]
    assert [query["limit"] for query in transport.queries] == ["10", "10"]


async def test_raw_does_not_repeat_what_comes_twice():
    first = answer(as_records("a", "b"), has_more=True, next_page="c")
    transport = ScriptedTransport(in_turn(first, answer(as_records("b", "c"), has_more=False)))
    assert [json.loads(raw)["id"] async for raw in transport.runs.list(DEP).raw()] == ["a", "b", "c"]


async def test_raw_errors_carry_the_cursor(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 20)
    sim.faults.add("status", status=503, nth=2)
    raws, error = await walk_raw(qoder.runs.list(dep, page_size=10))
    assert len(raws) == 10
    assert await ids_of(qoder.runs.list(dep, cursor=error.cursor)) == ids[10:]


# The object


async def test_a_pager_sends_nothing_until_it_is_walked_and_starts_anew_each_time(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 15)
    pager = qoder.runs.list(dep, page_size=10)
    assert isinstance(pager, Pager)
    pager.pages(), pager.raw(), repr(pager)
    assert len(sim.requests) == 0
    assert await ids_of(pager) == ids
    newest = sim.insert_run(dep)
    assert await ids_of(pager) == [newest, *ids]
    assert len(sim.requests) == 4


async def test_two_walks_of_one_pager_do_not_touch_each_other(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 15)
    pager = qoder.runs.list(dep, page_size=4)
    async with aclosing(aiter(pager)) as one, aclosing(aiter(pager)) as other:
        pairs = [(await anext(one), await anext(other)) for _ in ids]
    assert [(a.id, b.id) for a, b in pairs] == [(run_id, run_id) for run_id in ids]


def test_a_pager_is_immutable():
    pager = ScriptedTransport(in_turn()).runs.list(DEP, cursor="after_id:drun_1")
    for name in ("_max_items", "_cursor", "anything"):
        with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
            setattr(pager, name, 1)
    assert "after_id:drun_1" in repr(pager)


def test_pages_are_immutable():
    page = Page(items=[], next_cursor=None, request_id=None, raw=b"x")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        page.items = [1]
    assert "b'x'" not in repr(page)


WRONG_PAGING = [
    {"page_size": 0},
    {"page_size": 1.5},
    {"page_size": True},
    {"page_size": "10"},
    {"page_size": None},
    {"max_items": -1},
    {"max_items": 1.0},
    {"max_items": False},
    {"prefetch": 2},
    {"prefetch": -1},
    {"prefetch": True},
    {"prefetch": None},
    {"on_invalid": "ignore"},
    {"on_invalid": None},
    {"cursor": 5},
    {"cursor": ""},
    {"cursor": "drun_1"},
    {"cursor": "last_id:drun_1"},
    {"cursor": "after_id:"},
    {"cursor": b"after_id:x"},
]


@pytest.mark.parametrize("wrong", WRONG_PAGING, ids=str)
@pytest.mark.parametrize(
    "make",
    [
        lambda transport, **paging: transport.runs.list(DEP, **paging),
        lambda transport, **paging: transport.runs.list_all(**paging),
        lambda transport, **paging: transport.sessions.list(**paging),
        lambda transport, **paging: transport.sessions.events("sess_1", **paging),
        lambda transport, **paging: transport.deployments.list(**paging),
    ],
    ids=["runs", "all runs", "sessions", "events", "deployments"],
)
def test_paging_that_cannot_be_meant_is_refused_at_once(make, wrong):
    with pytest.raises(ConfigurationError, match=f"(?i){next(iter(wrong))}"):
        make(ScriptedTransport(in_turn()), **wrong)


# Cursors


@pytest.mark.parametrize(
    ("cursor", "text"),
    [
        (Cursor("after_id", "drun_1"), "after_id:drun_1"),
        (Cursor("before_id", "drun_1"), "before_id:drun_1"),
        (Cursor("page", "opaque +/=? &%#é"), "page:opaque +/=? &%#é"),
        (Cursor("page", "a:b\nc"), "page:a:b\nc"),
        (Cursor("page", "+3:x"), "page:+3:x"),
        (Cursor("page", "x", 3), "page+3:x"),
        (Cursor("page", "", 3), "page+3:"),
    ],
)
def test_a_cursor_is_a_plain_text_and_back(cursor, text):
    assert str(cursor) == text
    assert Cursor.parse(text) == cursor


async def test_cursor_after_a_run_or_its_id(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 10)
    run = await qoder.runs.get(ids[4])
    assert isinstance(run, DeploymentRun)
    for place in (run, run.id):
        assert await ids_of(qoder.runs.list(dep, cursor=Cursor.after(place))) == ids[5:]


@pytest.mark.parametrize("wrong", [None, 5, "", "a/b", object()])
def test_cursor_after_refuses_what_has_no_id(wrong):
    with pytest.raises(ConfigurationError):
        Cursor.after(wrong)


@pytest.mark.parametrize(
    "arguments", [("offset", "1"), ("page", ""), ("page", 5), ("page", "x", -1), ("page", "x", True)]
)
def test_cursors_that_cannot_be(arguments):
    with pytest.raises(ConfigurationError):
        Cursor(*arguments)
