import asyncio
import math
import time

import aiohttp
import pytest

from qoder_async.simulator import RateLimit, Simulator
from qoder_async.simulator.faults import Details

RUNS = "GET /deployments/{id}/runs"


async def seen(client, path: str = "/deployments", method: str = "GET") -> object:
    """The status of an answer, or the name of what went wrong."""
    try:
        return (await client.send(method, path)).status
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return type(error).__name__


async def test_a_status(serve, shape):
    client = await serve(shape=shape)
    fault = client.sim.faults.add("status", headers={"X-Odd": "1"})
    answer = await client.get("/deployments")
    assert (answer.status, answer.error["type"], answer.headers["X-Odd"]) == (503, "api_error", "1")
    assert ("request_id" in answer.body) == (shape == "lean")
    assert (fault.hits, client.sim.requests[-1].status) == (1, 503)
    assert (await client.get("/deployments")).status == 200


async def test_a_status_with_a_body(serve):
    client = await serve()
    client.sim.faults.add("status", status=502, body="<html>", content_type="text/html")
    async with client.http.get(client.sim.url + "/deployments") as answer:
        assert (answer.status, await answer.text(), answer.content_type) == (502, "<html>", "text/html")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [503, 200, 200, 200, 200]),
        ({"times": 2}, [503, 503, 200, 200, 200]),
        ({"nth": 3}, [200, 200, 503, 200, 200]),
        ({"nth": 2, "times": 2}, [200, 503, 503, 200, 200]),
        ({"times": math.inf}, [503] * 5),
        ({"share": 1.0}, [503] * 5),
        ({"share": 1.0, "times": 2}, [503, 503, 200, 200, 200]),
        ({"share": 0.0}, [200] * 5),
        ({"route": "GET /deployments", "nth": 2}, [200, 503, 200, 200, 200]),
        ({"route": "GET"}, [503, 200, 200, 200, 200]),
        ({"route": "POST"}, [200] * 5),
        ({"route": RUNS}, [200] * 5),
        ({"when": lambda request: "limit" in request.query}, [200] * 5),
        ({"when": lambda request: request.path == "/deployments"}, [503, 200, 200, 200, 200]),
    ],
)
async def test_which_requests_are_hit(serve, settings, expected):
    client = await serve()
    client.sim.faults.add("status", **settings)
    assert [await seen(client) for _ in range(5)] == expected


async def test_a_share_is_seeded(serve):
    patterns = []
    for seed in (1, 1, 2):
        client = await serve(seed=seed)
        client.sim.faults.add("status", share=0.5)
        patterns.append([await seen(client) for _ in range(40)])
    assert patterns[0] == patterns[1] != patterns[2]
    assert 8 < patterns[0].count(503) < 32


async def test_several_faults_and_their_end(serve):
    client = await serve()
    first = client.sim.faults.add("status", status=500)
    second = client.sim.faults.add("status", status=502, nth=2)
    assert [await seen(client) for _ in range(3)] == [500, 502, 200]
    assert (first.hits, second.hits) == (1, 1)
    endless = client.sim.faults.add("status", times=math.inf)
    assert await seen(client) == 503
    endless.remove()
    endless.remove()
    assert await seen(client) == 200
    client.sim.faults.add("status")
    client.sim.faults.clear()
    assert len(client.sim.faults) == 0
    assert await seen(client) == 200


async def test_wrong_faults(serve):
    client = await serve()
    with pytest.raises(ValueError, match="kind must be one of"):
        client.sim.faults.add("explode")
    with pytest.raises(ValueError, match="no route 'GET /runs'; routes are: GET /deployment_runs, "):
        client.sim.faults.add("status", route="GET /runs")
    with pytest.raises(TypeError):
        client.sim.faults.add("status", colour="red")


async def test_a_reset(serve):
    client = await serve()
    client.sim.faults.add("reset", times=2)  # aiohttp tries a GET twice
    assert await seen(client) in {"ClientOSError", "ConnectionResetError"}
    assert client.sim.requests[-1].status is None
    assert await seen(client) == 200


