"""Making clients, changing them, and what they show of themselves; nothing here needs a socket."""

from __future__ import annotations

import asyncio
import copy
import functools
import logging
import pickle
import socket
from datetime import datetime, timedelta

import aiohttp
import pytest
from support.canary import TOKEN, find_leaks
from support.payloads import RUN

from qoder_async import (
    UNSET,
    AsyncQoder,
    BadRequestError,
    ConfigurationError,
    NotFoundError,
    Pace,
    RetryPolicy,
    ServerError,
)

URL = "https://qoder.test/api"


async def sent_headers(client: AsyncQoder, mocked, path: str = "/x", url: str = URL) -> dict:
    """Send a request, and give the headers it had."""
    mocked.get(f"{url}{path}", payload={})
    await client.request("GET", path)
    return list(mocked.requests.values())[-1][-1].kwargs["headers"]


def test_making_a_client_needs_no_loop_and_does_no_io(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was made"))
        client = AsyncQoder("pt-x")
        assert repr(client) == "<AsyncQoder https://api.qoder.com/api/v1/cloud>"
        client.runs.list("dep_1")
    asyncio.run(client.aclose())


def test_importing_puts_nothing_on_the_logger():
    logger = logging.getLogger("qoder_async")
    assert (logger.handlers, logger.level, logger.propagate, logger.filters) == ([], logging.NOTSET, True, [])


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"QODER_ACCESS_TOKEN": "pt-a", "QODER_PAT": "pt-b"}, "pt-a"),
        ({"QODER_PAT": "pt-b"}, "pt-b"),
        ({"QODER_ACCESS_TOKEN": " ", "QODER_PAT": " pt-b\n"}, "pt-b"),
    ],
)
async def test_the_token_of_the_environment(monkeypatch, mocked, make_client, environ, token):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    headers = await sent_headers(make_client(token=None), mocked)
    assert headers["Authorization"] == f"Bearer {token}"


async def test_the_argument_beats_the_environment(monkeypatch, mocked, make_client):
    monkeypatch.setenv("QODER_ACCESS_TOKEN", "pt-a")
    monkeypatch.setenv("QODER_BASE_URL", "https://env.test")
    headers = await sent_headers(make_client(token="pt-mine"), mocked)
    assert headers["Authorization"] == "Bearer pt-mine"


async def test_the_base_url_of_the_environment(monkeypatch, mocked, make_client):
    monkeypatch.setenv("QODER_BASE_URL", "https://env.test/v9/")
    client = make_client(url=None)
    assert repr(client) == "<AsyncQoder https://env.test/v9>"
    assert await sent_headers(client, mocked, url="https://env.test/v9")


def test_no_token_names_both_variables():
    with pytest.raises(ConfigurationError, match="QODER_ACCESS_TOKEN or QODER_PAT"):
        AsyncQoder()


async def test_what_every_request_carries(mocked, make_client):
    client = make_client(workspace_id="ws_1", headers={"X-Team": "blue"})
    headers = await sent_headers(client, mocked)
    assert headers["qoder-workspace-id"] == "ws_1"
    assert headers["X-Team"] == "blue"
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("qoder-async/")
    assert not {"Idempotency-Key", "Content-Type"} & set(headers)


