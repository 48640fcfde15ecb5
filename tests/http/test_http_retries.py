"""Which outcomes are sent again, for reads, for writes and for triggers; over real sockets, without waiting."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from http import HTTPStatus

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from aiohttp.helpers import calculate_timeout_when
from support.clock import START
from support.outcomes import CALLS, CASES, GOOD, Case
from support.payloads import RUN
from support.raw_server import RawServer, answer, hang_up, raw, reset, stall, unused_address

from qoder_async import (
    AmbiguousTriggerError,
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from qoder_async._http import exchange

HEARD = [name for name, case in CASES.items() if case.part is not None]


async def fail(make_client, case: Case, kind: str, **options):
    """Make a call that goes wrong; gives its error, what the hook was told and what the server saw."""
    told = []
    options = {"timeout": 0.2 if case.error is APITimeoutError else 30, "max_body": 4096} | options
    async with RawServer(case.part or answer()) as server:
        held, url = unused_address()
        with held:
            if case.part is not None:
                url = server.url
            client = make_client(url, on_attempt=told.append, **options)
            with pytest.raises(Exception, match=r".") as caught:
                await CALLS[kind](client)
            await client.aclose()
    return caught.value, told, server.requests


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", CASES)
async def test_how_often_a_call_is_sent_and_how_it_ends(make_client, clock, name, kind):
    case = CASES[name]
    error, told, requests = await fail(make_client, case, kind)
    expected = AmbiguousTriggerError if kind == "trigger" and case.is_ambiguous else case.error
    assert type(error) is expected
    assert error.__cause__ is error.__context__ is None
    times = getattr(case, kind)
    assert [attempt.attempt for attempt in told] == list(range(1, times + 1))
    assert len(clock.slept) == times - 1
    if case.part is not None:
        keys = {request.headers.get("Idempotency-Key") for request in requests}
        assert len(keys) == 1
        assert (keys == {None}) == (kind == "read")
        assert len({request.body for request in requests}) == 1
        if kind != "read":
            assert len(requests) == times


@pytest.mark.parametrize("name", HEARD)
async def test_the_wire_sees_a_read_as_often_as_the_policy_says(make_client, name):
    """aiohttp would send a GET again by itself, unpaced and uncounted, when its connection breaks."""
    case = CASES[name]
    _, _, requests = await fail(make_client, case, "read")
    assert len(requests) == case.read


@pytest.mark.parametrize("name", HEARD)
@pytest.mark.parametrize("kind", CALLS)
async def test_a_policy_of_one_attempt_never_retries(make_client, name, kind):
    case = CASES[name]
    _, told, requests = await fail(make_client, case, kind, retry=RetryPolicy(attempts=1))
    assert len(told) == len(requests) == 1
    assert told[0].wait is None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
@pytest.mark.parametrize("part", [reset, hang_up])
async def test_no_write_of_the_users_own_is_sent_twice(make_client, method, part):
    async with RawServer(part) as server:
        client = make_client(server.url)
        with pytest.raises(APIConnectionError, match="it may have taken effect all the same"):
            await client.request(method, "/x", json={})
        assert len(server.requests) == 1


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", HEARD)
async def test_one_bad_moment_is_got_over_where_it_may_be(make_client, name, kind):
    """Sent again means: the caller gets the result and never learns of the trouble."""
    case = CASES[name]
    async with RawServer(case.part, GOOD[kind]) as server:
        timeout = 0.05 if case.error is APITimeoutError else 30
        client = make_client(server.url, timeout=timeout, max_body=4096)
        if getattr(case, kind) == 1:
            with pytest.raises(Exception, match=r"."):
                await CALLS[kind](client)
        else:
            assert (await CALLS[kind](client)).id
        assert len({request.headers.get("Idempotency-Key") for request in server.requests}) == 1


# Triggers


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.is_ambiguous])
async def test_a_lost_trigger_says_what_to_look_for(make_client, name):
    case = CASES[name]
    error, _, (request,) = await fail(make_client, case, "trigger")
    assert (request.method, request.target) == ("POST", "/api/v1/cloud/deployments/dep_1/run")
    assert error.idempotency_key == request.headers["Idempotency-Key"]
    assert error.deployment_id == "dep_1"
    assert error.sent_at == START
    assert error.reason
    assert error.reason in str(error)
    assert uuid.UUID(error.idempotency_key).version == 4


async def test_the_request_id_of_a_lost_trigger_is_kept(make_client):
    async with RawServer(answer(500, X_Request_Id="req_1")) as server:
        with pytest.raises(AmbiguousTriggerError) as caught:
            await make_client(server.url).deployments.run("dep_1")
    assert caught.value.request_id == "req_1"


async def test_a_trigger_is_ambiguous_from_its_first_sending_on(make_client, clock):
    """Refused twice, then lost: what is looked for begins when it was first sent."""
    async with RawServer(answer(429), answer(429, Retry_After="5"), reset) as server:
        with pytest.raises(AmbiguousTriggerError) as caught:
            await make_client(server.url).deployments.run("dep_1")
        assert len(server.requests) == 3
        assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert caught.value.sent_at == START
    assert clock.wall() >= START + timedelta(seconds=5)


async def test_a_callers_key_is_on_every_attempt_and_on_the_error(make_client):
    async with RawServer(answer(429), reset) as server:
        with pytest.raises(AmbiguousTriggerError) as caught:
            await make_client(server.url).deployments.run("dep_1", idempotency_key="mine")
        assert [request.headers["Idempotency-Key"] for request in server.requests] == ["mine", "mine"]
    assert caught.value.idempotency_key == "mine"


async def test_each_call_has_a_key_of_its_own(make_client):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url)
        for _ in range(3):
            await client.deployments.run("dep_1")
        assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 3


async def test_connecting_never_takes_so_long_that_it_looks_like_a_lost_answer(make_client, monkeypatch):
    """aiohttp rounds timeouts above five seconds up to whole seconds, beyond those of the attempt."""
    seen = []

    def request(self, *args, timeout, **options):
        seen.append(timeout)
        raise OSError

    monkeypatch.setattr(ClientSession, "request", request)
    for seconds in (0.1, 4, 6, 10, 19, 30, 300):
        client = make_client(timeout=seconds, retry=RetryPolicy(attempts=1))
        with pytest.raises(APIConnectionError):
            await client.runs.get("drun_1")
        limits = seen.pop()
        for now in (1000.0, 1000.001, 1000.3, 1000.999):
            assert calculate_timeout_when(now, limits.connect, limits.ceil_threshold) < now + seconds


async def test_a_trigger_whose_connection_is_never_made_is_sent_again(make_client, monkeypatch):
    """A connection that takes too long to be made has carried nothing."""

    async def connect(self, *args, **options):
        await asyncio.sleep(3600)

    monkeypatch.setattr(TCPConnector, "_create_connection", connect)
    told = []
    # A loop that is late by more than what lies between both limits takes the answer for lost, which is safe.
    monkeypatch.setattr(exchange, "_time_to_connect", lambda _: ClientTimeout(total=None, connect=0.1))
    client = make_client(timeout=4, on_attempt=told.append, retry=RetryPolicy(attempts=2))
    with pytest.raises(APIConnectionError, match=r"no connection within 4 s"):
        await client.deployments.run("dep_1")
    assert len(told) == 2


# Retry-After


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0.25"}, 0.25),
        ({"Retry_After_Ms": "1500", "Retry_After": "9"}, 1.5),
        ({"Retry_After": "Sun, 22 Nov 2026 01:00:30 GMT", "Date": "Sun, 22 Nov 2026 01:00:00 GMT"}, 30.0),
        ({"Retry_After": "Sun, 22 Nov 2026 08:30:42 GMT"}, 42.0),
        ({"Retry_After": "60"}, 60.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_is_asked_for_is_kept_exactly(make_client, clock, headers, waits, status):
    async with RawServer(answer(status, **headers), answer(body=RUN)) as server:
        assert (await make_client(server.url).runs.get("drun_1")).id == RUN["id"]
        assert len(server.requests) == 2
    assert clock.slept == [waits]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Retry_After": "0"}, {"Retry_After": "-1"}, {"Retry_After": "soon"}, {"Retry_After": "nan"},
     {"Retry_After": "inf"}, {"Retry_After": "Sun, 22 Nov 2026 01:00:00 GMT", "Date": "Sun, 22 Nov 2026 02:00:00 GMT"}],
    ids=repr,
)  # fmt: skip
async def test_where_no_wait_is_asked_for_the_librarys_own_holds(make_client, clock, headers):
    async with RawServer(answer(503, **headers), answer(503, **headers), answer(body=RUN)) as server:
        await make_client(server.url).runs.get("drun_1")
    first, second = clock.slept
    assert 0.5 <= first <= 1.0 <= second <= 2.0


async def test_the_longest_of_two_headers_is_kept(make_client, clock):
    two = raw(b"HTTP/1.1 429 X\r\nRetry-After: 3\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n", keep=True)
    async with RawServer(two, answer(body=RUN)) as server:
        await make_client(server.url).runs.get("drun_1")
    assert clock.slept == [9.0]


@pytest.mark.parametrize(
    ("asked", "policy"),
    [
        ("61", RetryPolicy()),
        ("3600", RetryPolicy(attempts=None)),
        ("1000000000000", RetryPolicy()),
        ("5", RetryPolicy(deadline=4)),
        ("5", RetryPolicy(max_retry_after=4)),
    ],
)
@pytest.mark.parametrize("kind", CALLS)
async def test_a_wait_beyond_the_bounds_ends_the_call_at_once(make_client, clock, asked, policy, kind):
    async with RawServer(answer(HTTPStatus.TOO_MANY_REQUESTS, Retry_After=asked)) as server:
        with pytest.raises(RateLimitError) as caught:
            await CALLS[kind](make_client(server.url, retry=policy))
        assert len(server.requests) == 1
    assert caught.value.retry_after == float(asked)
    assert clock.slept == []


async def test_the_last_error_says_what_was_asked(make_client):
    async with RawServer(answer(503, Retry_After="2")) as server:
        with pytest.raises(ServerError) as caught:
            await make_client(server.url).runs.get("drun_1")
    assert caught.value.retry_after == 2.0


# The deadline


async def test_without_a_bound_on_attempts_the_deadline_ends_the_call(make_client, clock):
    began = clock.time
    async with RawServer(answer(500)) as server:
        with pytest.raises(ServerError):
            await make_client(server.url, retry=RetryPolicy(attempts=None, deadline=100)).runs.get("drun_1")
        assert len(server.requests) > 10
    assert clock.time - began < 100


async def test_a_deadline_cuts_the_attempt_short(make_client):
    async with RawServer(stall) as server:
        client = make_client(server.url, retry=RetryPolicy(deadline=0.05))
        with pytest.raises(APITimeoutError, match=r"no whole answer within 0\.05 s"):
            await client.runs.get("drun_1")


@pytest.mark.parametrize("kind", CALLS)
async def test_nothing_is_sent_once_the_deadline_has_passed(make_client, clock, kind):
    """The provider took too long: the call is over, and a trigger has certainly not been sent."""

    def provide() -> str:
        clock.time += 10
        return "pt-x"

    async with RawServer(GOOD[kind]) as server:
        client = make_client(server.url, provide, retry=RetryPolicy(deadline=5))
        with pytest.raises(APITimeoutError):
            await CALLS[kind](client)
        assert server.requests == []


@pytest.mark.parametrize("kind", CALLS)
async def test_nothing_is_sent_again_once_the_deadline_has_passed(make_client, clock, kind):
    """A 401 is answered with a new token at once, unless there is no time left."""

    def provide() -> str:
        clock.time += 3
        return "pt-x"

    async with RawServer(answer(401), GOOD[kind]) as server:
        client = make_client(server.url, provide, retry=RetryPolicy(deadline=5))
        with pytest.raises((APITimeoutError, AuthenticationError)):
            await CALLS[kind](client)
        assert len(server.requests) == 1


async def test_a_deadline_cuts_a_provider_short_that_never_answers(make_client):
    async def provide() -> str:
        await asyncio.sleep(3600)
        return "pt-x"

    client = make_client(token=provide, retry=RetryPolicy(deadline=0.05))
    async with asyncio.timeout(10):
        with pytest.raises(APITimeoutError):
            await client.runs.get("drun_1")
