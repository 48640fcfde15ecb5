"""The life of a session: made late, closed in time, borrowed, shared, and never mixed up between loops."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import subprocess
import sys
import threading
import time
import warnings

import aiohttp
import pytest
from support.payloads import DEPLOYMENT, RUN
from support.raw_server import RawServer, after, answer, html

from qoder_async import (
    AmbiguousTriggerError,
    AsyncQoder,
    ClientClosedError,
    ConfigurationError,
    QoderError,
    RetryPolicy,
)
from qoder_async._http.per_loop import PerLoop

CLOSED = "The client is closed: make a new AsyncQoder, or use it before leaving its block"


SLOW_IS_FINE = """
import logging
logging.getLogger("asyncio").addFilter(lambda record: "Executing" not in record.msg)
"""


async def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program with all warnings as errors, beside this loop, so that it can use this loop's servers."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", SLOW_IS_FINE + code, *arguments]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)


FIVE_LOOPS = """
import asyncio, gc, sys
from qoder_async import AsyncQoder

qoder = AsyncQoder("pt-x", base_url=sys.argv[1], pace=None)

async def use():
    runs = await asyncio.gather(*(qoder.runs.get("drun_1") for _ in range(3)))
    assert len(runs) == 3

for _ in range(5):
    asyncio.run(use())
    gc.collect()

async def use_and_close():
    async with qoder:
        await use()

if "close" in sys.argv:
    asyncio.run(use_and_close())
del qoder
gc.collect()
print("fine")
"""
FORGOTTEN = """
import asyncio, gc, sys
from qoder_async import AsyncQoder

async def use():
    qoder = AsyncQoder("pt-x", base_url=sys.argv[1], pace=None)
    await qoder.runs.get("drun_1")
    del qoder
    gc.collect()
    await asyncio.sleep(0.01)

asyncio.run(use())
gc.collect()
print("fine")
"""
INTERRUPTED = """
import asyncio, gc, sys
from qoder_async import AsyncQoder

qoder = AsyncQoder("pt-x", base_url=sys.argv[1], pace=None)

async def use():
    await asyncio.wait_for(qoder.runs.get("drun_1"), 0.05)

for _ in range(3):
    try:
        asyncio.run(use())
    except TimeoutError:
        pass
