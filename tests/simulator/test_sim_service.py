import asyncio
import io
import json
import re
import time

import pytest
from sim_helpers import START, fixture

from qoder_async.simulator import RecordedRequest

SECRET = "pt-neverShown0123456789"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": "Basic pt-x"},
        {"Authorization": "pt-x"},
        {"Authorization": "Bearer a b"},
        {"x-api-key": "pt-x"},
    ],
)
async def test_no_token(serve, shape, headers):
    client = await serve(shape=shape)
    answer = await client.send("GET", "/deployments", token=None, headers=headers)
    assert answer.status == 401
    expected = fixture("error_401" if shape == "lean" else "error_401_without_request_id")
    assert list(answer.body) == list(expected)
    assert answer.error == expected["error"]


async def test_the_right_token(serve):
    client = await serve(token="pt-right")
    assert (await client.send("GET", "/deployments", token="pt-wrong")).status == 401
    assert (await client.send("GET", "/deployments", token="pt-right")).status == 200
    assert (await client.send("POST", "/deployments/dep_1/run", token="pt-wrong")).status == 401


async def test_request_ids(serve, shape):
    client = await serve(shape=shape)
    answer = await client.send("GET", "/nowhere", headers={"X-Request-Id": "mine"})
    assert answer.headers["x-request-id"] == "mine"
    assert answer.body.get("request_id") == ("mine" if shape == "lean" else None)
    made = await client.get("/deployments")
    other = await client.get("/deployments")
    assert len(made.headers["x-request-id"]) == 36
    assert made.headers["x-request-id"] != other.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("DELETE", "/deployments/dep_1"),
        ("PATCH", "/deployments"),
        ("GET", "/agents"),
        ("GET", "/"),
    ],
)
async def test_unknown_routes(serve, method, path):
    client = await serve(shape="lean")
    answer = await client.send(method, path)
    assert (answer.status, answer.error["type"]) == (404, "not_found_error")
    assert client.sim.requests[-1].route == "unknown"


@pytest.mark.parametrize("base", ["", "/v1", "/api/v1/cloudy", "/API/v1/cloud"])
async def test_paths_outside_the_base(serve, base):
    client = await serve()
    url = client.sim.url.replace("/api/v1/cloud", base)
    async with client.http.get(url + "/deployments", headers={"Authorization": "Bearer x"}) as answer:
        assert answer.status == 404
    assert (client.sim.requests[-1].route, client.sim.requests[-1].path) == ("unknown", f"{base}/deployments")


async def raw_answer(client, head: bytes) -> bytes:
    """What a request answers that no client would send."""
    port = int(client.sim.url.split(":")[2].split("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/v1/cloud/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_request_id_that_is_no_text_is_not_taken_over(serve, shape):
    client = await serve(shape=shape)
    answer = await raw_answer(client, b"Authorization: Bearer x\r\nX-Request-Id: \xff\xfe")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert len(re.search(rb"x-request-id: (\S+)", answer)[1]) == 36


async def test_the_token_is_never_shown(serve, caplog, capfd):
    client = await serve(token=SECRET)
    await client.send("GET", "/deployments", token=SECRET)
    await client.send("GET", "/deployments", token=None, headers={"X-Api-Key": SECRET})
    await raw_answer(client, f"Authorization: Bearer {SECRET}\0".encode())
    request, _ = client.sim.requests
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert "Authorization" in repr(request)
    assert "Error handling request" in caplog.text
    said = [repr(client.sim.requests[:]), repr(client.sim), repr(client.sim._gateway._service._settings), caplog.text]
    assert SECRET not in "".join([*said, *capfd.readouterr()])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b"\xff", b"[" * 100_000, b'{"name": "' + b"x" * 5_000_000 + b'"}']
)
async def test_bodies_that_are_no_json(serve, body):
    client = await serve(shape="lean")
    answer = await client.send("POST", "/deployments", data=io.BytesIO(body))
    assert (answer.status, answer.error) == (400, fixture("error_400_body_not_json")["error"])
    assert len(client.sim.requests[-1].body) <= 4 * 1024 * 1024 + 1
    assert (await client.get("/deployments")).status == 200


