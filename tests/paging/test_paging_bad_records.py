"""Records that cannot be decoded: the others arrive, each once, and nothing is asked for twice without need."""

from __future__ import annotations

import json
import logging

import pytest
from paging_support import (
    BAD,
    DEP,
    HAS_ID,
    RUNS,
    Book,
    ScriptedTransport,
    cursor_of,
    event_record,
    nested,
    run_record,
    session_record,
    to_json,
    walk,
)

from qoder_async import Cursor, ResponseDecodeError

PLACES = (0, 39, 40, 50, 99)
"""The first, the last and the first of a page, one in the middle, the last of all."""


def _book(kind: str, bad: dict[int, str], **settings) -> Book:
    make = {"runs": run_record, "sessions": session_record, "events": event_record}[kind]
    records = {f"{kind}_{n}": make(f"{kind}_{n}") for n in range(100)}
    raws = {identifier: to_json(record) for identifier, record in records.items()}
    for place, how in bad.items():
        raws[f"{kind}_{place}"] = BAD[how](records[f"{kind}_{place}"])
    return Book(raws, **settings)


def _list(transport: ScriptedTransport, kind: str, **paging):
    paging = {"page_size": 40, **paging}
    if kind == "runs":
        return transport.runs.list(DEP, **paging)
    return transport.sessions.list(**paging) if kind == "sessions" else transport.sessions.events("sess_1", **paging)


def _ids(kind: str, *without: int) -> list[str]:
    return [f"{kind}_{n}" for n in range(100) if n not in without]


async def _resume_to_the_end(transport: ScriptedTransport, kind: str, **paging) -> tuple[list[str], list]:
    """Walk, and go on from every error as another process would."""
    seen, errors, cursor = [], [], None
    while len(errors) < 10:
        walked = await walk(_list(transport, kind, cursor=cursor, **paging))
        seen += walked.ids
        if walked.error is None:
            return seen, errors
        errors.append(walked.error)
        cursor = str(walked.error.cursor)
        assert Cursor.parse(cursor) == walked.error.cursor
    raise AssertionError(f"no end: {errors[-1]}")


# Lists that are scripted