gc.collect()
print("fine")
"""


@pytest.mark.parametrize("ending", ["leave", "close"])
async def test_one_client_serves_five_loops_in_a_row(ending):
    async with RawServer(answer(body=RUN)) as server:
        done = await run_python(FIVE_LOOPS, server.url, ending)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


async def test_a_forgotten_client_ends_without_a_warning():
    async with RawServer(answer(body=RUN)) as server:
        done = await run_python(FORGOTTEN, server.url)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


async def test_an_interrupted_request_ends_without_a_warning():
    async with RawServer(after(asyncio.Event(), answer())) as server:
        done = await run_python(INTERRUPTED, server.url)
    assert (done.stdout, done.stderr, done.returncode) == ("fine\n", "", 0)


def count_sessions(monkeypatch) -> list[aiohttp.ClientSession]:
    made: list[aiohttp.ClientSession] = []
    initialise = aiohttp.ClientSession.__init__

    def note(self, *args, **options):
        made.append(self)
        initialise(self, *args, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", note)
    return made


async def test_a_session_is_made_late_and_once(make_client, monkeypatch):
    made = count_sessions(monkeypatch)
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        async with client:
            client.runs.list("dep_1")
            client.with_options(timeout=5)
            assert made == []
            await asyncio.gather(*(client.runs.get("drun_1") for _ in range(20)))
            assert len(made) == 1
        assert made[0].closed


@pytest.mark.parametrize("trust_env", [False, True])
async def test_a_session_is_made_once_however_many_ask_at_once(make_client, monkeypatch, trust_env):
    made = count_sessions(monkeypatch)
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, trust_env=trust_env)
        await asyncio.gather(*(client.runs.get("drun_1") for _ in range(20)))
        assert len(made) == 1


# Closing


async def test_a_closed_client_sends_nothing(make_client):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.runs.get("drun_1")
        await client.aclose()
        for call in (
            lambda: client.runs.get("drun_1"),
            lambda: client.deployments.run("dep_1"),
            lambda: client.request("GET", "/x"),
            lambda: client.runs.list("dep_1").collect(),
            client.__aenter__,
        ):
            with pytest.raises(ClientClosedError, match=f"^{CLOSED}$"):
                await call()
        assert len(server.requests) == 1


async def test_a_client_closed_before_its_first_use_sends_nothing(make_client, monkeypatch):
    made = count_sessions(monkeypatch)
    client = make_client()
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await client.runs.get("drun_1")
    assert made == []


async def test_closing_again_does_nothing(make_client):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        async with client:
            await client.runs.get("drun_1")
            await client.aclose()
        await client.aclose()
        await asyncio.gather(*(client.aclose() for _ in range(5)))


async def test_whoever_closes_at_the_same_time_waits_for_the_end_too(make_client, monkeypatch):
    gate, close = asyncio.Event(), aiohttp.ClientSession.close

    async def close_slowly(self):
        await gate.wait()
        await close(self)

    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.runs.get("drun_1")
        monkeypatch.setattr(aiohttp.ClientSession, "close", close_slowly)
        tasks = [asyncio.create_task(client.aclose()) for _ in range(3)]
        await asyncio.sleep(0.01)
        early = [task.done() for task in tasks]
        gate.set()
        await asyncio.gather(*tasks)
        assert early == [False] * 3


async def test_a_close_that_is_cancelled_still_closes(make_client, monkeypatch):
    made = count_sessions(monkeypatch)
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.runs.get("drun_1")
        task = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await client.aclose()
        assert made[0].closed


async def test_closing_ends_what_is_under_way(make_client):
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(body=RUN))) as server:
        client = make_client(server.url, max_connections=2)
        tasks = [asyncio.create_task(client.runs.get("drun_1")) for _ in range(5)]
        await server.arrived(2)
        await client.aclose()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(error) for error in errors] == [CLOSED] * 5
        assert {type(error) for error in errors} == {ClientClosedError}
        assert len(server.requests) == 2


async def test_closing_while_a_trigger_is_under_way_loses_its_answer(make_client):
    """It was sent: it may have started a run, and its key must not be lost with the client."""
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(body=RUN))) as server:
        client = make_client(server.url)
        task = asyncio.create_task(client.deployments.run("dep_1"))
        await server.arrived(1)
        await client.aclose()
        with pytest.raises(AmbiguousTriggerError) as caught:
            await task
        assert caught.value.idempotency_key == server.requests[0].headers["Idempotency-Key"]


async def test_closing_while_a_trigger_waits_for_its_turn_is_not_ambiguous(make_client):
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(body=RUN))) as server:
        client = make_client(server.url, max_connections=1)
        first = asyncio.create_task(client.runs.get("drun_1"))
        await server.arrived(1)
        second = asyncio.create_task(client.deployments.run("dep_1"))
        await asyncio.sleep(0)
        await client.aclose()
        errors = await asyncio.gather(first, second, return_exceptions=True)
        assert {type(error) for error in errors} == {ClientClosedError}
        assert len(server.requests) == 1


# A session of the caller's


async def test_a_borrowed_session_is_used_and_not_closed(make_client):
    async with RawServer(answer(body=RUN)) as server, aiohttp.ClientSession() as session:
        async with make_client(server.url, session=session) as client:
            await client.runs.get("drun_1")
        assert not session.closed
        with pytest.raises(ClientClosedError, match=CLOSED):
            await client.runs.get("drun_1")
        async with make_client(server.url, session=session) as client:
            await client.runs.get("drun_1")
        assert server.connections == 1


async def test_what_a_borrowed_session_would_do_by_itself_is_not_done(make_client):
    """Its own headers, timeout and way to raise do not get between."""
    session = aiohttp.ClientSession(
        headers={"Authorization": "Basic bm8=", "X-Own": "1"},
        raise_for_status=True,
        timeout=aiohttp.ClientTimeout(total=0.001),
    )
    async with RawServer(answer(404), answer(302, Location="/x"), answer(body=RUN)) as server, session:
        client = make_client(server.url, session=session)
        for _ in range(2):
            with pytest.raises(QoderError):
                await client.runs.get("drun_1")
        await client.runs.get("drun_1")
        assert {request.headers["Authorization"] for request in server.requests} == {"Bearer pt-test"}
        assert {request.headers["X-Own"] for request in server.requests} == {"1"}


async def test_a_borrowed_session_that_does_not_unpack_is_made_to(make_client):
    packed = gzip.compress(json.dumps(RUN).encode())
    async with (
        RawServer(answer(body=packed, Content_Encoding="gzip")) as server,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        assert (await make_client(server.url, session=session).runs.get("drun_1")).id == RUN["id"]


async def test_a_borrowed_session_with_a_login_of_its_own_is_refused_as_a_setting(make_client):
    """aiohttp refuses to send a token beside it, with a plain ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        session = aiohttp.ClientSession(auth=aiohttp.BasicAuth("me", "secret"))
    async with RawServer(answer(body=RUN)) as server, session:
        with pytest.raises(ConfigurationError, match="session"):
            await make_client(server.url, session=session).runs.get("drun_1")
        assert server.requests == []


