"""What is measured of requests, waits and pauses."""

from __future__ import annotations

import asyncio

import pytest
from support.clock import FakeClock
from support.payloads import RUN
from support.raw_server import RawServer, after, answer, cut, stall
from telemetry_support import Measured

from qoder_async import APIConnectionError, NotFoundError, Pace, QoderError, RateLimitError, RetryPolicy, ServerError
from qoder_async._http.call import Call
from qoder_async._http.outcome import Failure
from qoder_async._http.pacing import Pacing, Silence

REQUESTS, QUEUE, RETRIES = "http.client.request.duration", "qoder.client.queue.duration", "qoder.client.retry.delay"
PAUSES, SILENCE = "qoder.client.pauses", "qoder.client.pause.time"
READ = Call(method="GET", path="/x", parse=lambda _: None)


def about(server: RawServer, **more) -> dict:
    base = {"http.request.method": "GET", "server.address": "127.0.0.1", "server.port": server.port}
    return base | {name.replace("_", ".", 1): value for name, value in more.items()}


class Counting(FakeClock):
    """A clock that is a quarter of a second later at every look."""

    def now(self) -> float:
        self.time += 0.25
        return self.time


async def test_every_attempt_is_measured(make_client, telemetry, gathered, clock):
    async with RawServer(answer(503), cut(), answer(body=RUN)) as server:
        await make_client(server.url, telemetry=telemetry).runs.get("drun_1")
        route = {"url.template": "/deployment_runs/{id}"}
        status = "http.response.status_code"
        assert gathered.metrics()[REQUESTS] == [
            Measured(1, 0.0, {**about(server), **route, status: 503, "error.type": "ServerError"}),
            Measured(1, 0.0, {**about(server), **route, "error.type": "APIConnectionError"}),
            Measured(1, 0.0, {**about(server), **route, status: 200}),
        ]
        assert gathered.metrics()[RETRIES] == [
            Measured(1, clock.slept[0], {**about(server), "error.type": "ServerError"}),
            Measured(1, clock.slept[1], {**about(server), "error.type": "APIConnectionError"}),
        ]


async def test_an_attempt_lasts_from_sending_to_the_last_byte(make_client, telemetry, gathered):
    async with RawServer(answer(body=RUN)) as server:
        await make_client(server.url, telemetry=telemetry, clock=Counting()).runs.get("drun_1")
    assert [measured.sum for measured in gathered.metrics()[REQUESTS]] == [0.25]


async def test_ids_are_in_no_metric(make_client, telemetry, gathered):
    async with RawServer(answer(body=RUN, X_Request_Id="req_1"), answer(404)) as server:
        client = make_client(server.url, telemetry=telemetry)
        await client.runs.get("drun_1")
        with pytest.raises(NotFoundError):
            await client.runs.get("drun_2")
    shown = repr(gathered.metrics())
    assert "deployment_runs/{id}" in shown
    assert "drun_" not in shown
    assert "req_1" not in shown


async def test_the_wait_for_the_pace_is_measured(make_client, telemetry, gathered):
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, telemetry=telemetry, pace=Pace(reads_per_second=2))
        for _ in range(3):
            await client.runs.get("drun_1")
        assert gathered.metrics()[QUEUE] == [Measured(3, pytest.approx(1.0), about(server))]


async def test_the_wait_before_a_retry_is_no_wait_for_the_pace(make_client, telemetry, gathered):
    async with RawServer(answer(500, Retry_After="7"), answer(body=RUN)) as server:
        await make_client(server.url, telemetry=telemetry).runs.get("drun_1")
        assert gathered.metrics()[QUEUE] == [Measured(2, 0.0, about(server))]
        assert [measured.sum for measured in gathered.metrics()[RETRIES]] == [7.0]


async def test_an_attempt_that_is_broken_off_is_measured(make_client, telemetry, gathered):
    async with RawServer(stall) as server:
        task = asyncio.create_task(make_client(server.url, telemetry=telemetry).runs.get("drun_1"))
        await server.arrived(1)
        task.cancel()
        await asyncio.wait([task])
    (measured,) = gathered.metrics()[REQUESTS]
    assert measured.attributes["error.type"] == "CancelledError"
    assert "http.response.status_code" not in measured.attributes


