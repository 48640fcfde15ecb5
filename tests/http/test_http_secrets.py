"""The token is nowhere: not in errors, tracebacks, logs, reprs or pickles, whatever the server does with it."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest
from support.canary import TOKEN, chain, find_leaks
from support.outcomes import CALLS, CASES
from support.payloads import RUN, fixture
from support.raw_server import RawServer, answer, cut, html, raw, stall, unused_address

from qoder_async import AsyncQoder, ConfigurationError, QoderError, RetryPolicy

BEARER = f"Bearer {TOKEN}"
BAD_RECORD = {**RUN, "agent": {"id": "agent_1", "version": BEARER}}
PAGE = {"data": [RUN, BAD_RECORD], "has_more": True, "last_id": "drun_2", "next_page": None}


@pytest.fixture(autouse=True)
def _log_everything(caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.INFO)


@pytest.fixture
def nothing_logged(caplog):
    yield
    assert TOKEN not in caplog.text
    assert not any(TOKEN in repr(record.args) for record in caplog.records)


def test_the_search_finds_what_there_is():
    """A search that finds nothing proves nothing unless it would find something."""
    error = QoderError(f"it was {TOKEN}", request_id=TOKEN)
    error.body = TOKEN.encode()
    error.__cause__ = ValueError(TOKEN)
    found = find_leaks(error)
    assert {
        "QoderError: str",
        "QoderError: pickle",
        "QoderError.body",
        "QoderError.request_id",
        "ValueError: args",
    } <= {*found}
    assert len(list(chain(error))) == 2


def test_the_search_looks_into_frames_of_the_library():
    source = "def fail(secret):\n    raise ValueError('no')\n"
    for folder, expected in (("qoder_async", 1), ("aiohttp", 1), ("tests", 0)):
        space: dict = {}
        exec(compile(source, f"/somewhere/{folder}/x.py", "exec"), space)
        with pytest.raises(ValueError, match="no") as caught:
            space["fail"](TOKEN)
        assert len(find_leaks(caught.value)) == expected


async def catch(call) -> BaseException:
    (error,) = await asyncio.gather(call, return_exceptions=True)
    assert isinstance(error, BaseException)
    return error


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", CASES)
async def test_not_in_any_way_to_fail(make_client, name, kind):
    case = CASES[name]
    async with RawServer(case.part or answer()) as server:
        held, url = unused_address()
        with held:
            told = []
            client = make_client(
                url if case.part is None else server.url, TOKEN, timeout=0.05, max_body=4096,
                retry=RetryPolicy(attempts=2), on_attempt=told.append,
            )  # fmt: skip
            error = await catch(CALLS[kind](client))
        assert isinstance(error, QoderError)
        assert find_leaks(error) == []
        assert TOKEN not in repr(told)


ECHOES = {
    "body": answer(500, BEARER.encode()),
    "message": answer(400, {"error": {"type": BEARER, "message": BEARER, "param": TOKEN}, "request_id": TOKEN}),
    "escaped": answer(400, f'{{"error": {{"message": "bad {BEARER}"}}}}'.replace("/", r"\/").encode()),
    "page": html(502, f"<h1>{BEARER}</h1>"),
    "page of a 200": html(200, f"<h1>{BEARER}</h1>"),
    "headers": answer(500, X_Echo=BEARER),
    "request id": answer(500, X_Request_Id=BEARER),
    "request id of a 404": answer(404, X_Request_Id=TOKEN),
    "other request id": answer(503, Request_Id=TOKEN),
    "redirect": answer(302, Location=f"https://elsewhere.test/?token={TOKEN}"),
    "reason": raw(f"HTTP/1.1 500 {BEARER}\r\nContent-Length: 0\r\n\r\n".encode(), keep=True),
    "status line": raw(f"{BEARER} HTTP/1.1 500\r\n\r\n".encode()),
    "bad header": raw(f"HTTP/1.1 200 OK\r\n{BEARER}\r\n\r\n".encode()),
    "bad header name": raw(f"HTTP/1.1 200 OK\r\nX {BEARER}: 1\r\n\r\n".encode()),
    "bad length": raw(f"HTTP/1.1 200 OK\r\nContent-Length: {TOKEN}\r\n\r\n".encode()),
    "bad chunk": raw(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n".encode()),
    "bad encoding": answer(200, BEARER.encode(), Content_Encoding="gzip"),
    "cut": cut(BEARER.encode()),
    "half of JSON": answer(200, f'{{"id": "{BEARER}'.encode()),
    "array": answer(200, [BEARER]),
    "wrong type": answer(200, {**RUN, "created_at": BEARER}),
    "wrong number": answer(200, BAD_RECORD),
    "wrong key": answer(200, {**RUN, "agent": {BEARER: 1}}),
    "content type": answer(200, b"x", Content_Type=BEARER),
    "retry after": answer(503, Retry_After=BEARER, Date=BEARER),
    "wrong object with request id": answer(200, {"id": BEARER}, X_Request_Id=BEARER),
}  # fmt: skip


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", ECHOES)
async def test_not_when_the_server_repeats_it(make_client, name, kind):
    told = []
    async with RawServer(ECHOES[name]) as server:
        client = make_client(server.url, TOKEN, retry=RetryPolicy(attempts=2), on_attempt=told.append)
        error = await catch(CALLS[kind](client))
        assert isinstance(error, QoderError)
        assert find_leaks(error) == []
        assert TOKEN not in repr(told)
        assert server.requests[0].headers["Authorization"] == BEARER


LISTS = {
    "record": answer(200, PAGE),
    "record with request id": answer(200, PAGE, X_Request_Id=BEARER),
    "cursor that leads in a circle": answer(200, {"data": [], "has_more": True, "next_page": BEARER}),
    "no way on": answer(200, {"data": [], "has_more": True}, X_Request_Id=BEARER),
    "has_more": answer(200, {"data": [], "has_more": BEARER}),
    "data": answer(200, {"data": BEARER}),
    "cut": answer(200, f'{{"data": [{{"id": "{BEARER}"'.encode()),
    "limit": answer(400, {"error": {"message": BEARER, "param": "limit"}}),
}


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("on_invalid", ["raise", "skip"])
@pytest.mark.parametrize("name", LISTS)
async def test_not_when_a_list_repeats_it(make_client, name, on_invalid):
    async with RawServer(LISTS[name], answer(200, fixture("list_empty"))) as server:
        server.parts.insert(1, LISTS[name])
        client = make_client(server.url, TOKEN, retry=RetryPolicy(attempts=1))
        problems = []

        async def walk() -> None:
            async for page in client.runs.list("dep_1", on_invalid=on_invalid, page_size=500).pages():
                problems.extend(page.problems)

        (error,) = await asyncio.gather(walk(), return_exceptions=True)
        assert error is None or find_leaks(error) == []
        assert TOKEN not in repr(problems)


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("part", [html(200, BEARER), answer(200, b'{"x": "' + BEARER.encode())])
async def test_not_when_an_answer_of_the_users_own_request_is_not_json(make_client, part):
    async with RawServer(part) as server:
        response = await make_client(server.url, TOKEN).request("GET", "/x")
        with pytest.raises(QoderError) as caught:
            response.json()
        assert find_leaks(caught.value) == []
        assert TOKEN not in repr(response)


async def test_not_in_the_repr_of_a_response_whose_headers_repeat_it(make_client):
    async with RawServer(answer(200, X_Echo=BEARER, X_Request_Id=TOKEN)) as server:
        response = await make_client(server.url, TOKEN).request("GET", "/x")
    assert TOKEN not in f"{response!r} {response.request_id}"


@pytest.mark.usefixtures("nothing_logged")
async def test_not_in_what_a_hook_that_fails_leaves_behind(make_client):
    def hook(attempt: object) -> None:
        raise RuntimeError(repr(attempt))

    async with RawServer(answer(500, X_Request_Id=TOKEN)) as server:
        client = make_client(server.url, TOKEN, on_attempt=hook, retry=RetryPolicy(attempts=1))
        assert find_leaks(await catch(client.runs.get("drun_1"))) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"token": TOKEN + "\n\nX: 1"},
        {"token": TOKEN + " x"},
        {"token": TOKEN.encode()},
        {"token": [TOKEN]},
        {"token": {"access_token": TOKEN}},
        {"token": TOKEN, "timeout": 0},
        {"token": TOKEN, "base_url": "nonsense"},
        {"token": TOKEN, "retry": 3},
        {"token": TOKEN, "pace": 3},
        {"token": TOKEN, "session": 3},
        {"token": TOKEN, "max_connections": 0},
        {"token": TOKEN, "headers": {"X": ""}},
        {"token": TOKEN, "workspace_id": ""},
        {"token": TOKEN, "on_attempt": 3},
        {"token": "pt-x", "headers": {"Authorization": BEARER}},
        {"token": "pt-x", "headers": {"X-Token": TOKEN + "\n"}},
        {"token": "pt-x", "headers": {"X-Token": TOKEN, "X-Bad": 7}},
    ],
    ids=", ".join,
)
def test_not_in_the_refusal_of_a_setting(settings):
    with pytest.raises(ConfigurationError) as caught:
        AsyncQoder(**settings)
    assert find_leaks(caught.value) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"token": TOKEN + "\n\nX: 1"},
        {"token": TOKEN.encode()},
        {"token": TOKEN, "timeout": 0},
        {"token": TOKEN, "x": 1},
    ],
    ids=", ".join,
)
def test_not_in_the_refusal_of_a_change(changes):
    with pytest.raises(ConfigurationError) as caught:
        AsyncQoder("pt-x").with_options(**changes)
    assert find_leaks(caught.value) == []


@pytest.mark.parametrize("variable", ["QODER_ACCESS_TOKEN", "QODER_PAT"])
def test_not_in_the_refusal_of_a_token_of_the_environment(monkeypatch, variable):
    monkeypatch.setenv(variable, f"{TOKEN} x")
    with pytest.raises(ConfigurationError) as caught:
        AsyncQoder()
    assert find_leaks(caught.value) == []


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize(
    "given",
    [TOKEN + "\n\nX: 1", TOKEN + " x", TOKEN.encode(), {"access_token": TOKEN}, [TOKEN]],
    ids=["line break", "space", "bytes", "dict", "list"],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_not_when_a_provider_gives_rubbish(make_client, given, is_async):
    async def give():
        return given

    error = await catch(make_client(token=give if is_async else lambda: given).runs.get("drun_1"))
    assert isinstance(error, ConfigurationError)
    assert find_leaks(error) == []


@pytest.mark.usefixtures("nothing_logged")
async def test_not_when_a_provider_fails_after_it_gave_a_token(make_client):
    given = [TOKEN]

    def give() -> str:
        return given.pop()

    async with RawServer(answer(401)) as server:
        error = await catch(make_client(server.url, give).runs.get("drun_1"))
        assert isinstance(error, IndexError)
        assert find_leaks(error) == []


async def test_not_in_the_traceback_of_a_cancellation(make_client):
    async with RawServer(stall) as server:
        client = make_client(server.url, TOKEN)
        task = asyncio.create_task(client.deployments.run("dep_1"))
        await server.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert find_leaks(caught.value) == []


@pytest.mark.usefixtures("nothing_logged")
async def test_not_when_the_client_or_its_session_is_closed(make_client):
    async with RawServer(answer(body=RUN)) as server:
        session = aiohttp.ClientSession()
        lent = make_client(server.url, TOKEN, session=session)
        await session.close()
        assert find_leaks(await catch(lent.runs.get("drun_1"))) == []
        closed = make_client(server.url, TOKEN)
        await closed.aclose()
        assert find_leaks(await catch(closed.runs.get("drun_1"))) == []


def everything_in(thing: object, seen: dict[int, object]) -> dict[int, object]:
    """A thing and all objects of the library that it holds."""
    if id(thing) not in seen:
        seen[id(thing)] = thing
        slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
        parts = [getattr(thing, name, None) for name in slots] + list(getattr(thing, "__dict__", {}).values())
        for part in parts:
            if type(part).__module__.startswith("qoder_async"):
                everything_in(part, seen)
    return seen


@pytest.mark.parametrize("is_provider", [False, True])
async def test_not_in_the_repr_of_anything(make_client, is_provider):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(
            server.url, (lambda: TOKEN) if is_provider else TOKEN, headers={"X-Token": TOKEN}, workspace_id="ws_1"
        )
        await client.runs.get("drun_1")
        pager = client.runs.list("dep_1")
        things = (
            everything_in(client, {}) | everything_in(pager, {}) | everything_in(client.with_options(timeout=5), {})
        )
        assert len(things) > 10
        for thing in things.values():
            assert TOKEN not in repr(thing)
            held = dict(getattr(thing, "__dict__", {}).items())
            assert TOKEN not in repr(held)