BAD_SETTINGS = [
    ("token", "", "token must be a text"),
    ("token", 7, "token must be a text"),
    ("token", b"pt-x", "token must be a text .* got bytes"),
    ("token", "pt-\nX: 1", "token holds white space"),
    ("token", "pt-\r\nX: 1", "token holds white space"),
    ("token", "pt x", "token holds white space"),
    ("token", "pt-é", "token holds white space"),
    ("base_url", "qoder.com", "base_url must be an address"),
    ("base_url", "", "base_url must be an address"),
    ("base_url", 7, "base_url must be an address"),
    ("base_url", "ftp://x.test", "base_url must be an address"),
    ("base_url", "https://me:pw@x.test", "no user, query or fragment"),
    ("base_url", "http://api.qoder.com", "pass allow_insecure=True"),
    ("timeout", 0, "timeout must be seconds above 0"),
    ("timeout", -1, "timeout must be seconds above 0"),
    ("timeout", float("nan"), "timeout must be seconds above 0"),
    ("timeout", float("inf"), "timeout must be seconds above 0"),
    ("timeout", "30", "timeout must be seconds above 0 .* got '30'"),
    ("timeout", None, "timeout must be seconds above 0"),
    ("timeout", True, "timeout must be seconds above 0"),
    ("timeout", aiohttp.ClientTimeout(5), "timeout must be seconds above 0"),
    ("retry", 3, "retry must be a RetryPolicy, got 3"),
    ("retry", None, "retry must be a RetryPolicy, got None"),
    ("pace", 50, "pace must be a Pace, got 50"),
    ("max_connections", 0, "max_connections must be a whole number of 1 or more, got 0"),
    ("max_connections", True, "max_connections must be a whole number"),
    ("max_connections", 1.5, "max_connections must be a whole number"),
    ("max_connections", None, "max_connections must be a whole number"),
    ("max_body", 0, "max_body must be a whole number of 1 or more"),
    ("max_body", "1M", "max_body must be a whole number"),
    ("session", ..., "session must be a ClientSession"),
    ("session", "x", "session must be a ClientSession, got 'x'"),
    ("workspace_id", "", "workspace_id must be a text"),
    ("workspace_id", "a\r\nX: 1", "workspace_id must be a text"),
    ("workspace_id", 7, "workspace_id must be a text"),
    ("headers", {"X": "a\r\nY: 1"}, "headers: the value of X must be"),
    ("headers", {"X\r\nY": "a"}, "headers: .* is not the name"),
    ("headers", {"X": 7}, "headers: the value of X must be"),
    ("headers", {"Authorization": "Bearer x"}, "headers: Authorization is set by the library; pass token="),
    ("headers", {"idempotency-key": "x"}, "headers: idempotency-key is set by the library"),
    ("headers", ["X: 1"], "headers must be a mapping"),
    ("on_attempt", 7, "on_attempt must be a plain function"),
    ("on_attempt", "print", "on_attempt must be a plain function"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD_SETTINGS, ids=lambda part: repr(part)[:40])
def test_a_setting_that_cannot_be_meant_is_refused(name, value, message):
    with pytest.raises(ConfigurationError, match=message):
        AsyncQoder(**{"token": "pt-x", name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [row for row in BAD_SETTINGS if row[0] not in ("session", "max_connections")],
    ids=lambda part: repr(part)[:40],
)
def test_with_options_checks_the_same(name, value, message):
    client = AsyncQoder("pt-x")
    with pytest.raises(ConfigurationError, match=message):
        client.with_options(**{name: value})


class Watcher:
    async def __call__(self, attempt):
        pass


async def watch(attempt):
    pass


@pytest.mark.parametrize(
    "hook",
    [watch, functools.partial(watch), Watcher(), Watcher().__call__],
    ids=["function", "partial", "object", "method"],
)
def test_an_async_hook_is_refused(hook):
    with pytest.raises(ConfigurationError, match="on_attempt must be a plain function, not an async one"):
        AsyncQoder("pt-x", on_attempt=hook)


@pytest.mark.parametrize("change", ["session", "max_connections", "trust_env", "nonsense"])
def test_what_with_options_cannot_change_is_refused(change):
    with pytest.raises(ConfigurationError, match=f"with_options cannot change {change}, only token, base_url"):
        AsyncQoder("pt-x").with_options(**{change: 1})


async def test_with_options_changes_what_it_says_and_nothing_else(mocked, make_client):
    client = make_client(headers={"X-Team": "blue"}, workspace_id="ws_1")
    other = client.with_options(
        token="pt-other", base_url="https://other.test", workspace_id=None, timeout=timedelta(seconds=5)
    )
    assert repr(other) == "<AsyncQoder https://other.test>"
    theirs = await sent_headers(other, mocked, url="https://other.test")
    assert theirs["Authorization"] == "Bearer pt-other"
    assert theirs["X-Team"] == "blue"
    assert "qoder-workspace-id" not in theirs
    ours = await sent_headers(client, mocked)
    assert ours["Authorization"] == "Bearer pt-test"
    assert ours["qoder-workspace-id"] == "ws_1"


async def test_with_options_changes_the_retries(mocked, make_client):
    client = make_client()
    mocked.get(f"{URL}/x", status=500, repeat=True)
    with pytest.raises(ServerError):
        await client.with_options(retry=RetryPolicy(attempts=1)).request("GET", "/x")
    assert len(next(iter(mocked.requests.values()))) == 1
    with pytest.raises(ServerError):
        await client.request("GET", "/x")
    assert len(next(iter(mocked.requests.values()))) == 5


async def test_with_options_remembers_the_page_size_for_both(mocked, make_client):
    """What one client has learned of the service, the other knows too."""
    client = make_client()
    refusal = {"error": {"type": "invalid_request_error", "message": "limit", "param": "limit"}}
    mocked.get(f"{URL}/deployments?limit=500", status=400, payload=refusal)
    mocked.get(f"{URL}/deployments?limit=100", payload={"data": [], "has_more": False}, repeat=True)
    assert await client.with_options(timeout=5).deployments.list(page_size=500).collect() == []
    assert await client.deployments.list(page_size=500).collect() == []
    assert sum(len(calls) for calls in mocked.requests.values()) == 3


def test_with_options_shares_its_pace_unless_it_has_one_of_its_own():
    client = AsyncQoder("pt-x")
    assert client.with_options(timeout=5)._transport.pacing is client._transport.pacing
    assert client.with_options(pace=Pace())._transport.pacing is not client._transport.pacing


async def test_with_options_can_be_piled_up(mocked, make_client):
    client = make_client().with_options(headers={"X-A": "1"}).with_options(token="pt-late")
    headers = await sent_headers(client, mocked)
    assert (headers["X-A"], headers["Authorization"]) == ("1", "Bearer pt-late")


@pytest.mark.parametrize("copy_it", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_client_is_not_copied(copy_it):
    with pytest.raises(TypeError, match="AsyncQoder cannot be pickled or copied"):
        copy_it(AsyncQoder("pt-x"))


# Requests of the user's own


async def test_a_request_of_the_users_own(mocked, make_client):
    client = make_client()
    mocked.post(f"{URL}/agents/a_1?dry=true&tag=a&tag=b", payload={"ok": 1}, headers={"X-Request-Id": "req_1"})
    response = await client.request(
        "post", "agents/a_1", query={"dry": True, "tag": ["a", "b"], "none": None}, json={"x": None}
    )
    assert (response.status, response.json(), response.request_id) == (200, {"ok": 1}, "req_1")
    assert response.body == b'{"ok": 1}'
    assert response.headers["x-request-id"] == "req_1"
    call = next(iter(mocked.requests.values()))[0].kwargs
    assert call["data"] == b'{"x":null}'
    assert call["headers"]["Content-Type"] == "application/json"
    assert call["headers"]["Idempotency-Key"]
    assert call["allow_redirects"] is False


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_read_carries_no_key(mocked, make_client, method):
    mocked.add(f"{URL}/x", method=method, payload={})
    await make_client().request(method, "/x")
    assert "Idempotency-Key" not in next(iter(mocked.requests.values()))[0].kwargs["headers"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff"])
async def test_an_answer_that_is_not_json_is_an_error_only_when_read_as_json(mocked, make_client, body):
    mocked.get(f"{URL}/x", body=body, headers={"X-Request-Id": "req_1"})
    response = await make_client().request("GET", "/x")
    assert response.body == body
    from qoder_async import ResponseDecodeError

    with pytest.raises(ResponseDecodeError, match="The answer is not JSON") as caught:
        response.json()
    assert (caught.value.body, caught.value.request_id) == (body, "req_1")
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("method", ["", "FETCH", "GET /", "GET\r\nX: 1", "OPTIONS", "CONNECT", None, 7, b"GET"])
async def test_a_bad_method_is_refused(mocked, make_client, method):
    with pytest.raises(ConfigurationError, match="method must be one of DELETE, GET, HEAD, PATCH, POST, PUT, got"):
        await make_client().request(method, "/x")
    assert not mocked.requests


@pytest.mark.parametrize(
    "path",
    ["", "/", "//", "//evil.test/x", "https://evil.test/x", "http://evil.test", "/a/../b", "..", "/..", "/a/..", "/./a",
     ".", "/a?x=1", "/a#x", "/a%2e%2e/b", "/a b", "/a\n", "/a\r\nX: 1", "/é", "a//b", "/a/", "\\evil", None, 7, b"/a"],
    ids=repr,
)  # fmt: skip
async def test_a_bad_path_is_refused(mocked, make_client, path):
    with pytest.raises(ConfigurationError, match="path must be a path below the base URL such as") as caught:
        await make_client().request("GET", path)
    assert str(caught.value).endswith(f"got {path!r}")
    assert not mocked.requests


@pytest.mark.parametrize("path", ["/agents/a_1:cancel", "agents/a.b~c@d", "/...x/y"])
async def test_unusual_paths_go_out_as_they_are(mocked, make_client, path):
    mocked.get(f"{URL}/{path.lstrip('/')}", payload={})
    assert (await make_client().request("GET", path)).status == 200


@pytest.mark.parametrize("query", [{"a": ...}, {"a": float("nan")}, {1: "a"}, "a=b", {"a": {"b": 1}}], ids=repr)
async def test_a_bad_query_is_refused(mocked, make_client, query):
    with pytest.raises(ConfigurationError):
        await make_client().request("GET", "/x", query=query)
    assert not mocked.requests


@pytest.mark.parametrize("body", [..., {"a": {1, object()}}, lambda: 1], ids=["object", "set", "function"])
async def test_a_body_without_a_json_form_is_refused(mocked, make_client, body):
    with pytest.raises(ConfigurationError, match="The body cannot be written as JSON"):
        await make_client().request("POST", "/x", json=body)
    assert not mocked.requests


# Arguments of the resources

BAD_IDS = ["", " ", ".", "..", "/", "a/b", "../x", "dep_1?x=1", "dep_1#x", "dep_1%2e", "dep 1", "dep_1\n", None, 7]


@pytest.mark.parametrize("value", BAD_IDS, ids=repr)
@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("deployment_id", lambda qoder, value: qoder.deployments.get(value)),
        ("deployment_id", lambda qoder, value: qoder.deployments.run(value)),
        ("deployment_id", lambda qoder, value: qoder.deployments.pause(value)),
        ("deployment_id", lambda qoder, value: qoder.deployments.update(value, name="x")),
        ("deployment_id", lambda qoder, value: qoder.runs.list(value).collect()),
        ("run_id", lambda qoder, value: qoder.runs.get(value)),
        ("deployment_id", lambda qoder, value: qoder.runs.get("drun_1", deployment_id=value or "")),
        ("session_id", lambda qoder, value: qoder.sessions.get(value)),
    ],
)
async def test_a_bad_id_is_refused_by_name(mocked, make_client, argument, call, value):
    with pytest.raises(ConfigurationError, match=f"^{argument} must be an id"):
        await call(make_client(), value)
    assert not mocked.requests


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"page_size": 0}, "page_size must be a whole number of 1 or more, got 0"),
        ({"page_size": -1}, "page_size must be a whole number of 1 or more, got -1"),
        ({"page_size": True}, "page_size must be a whole number of 1 or more, got True"),
        ({"page_size": "10"}, "page_size must be a whole number of 1 or more, got '10'"),
        ({"page_size": None}, "page_size must be a whole number"),
        ({"max_items": -1}, "max_items must be a whole number of 0 or more, got -1"),
        ({"max_items": 1.5}, "max_items must be a whole number"),
        ({"prefetch": 2}, "prefetch must be 0 or 1, got 2"),
        ({"prefetch": True}, "prefetch must be 0 or 1, got True"),
        ({"on_invalid": "ignore"}, "on_invalid must be 'raise' or 'skip', got 'ignore'"),
        ({"cursor": "drun_1"}, "cursor must be .* got 'drun_1'"),
        ({"cursor": 7}, "cursor must be .* got 7"),
        ({"triggered_after": "yesterday"}, "triggered_after must be an aware datetime .* got 'yesterday'"),
        ({"triggered_before": "2026-01-01T00:00:00"}, "triggered_before must say its offset"),
        ({"status": ""}, "status must be a word"),
        ({"status": 7}, "status must be a word"),
    ],
    ids=repr,
)
async def test_a_bad_argument_of_a_list_is_refused_by_name(mocked, make_client, options, message):
    with pytest.raises(ConfigurationError, match=f"(?i)^(a )?{message}"):
        make_client().runs.list("dep_1", **options)
    assert not mocked.requests


