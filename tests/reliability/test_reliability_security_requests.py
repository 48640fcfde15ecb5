"""Texts of callers and of the service stay where they are put: no header, path or query parameter comes of them."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from multidict import CIMultiDict
from support.payloads import DEPLOYMENT, EMPTY_LIST, RUN, fixture
from support.raw_server import RawServer, answer
from support.reliability_security import NOT_FOR_HEADERS, NOT_FOR_PATHS, Tls, make_certificate

from qoder_async import (
    AmbiguousTriggerError,
    APIConnectionError,
    APIStatusError,
    AsyncQoder,
    ConfigurationError,
    Poll,
    QoderError,
    RetryPolicy,
    export_runs,
    sync_runs,
    verify_export,
)
from qoder_async.resources.deployments import Deployments
from qoder_async.resources.runs import Runs
from qoder_async.resources.sessions import Sessions

ONCE = RetryPolicy(attempts=1)
BASE = "/api/v1/cloud"
quoted = pytest.mark.parametrize("text", NOT_FOR_HEADERS, ids=ascii)


async def collected(items):
    return [item async for item in items]


async def entered(block):
    async with block as items:
        return [item async for item in items]


async def first_of(block):
    async with block as items:
        return await anext(aiter(items))


# Headers


def with_provider(make, url, text, *, is_async):
    async def give_later():
        return text

    return make(url, give_later if is_async else lambda: text)


SETTINGS = {
    "token": lambda make, url, text: make(url, text),
    "token of a function": lambda make, url, text: with_provider(make, url, text, is_async=False),
    "token of an async function": lambda make, url, text: with_provider(make, url, text, is_async=True),
    "another token": lambda make, url, text: make(url).with_options(token=text),
    "workspace_id": lambda make, url, text: make(url, workspace_id=text),
    "another workspace_id": lambda make, url, text: make(url).with_options(workspace_id=text),
    "value of a header": lambda make, url, text: make(url, headers={"X-Mine": text}),
    "another value of a header": lambda make, url, text: make(url).with_options(headers={"X-Mine": text}),
    "name of a header": lambda make, url, text: make(url, headers={text: "1"}),
    "another name of a header": lambda make, url, text: make(url).with_options(headers={text: "1"}),
}


@quoted
@pytest.mark.parametrize("name", SETTINGS)
async def test_no_header_comes_of_a_setting(make_client, name, text):
    async with RawServer(answer(body=RUN)) as server:
        with pytest.raises(ConfigurationError):  # noqa: PT012  some are refused only when they are used
            client = SETTINGS[name](make_client, server.url, text)
            await client.runs.get("drun_1")
        assert server.requests == []


@quoted
@pytest.mark.parametrize("variable", ["QODER_ACCESS_TOKEN", "QODER_PAT"])
def test_no_header_comes_of_the_environment(monkeypatch, variable, text):
    monkeypatch.setattr("qoder_async.client.os.environ", {variable: text})  # which holds no such text on some systems
    with pytest.raises(ConfigurationError):
        AsyncQoder()


KEYS = {
    "run": lambda qoder, text: qoder.deployments.run("dep_1", idempotency_key=text),
    "run_and_wait": lambda qoder, text: qoder.deployments.run_and_wait("dep_1", idempotency_key=text),
}


@quoted
@pytest.mark.parametrize("name", KEYS)
async def test_no_header_comes_of_an_idempotency_key(make_client, name, text):
    async with RawServer(answer(body=RUN)) as server:
        with pytest.raises(ConfigurationError, match="idempotency_key"):
            await KEYS[name](make_client(server.url), text)
        assert server.requests == []


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "AUTHORIZATION", "Idempotency-Key"])
async def test_headers_of_the_caller_are_none_of_the_librarys(make_client, name):
    with pytest.raises(ConfigurationError, match="set by the library"):
        make_client(headers={name: "1"})


@pytest.mark.parametrize("method", ["GET\r\nX: 1", "GET /x HTTP/1.1\r\n", "CONNECT", "TRACE", "", "GET ", "\uff27ET"])
async def test_no_request_comes_of_a_method(make_client, method):
    async with RawServer() as server:
        with pytest.raises(ConfigurationError):
            await make_client(server.url).request(method, "/x")
        assert server.requests == []


# Paths


def lost(deployment_id):
    return AmbiguousTriggerError("lost", idempotency_key="k", deployment_id=deployment_id, sent_at=datetime.now(UTC))


IDS = {
    "Deployments.archive": lambda qoder, text: qoder.deployments.archive(text),
    "Deployments.find_triggered": lambda qoder, text: qoder.deployments.find_triggered(lost(text)),
    "Deployments.get": lambda qoder, text: qoder.deployments.get(text),
    "Deployments.pause": lambda qoder, text: qoder.deployments.pause(text),
    "Deployments.run": lambda qoder, text: qoder.deployments.run(text),
    "Deployments.run_and_wait": lambda qoder, text: qoder.deployments.run_and_wait(text, timeout=1),
    "Deployments.unpause": lambda qoder, text: qoder.deployments.unpause(text),
    "Deployments.update": lambda qoder, text: qoder.deployments.update(text, name="x"),
    "Runs.as_completed": lambda qoder, text: entered(qoder.runs.as_completed([text], timeout=1)),
    "Runs.fan_out": lambda qoder, text: entered(qoder.runs.fan_out([text], on_failure="raise")),
    "Runs.get": lambda qoder, text: qoder.runs.get(text),
    "Runs.get of a deployment": lambda qoder, text: qoder.runs.get("drun_1", deployment_id=text),
    "Runs.get with a deployment": lambda qoder, text: qoder.runs.get(text, deployment_id="dep_1"),
    "Runs.history": lambda qoder, text: entered(qoder.runs.history(text)),
    "Runs.list": lambda qoder, text: collected(qoder.runs.list(text)),
    "Runs.wait": lambda qoder, text: qoder.runs.wait(text, timeout=1),
    "Runs.watch": lambda qoder, text: first_of(qoder.runs.watch([text])),
    "Runs.watch one": lambda qoder, text: first_of(qoder.runs.watch(text)),
    "Sessions.cancel": lambda qoder, text: qoder.sessions.cancel(text),
    "Sessions.events": lambda qoder, text: collected(qoder.sessions.events(text)),
    "Sessions.get": lambda qoder, text: qoder.sessions.get(text),
    "export_runs": lambda qoder, text: export_runs(qoder, "runs.jsonl", deployments=[text]),
    "sync_runs": lambda qoder, text: sync_runs(qoder, "runs.db", deployments=[text]),
}
"""Every call that puts an id into a path."""
NO_IDS = {"Deployments.create", "Deployments.list", "Runs.list_all", "Sessions.list"}
"""Those that put none there; what they put into the query is below."""


def test_no_method_is_left_out():
    methods = {
        f"{kind.__name__}.{name}"
        for kind in (Deployments, Runs, Sessions)
        for name, method in inspect.getmembers(kind, callable)
        if not name.startswith("_")
    }
    assert methods == {name.partition(" ")[0] for name in IDS if "." in name} | NO_IDS


@pytest.mark.parametrize("name", IDS)
async def test_no_path_comes_of_an_id(make_client, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, retry=ONCE)
        for text in NOT_FOR_PATHS:
            with pytest.raises(ConfigurationError, match=r"must be an? (id|deployment|run)|must be ids"):
                await IDS[name](client, text)
        assert server.requests == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", [each for each in NOT_FOR_PATHS if each not in ("a/b", "/a", "a/", "a:b", "a@b", "~")], ids=ascii
)
async def test_no_other_path_comes_of_a_request_of_the_callers_own(make_client, text):
    async with RawServer() as server:
        for path in (text, f"/agents/{text}", f"/agents/{text}/x"):
            if path == "/agents/":  # a path like any other
                continue
            with pytest.raises(ConfigurationError):
                await make_client(server.url).request("GET", path)
        assert server.requests == []


@pytest.mark.parametrize("path", ["a/b", "/a", "a/", "/a:b", "a@b", "/~", "http:/evil.test"])
async def test_every_path_is_below_the_base(make_client, path):
    async with RawServer() as server:
        with suppress(ConfigurationError):
            await make_client(server.url).request("GET", path)
        for request in server.requests:
            assert request.target.startswith(f"{BASE}/")
            assert request.headers["Host"] == f"127.0.0.1:{server.port}"


# Queries

QUERIES = {
    "Deployments.list status": ("status", lambda qoder, text: qoder.deployments.list(status=text)),
    "Deployments.list agent_id": ("agent_id", lambda qoder, text: qoder.deployments.list(agent_id=text)),
    "Deployments.list cursor": ("page", lambda qoder, text: qoder.deployments.list(cursor=f"page:{text}")),
    "Deployments.list after": ("after_id", lambda qoder, text: qoder.deployments.list(cursor=f"after_id:{text}")),
    "Runs.list status": ("status", lambda qoder, text: qoder.runs.list("dep_1", status=text)),
    "Runs.list page": ("page", lambda qoder, text: qoder.runs.list("dep_1", cursor=f"page:{text}")),
    "Runs.list after": ("after_id", lambda qoder, text: qoder.runs.list("dep_1", cursor=f"after_id:{text}")),
    "Runs.list before": ("before_id", lambda qoder, text: qoder.runs.list("dep_1", cursor=f"before_id:{text}")),
    "Runs.list_all id": ("deployment_id", lambda qoder, text: qoder.runs.list_all(deployment_id=text)),
    "Runs.list_all status": ("status", lambda qoder, text: qoder.runs.list_all(status=text)),
    "Runs.list_all type": ("trigger_type", lambda qoder, text: qoder.runs.list_all(trigger_type=text)),
    "Runs.list_all cursor": ("page", lambda qoder, text: qoder.runs.list_all(cursor=f"page:{text}")),
    "Sessions.list id": ("deployment_id", lambda qoder, text: qoder.sessions.list(deployment_id=text)),
    "Sessions.list agent": ("agent_id", lambda qoder, text: qoder.sessions.list(agent_id=text)),
    "Sessions.list status": ("statuses[]", lambda qoder, text: qoder.sessions.list(statuses=[text])),
    "Sessions.list cursor": ("page", lambda qoder, text: qoder.sessions.list(cursor=f"page:{text}")),
    "Sessions.list order": ("order", lambda qoder, text: qoder.sessions.list(order=text)),
    "Sessions.events type": ("types[]", lambda qoder, text: qoder.sessions.events("sess_1", types=[text])),
    "Sessions.events cursor": ("page", lambda qoder, text: qoder.sessions.events("sess_1", cursor=f"page:{text}")),
    "Sessions.events order": ("order", lambda qoder, text: qoder.sessions.events("sess_1", order=text)),
}
PATHS = re.compile(rf"{BASE}/(deployments|deployment_runs|sessions)(/[a-z]+_1/(runs|events))?")
PLAIN = {"limit", "include_archived", "order"}


@pytest.mark.parametrize("name", QUERIES)
async def test_no_other_parameter_comes_of_a_text(make_client, name):
    parameter, call = QUERIES[name]
    arrived = 0
    async with RawServer(answer(body=EMPTY_LIST)) as server:
        client = make_client(server.url, retry=ONCE)
        for text in [*NOT_FOR_PATHS, *NOT_FOR_HEADERS]:
            before = len(server.requests)
            try:
                await call(client, text).first_page()
            except ConfigurationError:
                assert len(server.requests) == before
                continue
            arrived += 1
            parts = urlsplit(server.requests[-1].target)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
            assert PATHS.fullmatch(parts.path), parts.path
            assert parts.fragment == ""
            assert {given for given, _ in pairs} <= {parameter, parameter.removesuffix("[]")} | PLAIN
            assert sum(given.removesuffix("[]") == parameter.removesuffix("[]") for given, _ in pairs) == 1
            assert text in [value for _, value in pairs]
    assert arrived or parameter == "order" or parameter.endswith("_id")


# What the service itself says is not trusted either

ALLOWED = re.compile(rf"{BASE}(/(deployments|deployment_runs|sessions|runs|events|[A-Za-z0-9_-]+))+(\?[!-~]*)?")
HOSTILE = ["../../admin", "a/b", "a?x=1", "a#b", "%2e%2e", "..", "a\r\nX: 1", "\uff0e\uff0e", ""]


def hostile_reply(text):
    """What a service says whose ids lead elsewhere."""
    run = fixture("run_current_manual") | {"session_id": text}
    runs = [run, run | {"id": text}, run | {"id": "drun_3", "deployment_id": text}]
    deployments = [DEPLOYMENT, DEPLOYMENT | {"id": text}]
    page = {"has_more": False, "next_page": None, "first_id": text, "last_id": text}

    async def play(line):
        path = line.request.target.partition("?")[0].removeprefix(BASE)
        body = {"data": runs if path.endswith("runs") else deployments, **page}
        if path.startswith(("/deployment_runs/", "/sessions/")) or "/runs/" in path or path.endswith("/run"):
            body = run
        return await answer(body=body)(line)

    return play


QUICK = Poll(initial=0.01, maximum=0.01)
SECONDS = 0.3
CALLS = {
    "wait": lambda qoder, _: qoder.runs.wait("drun_1", timeout=SECONDS, poll=QUICK),
    "run_and_wait": lambda qoder, _: qoder.deployments.run_and_wait("dep_1", timeout=SECONDS, poll=QUICK),
    "as_completed": lambda qoder, _: entered(qoder.runs.as_completed(["drun_1"], timeout=SECONDS, poll=QUICK)),
    "list": lambda qoder, _: collected(qoder.runs.list("dep_1")),
    "fan_out": lambda qoder, _: entered(qoder.runs.fan_out(qoder.deployments.list())),
    "newest": lambda qoder, _: entered(qoder.runs.fan_out(qoder.deployments.list(), order="newest")),
    "watch": lambda qoder, _: first_of(qoder.runs.watch(poll=QUICK)),
    "history": lambda qoder, _: entered(qoder.runs.history("dep_1")),
    "export": lambda qoder, folder: export_runs(qoder, folder / "runs.jsonl"),
    "sync": lambda qoder, folder: sync_runs(qoder, folder / "runs.db", outcomes=True),
}


async def targets_of(call, text, folder):
    """What is asked for where the service gives hostile ids; time is real, as waits need it."""
    folder.mkdir()
    async with (
        RawServer(hostile_reply(text)) as server,
        AsyncQoder("pt-test", base_url=server.url, retry=ONCE, pace=None) as client,
    ):
        with suppress(QoderError, TimeoutError):
            async with asyncio.timeout(2 * SECONDS):
                await call(client, folder)
        assert not any("X" in request.headers for request in server.requests)
        return [request.target for request in server.requests]


@pytest.mark.parametrize("name", CALLS)
async def test_no_path_comes_of_what_the_service_says(name, tmp_path):
    found = await asyncio.gather(
        *(targets_of(CALLS[name], text, tmp_path / str(number)) for number, text in enumerate(HOSTILE))
    )
    assert any(found)
    assert [target for targets in found for target in targets if not ALLOWED.fullmatch(target)] == []


async def test_a_file_to_verify_leads_nowhere_either(make_client, tmp_path):
    """It may come from anywhere; a line break in an id would be a second request."""
    path = tmp_path / "runs.jsonl"
    lines = [
        fixture("run_extended_completed") | {"id": f"drun_{number}", "deployment_id": text}
        for number, text in enumerate(each for each in NOT_FOR_PATHS if "\ud800" not in each)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    async with RawServer(answer(body=EMPTY_LIST)) as server:
        report = await verify_export(make_client(server.url, retry=ONCE), path)
        assert server.requests == []
    assert not report.is_complete
    assert report.failures
    assert all("must be an id" in reason for reason in report.failures.values())


# Where the token goes

TARGETS = {
    "another host": "http://elsewhere.localhost:{other}/x",
    "another port": "http://127.0.0.1:{other}/api/v1/cloud/x",
    "without a scheme": "//127.0.0.1:{other}/x",
    "another scheme": "ftp://127.0.0.1:{other}/x",
    "a login": "http://me:pw@127.0.0.1:{other}/",
    "the same": "http://127.0.0.1:{same}/api/v1/cloud/elsewhere",
    "a path": "/elsewhere",
    "itself": "",
}
SENDS = {
    "read": lambda qoder: qoder.runs.get("drun_1"),
    "list": lambda qoder: qoder.runs.list("dep_1").first_page(),
    "write": lambda qoder: qoder.deployments.pause("dep_1"),
    "trigger": lambda qoder: qoder.deployments.run("dep_1"),
    "own": lambda qoder: qoder.request("PUT", "/x", json={}),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("is_lent", [False, True])
async def test_no_redirect_is_followed(make_client, target, status, is_lent):
    async with RawServer(answer()) as other, RawServer() as server, aiohttp.ClientSession() as session:
        server.parts = [answer(status, Location=TARGETS[target].format(other=other.port, same=server.port))]
        client = make_client(server.url, session=session if is_lent else None)
        for number, send in enumerate(SENDS.values(), 1):
            with pytest.raises(APIStatusError) as caught:
                await send(client)
            assert caught.value.status == status
            assert len(server.requests) == number
        assert other.connections == 0


IN_THE_CLEAR = [
    "http://qoder.test", "http://localhost.evil.test", "http://127.0.0.1.evil.test", "http://evil-localhost", "http://0.0.0.0",
    "http://128.0.0.1", "http://10.0.0.1", "http://127.1", "http://2130706433", "http://0x7f000001", "http://[::]",
    "http://[fe80::1]", "HTTP://QODER.TEST", "http://loc\u0430lhost",
]  # fmt: skip
NO_ADDRESS = [
    "http://localhost@evil.test", "http://localhost:80@evil.test", "http://evil.test#@localhost", "http://localhost\\@evil.test",
    "http://localhost\r\n.evil.test", "http://localhost\0.evil.test", "http:evil.test", "//evil.test", "file:///etc/passwd",
    "ftp://localhost", "https://me:pw@qoder.test", "https://qoder.test?x=1", "https://qoder.test#x", "javascript:1", "https://",
    "https://a b.test", "unix:///x", "https://[::1", "https://x:99999", "",
]  # fmt: skip


@pytest.mark.parametrize("url", [*IN_THE_CLEAR, *NO_ADDRESS], ids=ascii)
def test_the_token_does_not_travel_in_the_clear_unless_that_is_meant(monkeypatch, url):
    with pytest.raises(ConfigurationError):
        AsyncQoder("pt-x", base_url=url)
    with pytest.raises(ConfigurationError):
        AsyncQoder("pt-x", base_url="https://qoder.test").with_options(base_url=url)
    if url and "\0" not in url:
        monkeypatch.setenv("QODER_BASE_URL", url)
        with pytest.raises(ConfigurationError):
            AsyncQoder("pt-x")


@pytest.mark.parametrize("url", IN_THE_CLEAR[:1])
def test_who_means_it_says_so_each_time(url):
    meant = AsyncQoder("pt-x", base_url=url, allow_insecure=True)
    with pytest.raises(ConfigurationError, match="in the clear"):
        meant.with_options(allow_insecure=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "service.localhost", "localhost"])
async def test_a_proxy_elsewhere_does_not_see_what_is_meant_for_this_machine(make_client, monkeypatch, host):
    """It could not reach the service, and would read the token, which is sent to it in the clear."""
    async with RawServer(answer(body=RUN)) as server:
        monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
        client = make_client(f"http://{host}:{server.port}{BASE}", trust_env=True, retry=ONCE)
        with suppress(APIConnectionError):  # where the system does not know the name
            await client.runs.get("drun_1")
        assert client._transport.connections.proxy(client._transport.settings.base_url) is None
        if host == "127.0.0.1":
            assert len(server.requests) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def test_a_certificate_that_nobody_vouches_for(make_client, certificate):
    _, context = certificate
    async with Tls(answer(body=RUN), context=context) as server:
        for call in SENDS.values():
            with pytest.raises(APIConnectionError, match="not trusted"):
                await call(make_client(server.url))
        assert server.requests == []


async def test_ssl_cert_file_counts_where_the_environment_is_trusted(make_client, certificate, monkeypatch):
    path, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    async with Tls(answer(body=RUN), context=context) as server:
        assert (await make_client(server.url, trust_env=True).runs.get("drun_1")).id == RUN["id"]
        other = server.url.replace("127.0.0.1", "localhost")  # which the certificate does not name
        with pytest.raises(APIConnectionError, match="not trusted"):
            await make_client(other, trust_env=True).runs.get("drun_1")
        monkeypatch.setenv("SSL_CERT_FILE", f"{path}.missing")
        with pytest.raises(APIConnectionError, match="not trusted"):
            await make_client(server.url, trust_env=True).runs.get("drun_1")
        assert len(server.requests) == 1


async def test_the_tls_of_a_session_that_is_lent_counts(make_client, certificate):
    path, context = certificate
    async with Tls(answer(body=RUN), context=context) as server:
        trusting = ssl.create_default_context(cafile=path)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
            assert (await make_client(server.url, session=session).runs.get("drun_1")).id == RUN["id"]
        async with aiohttp.ClientSession() as session:
            with pytest.raises(APIConnectionError, match="not trusted"):
                await make_client(server.url, session=session).runs.get("drun_1")
        assert len(server.requests) == 1


async def test_cookies_of_the_service_are_not_kept(make_client):
    async with RawServer(answer(body=RUN, Set_Cookie="session=1; Path=/")) as server:
        client = make_client(server.url)
        await client.runs.get("drun_1")
        await client.runs.get("drun_1")
        assert "Cookie" not in CIMultiDict(server.requests[1].headers)


FAR = "Fri, 31 Dec 9999 23:59:59 -2359"
RECKON = {
    "find_triggered": lambda qoder, _: qoder.deployments.find_triggered(lost("dep_1")),
    "wait": lambda qoder, _: qoder.runs.wait("drun_1", timeout=SECONDS, poll=QUICK),
    "watch": lambda qoder, _: first_of(qoder.runs.watch(["dep_1"], poll=QUICK)),
    "sync": lambda qoder, folder: sync_runs(qoder, folder / "runs.db", deployments=["dep_1"], outcomes=True),
}


@pytest.mark.parametrize("name", RECKON)
@pytest.mark.parametrize("date", [FAR, "Mon, 01 Jan 0001 00:00:00 +2359"])
async def test_no_clock_of_the_service_leads_out_of_the_calendar(name, date, tmp_path):
    """One header of one answer would end waits, watches and syncs with an OverflowError."""
    run = fixture("run_current_manual")
    records = {"data": [run], "has_more": False, "next_page": None}

    async def play(line):
        is_list = line.request.target.partition("?")[0].endswith(("/runs", "/deployments", "/events", "/sessions"))
        return await answer(body=records if is_list else run, Date=date)(line)

    async with (
        RawServer(play) as server,
        AsyncQoder("pt-test", base_url=server.url, retry=ONCE, pace=None) as client,
    ):
        await client.runs.list("dep_1").first_page()
        with suppress(QoderError, TimeoutError):
            async with asyncio.timeout(2 * SECONDS):
                await RECKON[name](client, tmp_path)
        assert len(server.requests) > 1