async def test_a_borrowed_session_that_its_owner_closed(make_client):
    async with RawServer(answer(body=RUN)) as server:
        session = aiohttp.ClientSession()
        client = make_client(server.url, session=session)
        await client.runs.get("drun_1")
        await session.close()
        for call in (client.runs.get, client.deployments.run):
            with pytest.raises(ClientClosedError, match=r"^The session lent to AsyncQoder\(session=…\) is closed$"):
                await call("drun_1")
        assert len(server.requests) == 1


async def test_a_session_that_is_closed_already_may_still_be_lent(make_client):
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(ClientClosedError, match="The session lent"):
        await make_client(session=session).runs.get("drun_1")


async def test_a_borrowed_session_closed_while_a_request_is_under_way(make_client):
    gate = asyncio.Event()
    async with RawServer(after(gate, answer(body=RUN))) as server:
        session = aiohttp.ClientSession()
        client = make_client(server.url, session=session)
        task = asyncio.create_task(client.runs.get("drun_1"))
        await server.arrived(1)
        await session.close()
        with pytest.raises(ClientClosedError, match="The session lent"):
            await task


def test_a_borrowed_session_of_another_loop_is_refused():
    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def use(client: AsyncQoder) -> None:
        async with RawServer(answer(body=RUN)) as server:
            other = client.with_options(base_url=server.url)
            with pytest.raises(ConfigurationError, match="belongs to another event loop"):
                await other.runs.get("drun_1")
            assert server.requests == []

    with asyncio.Runner() as mine, asyncio.Runner() as other:
        session = mine.run(make())
        other.run(use(AsyncQoder("pt-x", session=session)))
        mine.run(session.close())


# Clients of with_options


async def test_with_options_shares_the_connections(make_client):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.runs.get("drun_1")
        await client.with_options(timeout=5).runs.get("drun_1")
        assert (server.connections, len(server.requests)) == (1, 2)


async def test_closing_a_client_of_with_options_leaves_the_connections(make_client):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        async with client.with_options(timeout=5) as other:
            await other.runs.get("drun_1")
        with pytest.raises(ClientClosedError):
            await other.runs.get("drun_1")
        await client.runs.get("drun_1")
        assert server.connections == 1


