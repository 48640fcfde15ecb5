"""What is hung into OpenTelemetry breaks no request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from support.payloads import RUN
from support.raw_server import RawServer, answer

from qoder_async import NotFoundError

if TYPE_CHECKING:
    from qoder_async.telemetry import OpenTelemetry


class Broken(SpanProcessor):
    def __init__(self, place: str) -> None:
        self._place = place

    def on_start(self, span, parent_context=None) -> None:
        self._break("start")

    def on_end(self, span) -> None:
        self._break("end")

    def _break(self, place: str) -> None:
        if place == self._place:
            raise RuntimeError(f"broken at the {place}")


class BrokenSampler(Sampler):
    def should_sample(self, *args, **kwargs):
        raise RuntimeError("broken sampler")

    def get_description(self) -> str:
        return "broken"


@pytest.mark.parametrize("place", ["start", "end"])
async def test_a_processor_that_raises_is_logged_and_a_run_is_not_lost(make_client, gathered, caplog, place):
    gathered.tracer_provider.add_span_processor(Broken(place))
    async with RawServer(answer(body=RUN)) as server:
        client = make_client(server.url, telemetry=gathered.telemetry())
        run = await client.deployments.run("dep_1")
    assert run.id == RUN["id"]
    (record,) = caplog.records
    assert record.getMessage() == "OpenTelemetry raised"
    assert str(record.exc_info[1]) == f"broken at the {place}"
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_a_sampler_that_raises_too(make_client, gathered, caplog):
    gathered.tracer_provider.sampler = BrokenSampler()
    async with RawServer(answer(404)) as server:
        with pytest.raises(NotFoundError):
            await make_client(server.url, telemetry=gathered.telemetry()).runs.get("drun_1")
    assert [record.getMessage() for record in caplog.records] == ["OpenTelemetry raised"]
    assert gathered.metrics()["http.client.request.duration"][0].count == 1


async def test_a_meter_that_raises_too(make_client, gathered, caplog):
    class BrokenHistogram:
        def record(self, *args, **kwargs):
            raise RuntimeError("broken histogram")

    telemetry: OpenTelemetry = gathered.telemetry()
    for name in ("requests", "queueing", "retries"):
        object.__setattr__(telemetry._instruments, name, BrokenHistogram())
    async with RawServer(answer(503), answer(body=RUN)) as server:
        assert (await make_client(server.url, telemetry=telemetry).runs.get("drun_1")).id == RUN["id"]
    assert gathered.the_span().end_time is not None
    assert {record.getMessage() for record in caplog.records if record.exc_info} == {"OpenTelemetry raised"}


async def test_what_is_not_sampled_is_measured_all_the_same(make_client, gathered):
    gathered.tracer_provider.sampler = ALWAYS_OFF
    async with RawServer(answer(503), answer(body=RUN)) as server:
        await make_client(server.url, telemetry=gathered.telemetry()).runs.get("drun_1")
    assert gathered.spans == []
    assert sum(measured.count for measured in gathered.metrics()["http.client.request.duration"]) == 2