async def test_a_call_that_is_cancelled_while_it_queues_waited_and_sent_nothing(make_client, telemetry, gathered):
    async with RawServer(stall) as server:
        client = make_client(server.url, telemetry=telemetry, max_connections=1)
        first = asyncio.create_task(client.runs.get("drun_1"))
        await server.arrived(1)
        second = asyncio.create_task(client.runs.get("drun_2"))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        metrics = gathered.metrics()
        assert metrics[QUEUE] == [Measured(2, 0.0, about(server))]
        assert REQUESTS not in metrics
        first.cancel()
        await asyncio.wait([first])
    assert [span.attributes["qoder.run_id"] for span in gathered.spans] == ["drun_2", "drun_1"]


async def test_a_pause_is_counted_and_measured(make_client, telemetry, gathered):
    refusal = answer(429, Retry_After="10")
    async with RawServer(refusal, refusal, answer(503, Retry_After="400"), answer(body=RUN)) as server:
        client = make_client(server.url, telemetry=telemetry, pace=Pace())
        with pytest.raises(ServerError):
            await client.runs.get("drun_1")
        place = {"server.address": "127.0.0.1", "server.port": server.port}
        # The last asks for more than the policy grants.
        assert gathered.metrics()[PAUSES] == [Measured(None, 3, place)]
        assert gathered.metrics()[SILENCE] == [Measured(None, pytest.approx(10 + 10 + 60), place)]


async def test_refusals_that_come_together_are_one_pause(make_client, telemetry, gathered):
    both = asyncio.Event()
    refusals = [after(both, answer(429, Retry_After="10")), after(both, answer(429, Retry_After="12"))]
    async with RawServer(*refusals) as server:
        client = make_client(
            server.url, telemetry=telemetry, pace=Pace(reads_per_second=50), retry=RetryPolicy(attempts=1)
        )
        calls = [asyncio.create_task(client.runs.get(run)) for run in ("drun_1", "drun_2")]
        await server.arrived(2)
        both.set()
        await asyncio.wait(calls)
    assert [type(call.exception()) for call in calls] == [RateLimitError] * 2
    metrics = gathered.metrics()
    assert ([each.sum for each in metrics[PAUSES]], [each.sum for each in metrics[SILENCE]]) == ([1], [12.0])


async def test_a_pause_that_others_ask_for_too_only_grows():
    """All that is under way is refused together, and each refusal names its own time."""
    clock = FakeClock()
    pacing = Pacing(Pace(), clock)

    def learn(asked: float | None) -> Silence | None:
        failure = Failure(error=QoderError("x"), is_passing=True, may_have_acted=False, asked=asked, is_refusal=True)
        return pacing.learn(READ, failure, sent_at=clock.now(), longest_pause=60)

    assert learn(None) is None
    assert learn(10.0) == Silence(10.0, begins=True)
    clock.time += 1
    assert learn(4.0) is None
    assert learn(9.0) is None
    clock.time += 2
    assert learn(13.0) == Silence(6.0, begins=False)
    clock.time += 13
    assert learn(1000.0) == Silence(60.0, begins=True)


async def test_without_a_pace_there_is_no_pause(make_client, telemetry, gathered):
    async with RawServer(answer(429, Retry_After="3"), answer(body=RUN)) as server:
        await make_client(server.url, telemetry=telemetry, pace=None).runs.get("drun_1")
    metrics = gathered.metrics()
    assert PAUSES not in metrics
    assert [measured.sum for measured in metrics[RETRIES]] == [3.0]


async def test_a_connection_that_fails_is_measured(make_client, telemetry, gathered):
    async with RawServer(cut()) as server:
        client = make_client(server.url, telemetry=telemetry, retry=RetryPolicy(attempts=1))
        with pytest.raises(APIConnectionError):
            await client.runs.get("drun_1")
    assert gathered.metrics()[REQUESTS][0].count == 1
