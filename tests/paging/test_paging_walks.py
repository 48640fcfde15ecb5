"""Walking a list: every generation of cursors, odd pages, and what happens meanwhile."""

from __future__ import annotations

import json

import pytest
from paging_support import (
    DEP,
    ONCE,
    OPAQUE,
    RUNS,
    Book,
    ScriptedTransport,
    answer,
    as_records,
    cursor_of,
    in_turn,
    limits_of,
    run_record,
    session_record,
    to_json,
    walk,
)
from support.served import ids_of

from qoder_async import (
    AsyncQoder,
    BadRequestError,
    ConfigurationError,
    Cursor,
    PaginationError,
    PaginationLoopError,
    QoderError,
    ResponseDecodeError,
    ServerError,
)

NEXT_PAGES = ["last_id", "opaque", "absent"]


# Every generation of cursors


@pytest.mark.parametrize("next_page", NEXT_PAGES)
async def test_runs_of_a_deployment_come_in_order_each_once(serve, shape, next_page):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    sim.add_runs(dep, 250)
    assert await ids_of(qoder.runs.list(dep)) == sim.run_ids(dep)
    assert len(sim.requests) == 3


@pytest.mark.parametrize("next_page", NEXT_PAGES)
async def test_runs_of_all_deployments_come_in_order_each_once(serve, shape, next_page):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    for _ in range(3):
        sim.add_runs(sim.add_deployment(), 70)
    assert await ids_of(qoder.runs.list_all()) == sim.run_ids()


@pytest.mark.parametrize("next_page", NEXT_PAGES)
async def test_deployments_come_each_once(serve, shape, next_page):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    for _ in range(25):
        sim.add_deployment()
    assert await ids_of(qoder.deployments.list(page_size=10)) == sim.deployment_ids()


@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
async def test_sessions_come_each_once(serve, shape, next_page):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    sim.add_runs(sim.add_deployment(), 45)
    sessions = await ids_of(qoder.sessions.list(page_size=10))
    assert len(sessions) == len(set(sessions)) == 45


async def test_sessions_that_have_more_and_no_next_page_are_an_error(serve, shape):
    """Lists of sessions are not documented to take ids, and a service that ignores them would start again."""
    sim, qoder = await serve(shape=shape, next_page="absent")
    sim.add_runs(sim.add_deployment(), 45)
    walked = await walk(qoder.sessions.list(page_size=10))
    assert len(walked.ids) == 10
    assert isinstance(walked.error, PaginationError)


@pytest.mark.parametrize("parameter", ["after_id", "before_id"])
def test_sessions_take_no_ids_as_cursors(parameter):
    with pytest.raises(ConfigurationError, match="it takes no ids"):
        AsyncQoder("pt-test").sessions.list(cursor=Cursor(parameter, "sess_1"))


async def test_a_record_that_a_filter_refused_before_is_not_one_that_was_delivered():
    """A run that ends between two pages comes as running, and then as completed."""
    first = [to_json(run_record("a", status="running")), to_json(run_record("b", status="completed"))]
    second = [to_json(run_record("a", status="completed"))]
    transport = ScriptedTransport(
        lambda query: answer(second) if "page" in query else answer(first, has_more=True, next_page="c1")
    )
    assert await ids_of(transport.runs.list(DEP, status="completed")) == ["b", "a"]


@pytest.mark.parametrize("next_page", NEXT_PAGES)
@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_events_come_each_once_in_either_order(serve, shape, next_page, order):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    (run_id,) = sim.add_runs(dep, 1)
    session = (await qoder.runs.get(run_id)).session_id
    whole = await ids_of(qoder.sessions.events(session))
    paged = await ids_of(qoder.sessions.events(session, order=order, page_size=2))
    assert len(whole) > 4
    assert paged == (whole if order == "asc" else whole[::-1])


async def test_next_page_that_is_the_last_id_goes_as_after_id(serve, shape):
    """The extended server does not know ``page`` and would send the first page for ever."""
    sim, qoder = await serve(shape=shape, next_page="last_id")
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 25)
    await walk(qoder.runs.list(dep, page_size=10))
    assert [cursor_of(request.query) for request in sim.requests] == [
        None,
        ("after_id", ids[9]),
        ("after_id", ids[19]),
    ]


async def test_an_opaque_cursor_arrives_as_it_was_given(serve, shape):
    sim, qoder = await serve(shape=shape, next_page="opaque")
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 20)
    page = await qoder.runs.list(dep, page_size=10).first_page()
    assert page.next_cursor == Cursor("page", json.loads(page.raw)["next_page"])
    assert await ids_of(qoder.runs.list(dep, cursor=str(page.next_cursor))) == ids[10:]
    assert cursor_of(sim.requests[-1].query) == ("page", page.next_cursor.value)