async def test_a_client_of_with_options_ends_with_the_one_it_was_made_from(make_client):
    client = make_client()
    other = client.with_options(timeout=5)
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await other.runs.get("drun_1")


# Loops


async def test_two_loops_in_two_threads_at_the_same_time():
    """Every loop has a session and slots of its own; what ends in one does not touch the other."""
    async with RawServer(answer(body=RUN)) as server:
        client = AsyncQoder("pt-x", base_url=server.url, pace=None, max_connections=2)
        together = threading.Barrier(4)

        async def use() -> int:
            together.wait()
            runs = await asyncio.gather(*(client.runs.get("drun_1") for _ in range(20)))
            return len(runs)

        counts = await asyncio.gather(*(asyncio.to_thread(asyncio.run, use()) for _ in range(4)))
        assert counts == [20] * 4
        assert len(server.requests) == 80
        await client.aclose()


class YieldingLoop(asyncio.SelectorEventLoop):
    """A loop that lets other threads run whenever somebody asks whether it is closed."""

    def is_closed(self) -> bool:
        time.sleep(0)
        return super().is_closed()


def test_what_belongs_to_a_loop_stays_so_when_many_threads_start_at_once():
    per_loop, together, odd = PerLoop(object), threading.Barrier(12), []

    async def look() -> object:
        return per_loop.get()

    def start() -> None:
        loops = [YieldingLoop() for _ in range(4)]
        together.wait()
        try:
            first = [loop.run_until_complete(look()) for loop in loops]
            odd.extend(
                loop for loop, value in zip(loops, first, strict=True) if loop.run_until_complete(look()) is not value
            )
        except RuntimeError as error:
            odd.append(error)
        finally:
            for loop in loops:
                loop.close()

    threads = [threading.Thread(target=start) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert odd == []


def test_loops_that_are_closed_are_forgotten():
    per_loop = PerLoop(object)

    async def look() -> None:
        assert per_loop.get() is per_loop.get()

    for _ in range(5):
        asyncio.run(look())
    gc.collect()
    assert len(per_loop._values) <= 1


# What a session of ours does not do


async def test_no_cookies_are_kept(make_client):
    async with RawServer(answer(body=RUN, Set_Cookie="id=7; Path=/")) as server:
        client = make_client(server.url)
        for _ in range(2):
            await client.runs.get("drun_1")
        assert not any("Cookie" in request.headers for request in server.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(make_client, status):
    async with RawServer(answer(body=DEPLOYMENT)) as elsewhere:
        target = f"{elsewhere.url}/deployments/dep_1"
        async with RawServer(answer(status, Location=target)) as server:
            client = make_client(server.url)
            with pytest.raises(QoderError, match=f"{status}: redirects are not followed; this one leads to {target}"):
                await client.deployments.get("dep_1")
            with pytest.raises(QoderError, match="redirects are not followed"):
                await client.deployments.run("dep_1")
            assert len(server.requests) == 2
        assert elsewhere.requests == []


async def test_a_page_of_a_gateway_is_told_apart_from_an_answer(make_client):
    async with RawServer(html()) as server:
        client = make_client(server.url, retry=RetryPolicy(attempts=1))
        with pytest.raises(QoderError, match=r"not JSON: .* \(text/html, \d+ bytes: '<!DOCTYPE html>"):
            await client.runs.get("drun_1")


def test_a_loop_that_is_finalised_and_goes_on():
    """The finalising closes the session; the next request makes another."""
    loop = asyncio.new_event_loop()
    server = RawServer(answer(200, RUN))
    try:
        loop.run_until_complete(server.__aenter__())
        client = AsyncQoder("pt-x", base_url=server.url, pace=None)
        for _ in range(2):
            assert loop.run_until_complete(client.runs.get("drun_1")).id == RUN["id"]
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop._asyncgens_shutdown_called = False  # as on a loop that only looks finalised, without its warning
        loop.run_until_complete(server.__aexit__(None, None, None))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