async def test_a_reset_is_rst(serve):
    client = await serve()
    client.sim.faults.add("reset")
    port = int(client.sim.url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/v1/cloud/deployments HTTP/1.1\r\nHost: x\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await reader.readline()
    writer.close()


async def test_a_reset_within_the_body(serve):
    client = await serve()
    client.sim.add_runs(client.sim.add_deployment(), 20)
    client.sim.faults.add("reset", after_body_bytes=100)
    received = b""
    headers = {"Authorization": "Bearer x"}
    async with client.http.get(client.sim.url + "/deployment_runs", headers=headers) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):  # noqa: PT012
            async for chunk in answer.content.iter_any():
                received += chunk
    assert len(received) == 100
    assert client.sim.requests[-1].status == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_truncated_body(serve, chunked):
    client = await serve()
    client.sim.faults.add("truncate", chunked=chunked)
    headers = {"Authorization": "Bearer x"}
    async with client.http.get(client.sim.url + "/deployments", headers=headers) as answer:
        assert ("Transfer-Encoding" in answer.headers) == chunked
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    assert await seen(client) == 200


async def test_a_delay(serve):
    client = await serve()
    client.sim.faults.add("delay", seconds=0.03)
    before = time.monotonic()
    assert await seen(client) == 200
    assert time.monotonic() - before >= 0.03


async def test_a_stall_lasts_until_the_client_goes(serve):
    client = await serve()
    fault = client.sim.faults.add("stall")
    headers = {"Authorization": "Bearer x"}
    async with client.http.get(client.sim.url + "/deployments", headers=headers) as answer:
        assert answer.status == 200
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer.read(), 0.05)
    assert fault.hits == 1
    assert await seen(client) == 200


async def test_the_simulator_ends_while_a_client_is_stalled(serve):
    client = await serve()
    client.sim.faults.add("stall")
    async with client.http.get(client.sim.url + "/deployments", headers={"Authorization": "Bearer x"}) as answer:
        await client.sim.aclose()
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


@pytest.mark.parametrize(
    ("details", "body", "content_type"),
    [
        ({"html": True}, b"<!DOCTYPE html>", "text/html"),
        ({"empty": True}, b"", "application/json"),
        ({"body": b"\xff\xfe"}, b"\xff\xfe", "application/json"),
        ({"body": "text"}, b"text", "application/json"),
        ({}, b'{"data":[', "application/json"),
        ({"body": b"{}", "content_type": "text/plain"}, b"{}", "text/plain"),
    ],
)
async def test_garbage(serve, details, body, content_type):
    client = await serve()
    client.sim.faults.add("garbage", **details)
    async with client.http.get(client.sim.url + "/deployments") as answer:
        received = await answer.read()
        assert (answer.status, answer.content_type) == (200, content_type)
        assert received.startswith(body)
        assert bool(received) == bool(body)


@pytest.mark.parametrize(("retry_after", "header"), [(None, None), (2, "2"), (0.5, "0.5"), ("soon", "soon")])
async def test_too_many_requests(serve, retry_after, header):
    client = await serve(shape="lean")
    client.sim.faults.add("rate_limit", times=2, retry_after=retry_after)
    answer = await client.get("/deployments")
    assert (answer.status, answer.error["type"]) == (429, "rate_limit_error")
    assert answer.headers.get("Retry-After") == header
    assert [await seen(client) for _ in range(2)] == [429, 200]


async def test_a_header_may_come_twice(serve):
    client = await serve()
    client.sim.faults.add("rate_limit", headers=[("Retry-After", "1"), ("Retry-After", "3600")])
    assert (await client.get("/deployments")).headers.getall("Retry-After") == ["1", "3600"]


async def test_the_second_request_of_a_connection_may_be_hit(serve):
    client = await serve()
    client.sim.add_deployment()
    peers: set[str] = set()
    fault = client.sim.faults.add("reset", when=lambda request: request.peer in peers)
    assert await seen(client) == 200
    peers.update(request.peer for request in client.sim.requests)
    assert await seen(client) == 200  # aiohttp tries a GET again, over another connection
    assert fault.hits == 1
    assert [request.status for request in client.sim.requests] == [200, None, 200]