async def test_sessions_go_on_by_next_page_even_where_it_is_the_last_id():
    book = Book({f"sess_{n}": to_json(session_record(f"sess_{n}")) for n in range(6)}, next_page="last_id")
    transport = ScriptedTransport(book)
    assert await ids_of(transport.sessions.list(page_size=3)) == list(book.records)
    assert [cursor_of(query) for query in transport.queries] == [None, ("page", "sess_2")]


ENVELOPES = {
    "has_more false stops, even with a cursor": ({"has_more": False, "next_page": "c", "last_id": "b"}, None),
    "has_more absent without a cursor stops": ({"last_id": "b"}, None),
    "has_more null without a cursor stops": ({"has_more": None, "next_page": None, "last_id": "b"}, None),
    "has_more absent with a cursor goes on": ({"next_page": OPAQUE, "last_id": "b"}, ("page", OPAQUE)),
    "next_page as last_id": ({"has_more": True, "next_page": "b", "last_id": "b"}, ("after_id", "b")),
    "next_page as the last item's id": ({"has_more": True, "next_page": "b"}, ("after_id", "b")),
    "next_page as another id": ({"has_more": True, "next_page": "a", "last_id": "b"}, ("page", "a")),
    "only last_id": ({"has_more": True, "last_id": "b"}, ("after_id", "b")),
    "next_page null": ({"has_more": True, "next_page": None, "last_id": "b"}, ("after_id", "b")),
    "next_page empty": ({"has_more": True, "next_page": "", "last_id": "b"}, ("after_id", "b")),
    "neither first_id nor last_id": ({"has_more": True}, ("after_id", "b")),
    "last_id empty": ({"has_more": True, "last_id": ""}, ("after_id", "b")),
}


@pytest.mark.parametrize(("envelope", "following"), ENVELOPES.values(), ids=ENVELOPES)
async def test_where_a_list_goes_on(envelope, following):
    first = answer(as_records("a", "b"), **envelope)
    transport = ScriptedTransport(in_turn(first, answer(as_records("c"), has_more=False)))
    walked = await walk(transport.runs.list(DEP))
    assert walked.error is None
    assert walked.ids == (["a", "b"] if following is None else ["a", "b", "c"])
    assert [cursor_of(query) for query in transport.queries[1:]] == ([] if following is None else [following])


@pytest.mark.parametrize("records", [[], [b"17"]], ids=["no record", "no id"])
async def test_more_without_any_way_on_is_an_error(records):
    first = answer(as_records("a"), has_more=True)
    transport = ScriptedTransport(in_turn(first, answer(records, has_more=True)))
    walked = await walk(transport.runs.list(DEP, on_invalid="skip"))
    assert walked.ids == ["a"]
    assert type(walked.error) is PaginationError
    assert walked.error.request_id == "req_2"
    assert walked.error.cursor == Cursor("after_id", "a")


# Odd pages


def _pages(*pages: tuple[str, ...]) -> ScriptedTransport:
    """A list of pages that each lead to the next by an opaque cursor."""

    def script(query):
        place = int(query.get("page", "c0")[1:])
        more = place + 1 < len(pages)
        return answer(as_records(*pages[place]), has_more=more, next_page=f"c{place + 1}" if more else None)

    return ScriptedTransport(script)


@pytest.mark.parametrize("empty", [1, 5, 100])
async def test_empty_pages_in_a_row_do_not_end_a_list(empty):
    transport = _pages(("a", "b"), *[()] * empty, ("c",))
    assert await ids_of(transport.runs.list(DEP)) == ["a", "b", "c"]
    assert len(transport.queries) == empty + 2


async def test_empty_pages_count_anew_after_a_record():
    transport = _pages(*[()] * 100, ("a",), *[()] * 100, ("b",))
    assert await ids_of(transport.runs.list(DEP)) == ["a", "b"]


async def test_more_than_100_empty_pages_in_a_row_are_an_error_that_can_be_passed():
    transport = _pages(("a",), *[()] * 101, ("b",))
    walked = await walk(transport.runs.list(DEP))
    assert walked.ids == ["a"]
    assert type(walked.error) is PaginationError
    assert len(transport.queries) == 102
    assert await ids_of(transport.runs.list(DEP, cursor=walked.error.cursor)) == ["b"]
    assert len(transport.queries) == 103


