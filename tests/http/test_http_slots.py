"""The connection slots: queueing is not the server's slowness, and a slot always comes back."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import aiohttp
import pytest
from support.payloads import RUN
from support.raw_server import RawServer, after, answer, chunked, hang_up, html, raw, reset, stall

from qoder_async import APITimeoutError, ConfigurationError, Pace, QoderError, RetryPolicy

ONCE = RetryPolicy(attempts=1)


def free_slots(client) -> int:
    return client._transport.connections.slots._value


async def test_no_more_requests_are_under_way_than_there_are_slots(make_client):
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(body=RUN))) as server:
        client = make_client(server.url, max_connections=3)
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(10)]
        await server.arrived(3)
        gate.set()
        await asyncio.gather(*tasks)
        assert (server.most_at_once, server.connections, len(server.requests)) == (3, 3, 10)
        assert free_slots(client) == 3


async def test_queueing_is_not_taken_for_a_slow_server(make_client):
    """One slot, answers that take most of the timeout: all but the first queue for longer than the timeout."""
    timeout = 0.4

    async def slow(line) -> bool:
        await asyncio.sleep(timeout * 0.5)
        return await answer(body=RUN)(line)

    async with RawServer(slow) as server:
        client = make_client(server.url, max_connections=1, timeout=timeout, retry=ONCE)
        runs = await asyncio.gather(*(client.runs.get("drun_1") for _ in range(3)))
        assert len(runs) == len(server.requests) == 3
        assert server.most_at_once == 1


async def test_waiting_for_the_pace_is_not_taken_for_a_slow_server(make_client):
    from qoder_async._http.clock import Clock

    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, clock=Clock(), timeout=0.2, pace=Pace(reads_per_second=8), retry=ONCE)
        await asyncio.gather(*(client.runs.get("drun_1") for _ in range(4)))
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "limits", [{"limit": 2}, {"limit": 50, "limit_per_host": 2}, {"limit": 0, "limit_per_host": 2}]
)
async def test_a_smaller_limit_of_a_borrowed_session_is_kept_outside_of_it(make_client, limits):
    """Otherwise requests would queue within the session, on the clock of their attempt."""
    timeout = 0.4

    async def slow(line) -> bool:
        await asyncio.sleep(timeout * 0.5)
        return await answer(body=RUN)(line)

    async with (
        RawServer(slow) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(**limits)) as session,
    ):
        client = make_client(server.url, session=session, timeout=timeout, retry=ONCE)
        assert free_slots(client) == 2
        await asyncio.gather(*(client.runs.get("drun_1") for _ in range(6)))
        assert server.most_at_once == 2


@pytest.mark.parametrize(("limits", "slots"), [({"limit": 0}, 7), ({"limit": 100}, 7), ({"limit": 3}, 3)])
async def test_the_smaller_number_counts(make_client, limits, slots):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(**limits)) as session:
        assert free_slots(make_client(session=session, max_connections=7)) == slots


@pytest.mark.parametrize(
    "part",
    [answer(body=RUN), answer(404), answer(503), reset, hang_up, stall, html(), answer(body=[]), answer(302),
     answer(body=b" " * 5000), chunked(b"{", end=False), raw(b"rubbish\r\n\r\n")],
)  # fmt: skip
async def test_a_slot_comes_back_however_a_request_ends(make_client, part):
    async with RawServer(part) as server:
        client = make_client(server.url, max_connections=1, timeout=0.05, max_body=4096)
        for _ in range(3):
            with suppress(QoderError):
                await client.runs.get("drun_1")
        assert free_slots(client) == 1


@pytest.mark.parametrize("error", [RuntimeError("down"), KeyError("x"), asyncio.CancelledError()])
async def test_a_slot_comes_back_when_the_provider_fails(make_client, error):
    def provide() -> str:
        raise error

    client = make_client(token=provide, max_connections=1)
    for _ in range(2):
        with pytest.raises(type(error)):
            await client.runs.get("drun_1")
    assert free_slots(client) == 1


async def test_a_slot_comes_back_when_the_environment_names_a_proxy_that_cannot_be(make_client, monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    client = make_client(trust_env=True, max_connections=1)
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            await client.runs.get("drun_1")
    assert free_slots(client) == 1


class Steps:
    """Cancels a task at the nth time that it gives control away."""

    def __init__(self, awaitable, number: int) -> None:
        self._iterator = awaitable.__await__()
        self._number = number
        self.was_reached = False

    def __await__(self):
        send, value, count = self._iterator.send, None, 0
        while True:
            try:
                waited_for = send(value)
            except StopIteration as stop:
                return stop.value
            count += 1
            if count == self._number:
                self.was_reached = True
                asyncio.current_task().cancel()
            try:
                value = yield waited_for
                send = self._iterator.send
            except BaseException as error:  # noqa: BLE001  what is thrown in goes on to where it belongs
                value, send = error, self._iterator.throw


@pytest.mark.parametrize("kind", ["read", "trigger"])
@pytest.mark.parametrize("deadline", [None, 30])
async def test_cancelled_at_any_await_a_call_gives_everything_back(make_client, kind, deadline):
    """Cancel at the first await, at the second, … until the call ends by itself; the client then still works."""

    async def provide() -> str:
        await asyncio.sleep(0)
        return "pt-x"

    for number in range(1, 100):
        async with RawServer(answer(429), answer(401), answer(body=RUN)) as server:
            client = make_client(
                server.url, provide, max_connections=1, pace=Pace(), retry=RetryPolicy(deadline=deadline)
            )
            call = client.runs.get("drun_1") if kind == "read" else client.deployments.run("dep_1")
            steps = Steps(call, number)

            async def work(steps=steps):
                return await steps

            task = asyncio.create_task(work())
            await asyncio.wait({task})
            assert task.cancelled() == steps.was_reached
            assert free_slots(client) == 1
            server.parts = [answer(body=RUN)]
            assert (await client.runs.get("drun_1")).id == RUN["id"]
            await client.aclose()
        if not steps.was_reached:
            assert number > 8
            return
    pytest.fail("the call never came to its end")


async def test_cancelling_many_at_random_moments_leaves_the_pool_whole(make_client):
    import random

    chance = random.Random(7)

    async def play(line) -> bool:
        await asyncio.sleep(chance.random() * 0.004)
        return await answer(body=RUN)(line)

    async with RawServer(play) as server:
        client = make_client(server.url, max_connections=5)
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(300)]
        for task in tasks:
            if chance.random() < 0.5:
                asyncio.get_running_loop().call_later(chance.random() * 0.2, task.cancel)
        await asyncio.wait(tasks)
        assert free_slots(client) == 5
        assert all(task.cancelled() or task.exception() is None for task in tasks)
        await asyncio.gather(*(client.runs.get("drun_1") for _ in range(10)))


async def test_a_call_that_gives_up_waiting_for_a_slot_takes_none(make_client):
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(body=RUN))) as server:
        client = make_client(server.url, max_connections=1)
        first = asyncio.create_task(client.runs.get("drun_1"))
        await server.arrived(1)
        impatient = client.with_options(retry=RetryPolicy(deadline=0.02))
        with pytest.raises(APITimeoutError, match="was not sent: the deadline passed while it waited for its turn"):
            await impatient.runs.get("drun_1")
        gate.set()
        await first
        assert len(server.requests) == 1
        assert free_slots(client) == 1


async def test_a_trigger_that_gives_up_waiting_for_a_slot_is_not_ambiguous(make_client):
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(body=RUN))) as server:
        client = make_client(server.url, max_connections=1)
        first = asyncio.create_task(client.runs.get("drun_1"))
        await server.arrived(1)
        with pytest.raises(APITimeoutError, match="was not sent"):
            await client.with_options(retry=RetryPolicy(deadline=0.02)).deployments.run("dep_1")
        gate.set()
        await first