@pytest.mark.parametrize("kind", ["runs", "sessions", "events"])
@pytest.mark.parametrize("how", BAD)
async def test_skip_delivers_the_other_99_and_says_what_is_missing(kind, how, caplog):
    for place in PLACES:
        transport = ScriptedTransport(_book(kind, {place: how}))
        caplog.clear()
        with caplog.at_level(logging.WARNING, "qoder_async"):
            walked = await walk(_list(transport, kind, on_invalid="skip"))
        assert walked.error is None
        assert walked.ids == _ids(kind, place)
        assert len(transport.queries) == 3
        (problem,) = walked.problems
        assert f"data[{place % 40}]" in problem
        assert [page.problems != () for page in walked.pages] == [place // 40 == n for n in range(3)]
        (record,) = [record for record in caplog.records if record.name == "qoder_async"]
        assert (record.levelname, problem in record.getMessage()) == ("WARNING", True)


@pytest.mark.parametrize("kind", ["runs", "sessions", "events"])
@pytest.mark.parametrize("how", BAD)
async def test_raise_delivers_what_came_before_and_the_cursor_brings_the_rest(kind, how):
    for place in PLACES:
        book = _book(kind, {place: how})
        transport = ScriptedTransport(book)
        broken = await walk(_list(transport, kind))
        identifier = f"{kind}_{place}"
        assert broken.ids == _ids(kind)[:place]
        assert isinstance(broken.error, ResponseDecodeError)
        assert len(transport.queries) == place // 40 + 1
        message = str(broken.error)
        assert f"data[{place % 40}]" in message
        assert f"req_{len(transport.queries)}" in message
        assert (identifier in message) == (how in HAS_ID)
        assert broken.error.request_id == f"req_{len(transport.queries)}"
        assert all(problem.startswith(f"data[{place % 40}]") for problem in broken.error.problems)
        assert broken.error.body == book.records[identifier]
        rest = await walk(_list(transport, kind, cursor=str(broken.error.cursor)))
        assert (rest.ids, rest.error) == (_ids(kind)[place + 1 :], None)


@pytest.mark.parametrize("kind", ["runs", "sessions", "events"])
@pytest.mark.parametrize("how", sorted(HAS_ID))
async def test_after_a_bad_record_with_an_id_a_run_list_asks_for_nothing_twice(kind, how):
    """Runs are entered behind the record; the other lists can only be asked for the same page again."""
    transport = ScriptedTransport(_book(kind, {50: how}))
    broken = await walk(_list(transport, kind))
    await walk(_list(transport, kind, cursor=broken.error.cursor))
    cursors = [cursor_of(query) for query in transport.queries]
    if kind == "runs":
        assert cursors[2] == ("after_id", "runs_50")
        assert len(cursors) == 4
    else:
        assert cursors[2] == cursors[1]
        assert len(cursors) == 4


@pytest.mark.parametrize("kind", ["runs", "sessions", "events"])
@pytest.mark.parametrize("how", ["wrong type", "not an object"])
async def test_after_a_bad_record_at_the_end_of_a_page_the_next_page_is_asked_for(kind, how):
    """All of the page was used, so that it need not be asked for again."""
    transport = ScriptedTransport(_book(kind, {39: how}))
    broken = await walk(_list(transport, kind))
    await walk(_list(transport, kind, cursor=broken.error.cursor))
    assert len(transport.queries) == 3


@pytest.mark.parametrize("kind", ["runs", "sessions", "events"])
@pytest.mark.parametrize("how", BAD)
async def test_bad_records_in_a_row_and_all_over_the_list(kind, how):
    bad = (0, 1, 38, 39, 40, 98, 99)
    transport = ScriptedTransport(_book(kind, dict.fromkeys(bad, how)))
    walked = await walk(_list(transport, kind, on_invalid="skip"))
    assert (walked.ids, len(walked.problems)) == (_ids(kind, *bad), len(bad))
    seen, errors = await _resume_to_the_end(transport, kind)
    assert seen == _ids(kind, *bad)
    assert len(errors) == len(bad)


@pytest.mark.parametrize("kind", ["runs", "sessions"])
@pytest.mark.parametrize("how", ["wrong type", "not an object"])
async def test_a_list_of_bad_records_only(kind, how):
    transport = ScriptedTransport(_book(kind, dict.fromkeys(range(100), how)))
    walked = await walk(_list(transport, kind, on_invalid="skip"))
    assert (walked.ids, len(walked.problems), walked.error) == ([], 100, None)
    assert len(transport.queries) == 3


async def test_pages_of_bad_records_are_not_taken_for_a_list_that_does_not_end():
    raws = {f"sess_{n}": BAD["wrong type"](session_record(f"sess_{n}")) for n in range(110)}
    transport = ScriptedTransport(Book(raws))
    walked = await walk(_list(transport, "sessions", page_size=1, on_invalid="skip"))
    assert (walked.ids, len(walked.problems), walked.error) == ([], 110, None)
    assert len(transport.queries) == 110


@pytest.mark.parametrize("kind", ["runs", "sessions", "events"])
@pytest.mark.parametrize("how", ["wrong type", "id missing"])
@pytest.mark.parametrize("page_size", [1, 7, 40, 100, 1000])
async def test_the_cursor_fits_any_page_size(kind, how, page_size):
    transport = ScriptedTransport(_book(kind, {30: how, 50: how}))
    broken = await walk(_list(transport, kind))
    rest = await walk(_list(transport, kind, cursor=broken.error.cursor, page_size=page_size, on_invalid="skip"))
    assert (rest.ids, rest.error) == (_ids(kind, 50)[31:], None)


async def test_passing_over_many_records_by_single_ones_is_not_a_row_of_empty_pages():
    """A cursor in the middle of a page of 1000, resumed with small pages."""
    records = {f"s{n}": to_json(session_record(f"s{n}")) for n in range(300)}
    records["s250"] = b"17"
    transport = ScriptedTransport(Book(records))
    broken = await walk(transport.sessions.list(page_size=1000))
    rest = await walk(transport.sessions.list(page_size=2, cursor=broken.error.cursor))
    assert (rest.ids, rest.error) == ([f"s{n}" for n in range(251, 300)], None)


@pytest.mark.parametrize("kind", ["runs", "sessions"])
@pytest.mark.parametrize("how", ["wrong type", "id missing"])
@pytest.mark.parametrize("max_items", [0, 1, 29, 30, 31, 39, 40, 60, 98, 99, 150])
async def test_max_items_with_a_bad_record(kind, how, max_items):
    """Who has enough before the bad record never hears of it; next_cursor goes on after the last delivered."""
    transport = ScriptedTransport(_book(kind, {30: how}))
    wanted = _ids(kind, 30)
    skipped = await walk(_list(transport, kind, on_invalid="skip", max_items=max_items))
    assert skipped.ids == wanted[:max_items]
    assert len(skipped.problems) == (max_items > 30)
    raised = await walk(_list(transport, kind, max_items=max_items))
    assert raised.ids == wanted[: min(max_items, 30)]
    assert isinstance(raised.error, ResponseDecodeError) == (max_items > 30)
    if 0 < max_items < 99:
        following = skipped.pages[-1].next_cursor
        rest = await walk(_list(transport, kind, cursor=str(following), on_invalid="skip"))
        assert rest.ids == wanted[max_items:]


@pytest.mark.parametrize("kind", ["runs", "sessions"])
async def test_the_page_before_a_bad_record_says_where_it_goes_on(kind):
    """Its next_cursor stops right before the bad record, the error's right after it."""
    transport = ScriptedTransport(_book(kind, {50: "wrong type"}))
    broken = await walk(_list(transport, kind))
    again = await walk(_list(transport, kind, cursor=str(broken.pages[-1].next_cursor)))
    assert again.ids == []
    assert isinstance(again.error, ResponseDecodeError)
    assert str(again.error.cursor) == str(broken.error.cursor)


@pytest.mark.parametrize("kind", ["runs", "sessions", "events"])
@pytest.mark.parametrize("how", BAD)
async def test_first_page_gives_what_stands_before_a_bad_record(kind, how):
    transport = ScriptedTransport(_book(kind, {0: how, 20: how}))
    with pytest.raises(ResponseDecodeError) as caught:
        await _list(transport, kind).first_page()
    page = await _list(transport, kind, cursor=caught.value.cursor).first_page()
    assert [item.id for item in page.items] == _ids(kind)[1:20]
    page = await _list(transport, kind, on_invalid="skip").first_page()
    assert [item.id for item in page.items] == _ids(kind, 0, 20)[:38]
    assert len(page.problems) == 2
    assert len(transport.queries) == 3


@pytest.mark.parametrize("how", ["id missing", "not an object"])
async def test_after_a_bad_record_without_id_new_runs_at_the_head_double_nothing(how):
    """New runs come all the time; a place counted from the head would move with them."""
    book = _book("runs", {30: how})
    transport = ScriptedTransport(book)
    broken = await walk(_list(transport, "runs"))
    book.records = {f"new_{n}": to_json(run_record(f"new_{n}")) for n in range(3)} | book.records
    rest = await walk(_list(transport, "runs", cursor=str(broken.error.cursor)))
    assert broken.ids + rest.ids == _ids("runs", 30)


@pytest.mark.parametrize("how", ["id missing", "not an object"])
async def test_after_a_bad_record_without_id_runs_that_vanish_at_the_head_lose_nothing(how):
    book = _book("runs", {30: how})
    transport = ScriptedTransport(book)
    broken = await walk(_list(transport, "runs"))
    for n in range(3):
        del book.records[f"runs_{n}"]
    rest = await walk(_list(transport, "runs", cursor=str(broken.error.cursor)))
    assert broken.ids + rest.ids == _ids("runs", 30)


async def test_after_a_resume_what_was_delivered_before_stays_delivered():
    """A server that pages by offset sends the records that were passed over again on the next page."""
    ids = [f"s{n}" for n in range(20)]

    def script(query):
        start = int(query.get("page", "0"))
        records = [b"17" if identifier == "s6" else to_json(session_record(identifier)) for identifier in ids]
        more = start + 10 < len(ids)
        body = b'{"data":[' + b",".join(records[start : start + 10]) + b"]"
        return body + f',"has_more":{json.dumps(more)},"next_page":"{start + 10}"}}'.encode()

    transport = ScriptedTransport(script)
    broken = await walk(transport.sessions.list(page_size=10))
    pager = transport.sessions.list(page_size=10, cursor=broken.error.cursor, on_invalid="skip")
    rest = []
    async for page in pager.pages():
        rest += [session.id for session in page.items]
        ids[:0] = [f"new{len(ids)}-{n}" for n in range(5)] if len(ids) < 30 else []
    assert len(set(broken.ids + rest)) == len(broken.ids + rest)


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_the_bad_page_is_the_last_that_is_asked_for(prefetch):
    transport = ScriptedTransport(_book("runs", {5: "wrong type"}))
    broken = await walk(_list(transport, "runs", prefetch=prefetch))
    assert isinstance(broken.error, ResponseDecodeError)
    assert len(transport.queries) == 1


# The real thing


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize(
    ("shape", "next_page"), [("extended", "last_id"), ("extended", "absent"), ("lean", "last_id"), ("lean", "opaque")]
)
async def test_a_bad_run_of_a_real_server(serve, shape, next_page, how):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 100)
    for place in (0, 50, 99):
        original = to_json(sim.run(ids[place]))
        bad = BAD[how](json.loads(original))
        sim.replace_record(ids[place], bad)
        wanted = ids[:place] + ids[place + 1 :]

        walked = await walk(qoder.runs.list(dep, page_size=40, on_invalid="skip"))
        assert walked.error is None
        assert walked.ids == wanted
        assert len(walked.problems) == 1

        sim.requests.clear()
        broken = await walk(qoder.runs.list(dep, page_size=40))
        assert broken.ids == ids[:place]
        assert isinstance(broken.error, ResponseDecodeError)
        assert broken.error.request_id is not None
        assert broken.error.request_id in str(broken.error)
        rest = await walk(qoder.runs.list(dep, page_size=40, cursor=str(broken.error.cursor)))
        assert (rest.ids, rest.error) == (ids[place + 1 :], None)
        assert len(sim.requests) <= 4

        sim.replace_record(ids[place], original)