async def test_pages_that_only_repeat_what_was_delivered_count_as_empty():
    transport = _pages(("a",), *[("a",)] * 101, ("b",))
    walked = await walk(transport.runs.list(DEP))
    assert (walked.ids, type(walked.error)) == (["a"], PaginationError)


async def test_100_empty_pages_at_the_end_are_the_end():
    transport = _pages(("a",), *[()] * 101)
    walked = await walk(transport.runs.list(DEP))
    assert (walked.ids, walked.error) == (["a"], None)


async def test_short_pages_go_on():
    transport = _pages(*[(f"r{n}",) for n in range(120)])
    assert await ids_of(transport.runs.list(DEP, page_size=100)) == [f"r{n}" for n in range(120)]


@pytest.mark.parametrize("prefetch", [0, 1])
@pytest.mark.parametrize("length", [1, 2, 3])
async def test_a_circle_of_cursors_is_an_error_after_what_came_before(length, prefetch):
    """Page n leads to cursor n % length, and each answer has a new record."""
    numbers = iter(range(1000))

    def script(_query):
        number = next(numbers)
        return answer(as_records(f"r{number}"), has_more=True, next_page=f"c{number % length}")

    transport = ScriptedTransport(script)
    walked = await walk(transport.runs.list(DEP, prefetch=prefetch))
    assert walked.ids == [f"r{n}" for n in range(length + 1)]
    assert type(walked.error) is PaginationLoopError
    assert walked.error.request_id == f"req_{length + 1}"
    assert walked.error.cursor is not None
    assert len(transport.queries) == length + 1


async def test_a_server_that_ignores_after_id_is_a_circle_and_not_the_end():
    transport = ScriptedTransport(lambda _query: answer(as_records("a", "b"), has_more=True))
    walked = await walk(transport.runs.list(DEP))
    assert (walked.ids, type(walked.error)) == (["a", "b"], PaginationLoopError)
    assert len(transport.queries) == 2


async def test_the_cursor_a_walk_began_with_belongs_to_the_circle():
    transport = ScriptedTransport(lambda _query: answer(as_records("a"), has_more=True, next_page="c"))
    walked = await walk(transport.runs.list(DEP, cursor=Cursor("page", "c")))
    assert (walked.ids, type(walked.error)) == (["a"], PaginationLoopError)
    assert len(transport.queries) == 1


async def test_a_circle_does_not_matter_to_who_has_enough():
    transport = ScriptedTransport(
        in_turn(*[answer(as_records(f"r{n}"), has_more=True, next_page="c") for n in range(2)])
    )
    walked = await walk(transport.runs.list(DEP, max_items=2))
    assert (walked.ids, walked.error) == (["r0", "r1"], None)


# What happens meanwhile


@pytest.mark.parametrize("next_page", NEXT_PAGES)
async def test_runs_that_appear_at_the_head_change_nothing(serve, shape, next_page):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    before = sim.add_runs(dep, 95)
    seen = []
    async for page in qoder.runs.list(dep, page_size=10).pages():
        seen += [run.id for run in page.items]
        for _ in range(3):
            sim.insert_run(dep)
    assert seen == before


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_records_pushed_onto_the_next_page_come_once(prefetch):
    """A server that pages by offset sends the same ids again when runs appear at the head."""
    ids = [f"r{n}" for n in range(95)]

    def script(query):
        start = int(query.get("page", "0"))
        page = ids[start : start + 10]
        more = start + 10 < len(ids)
        ids[:0] = [f"new{len(ids)}-{n}" for n in range(3)] if more else []
        return answer(as_records(*page), has_more=more, next_page=str(start + 10))

    original = list(ids)
    walked = await walk(ScriptedTransport(script).runs.list(DEP, prefetch=prefetch))
    assert [identifier for identifier in walked.ids if identifier in original] == original
    assert len(set(walked.ids)) == len(walked.ids)


async def test_an_id_on_two_pages_or_twice_on_one_comes_once():
    transport = _pages(("a", "b", "b"), ("b", "c"), ("a", "d", "d"))
    walked = await walk(transport.runs.list(DEP))
    assert [[run.id for run in page.items] for page in walked.pages] == [["a", "b"], ["c"], ["d"]]