@pytest.mark.parametrize("key", ["", " ", "a\nb", "a\r\nX: 1", "é", 7, b"x"], ids=repr)
async def test_a_bad_key_is_refused_by_name(mocked, make_client, key):
    with pytest.raises(ConfigurationError, match=r"^idempotency_key must be a text of printable ASCII"):
        await make_client().deployments.run("dep_1", idempotency_key=key)
    assert not mocked.requests


async def test_a_key_of_the_callers_goes_out(mocked, make_client):
    mocked.post(f"{URL}/deployments/dep_1/run", payload=RUN)
    await make_client().deployments.run("dep_1", idempotency_key="key 1")
    assert next(iter(mocked.requests.values()))[0].kwargs["headers"]["Idempotency-Key"] == "key 1"


async def test_an_id_of_an_error_reaches_the_caller(mocked, make_client):
    mocked.get(f"{URL}/x", status=400, payload={"error": {"message": "m", "param": "p"}, "request_id": "req_1"})
    with pytest.raises(BadRequestError, match=r"^400: m \(GET /x\) \(param p\) \(request req_1\)$"):
        await make_client().request("GET", "/x")


async def test_what_was_asked_for_stands_in_the_error_without_the_query(mocked, make_client):
    mocked.get(f"{URL}/x?q=1", status=404, payload={"error": {"message": "m"}})
    with pytest.raises(NotFoundError, match=r"^404: m \(GET /x\)$") as raised:
        await make_client().request("GET", "/x", query={"q": 1})
    assert (raised.value.method, raised.value.path, raised.value.message) == ("GET", "/x", "m")


