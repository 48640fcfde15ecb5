"""A span for each call."""

from __future__ import annotations

import asyncio
from contextvars import Context

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from support.payloads import DEPLOYMENT, RUN
from support.raw_server import RawServer, answer, cut, reset, stall, unused_address

from qoder_async import (
    AmbiguousTriggerError,
    APIConnectionError,
    APITimeoutError,
    NotFoundError,
    Pace,
    QoderError,
    RetryPolicy,
    ServerError,
    __version__,
)

ONCE = RetryPolicy(attempts=1)


async def test_a_call_is_a_span(make_client, telemetry, gathered):
    async with RawServer(answer(body=RUN, X_Request_Id="req_1")) as server:
        await make_client(server.url, telemetry=telemetry).runs.get("drun_1")
        span = gathered.the_span()
        assert dict(span.attributes) == {
            "http.request.method": "GET",
            "url.template": "/deployment_runs/{id}",
            "server.address": "127.0.0.1",
            "server.port": server.port,
            "http.response.status_code": 200,
            "qoder.run_id": "drun_1",
            "qoder.request_id": "req_1",
        }
    assert span.name == "GET /deployment_runs/{id}"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert span.events == ()
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == ("qoder_async", __version__)


async def test_every_page_of_a_walk_is_a_span(make_client, telemetry, gathered):
    page = {"data": [RUN], "has_more": True, "last_id": "drun_1", "next_page": None}
    last = {"data": [{**RUN, "id": "drun_2"}], "has_more": False, "last_id": "drun_2", "next_page": None}
    async with RawServer(answer(body=page), answer(body=last)) as server:
        await make_client(server.url, telemetry=telemetry).runs.list("dep_1").collect()
        assert gathered.names == ["GET /deployments/{id}/runs"] * len(server.requests)
    assert len(gathered.spans) == 2
    assert {span.attributes["qoder.deployment_id"] for span in gathered.spans} == {"dep_1"}


async def test_attempts_and_their_waits_are_within_it(make_client, telemetry, gathered, clock):
    async with RawServer(
        answer(503, Retry_After="2", X_Request_Id="req_1"), cut(), reset, answer(body=RUN, X_Request_Id="req_4")
    ) as server:
        await make_client(server.url, telemetry=telemetry).runs.get("drun_1")
    span = gathered.the_span()
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["http.request.resend_count"] == 3
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["qoder.request_id"] == "req_4"
    assert "error.type" not in span.attributes
    assert [event.name for event in span.events] == ["qoder.retry"] * 3
    refused, lost, dropped = (dict(event.attributes) for event in span.events)
    assert refused == {
        "qoder.attempt": 1,
        "qoder.retry.delay": 2.0,
        "error.type": "ServerError",
        "http.response.status_code": 503,
        "qoder.request_id": "req_1",
    }
    assert lost == {
        "qoder.attempt": 2,
        "qoder.retry.delay": clock.slept[1],
        "error.type": "APIConnectionError",
        "qoder.fault": "lost",
    }
    assert (dropped["qoder.attempt"], dropped["qoder.fault"]) == (3, "reset")


async def test_the_renewal_of_a_token_is_a_retry(make_client, telemetry, gathered):
    tokens = iter(["pt-old", "pt-new"])
    async with RawServer(answer(401), answer(body=RUN)) as server:
        await make_client(server.url, lambda: next(tokens), telemetry=telemetry).runs.get("drun_1")
    (event,) = gathered.the_span().events
    assert (event.attributes["http.response.status_code"], event.attributes["qoder.retry.delay"]) == (401, 0.0)


@pytest.mark.parametrize(
    ("part", "kind", "status"),
    [
        (answer(404, {"error": {"message": "no such run"}}, X_Request_Id="req_1"), NotFoundError, 404),
        (answer(500, X_Request_Id="req_1"), ServerError, 500),
        (cut(), APIConnectionError, None),
        (stall, APITimeoutError, None),
    ],
)
async def test_a_call_that_fails_says_how(make_client, telemetry, gathered, part, kind, status):
    async with RawServer(part) as server:
        with pytest.raises(kind) as caught:
            await make_client(server.url, telemetry=telemetry, retry=ONCE, timeout=0.2).runs.get("drun_1")
    span = gathered.the_span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == f"{kind.__name__}: {caught.value}"
    assert span.attributes["error.type"] == kind.__name__
    assert span.attributes.get("http.response.status_code") == status
    assert span.attributes.get("qoder.request_id") == (None if status is None else "req_1")
    assert span.attributes.get("qoder.fault") == (None if status else "lost")
    assert "http.request.resend_count" not in span.attributes