async def test_the_last_10_000_ids_are_remembered_and_no_more():
    """An id that comes back after 10,000 others was forgotten, one that comes back before was not."""
    pages = [tuple(f"r{n * 1000 + m}" for m in range(1000)) for n in range(11)]
    transport = _pages(*pages, ("r999", "r1000", "r10999"))
    walked = await walk(transport.runs.list(DEP))
    assert walked.ids[11_000:] == ["r999"]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 500}, {"kind": "truncate"}, {"kind": "garbage", "html": True}],
    ids=lambda fault: fault["kind"],
)
@pytest.mark.parametrize("next_page", NEXT_PAGES)
@pytest.mark.parametrize("prefetch", [0, 1])
async def test_a_walk_that_breaks_on_page_7_goes_on_with_one_more_request(serve, shape, fault, next_page, prefetch):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 100)
    sim.faults.add(**fault, route=RUNS, nth=7)
    broken = await walk(qoder.runs.list(dep, page_size=10, prefetch=prefetch))
    assert broken.ids == ids[:60]
    rest = await walk(qoder.runs.list(dep, page_size=10, cursor=broken.error.cursor))
    assert rest.ids == ids[60:]
    assert len(sim.requests) == 11


async def test_an_error_on_the_first_page_goes_on_from_the_start(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 10)
    sim.faults.add("status", route=RUNS)
    broken = await walk(qoder.runs.list(dep))
    assert isinstance(broken.error, ServerError)
    assert await ids_of(qoder.runs.list(dep, cursor=broken.error.cursor)) == ids


async def test_an_envelope_of_the_wrong_shape_says_so_and_keeps_its_cursor(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 20)
    sim.faults.add("body", route=RUNS, nth=2, body=lambda _body: b'{"data":null,"has_more":true}')
    broken = await walk(qoder.runs.list(dep, page_size=10))
    assert isinstance(broken.error, ResponseDecodeError)
    assert broken.ids == ids[:10]
    assert await ids_of(qoder.runs.list(dep, cursor=broken.error.cursor)) == ids[10:]


# The size of pages


async def test_a_page_size_that_is_refused_falls_back_once_and_is_remembered(serve, shape):
    sim, qoder = await serve(shape=shape, max_page_size=100)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 150)
    assert await ids_of(qoder.runs.list(dep, page_size=1000)) == ids
    assert limits_of(sim) == ["1000", "100", "100"]
    sim.requests.clear()
    assert await ids_of(qoder.runs.list_all(page_size=500)) == ids
    assert await ids_of(qoder.with_options(timeout=5).runs.list(dep, page_size=1000)) == ids
    assert await ids_of(qoder.runs.list(dep, page_size=90)) == ids
    assert limits_of(sim) == ["100"] * 4 + ["90"] * 2


async def test_a_large_page_size_is_used_where_it_is_given(serve):
    sim, qoder = await serve(shape="extended")
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 1500)
    assert await ids_of(qoder.runs.list(dep, page_size=1000)) == ids
    assert limits_of(sim) == ["1000", "1000"]


@pytest.mark.parametrize("page_size", [100, 1000])
async def test_a_400_about_something_else_is_raised_as_it_is_and_not_remembered(serve, shape, page_size):
    sim, qoder = await serve(shape=shape, max_page_size=1000)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 5)
    body = to_json({"type": "error", "error": {"type": "invalid_request_error", "message": "no", "param": "status"}})
    sim.faults.add("status", status=400, route=RUNS, body=body)
    broken = await walk(qoder.runs.list(dep, page_size=page_size))
    assert isinstance(broken.error, BadRequestError)
    assert (broken.error.param, broken.error.body) == ("status", body)
    assert len(sim.requests) == 1
    assert await ids_of(qoder.runs.list(dep, page_size=page_size)) == ids
    assert limits_of(sim) == [str(page_size)] * 2


async def test_a_400_without_param_at_either_size_is_the_first_one_and_not_remembered(serve, shape):
    sim, qoder = await serve(shape=shape, max_page_size=1000)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 5)
    for message in ("first", "second"):
        body = to_json({"type": "error", "error": {"type": "invalid_request_error", "message": message}})
        sim.faults.add("status", status=400, route=RUNS, body=body, nth=1, when=lambda _request: True)
    broken = await walk(qoder.runs.list(dep, page_size=1000))
    assert isinstance(broken.error, BadRequestError)
    assert broken.error.message == "first"
    sim.faults.clear()
    assert await ids_of(qoder.runs.list(dep, page_size=1000)) == ids
    assert limits_of(sim)[-1] == "1000"


async def test_a_refused_page_size_in_mid_list_keeps_its_place(serve, shape):
    """A cursor of another page size, then a size the server refuses."""
    sim, qoder = await serve(shape=shape, max_page_size=100)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 150)
    page = await qoder.runs.list(dep, page_size=20).first_page()
    assert await ids_of(qoder.runs.list(dep, page_size=1000, cursor=page.next_cursor)) == ids[20:]