def test_with_options_does_not_fall_back_to_another_service(monkeypatch):
    """``None`` means "look into the environment" only to the constructor."""
    monkeypatch.setenv("QODER_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match=r"^base_url must be an address like"):
        AsyncQoder("pt-test").with_options(base_url=None)


def test_with_options_does_not_let_the_token_travel_in_the_clear():
    client = AsyncQoder("pt-test", base_url="http://10.0.0.1/api", allow_insecure=True)
    for changes in ({"allow_insecure": False}, {"allow_insecure": False, "base_url": "http://10.0.0.2"}):
        with pytest.raises(ConfigurationError, match=r"^base_url is http:// .* pass allow_insecure=True"):
            client.with_options(**changes)
    with pytest.raises(ConfigurationError, match=r"^base_url is http:// and '10.0.0.1' is not this machine"):
        AsyncQoder("pt-test").with_options(base_url="http://10.0.0.1/api")


def test_with_options_takes_an_address_in_the_clear_where_that_is_allowed():
    client = AsyncQoder("pt-test").with_options(base_url="http://10.0.0.1/api/", allow_insecure=True)
    assert repr(client) == "<AsyncQoder http://10.0.0.1/api>"
    assert repr(client.with_options(timeout=5)) == "<AsyncQoder http://10.0.0.1/api>"
    assert repr(client.with_options(base_url="http://10.0.0.2")) == "<AsyncQoder http://10.0.0.2>"
    safe = client.with_options(base_url="https://safe.test", allow_insecure=False)
    assert repr(safe) == "<AsyncQoder https://safe.test>"


@pytest.mark.parametrize("address", ["nonsense", "http://10.0.0.1"])
def test_a_bad_address_of_the_environment_is_named_so_and_does_not_show_the_token(monkeypatch, address):
    monkeypatch.setenv("QODER_BASE_URL", address)
    monkeypatch.setenv("QODER_PAT", TOKEN)
    with pytest.raises(ConfigurationError, match=r"^QODER_BASE_URL (must be|is http://)") as caught:
        AsyncQoder()
    assert find_leaks(caught.value) == []


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"a": float("nan")}, "nan is no number there"),
        ({"a": [float("-inf")]}, "-inf is no number there"),
        ({"a": UNSET}, "UNSET stands within a value"),
        ({"at": datetime(2026, 11, 22)}, "must say its offset"),  # noqa: DTZ001
        ({"a": ...}, "cannot be written as JSON"),
    ],
)
async def test_a_body_that_json_has_no_words_for_is_refused(metadata, problem):
    with pytest.raises(ConfigurationError, match=problem):
        await AsyncQoder("pt-test").deployments.update("dep_1", metadata=metadata)
