"""A client that is closed ends at once whatever still waits for something through it, and leaves the others alone."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from support.clock import FakeClock, SteppedClock
from support.leftovers import open_sockets
from support.payloads import DEPLOYMENT, RUN
from support.raw_server import RawServer, after, answer, stall

from qoder_async import AmbiguousTriggerError, APIConnectionError, ClientClosedError, Pace, RetryPolicy
from qoder_async._http import connections
from qoder_async._http.clock import Clock
from qoder_async._http.lifetime import Lifetime
from qoder_async._paging.patience import patiently

CLOSED = "The client is closed: make a new AsyncQoder, or use it before leaving its block"
INNER_CLOSED = "This client of with_options is closed; the one it was made from may still be used"
SLOW_DOWN = answer(429, {"error": {"message": "later"}}, **{"Retry-After": "60"})


async def settled(*tasks):
    """Wait until tasks have ended; the limit tells those that hang."""
    done, _ = await asyncio.wait(tasks, timeout=20)
    assert done == set(tasks)
    return await asyncio.gather(*tasks, return_exceptions=True)


def assert_closed(errors, text=CLOSED):
    assert [(type(error), str(error)) for error in errors] == [(ClientClosedError, text)] * len(errors)
    assert all(error.__cause__ is None and error.__context__ is None for error in errors)


async def until(is_true):
    while not is_true():  # noqa: ASYNC110  a clock has no event for it
        await asyncio.sleep(0)


async def test_between_two_attempts(make_client):
    clock = SteppedClock()
    async with RawServer(SLOW_DOWN) as server:
        client = make_client(server.url, clock=clock)
        task = asyncio.create_task(client.runs.get("drun_1"))
        await until(lambda: clock.slept)
        await client.aclose()
        assert_closed(await settled(task))
        assert len(server.requests) == 1


async def test_in_the_queue_for_the_pace(make_client):
    clock = SteppedClock()
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, clock=clock, pace=Pace(reads_per_second=1))
        assert (await client.runs.get("drun_1")).id == RUN["id"]
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(50)]
        await until(lambda: clock.slept)
        await client.aclose()
        assert_closed(await settled(*tasks))
        assert len(server.requests) == 1


@pytest.mark.parametrize("deadline", [None, 3600])
async def test_in_the_queue_for_a_slot_behind_answers_that_hang(make_client, deadline):
    async with RawServer(stall) as server:
        retry = RetryPolicy(deadline=deadline)
        client = make_client(server.url, max_connections=2, timeout=3600, retry=retry)
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(5)]
        await server.arrived(2)
        await client.aclose()
        assert_closed(await settled(*tasks))
        assert client._transport.connections.slots._value == 2


async def test_while_the_body_of_an_answer_hangs(make_client):
    """Of which aiohttp tells nobody when its session is closed."""
    before = open_sockets()
    async with RawServer(half) as server:
        client = make_client(server.url, timeout=3600)
        task = asyncio.create_task(client.runs.get("drun_1"))
        await server.arrived(1)
        await asyncio.sleep(0.02)
        await client.aclose()
        assert_closed(await settled(task))
    assert open_sockets() == before


async def half(line) -> bool:
    await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    return await stall(line)


async def closed_under_way(make_client, method):
    """Close a client while the answer to a write hangs; gives the error, and the request as it came."""
    async with RawServer(half) as server:
        client = make_client(server.url, timeout=3600)
        task = asyncio.create_task(getattr(client.deployments, method)("dep_1"))
        await server.arrived(1)
        await client.aclose()
        (error,) = await settled(task)
        return error, server.requests[0]


async def test_a_trigger_whose_answer_hangs_may_have_started_a_run(make_client):
    error, request = await closed_under_way(make_client, "run")
    assert type(error) is AmbiguousTriggerError
    assert "the client was closed" in str(error)
    assert error.idempotency_key == request.headers["Idempotency-Key"]


async def test_while_the_token_is_asked_for(make_client):
    is_asked = asyncio.Event()

    async def provide():
        is_asked.set()
        await asyncio.sleep(3600)

    client = make_client(token=provide)
    task = asyncio.create_task(client.runs.get("drun_1"))
    await is_asked.wait()
    await client.aclose()
    assert_closed(await settled(task))


async def test_while_it_waits_out_an_outage(make_client):
    clock = SteppedClock()
    client = make_client(clock=clock)

    async def read():
        raise APIConnectionError("down")

    task = asyncio.create_task(patiently(read, client._transport))
    await until(lambda: clock.slept)
    await client.aclose()
    (error,) = await settled(task)
    assert type(error) is ClientClosedError


async def test_a_client_of_with_options_ends_what_is_its_own(make_client):
    gate = asyncio.Event()
    async with RawServer(
        after(gate, answer(body=RUN)), after(gate, answer(body=RUN)), answer(body=DEPLOYMENT)
    ) as server:
        client = make_client(server.url)
        inner = client.with_options(timeout=3600)
        kept = asyncio.create_task(client.runs.get("drun_1"))
        ended = asyncio.create_task(inner.runs.get("drun_1"))
        await server.arrived(2)
        await inner.aclose()
        assert_closed(await settled(ended), INNER_CLOSED)
        assert not kept.done()
        with pytest.raises(ClientClosedError, match=INNER_CLOSED):
            await inner.runs.get("drun_1")
        gate.set()
        assert (await kept).id == RUN["id"]
        assert (await client.deployments.get("dep_1")).id == DEPLOYMENT["id"]


async def test_a_client_of_with_options_closed_while_the_session_is_made_sends_nothing(make_client, monkeypatch):
    reads, gate = asyncio.Event(), asyncio.Event()

    async def read_certificates():
        reads.set()
        await gate.wait()
        return True

    monkeypatch.setattr(connections, "_read_certificates", read_certificates)
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, trust_env=True)
        inner = client.with_options(timeout=5)
        task = asyncio.create_task(inner.runs.get("drun_1"))
        await reads.wait()
        await inner.aclose()
        gate.set()
        assert_closed(await settled(task), INNER_CLOSED)
        assert server.requests == []


async def test_the_queue_for_the_pace_goes_on_without_those_of_a_closed_client(make_client):
    """Both keep to the same pace, and the first in the queue is of the one that is closed."""
    clock = SteppedClock()
    async with RawServer(*[answer(body=RUN)] * 3) as server:
        client = make_client(server.url, clock=clock, pace=Pace(reads_per_second=1))
        inner = client.with_options(timeout=5)
        await client.runs.get("drun_1")
        ended = asyncio.create_task(inner.runs.get("drun_1"))
        await until(lambda: clock.slept)
        kept = asyncio.create_task(client.runs.get("drun_1"))
        await clock.settle()
        await inner.aclose()
        assert_closed(await settled(ended), INNER_CLOSED)
        await until(lambda: len(clock.slept) == 2)
        await clock.advance(1)
        assert (await kept).id == RUN["id"]


@pytest.mark.parametrize("pace", [None, Pace()])
@pytest.mark.parametrize("deadline", [None, 3600])
async def test_a_client_of_with_options_does_not_wait_for_slots_of_the_other(make_client, pace, deadline):
    async with RawServer(stall) as server:
        client = make_client(server.url, timeout=3600, max_connections=1, pace=pace)
        holding = asyncio.create_task(client.runs.get("drun_1"))
        await server.arrived(1)
        inner = client.with_options(retry=RetryPolicy(deadline=deadline))
        waiting = [asyncio.create_task(inner.runs.get("drun_1")), asyncio.create_task(inner.deployments.run("dep_1"))]
        await asyncio.sleep(0)
        await inner.aclose()
        assert_closed(await settled(*waiting), INNER_CLOSED)
        assert not holding.done()
        await client.aclose()
        assert_closed(await settled(holding))
        assert client._transport.connections.slots._value == 1


async def test_a_client_of_with_options_does_not_queue_behind_the_other(make_client):
    """Who is asked to wait for a minute sleeps at the head of the queue for the pace."""
    clock = SteppedClock()
    async with RawServer(SLOW_DOWN) as server:
        client = make_client(server.url, clock=clock, pace=Pace())
        inner = client.with_options(timeout=5)
        first = asyncio.create_task(client.runs.get("drun_1"))
        await until(lambda: clock.slept)
        second = asyncio.create_task(client.runs.get("drun_1"))
        await until(lambda: len(clock.slept) == 2)
        waiting = asyncio.create_task(inner.runs.get("drun_1"))
        await clock.settle()
        await inner.aclose()
        assert_closed(await settled(waiting), INNER_CLOSED)
        await client.aclose()
        assert_closed(await settled(first, second))


async def test_a_write_that_was_sent_may_have_taken_effect(make_client):
    error, _ = await closed_under_way(make_client, "archive")
    under_way = "The client was closed while POST /deployments/dep_1/archive was under way"
    assert_closed([error], f"{under_way}: it may have taken effect all the same")


async def test_closing_ends_what_was_made_from_it_and_from_that(make_client):
    async with RawServer(*[stall] * 3) as server:
        client = make_client(server.url, timeout=3600)
        inner = client.with_options(timeout=3601)
        innermost = inner.with_options(timeout=3602)
        tasks = [asyncio.create_task(each.runs.get("drun_1")) for each in (client, inner, innermost)]
        await server.arrived(3)
        await client.aclose()
        assert_closed(await settled(*tasks))


async def test_it_ends_with_the_one_in_between(make_client):
    client = make_client()
    inner = client.with_options(timeout=5)
    innermost = inner.with_options(timeout=6)
    await inner.aclose()
    for closed in (inner, innermost, inner.with_options(timeout=7)):
        with pytest.raises(ClientClosedError, match=INNER_CLOSED):
            await closed.runs.get("drun_1")
    client._transport.lifetime.check()


def test_a_client_does_not_hold_those_that_were_made_from_it():
    lifetime = Lifetime()
    inner = weakref.ref(Lifetime(within=lifetime))
    gc.collect()
    assert inner() is None
    assert len(lifetime.inner) == 0


async def test_a_sleep_ends_by_itself():
    lifetime, clock = Lifetime(), FakeClock()
    await lifetime.sleep(clock, 3600)
    assert clock.slept == [3600]
    lifetime.end()
    with pytest.raises(ClientClosedError):
        await lifetime.sleep(clock, 1)
    assert clock.slept == [3600]


async def test_a_sleep_that_is_cancelled_and_ended_at_once_is_cancelled():
    lifetime = Lifetime()
    task = asyncio.create_task(lifetime.sleep(Clock(), 3600))
    await asyncio.sleep(0)
    task.cancel()
    lifetime.end()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_the_clock_is_not_taken_for_the_end():
    class Late(FakeClock):
        async def sleep(self, seconds):
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await Lifetime().sleep(Late(), 1)


async def test_ending_again_does_nothing():
    lifetime = Lifetime()
    task = asyncio.create_task(lifetime.sleep(Clock(), 3600))
    await asyncio.sleep(0)
    lifetime.end()
    lifetime.end()
    await asyncio.sleep(0)
    lifetime.end()
    (error,) = await settled(task)
    assert type(error) is ClientClosedError
