"""Large bodies, cut bodies, and connections that end at the wrong moment."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib

import pytest
from support.payloads import DEPLOYMENT, RUN
from support.raw_server import RawServer, answer, chunked, hang_up, reset

from qoder_async import AmbiguousTriggerError, APIStatusError, ResponseDecodeError, ServerError
from qoder_async.simulator import Simulator

LIMIT = 10_000
RUN_BYTES = json.dumps(RUN).encode()
PADDED = RUN_BYTES + b" " * (LIMIT - len(RUN_BYTES))
BOMB = gzip.compress(b" " * 50_000_000)


@pytest.mark.parametrize(
    "part",
    [
        answer(body=PADDED),
        chunked(PADDED[:4000], PADDED[4000:]),
        answer(body=gzip.compress(PADDED), Content_Encoding="gzip"),
        answer(body=zlib.compress(PADDED), Content_Encoding="deflate"),
        chunked(gzip.compress(PADDED), Content_Encoding="gzip"),
    ],
    ids=["length", "chunks", "gzip", "deflate", "gzip in chunks"],
)
async def test_a_body_of_exactly_the_limit_is_read(make_client, part):
    async with RawServer(part) as server:
        assert (await make_client(server.url, max_body=LIMIT).runs.get("drun_1")).id == RUN["id"]


@pytest.mark.parametrize(
    "part",
    [
        answer(body=PADDED + b" "),
        chunked(PADDED, b" "),
        answer(body=gzip.compress(PADDED + b" "), Content_Encoding="gzip"),
        chunked(gzip.compress(PADDED + b" "), Content_Encoding="gzip"),
        answer(body=BOMB, Content_Encoding="gzip"),
        chunked(BOMB, Content_Encoding="gzip"),
    ],
    ids=["length", "chunks", "gzip", "gzip in chunks", "bomb", "bomb in chunks"],
)
async def test_one_byte_more_is_refused_and_not_asked_for_again(make_client, part):
    async with RawServer(part) as server:
        with pytest.raises(ResponseDecodeError, match="the body is larger than max_body accepts") as caught:
            await make_client(server.url, max_body=LIMIT).runs.get("drun_1")
        assert len(server.requests) == 1
    assert len(caught.value.body) <= LIMIT


async def test_a_bomb_is_not_unpacked(make_client):
    async with RawServer(answer(body=BOMB, Content_Encoding="gzip")) as server:
        client = make_client(server.url, max_body=LIMIT)
        tracemalloc.start()
        try:
            with pytest.raises(ResponseDecodeError):
                await client.runs.get("drun_1")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(("status", "error"), [(404, APIStatusError), (502, ServerError)])
async def test_an_error_with_too_large_a_body_stays_that_error(make_client, status, error):
    async with RawServer(answer(status, b"x" * (LIMIT + 1))) as server:
        with pytest.raises(error) as caught:
            await make_client(server.url, max_body=LIMIT).runs.get("drun_1")
    assert caught.value.status == status


async def test_a_refused_body_does_not_spoil_the_next_request(make_client):
    async with RawServer(answer(body=PADDED + b" "), answer(body=RUN)) as server:
        client = make_client(server.url, max_body=LIMIT)
        with pytest.raises(ResponseDecodeError):
            await client.runs.get("drun_1")
        assert (await client.runs.get("drun_1")).id == RUN["id"]


async def test_connections_are_kept_and_used_again(make_client):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        for _ in range(5):
            await client.runs.get("drun_1")
        assert (server.connections, len(server.requests)) == (1, 5)


@pytest.mark.parametrize("part", [hang_up, reset])
async def test_a_read_survives_a_kept_connection_that_ends_as_it_goes_out(make_client, part):
    """Nobody but the server notices."""
    async with RawServer(answer(body=RUN), part, answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.runs.get("drun_1")
        assert (await client.runs.get("drun_1")).id == RUN["id"]
        assert [request.connection for request in server.requests] == [1, 1, 2]


@pytest.mark.parametrize("part", [hang_up, reset])
async def test_a_trigger_on_a_kept_connection_that_ends_is_on_the_wire_once(make_client, part):
    async with RawServer(answer(body=DEPLOYMENT), part, answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.deployments.get("dep_1")
        with pytest.raises(AmbiguousTriggerError):
            await client.deployments.run("dep_1")
        assert [request.method for request in server.requests] == ["GET", "POST"]


async def test_a_connection_the_server_closed_meanwhile_is_not_used(make_client):
    """Closed while nothing was under way: even a trigger goes out on a fresh one and succeeds."""

    async def last(line) -> bool:
        await answer(body=DEPLOYMENT, Connection="close")(line)
        return False

    async with RawServer(last, answer(body=RUN)) as server:
        client = make_client(server.url)
        await client.deployments.get("dep_1")
        await asyncio.sleep(0.01)
        assert (await client.deployments.run("dep_1")).id == RUN["id"]
        assert server.connections == 2


@pytest.mark.parametrize(
    "fault",
    [
        ("reset", {"after_commit": True}),
        ("reset", {"after_body_bytes": 10}),
        ("truncate", {}),
        ("truncate", {"chunked": True}),
        ("status", {"status": 500, "after_commit": True}),
        ("status", {"status": 504, "after_commit": True}),
        ("garbage", {"after_commit": True}),
        ("garbage", {"html": True, "after_commit": True}),
        ("garbage", {"empty": True, "after_commit": True}),
    ],
    ids=lambda fault: f"{fault[0]} {fault[1]}",
)
@pytest.mark.parametrize("shape", ["extended", "lean"])
async def test_a_run_that_was_started_is_found_and_never_started_twice(make_client, shape, fault):
    """The service commits, and its answer is lost: one run in its book, which find_triggered sees."""
    kind, details = fault
    async with Simulator(shape=shape) as sim:
        deployment = sim.add_deployment()
        identifier = getattr(deployment, "id", deployment)
        sim.faults.add(kind, route="POST", **details)
        from qoder_async._http.clock import Clock

        client = make_client(sim.url, clock=Clock())
        with pytest.raises(AmbiguousTriggerError) as caught:
            await client.deployments.run(identifier)
        assert [request.method for request in sim.requests] == ["POST"]
        (run,) = await client.deployments.find_triggered(caught.value)
        again = await client.deployments.run(identifier, idempotency_key=caught.value.idempotency_key)
        assert again.id == run.id
        assert len(await client.runs.list(identifier).collect()) == 1
        await client.aclose()