async def test_a_run_100_000_levels_deep(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 100)
    sim.replace_record(ids[50], nested(sim.run(ids[50]), 100_000))
    walked = await walk(qoder.runs.list(dep, on_invalid="skip"))
    assert (walked.ids, len(walked.problems)) == (ids[:50] + ids[51:], 1)
    broken = await walk(qoder.runs.list(dep))
    assert len(str(broken.error)) < 1000
    rest = await walk(qoder.runs.list(dep, cursor=str(broken.error.cursor)))
    assert (broken.ids, rest.ids) == (ids[:50], ids[51:])


@pytest.mark.parametrize("how", BAD)
async def test_a_bad_session_of_a_real_server(serve, shape, how):
    sim, qoder = await serve(shape=shape, next_page="opaque")
    sim.add_runs(sim.add_deployment(), 30)
    ids = [session.id for session in await qoder.sessions.list().collect()]

    def spoil(body: bytes) -> bytes:
        envelope = json.loads(body)
        records = [BAD[how](record) if record["id"] == ids[15] else to_json(record) for record in envelope.pop("data")]
        return b'{"data":[' + b",".join(records) + b"]," + to_json(envelope)[1:]

    sim.faults.add("body", route="GET /sessions", times=float("inf"), body=spoil)
    walked = await walk(qoder.sessions.list(page_size=10, on_invalid="skip"))
    assert (walked.ids, len(walked.problems)) == (ids[:15] + ids[16:], 1)
    broken = await walk(qoder.sessions.list(page_size=10))
    rest = await walk(qoder.sessions.list(page_size=10, cursor=str(broken.error.cursor)))
    assert (broken.ids, rest.ids) == (ids[:15], ids[16:])
    assert RUNS not in sim.requests.counts