# Towards newer runs


@pytest.mark.parametrize("next_page", NEXT_PAGES)
@pytest.mark.parametrize("prefetch", [0, 1])
async def test_before_id_brings_exactly_what_is_newer(serve, shape, next_page, prefetch):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    sim.add_runs(dep, 310)
    ids = sim.run_ids(dep)
    walked = await walk(qoder.runs.list(dep, cursor=Cursor("before_id", ids[300]), prefetch=prefetch))
    assert walked.error is None
    assert sorted(walked.ids) == sorted(ids[:300])
    assert [cursor_of(request.query)[0] for request in sim.requests] == ["before_id"] * 3


async def test_before_id_of_the_newest_run_brings_nothing(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 10)
    assert await ids_of(qoder.runs.list(dep, cursor=Cursor("before_id", ids[0]))) == []


async def test_before_id_that_breaks_goes_on(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 100)
    sim.faults.add("status", route=RUNS, nth=3)
    broken = await walk(qoder.runs.list(dep, cursor=Cursor("before_id", ids[90]), page_size=10))
    rest = await walk(qoder.runs.list(dep, cursor=broken.error.cursor, page_size=10))
    assert sorted(broken.ids + rest.ids) == sorted(ids[:90])
    assert len(sim.requests) == 10


@pytest.mark.parametrize(("first", "second"), [(50, 50), (50, 20), (20, 50), (50, 100)])
async def test_before_id_cut_short_goes_on_with_any_page_size(serve, shape, first, second):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 130)
    pager = qoder.runs.list(dep, cursor=Cursor("before_id", ids[120]), page_size=first, max_items=30)
    head = await walk(pager)
    rest = await walk(qoder.runs.list(dep, cursor=head.pages[-1].next_cursor, page_size=second))
    assert sorted(head.ids + rest.ids) == sorted(ids[:120])


@pytest.mark.parametrize("max_items", [None, 60])
async def test_before_id_broken_by_a_bad_record_goes_on_with_the_same_call(max_items):
    """What is left of a page that was asked for from its far end."""
    records = {f"r{n:03}": to_json(run_record(f"r{n:03}")) for n in range(121)}
    records["r095"] = b"17"
    transport = ScriptedTransport(Book(records))
    seen, cursor = [], Cursor("before_id", "r120")
    for _ in range(10):
        left = None if max_items is None else max_items - len(seen)
        walked = await walk(transport.runs.list(DEP, cursor=cursor, page_size=100, max_items=left))
        seen += walked.ids
        if walked.error is None:
            break
        cursor = walked.error.cursor
    wanted = set(records) - {"r095", "r120"}
    assert len(seen) == len(set(seen)), "delivered twice"
    assert set(seen) <= wanted
    assert len(seen) == (len(wanted) if max_items is None else max_items)


async def test_before_id_with_filters_cut_short_goes_on_with_the_default_page_size():
    records = {f"r{n:03}": to_json(run_record(f"r{n:03}")) for n in range(121)}
    transport = ScriptedTransport(Book(records))
    start = Cursor("before_id", "r120")
    head = await walk(transport.runs.list_all(trigger_type="manual", cursor=start, page_size=50, max_items=30))
    rest = await walk(transport.runs.list_all(trigger_type="manual", cursor=head.pages[-1].next_cursor))
    assert sorted(head.ids + rest.ids) == sorted(records)[:120]


async def test_errors_of_a_walk_are_errors_of_the_library(serve, shape):
    """A cursor the server does not know."""
    _sim, qoder = await serve(shape=shape)
    dep = _sim.add_deployment()
    walked = await walk(qoder.runs.list(dep, cursor="after_id:drun_nobody"))
    assert isinstance(walked.error, QoderError)
    assert str(walked.error.cursor) == "after_id:drun_nobody"


async def test_a_retried_page_is_not_delivered_twice(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 30)
    sim.faults.add("status", route=RUNS, nth=2)
    patient = qoder.with_options(retry=type(ONCE)(attempts=2, initial=0))
    assert await ids_of(patient.runs.list(dep, page_size=10)) == ids
    assert len(sim.requests) == 4


async def test_records_without_an_id_are_not_taken_for_each_other():
    transport = _pages(("", "a", ""), ("", "a", "b"))
    assert await ids_of(transport.runs.list(DEP)) == ["", "a", "", "", "b"]
