"""Cancelled where a connection is made, while an answer comes in piece by piece, and while the client closes."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import asynccontextmanager

import pytest
from support.leftovers import open_sockets
from support.payloads import RUN
from support.raw_server import RawServer, stall
from support.reliability_cancel_steps import counting
from support.reliability_cancel_sweep import begin_to_cancel, numbers, uncounted

from qoder_async import APITimeoutError, AsyncQoder, ClientClosedError, RetryPolicy

OTHERS = ("drun_other1", "drun_other2")
SIZE = 4000


@pytest.fixture(autouse=True)
def _sockets_are_as_many_as_before():
    before = open_sockets()
    yield
    assert open_sockets() == before


@asynccontextmanager
async def served(part, **options):
    asyncio.get_running_loop().set_debug(False)
    async with RawServer(part) as server:
        with counting():
            yield server, lambda: AsyncQoder("pt-test", base_url=server.url, pace=None, **options)


def whole_body(line) -> bytes:
    """A run with the id that was asked for, or a list of one with the id of the deployment that was."""
    parts = line.request.target.partition("?")[0].split("/")
    if parts[-1] == "runs":
        runs = [RUN | {"id": f"drun_{parts[-2]}_{number}", "padding": "x" * SIZE} for number in range(2)]
        page = {"data": runs, "has_more": False, "first_id": runs[0]["id"], "last_id": runs[-1]["id"]}
        return json.dumps(page).encode()
    return json.dumps(RUN | {"id": parts[-1], "padding": "x" * SIZE}).encode()


async def with_a_length(line) -> bool:
    body = whole_body(line)
    await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
    return await drip(line, [body[start : start + 1000] for start in range(0, len(body), 1000)])


async def in_chunks(line) -> bool:
    body = whole_body(line)
    pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
    await line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    return await drip(line, [*(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"])


async def drip(line, pieces) -> bool:
    for piece in pieces:
        await asyncio.sleep(0.0005)
        await line.send(piece)
    return True


async def slow_token() -> str:
    await asyncio.sleep(10)
    return "pt-x"


async def one(qoder):
    assert (await qoder.runs.get("drun_mine")).id == "drun_mine"


async def page(qoder):
    runs = await qoder.runs.list("dep_mine").collect()
    assert [run.id for run in runs] == ["drun_dep_mine_0", "drun_dep_mine_1"]


async def page_ahead(qoder):
    async for run in qoder.runs.list("dep_mine", prefetch=1):
        assert run.id.startswith("drun_dep_mine")


async def several(qoder):
    async with qoder.runs.fan_out(["dep_a", "dep_b"], max_concurrency=2) as walk:
        assert len([run async for run in walk]) == 4


@pytest.mark.parametrize("most", [1, 2])
@pytest.mark.parametrize("part", [with_a_length, in_chunks])
@pytest.mark.parametrize("call", [one, page, page_ahead, several])
async def test_the_rest_of_an_answer_is_not_taken_for_the_next_one(call, part, most):
    """Cancelled at each step, also between two pieces of a body."""
    async with served(part, max_connections=most) as (_, connect):
        qoder = connect()
        for number in numbers(15, 0.4):
            steps, task = begin_to_cancel(call(qoder), number)
            await asyncio.wait({task}, timeout=10)
            assert task.done()
            assert task.cancelled() is steps.has_struck
            assert qoder._transport.connections.slots._value == most
            others = await asyncio.gather(*map(qoder.runs.get, OTHERS))
            assert [run.id for run in others] == list(OTHERS)
            if not steps.has_struck:
                break
        task.result()
        connector = (await qoder._transport.connections.session()).connector
        assert not connector._acquired
        assert sum(map(len, connector._conns.values())) <= most
        await qoder.aclose()
    assert number > 4


@pytest.mark.parametrize("trust_env", [False, True])
@pytest.mark.parametrize("first", [True, False], ids=["the first", "the second"])
async def test_of_two_that_need_a_connection_at_once_one_is_cancelled(first, trust_env):
    """Cancelled at each step of its making, which is the other's as well: the other gets its answer."""
    async with served(with_a_length, trust_env=trust_env) as (_, connect):
        for number in numbers(12, 0.4):
            qoder = connect()
            if not first:
                other = uncounted(qoder.runs.get("drun_other1"))
            steps, mine = begin_to_cancel(qoder.runs.get("drun_mine"), number)
            if first:
                other = uncounted(qoder.runs.get("drun_other1"))
            await asyncio.wait({mine, other}, timeout=10)
            assert other.result().id == "drun_other1"
            assert mine.cancelled() is steps.has_struck
            assert qoder._transport.connections.slots._value == 100
            await qoder.aclose()
            if not steps.has_struck:
                break
        assert mine.result().id == "drun_mine"
        assert number > 3