@pytest.fixture
def stopwatch(monkeypatch):
    """The real time of storms and rate limits, in a list of one."""
    now = [1000.0]
    for module in ("faults", "gateway"):
        monkeypatch.setattr(f"qoder_async.simulator.{module}.monotonic", lambda: now[0])
    return now


async def test_a_storm_passes(serve, stopwatch):
    client = await serve()
    client.sim.faults.add("rate_limit", seconds=5)
    assert [await seen(client) for _ in range(3)] == [429] * 3
    stopwatch[0] += 5
    assert await seen(client) == 200


async def test_a_rewritten_body(serve):
    client = await serve(shape="lean")
    client.sim.add_runs(client.sim.add_deployment(), 5)
    client.sim.faults.add("body", body=lambda body: body.replace(b'"has_more":true', b'"has_more":false'))
    answer = await client.get("/deployment_runs", limit=2)
    assert (answer.body["has_more"], answer.body["next_page"]) == (False, answer.body["last_id"])


@pytest.mark.parametrize(
    ("kind", "details", "after_commit", "runs"),
    [
        ("status", {}, False, 0),
        ("status", {}, True, 1),
        ("reset", {}, False, 0),
        ("reset", {}, True, 1),
        ("reset", {"after_body_bytes": 10}, False, 1),
        ("garbage", {"html": True}, False, 0),
        ("garbage", {"html": True}, True, 1),
        ("truncate", {}, False, 1),
        ("rate_limit", {}, False, 0),
        ("rate_limit", {}, True, 1),
        ("delay", {"seconds": 0}, False, 1),
    ],
)
async def test_what_takes_effect(serve, kind, details, after_commit, runs):
    client = await serve()
    path = f"/deployments/{client.sim.add_deployment()}/run"
    client.sim.faults.add(kind, route="POST /deployments/{id}/run", after_commit=after_commit, **details)
    await seen(client, path, "POST")
    assert len(client.sim.run_ids()) == runs


async def test_a_lost_answer_is_replayed_by_its_key(serve):
    client = await serve()
    path = f"/deployments/{client.sim.add_deployment()}/run"
    client.sim.faults.add("reset", after_commit=True)
    with pytest.raises(aiohttp.ClientError):
        await client.post(path, headers={"Idempotency-Key": "k"})
    again = await client.post(path, headers={"Idempotency-Key": "k"})
    assert client.sim.run_ids() == [again.body["id"]]


@pytest.mark.parametrize("refusal", ["reset", "429", "503"])
async def test_a_rate_limit(serve, stopwatch, refusal):
    client = await serve(rate_limit=RateLimit(requests=3, per=0.2, refusal=refusal, retry_after=1))
    answers = [await seen(client) for _ in range(5)]
    assert answers[:3] == [200] * 3
    if refusal == "reset":
        assert set(answers[3:]) <= {"ClientOSError", "ConnectionResetError"}
        assert client.sim.requests[-1].status is None
    else:
        assert answers[3:] == [int(refusal)] * 2
        assert (await client.get("/deployments")).headers["Retry-After"] == "1"
    stopwatch[0] += 0.2
    assert await seen(client) == 200


def test_details_have_defaults():
    assert Details().garbage() == b'{"data":[{"id":"drun_'


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"nth": 0}, "nth counts from 1"),
        ({"times": -1}, "times must be 1 or more"),
        ({"share": 3}, "share must be from 0 to 1"),
        ({"route": "BREW"}, "there is no route 'BREW'"),
    ],
)
async def test_a_fault_that_could_never_hit_is_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        Simulator().faults.add("reset", **settings)


@pytest.mark.parametrize(
    "settings", [{"next_page": "foo"}, {"max_page_size": 0}, {"latency": -1}, {"visibility_delay": -1}, {"shape": "x"}]
)
def test_a_setting_that_is_none_is_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        Simulator(**settings)
