"""What goes over the wire, to the letter."""

from __future__ import annotations

import gc
import json
import weakref
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.payloads import DEPLOYMENT, EMPTY_LIST, RUN
from support.raw_server import RawServer, answer, raw

from qoder_async import Cursor
from qoder_async._http.call import Call

BASE = "/api/v1/cloud"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("call", "method", "target", "body"),
    [
        (lambda qoder: qoder.deployments.get("dep_1"), "GET", "/deployments/dep_1", b""),
        (lambda qoder: qoder.deployments.run("dep_1"), "POST", "/deployments/dep_1/run", b"{}"),
        (lambda qoder: qoder.deployments.pause("dep_1"), "POST", "/deployments/dep_1/pause", b"{}"),
        (
            lambda qoder: qoder.deployments.update("dep_1", name="x", description=None),
            "POST",
            "/deployments/dep_1",
            b'{"name":"x","description":null}',
        ),
        (lambda qoder: qoder.runs.get("drun_1"), "GET", "/deployment_runs/drun_1", b""),
        (lambda qoder: qoder.runs.get("drun_1", deployment_id="dep_1"), "GET", "/deployments/dep_1/runs/drun_1", b""),
        (lambda qoder: qoder.request("DELETE", "x/y"), "DELETE", "/x/y", b""),
        (lambda qoder: qoder.request("PUT", "/x", json=[1, "é"]), "PUT", "/x", '[1,"é"]'.encode()),
    ],
)
async def test_a_call_is_this_request(make_client, call, method, target, body):
    is_run = "drun" in target or target.endswith("/run")
    async with RawServer(answer(body=RUN if is_run else DEPLOYMENT)) as server:
        await call(make_client(server.url))
        (request,) = server.requests
    assert (request.method, request.target, request.body) == (method, BASE + target, body)
    assert request.headers.get("Content-Type") == ("application/json" if method != "GET" else None)
    assert ("Idempotency-Key" in request.headers) == (method != "GET")
    assert request.headers["Authorization"] == "Bearer pt-test"
    assert request.headers["Accept"] == "application/json"
    assert len(request.headers.getall("User-Agent")) == 1


@pytest.mark.parametrize("value", ["a+b/c=&d%25#?", "é ü", "a%2Fb", "plain", "[x]", "a;b", "%"])
async def test_an_opaque_cursor_arrives_as_it_is(make_client, value):
    async with RawServer(answer(body=EMPTY_LIST)) as server:
        await make_client(server.url).deployments.list(cursor=Cursor("page", value)).collect()
        query = dict(parse_qsl(urlsplit(server.requests[0].target).query))
    assert query["page"] == value


async def test_filters_arrive_in_the_services_spelling(make_client):
    async with RawServer(answer(body=EMPTY_LIST)) as server:
        listing = make_client(server.url).runs.list_all(has_error=True, created_after=NOON, status="failed")
        await listing.collect()
        path, _, query = server.requests[0].target.partition("?")
    assert path == f"{BASE}/deployment_runs"
    assert query == "status=failed&has_error=true&created_at[gte]=2026-11-22T12%3A00%3A00Z&limit=100"


@pytest.mark.parametrize(
    ("base", "expected"),
    [("", "/x"), ("/", "/x"), ("/a", "/a/x"), ("/a/b//", "/a/b/x"), ("/a%20b", "/a%20b/x"), ("/é", "/%C3%A9/x")],
)
async def test_the_path_of_the_base_url_is_kept(make_client, base, expected):
    async with RawServer() as server:
        await make_client(f"http://127.0.0.1:{server.port}{base}").request("GET", "/x")
        assert server.requests[0].target == expected


async def test_the_head_of_an_answer_may_announce_a_body_that_does_not_come(make_client):
    async with RawServer(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nX-Request-Id: r\r\n\r\n", keep=True)) as server:
        response = await make_client(server.url).request("HEAD", "/x")
    assert (response.status, response.body, response.request_id) == (200, b"", "r")


async def test_an_early_hint_is_no_answer(make_client):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    body = json.dumps(RUN).encode()
    late = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with RawServer(raw(early + late, keep=True)) as server:
        assert (await make_client(server.url).deployments.run("dep_1")).id == RUN["id"]


@pytest.mark.parametrize("label", ["text/html", "text/plain; charset=latin-1", "", "application/octet-stream"])
async def test_json_is_read_whatever_it_is_called(make_client, label):
    async with RawServer(answer(body=RUN, Content_Type=label)) as server:
        assert (await make_client(server.url).runs.get("drun_1")).id == RUN["id"]


def test_a_call_that_holds_its_owner_is_collected_with_it():
    """What a call tells of its attempts is often a method of what holds the call, or of an error that does."""

    class Owner:
        def __init__(self):
            self.call = Call(method="GET", path="/x", parse=self.told, on_sent=self.told)

        def told(self, *_):
            return self

    owner = Owner()
    watched = weakref.ref(owner)
    del owner
    gc.collect()
    assert watched() is None