@pytest.mark.parametrize("under_way", [0, 1, 3])
@pytest.mark.parametrize("again", [False, True], ids=["once", "at each step"])
async def test_closing_is_cancelled_at_each_step(under_way, again):
    """The client is closed all the same, what is under way ends as closed, and closing again finishes what is left."""
    async with served(stall) as (server, connect):
        for number in numbers(12, 0.4):
            qoder = connect()
            await qoder._transport.connections.session()
            seen = len(server.requests)
            calls = [uncounted(qoder.runs.get("drun_1")) for _ in range(under_way)]
            await server.arrived(seen + under_way)
            steps, task = begin_to_cancel(qoder.aclose(), number, lambda later: again)
            await asyncio.wait({task}, timeout=10)
            assert task.cancelled() is steps.has_struck
            with pytest.raises(ClientClosedError):
                await qoder.runs.get("drun_1")
            await qoder.aclose()
            if calls:
                await asyncio.wait(calls, timeout=10)
            for call in calls:
                with pytest.raises(ClientClosedError):
                    call.result()
            assert qoder._transport.connections.slots._value == 100
            assert all(each.done() for each in steps.tasks)
            if not steps.has_struck:
                break
        else:
            pytest.fail("it never came to its end")


@pytest.mark.parametrize("under_way", [1, 3])
async def test_the_block_of_a_client_is_cancelled_at_each_step(under_way):
    """While it is entered, used and left."""
    async with served(with_a_length) as (_, connect):
        for number in numbers(12, 0.4):
            qoder = connect()

            async def use(qoder=qoder):
                async with qoder, asyncio.TaskGroup() as group:
                    for _ in range(under_way):
                        group.create_task(qoder.runs.get("drun_mine"))

            steps, task = begin_to_cancel(use(), number)
            await asyncio.wait({task}, timeout=10)
            assert task.cancelled() is steps.has_struck
            assert all(each.done() for each in steps.tasks)
            with pytest.raises(ClientClosedError):
                await qoder.runs.get("drun_1")
            if not steps.has_struck:
                break
        task.result()
        assert number > 5


@pytest.mark.parametrize("order", ["just before", "just after"])
@pytest.mark.parametrize(
    ("part", "options"),
    [
        (stall, {"timeout": 0.02, "retry": RetryPolicy(attempts=1)}),
        (stall, {"timeout": 0.02, "retry": RetryPolicy(attempts=3)}),
        (stall, {"retry": RetryPolicy(deadline=0.02)}),
        (stall, {"retry": RetryPolicy(deadline=0.02), "max_connections": 1}),
        (stall, {"retry": RetryPolicy(deadline=0.02), "token": slow_token}),
    ],
    ids=["the last attempt", "an attempt", "the deadline", "the queue for a slot", "a token"],
)
async def test_cancelled_in_the_very_moment_in_which_time_runs_out(monkeypatch, part, options, order):
    """The cancellation wins, whichever of the two the loop comes to first."""
    loop = asyncio.get_running_loop()
    timeout, coming = asyncio.timeout, []

    def timeout_with_company(delay):
        made = timeout(delay)
        if delay is not None and mine and asyncio.current_task() is mine[0]:
            when = math.nextafter(made.when(), math.inf if order == "just after" else 0)
            coming.append(loop.call_at(when, mine[0].cancel))
        return made

    monkeypatch.setattr(asyncio, "timeout", timeout_with_company)
    async with served(part) as (_, connect):
        qoder = AsyncQoder(**{"token": "pt-x", "base_url": connect()._options.base_url, "pace": None} | options)
        mine: list[asyncio.Task] = []
        if "max_connections" in options:
            other = uncounted(qoder.with_options(retry=RetryPolicy(attempts=1), timeout=0.2).runs.get("drun_1"))
            await asyncio.sleep(0)
        mine.append(asyncio.ensure_future(qoder.runs.get("drun_1")))
        await asyncio.wait(mine, timeout=10)
        assert coming
        assert mine[0].cancelled(), mine
        if "max_connections" in options:
            await asyncio.wait({other})
            assert isinstance(other.exception(), APITimeoutError)
        connections = qoder._transport.connections
        assert connections.slots._value == connections._slots._make()._value
        await qoder.aclose()
    for handle in coming:
        handle.cancel()