async def test_bodies_that_are_no_object(serve):
    client = await serve()
    assert (await client.post("/deployments", [])).status == 400


@pytest.mark.parametrize(("body", "status"), [(b"", 200), (b"{}", 200), (b"{", 400), (b"[]", 400)])
async def test_bodies_of_actions(serve, body, status):
    client = await serve()
    deployment_id = client.sim.add_deployment()
    answer = await client.send("POST", f"/deployments/{deployment_id}/run", data=body)
    assert answer.status == status
    assert len(client.sim.run_ids()) == (status == 200)


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-Idempotency-Key"])
async def test_a_key_acts_once(serve, clock, shape, header):
    client = await serve(shape=shape)
    path = f"/deployments/{client.sim.add_deployment(max_concurrent=9)}/run"
    first = await client.post(path, headers={header: "k"})
    clock.advance(86_399)
    assert (await client.post(path, headers={header: "k"})).body == first.body
    assert len(client.sim.run_ids()) == 1
    assert (await client.post(path, headers={header: "other"})).body["id"] != first.body["id"]
    assert (await client.post(path, headers={header: "k"}, token="pt-other")).body["id"] != first.body["id"]
    clock.advance(2)
    assert (await client.post(path, headers={header: "k"})).body["id"] != first.body["id"]


async def test_a_key_with_another_body(serve):
    client = await serve(shape="lean")
    path = f"/deployments/{client.sim.add_deployment()}"
    assert (await client.post(path, {"description": "a"}, headers={"Idempotency-Key": "k"})).status == 200
    answer = await client.post(path, {"description": "b"}, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.error) == (409, fixture("error_409_idempotency")["error"])


async def test_a_replay_bears_its_own_request_id(serve):
    client = await serve()
    path = f"/deployments/{client.sim.add_deployment()}/run"
    ids = {(await client.post(path, headers={"Idempotency-Key": "k"})).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_requests_are_recorded(serve):
    client = await serve(keep_requests=3)
    deployment_id = client.sim.add_deployment()
    await client.get(f"/deployments/{deployment_id}/runs", limit=5, status="failed")
    await client.post(f"/deployments/{deployment_id}/run", {"a": 1})
    await client.get("/nowhere")
    requests = client.sim.requests
    first, second, third = requests
    assert isinstance(first, RecordedRequest)
    assert (first.method, first.path, first.status) == ("GET", f"/deployments/{deployment_id}/runs", 200)
    assert dict(first.query) == {"limit": "5", "status": "failed"}
    assert first.headers["AUTHORIZATION"] == "Bearer pt-x"
    assert (second.route, json.loads(second.body)) == ("POST /deployments/{id}/run", {"a": 1})
    assert third.status == 404
    assert first.at <= second.at <= third.at
    assert requests.of("GET /deployments/{id}/runs") == [first]
    assert (len(requests), requests[-1], requests[:2]) == (3, third, [first, second])
    await client.get("/deployments")
    assert next(iter(requests)) is second
    assert client.sim.request_counts["GET /deployments/{id}/runs"] == 1
    assert first.peer == second.peer
    with pytest.raises(ValueError, match="no route"):
        requests.of("GET /deployments/{dep}")
    assert requests.of("unknown") == [third]
    requests.clear()
    assert (len(requests), sum(client.sim.request_counts.values())) == (0, 0)


async def test_latency(serve):
    client = await serve(latency=0.02)
    before = time.monotonic()
    await client.get("/deployments")
    assert time.monotonic() - before >= 0.02


async def test_same_seed_same_world(serve):
    clients = [await serve(seed=7), await serve(seed=7), await serve(seed=8)]
    answers = []
    for client in clients:
        deployment_id = client.sim.add_deployment(created_at=START)
        run = await client.post(f"/deployments/{deployment_id}/run")
        answers.append((run.body, run.headers["x-request-id"]))
    assert answers[0] == answers[1] != answers[2]