async def test_where_no_connection_is_made_nothing_was_sent(make_client, telemetry, gathered):
    held, url = unused_address()
    with held, pytest.raises(APIConnectionError):
        await make_client(url, telemetry=telemetry, retry=ONCE).runs.get("drun_1")
    assert gathered.the_span().attributes["qoder.fault"] == "unsent"


async def test_a_trigger_whose_answer_is_lost_says_so(make_client, telemetry, gathered):
    async with RawServer(cut()) as server:
        with pytest.raises(AmbiguousTriggerError):
            await make_client(server.url, telemetry=telemetry).deployments.run("dep_1")
    span = gathered.the_span()
    assert span.name == "POST /deployments/{id}/run"
    assert span.attributes["error.type"] == "AmbiguousTriggerError"
    assert span.events == ()


async def test_a_deadline_that_passes_in_the_queue_ends_the_span(make_client, telemetry, gathered):
    async with RawServer(answer(body=RUN)) as server:
        pace, retry = Pace(reads_per_second=0.5), RetryPolicy(deadline=1)
        client = make_client(server.url, telemetry=telemetry, pace=pace, retry=retry)
        await client.runs.get("drun_1")
        with pytest.raises(APITimeoutError, match="was not sent"):
            await client.runs.get("drun_2")
    assert len(server.requests) == 1
    unsent = gathered.spans[1]
    assert unsent.attributes["error.type"] == "APITimeoutError"
    assert "http.response.status_code" not in unsent.attributes
    assert [measured.sum for measured in gathered.metrics()["qoder.client.queue.duration"]] == [pytest.approx(2)]


async def test_what_a_provider_of_tokens_raises_is_named_and_not_told(make_client, telemetry, gathered):
    def provide() -> str:
        raise LookupError("pt-secret is no token")

    with pytest.raises(LookupError):
        await make_client("http://127.0.0.1:9", provide, telemetry=telemetry).runs.get("drun_1")
    assert gathered.the_span().status.description == "LookupError"


async def test_a_cancelled_call_says_so_and_is_cancelled(make_client, telemetry, gathered):
    async with RawServer(stall) as server:
        task = asyncio.create_task(make_client(server.url, telemetry=telemetry).runs.get("drun_1"))
        await server.arrived(1)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert caught.value.args == ("enough",)
    span = gathered.the_span()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "cancelled")
    assert span.attributes["error.type"] == "CancelledError"


async def test_a_timeout_of_the_callers_stays_his(make_client, telemetry, gathered):
    async with RawServer(stall) as server:
        client = make_client(server.url, telemetry=telemetry)
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await client.runs.get("drun_1")
    assert not isinstance(caught.value, QoderError)
    assert gathered.the_span().status.description == "cancelled"


async def test_a_call_that_is_thrown_away_leaves_nothing_open(make_client, telemetry, gathered, caplog):
    """As a loop that ends does with what nobody waits for; the context it happens in is not the call's own."""
    loop = asyncio.get_running_loop()
    waits = loop.create_future()

    async def provide() -> str:
        return await waits

    call = make_client("http://127.0.0.1:9", provide, telemetry=telemetry).runs.get("drun_1")
    Context().run(call.send, None)
    call.close()
    assert gathered.the_span().attributes["error.type"] == "GeneratorExit"
    assert caplog.records == []


async def test_the_span_is_the_callers_child_and_current_while_it_goes(make_client, telemetry, gathered):
    def provide() -> str:
        with gathered.tracer.start_as_current_span("ask for a token"):
            return "pt-test"

    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, provide, telemetry=telemetry)
        with gathered.tracer.start_as_current_span("the caller") as caller:
            await client.runs.get("drun_1")
            assert trace.get_current_span() is caller
    spans = {span.name: span for span in gathered.spans}
    call = spans["GET /deployment_runs/{id}"]
    assert call.parent.span_id == spans["the caller"].context.span_id
    assert spans["ask for a token"].parent.span_id == call.context.span_id


async def test_with_options_gives_and_takes_it(make_client, telemetry, gathered):
    async with RawServer(answer(body=RUN)) as server:
        plain = make_client(server.url)
        told = plain.with_options(telemetry=telemetry)
        await plain.runs.get("drun_1")
        await told.with_options(telemetry=None).runs.get("drun_1")
        assert gathered.spans == []
        await told.with_options(timeout=5).runs.get("drun_1")
    assert len(gathered.spans) == 1


async def test_what_the_library_does_not_wrap_is_a_span_too(make_client, telemetry, gathered):
    async with RawServer(answer(body=DEPLOYMENT)) as server:
        await make_client(server.url, telemetry=telemetry).request("GET", "/agents/agent_1/versions")
    assert gathered.names == ["GET /agents/{id}/versions"]
