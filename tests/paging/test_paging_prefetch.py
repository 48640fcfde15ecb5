"""``prefetch=1``: the same walk, one page ahead at most, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from contextlib import aclosing

import pytest
from paging_support import (
    BAD,
    DEP,
    RUNS,
    Book,
    ScriptedTransport,
    answer,
    as_records,
    cursor_of,
    run_record,
    to_json,
    walk,
)
from support.served import ids_of

from qoder_async import QoderError, ServerError


class Held:
    """A list whose answers are given when the test says so."""

    def __init__(self, count: int) -> None:
        self.book = Book({f"r{n}": to_json(run_record(f"r{n}")) for n in range(count)})
        self.transport = ScriptedTransport(self._answer)
        self.gates: list[asyncio.Future[None]] = []
        self.ended: list[str] = []

    @property
    def asked(self) -> int:
        return len(self.gates)

    async def _answer(self, query):
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        try:
            await gate
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append("answered")
        return self.book(query)

    async def open(self, number: int) -> None:
        await _settle()
        self.gates[number].set_result(None)
        await _settle()


async def _settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


def _others() -> set[asyncio.Task]:
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.fixture
def complaints():
    """What the loop complains about, such as exceptions that were never retrieved."""
    found: list[dict] = []

    def listen() -> list[dict]:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: found.append(context))
        return found

    return listen


@pytest.mark.parametrize("next_page", ["last_id", "opaque", "absent"])
@pytest.mark.parametrize("paging", [{}, {"max_items": 37}, {"max_items": 40}, {"max_items": 0}, {"max_items": 500}])
async def test_the_same_results_in_the_same_order(serve, shape, next_page, paging):
    sim, qoder = await serve(shape=shape, next_page=next_page)
    dep = sim.add_deployment()
    sim.add_runs(dep, 95)
    plain, ahead = [await walk(qoder.runs.list(dep, page_size=10, prefetch=prefetch, **paging)) for prefetch in (0, 1)]
    assert ahead.ids == plain.ids
    assert [page.next_cursor for page in ahead.pages] == [page.next_cursor for page in plain.pages]
    queries = [dict(request.query) for request in sim.requests]
    assert queries[: len(queries) // 2] == queries[len(queries) // 2 :]


async def test_one_page_ahead_and_no_more():
    held = Held(50)
    pages = held.transport.runs.list(DEP, page_size=10, prefetch=1).pages()
    async with aclosing(pages):
        first = asyncio.ensure_future(anext(pages))
        await held.open(0)
        assert [run.id for run in (await first).items] == [f"r{n}" for n in range(10)]
        await _settle()
        assert held.asked == 2
        await held.open(1)
        assert held.asked == 2, "the page after the next is asked for when the next is taken"
        await anext(pages)
        await _settle()
        assert held.asked == 3
    assert _others() == set()


async def test_nothing_is_asked_for_beyond_what_is_wanted():
    book = Book({f"r{n}": to_json(run_record(f"r{n}")) for n in range(50)})
    transport = ScriptedTransport(book)
    await walk(transport.runs.list(DEP, page_size=10, max_items=20, prefetch=1))
    await _settle()
    assert len(transport.queries) == 2


async def _break(pager) -> None:
    async for _run in pager:
        break


async def _raise(pager) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async for _run in pager:
            _ = 1 // 0


async def _close(pager) -> None:
    async with aclosing(aiter(pager)) as runs:
        await anext(runs)


async def _close_pages(pager) -> None:
    async with aclosing(pager.pages()) as pages:
        await anext(pages)
        await _settle()


async def _close_raw(pager) -> None:
    async with aclosing(pager.raw()) as raws:
        await anext(raws)
        await _settle()


async def _cancel_in_body(pager) -> None:
    reached = asyncio.Event()

    async def body() -> None:
        async for _run in pager:
            reached.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(body())
    await reached.wait()
    await _settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


LEAVING = [_break, _raise, _close, _close_pages, _close_raw, _cancel_in_body]


@pytest.mark.parametrize("leave", LEAVING)
async def test_leaving_ends_the_request_ahead(leave, complaints):
    found = complaints()
    held = Held(50)
    leaving = asyncio.create_task(leave(held.transport.runs.list(DEP, page_size=10, prefetch=1)))
    await held.open(0)
    await leaving
    del leaving
    await _settle()
    assert held.asked <= 2
    assert held.ended in (["answered"], ["answered", "cancelled"])
    assert _others() == set()
    gc.collect()
    await _settle()
    assert found == []


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("outcome", ["answered", "failed"])
async def test_leaving_after_the_page_ahead_has_come_or_failed(leave, outcome, complaints):
    """Whatever the page ahead brought is dropped without a word."""
    found = complaints()
    asked = []

    def script(query):
        asked.append(cursor_of(query))
        if len(asked) > 1 and outcome == "failed":
            raise ServerError("no", status=503)
        return answer(as_records(f"r{len(asked)}"), has_more=True, next_page=f"c{len(asked)}")

    await leave(ScriptedTransport(script).runs.list(DEP, prefetch=1))
    await _settle()
    assert len(asked) <= 2
    assert _others() == set()
    gc.collect()
    await _settle()
    assert found == []


@pytest.mark.parametrize("prefetch", [0, 1])
@pytest.mark.parametrize("page", [0, 1, 2])
async def test_cancelling_who_waits_for_a_page_ends_its_request(prefetch, page, complaints):
    found = complaints()
    held = Held(50)
    task = asyncio.create_task(ids_of(held.transport.runs.list(DEP, page_size=10, prefetch=prefetch)))
    for number in range(page):
        await held.open(number)
    await _settle()
    assert held.asked == page + 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert held.ended == ["answered"] * page + ["cancelled"]
    assert _others() == set()
    assert found == []


@pytest.mark.parametrize("how", ["break", "cancel", "aclose"])
async def test_leaving_in_the_real_world(serve, shape, how, complaints):
    found = complaints()
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 100)
    await qoder.runs.get(ids[0])
    before = _others()
    sim.requests.clear()
    sim.faults.add("stall", route=RUNS, nth=2)
    pager = qoder.runs.list(dep, page_size=10, prefetch=1)
    await {"break": _break, "cancel": _cancel_in_body, "aclose": _close_pages}[how](pager)
    await _settle()
    assert len(sim.requests) <= 2
    ours = {task for task in _others() - before if "pager" in repr(task).lower() or "listing" in repr(task)}
    assert ours == set()
    assert await ids_of(pager) == ids
    assert found == []


@pytest.mark.parametrize("prefetch", [0, 1])
async def test_an_error_ahead_is_raised_at_its_place_with_its_cursor(serve, shape, prefetch):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 50)
    sim.faults.add("status", status=503, route=RUNS, nth=3)
    seen, error = [], None
    try:
        async for run in qoder.runs.list(dep, page_size=10, prefetch=prefetch):
            seen.append(run.id)
            await _settle()
    except ServerError as caught:
        error = caught
    assert seen == ids[:20]
    assert str(error.cursor) == f"after_id:{ids[19]}"


@pytest.mark.parametrize("how", ["wrong type", "not an object"])
async def test_bad_records_among_prefetched_pages(how):
    records = {f"r{n}": to_json(run_record(f"r{n}")) for n in range(30)} | {"r15": BAD[how](run_record("r15"))}
    results = []
    for prefetch in (0, 1):
        transport = ScriptedTransport(Book(records))
        broken = await walk(transport.runs.list(DEP, page_size=10, prefetch=prefetch))
        rest = await walk(transport.runs.list(DEP, page_size=10, prefetch=prefetch, cursor=broken.error.cursor))
        results.append((broken.ids, rest.ids, transport.queries))
    assert results[0] == results[1]


async def test_a_second_cancellation_while_the_first_is_carried_out(complaints):
    """A task that is cancelled again while the request ahead ends leaves nothing behind either."""
    found = complaints()
    held = Held(50)
    stubborn = asyncio.Event()
    original = held.transport.send

    async def send(call):
        try:
            return await original(call)
        except asyncio.CancelledError:
            await stubborn.wait()
            raise

    held.transport.send = send
    reached = asyncio.Event()

    async def body() -> None:
        async for _run in held.transport.runs.list(DEP, page_size=10, prefetch=1):
            reached.set()
            await asyncio.sleep(3600)

    task = asyncio.create_task(body())
    await held.open(0)
    await reached.wait()
    await _settle()
    for _ in range(3):
        task.cancel()
        await _settle()
    stubborn.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _settle()
    assert _others() == set()
    gc.collect()
    assert found == []


async def test_the_loop_ends_with_a_prefetching_pager_left_open():
    """A generator that is still held is closed with its loop, and so is the request ahead."""
    held = Held(50)

    async def main() -> None:
        runs = aiter(held.transport.runs.list(DEP, page_size=10, prefetch=1))
        first = asyncio.ensure_future(anext(runs))
        await held.open(0)
        await first
        await _settle()
        held.runs = runs

    await asyncio.to_thread(asyncio.run, main())
    assert held.ended == ["answered", "cancelled"]
    with pytest.raises(StopAsyncIteration):
        await anext(held.runs)


async def test_errors_ahead_are_of_the_library(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.add_runs(dep, 30)
    sim.faults.add("garbage", route=RUNS, nth=2)
    walked = await walk(qoder.runs.list(dep, page_size=10, prefetch=1))
    assert isinstance(walked.error, QoderError)
    assert len(walked.ids) == 10
