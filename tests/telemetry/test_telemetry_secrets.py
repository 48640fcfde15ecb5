"""The token is in no span, event, attribute or metric, whatever the server does with it."""

from __future__ import annotations

import asyncio

import pytest
from support.canary import TOKEN
from support.outcomes import CALLS, CASES
from support.payloads import RUN
from support.raw_server import RawServer, answer, html, unused_address

from qoder_async import QoderError, RetryPolicy

BEARER = f"Bearer {TOKEN}"
ECHOES = {
    "in a message": answer(400, {"error": {"type": "x", "message": BEARER}}, X_Request_Id=TOKEN),
    "in a page": html(502, f"<p>{BEARER}</p>"),
    "in a header": answer(429, {"error": {"message": TOKEN}}, Retry_After="1", X_Request_Id=BEARER),
    "in a record": answer(body={**RUN, "agent": {"id": "agent_1", "version": BEARER}}),
    "in no JSON": answer(body=f"token={TOKEN}".encode()),
    "in a redirect": answer(302, Location=f"https://elsewhere.test/{TOKEN}"),
}


def shown(gathered) -> str:
    """All that an exporter could send."""
    spans = [span.to_json() + repr(span.status.description) + repr(dict(span.attributes)) for span in gathered.spans]
    events = [f"{event.name} {dict(event.attributes)}" for span in gathered.spans for event in span.events]
    return "\n".join([*spans, *events, gathered.reader.get_metrics_data().to_json()])


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", ECHOES)
async def test_what_the_service_echoes_is_hidden(make_client, telemetry, gathered, name, kind):
    async with RawServer(ECHOES[name]) as server:
        client = make_client(server.url, TOKEN, telemetry=telemetry, retry=RetryPolicy(attempts=2))
        (error,) = await asyncio.gather(CALLS[kind](client), return_exceptions=True)
    assert isinstance(error, QoderError)
    assert len(gathered.spans) == 1
    assert gathered.spans[0].attributes["error.type"] in shown(gathered)
    assert "canary" not in shown(gathered)


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("name", CASES)
async def test_however_a_call_fails(make_client, telemetry, gathered, name, kind):
    case = CASES[name]
    held, unused = unused_address()
    with held:
        async with RawServer(case.part or answer()) as server:
            url = unused if case.part is None else server.url
            client = make_client(url, TOKEN, timeout=0.05, retry=RetryPolicy(attempts=2), telemetry=telemetry)
            (error,) = await asyncio.gather(CALLS[kind](client), return_exceptions=True)
    assert isinstance(error, QoderError)
    span = gathered.the_span()
    assert span.attributes["error.type"] == type(error).__name__
    assert len(span.events) == span.attributes.get("http.request.resend_count", 0)
    assert "canary" not in shown(gathered)


async def test_a_token_that_came_back_in_a_path_is_in_no_name(make_client, telemetry, gathered):
    async with RawServer(answer()) as server:
        client = make_client(server.url, "pt-canary", telemetry=telemetry)
        await client.request("GET", "/tokens/pt-canary")
        await client.request("GET", "/pt-canary")
    assert gathered.names == ["GET /tokens/{id}", "GET /{id}"]
    assert "canary" not in shown(gathered)
