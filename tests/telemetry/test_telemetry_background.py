"""Whose child a call is that nobody waits for directly."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest
import pytest_asyncio
from opentelemetry import trace

from qoder_async import Poll
from qoder_async._http.clock import Clock
from qoder_async.simulator import Simulator

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


@pytest_asyncio.fixture
async def sim():
    async with Simulator(shape="extended", seed=1) as sim:
        yield sim


@pytest.fixture
def deployment(sim):
    deployment = sim.add_deployment(name="nightly")
    sim.add_runs(deployment, 5)
    return deployment


async def test_a_look_on_behalf_of_all_is_nobodys_child(make_client, telemetry, gathered, sim, deployment):
    """Whoever came first may be long gone, and the look is no part of what it did."""
    client = make_client(sim.url, telemetry=telemetry, clock=Clock())
    with gathered.tracer.start_as_current_span("the first"):
        await client.runs.wait(sim.run_ids(deployment)[0])
        assert trace.get_current_span().is_recording()
    looks = [span for span in gathered.spans if span.name != "the first"]
    assert looks
    assert [span.parent for span in looks] == [None] * len(looks)
    assert "the first" in gathered.names


async def test_what_else_a_context_holds_is_kept_for_it(make_client, telemetry, sim, deployment):
    asked_by = []

    def provide() -> str:
        asked_by.append(WHO.get())
        return "pt-test"

    WHO.set("the first")
    client = make_client(sim.url, provide, telemetry=telemetry, clock=Clock())
    await client.runs.wait(sim.run_ids(deployment)[0])
    assert asked_by
    assert set(asked_by) == {"the first"}


async def test_a_fan_out_is_its_callers(make_client, telemetry, gathered, sim, deployment):
    other = sim.add_deployment(name="hourly")
    sim.add_runs(other, 5)
    client = make_client(sim.url, telemetry=telemetry)
    with gathered.tracer.start_as_current_span("the report") as report:
        async with client.runs.fan_out([deployment, other]) as walk:
            runs = [run async for run in walk]
    assert len(runs) == 10
    calls = [span for span in gathered.spans if span.name != "the report"]
    assert len(calls) >= 2
    assert {span.parent.span_id for span in calls} == {report.get_span_context().span_id}


async def test_pages_that_are_fetched_ahead_are_their_walks(make_client, telemetry, gathered, sim, deployment):
    client = make_client(sim.url, telemetry=telemetry)
    with gathered.tracer.start_as_current_span("the walk") as walk:
        runs = await client.runs.list(deployment, page_size=2, prefetch=1).collect()
    assert len(runs) == 5
    calls = [span for span in gathered.spans if span.name != "the walk"]
    assert [span.parent.span_id for span in calls] == [walk.get_span_context().span_id] * 3


async def test_calls_at_once_do_not_become_each_others_children(make_client, telemetry, gathered, sim, deployment):
    client = make_client(sim.url, telemetry=telemetry)
    await asyncio.gather(*(client.runs.get(run) for run in sim.run_ids(deployment)))
    assert [span.parent for span in gathered.spans] == [None] * 5


async def test_a_watch_is_of_the_block_that_was_entered(make_client, telemetry, gathered, sim, deployment):
    client = make_client(sim.url, telemetry=telemetry, clock=Clock())
    with gathered.tracer.start_as_current_span("the bot") as bot:
        async with client.runs.watch(deployment, poll=Poll(initial=0.01, maximum=0.01)) as changes:
            began = len(gathered.spans)
            inserted = sim.insert_run(deployment, state="failed")
            change = await anext(changes)
    assert change.run.id == inserted
    parents = {span.parent and span.parent.span_id for span in gathered.spans[began:] if span.name.startswith("GET ")}
    assert bot.get_span_context().span_id in parents
