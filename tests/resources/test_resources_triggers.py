"""A trigger whose answer is lost starts one run, and it can be found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from resources_support import ALWAYS, RUNS, edit_records
from support.served import client

from qoder_async import (
    AmbiguousTriggerError,
    ConfigurationError,
    ConflictError,
    FeatureNotAvailableError,
    QoderError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
)
from qoder_async.simulator import ManualClock

RUN = "POST /deployments/{id}/run"
PATIENT = RetryPolicy(attempts=4, initial=0)
LOST = {
    "reset": {"kind": "reset", "after_commit": True},
    "reset within the body": {"kind": "reset", "after_body_bytes": 20},
    "408": {"kind": "status", "status": 408, "after_commit": True},
    "500": {"kind": "status", "status": 500, "after_commit": True},
    "503": {"kind": "status", "status": 503, "after_commit": True},
    "504 with a page of HTML": {"kind": "status", "status": 504, "after_commit": True, "body": "<html>"},
    "garbage": {"kind": "garbage", "after_commit": True},
    "HTML": {"kind": "garbage", "after_commit": True, "html": True},
    "empty body": {"kind": "garbage", "after_commit": True, "empty": True},
    "truncation": {"kind": "truncate"},
    "truncation of chunks": {"kind": "truncate", "chunked": True},
    "another shape": {"kind": "body", "body": lambda _body: b'{"ok":true}'},
    "no object": {"kind": "body", "body": lambda _body: b"[]"},
}


async def _lose(qoder, dep, **arguments) -> AmbiguousTriggerError:
    with pytest.raises(AmbiguousTriggerError) as caught:
        await qoder.deployments.run(dep, **arguments)
    return caught.value


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
async def test_a_lost_answer_is_ambiguous_and_starts_one_run_that_is_found(serve, shape, fault):
    sim, _ = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.add_runs(dep, 3, trigger="manual", newest=datetime.now(UTC) - timedelta(minutes=5))
    sim.add_runs(dep, 3, trigger="schedule", spacing=1)
    before = set(sim.run_ids(dep))
    sim.faults.add(**fault, route=RUN)
    async with client(sim, retry=PATIENT) as qoder:
        error = await _lose(qoder, dep)
        (started,) = set(sim.run_ids(dep)) - before
        assert sim.requests.counts[RUN] == 1
        assert error.deployment_id == dep
        assert error.idempotency_key == sim.requests.of(RUN)[0].headers["Idempotency-Key"]
        assert [run.id for run in await qoder.deployments.find_triggered(error)] == [started]


async def test_the_same_key_may_be_sent_again(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.faults.add("reset", after_commit=True, route=RUN)
    error = await _lose(qoder, dep)
    run = await qoder.deployments.run(dep, idempotency_key=error.idempotency_key)
    assert sim.run_ids(dep) == [run.id]


async def test_the_callers_key_is_on_the_error(serve, shape):
    sim, qoder = await serve(shape=shape)
    sim.faults.add("status", status=503, route=RUN)
    error = await _lose(qoder, sim.add_deployment(), idempotency_key="mine")
    assert error.idempotency_key == "mine"


@pytest.mark.parametrize("status", [408, 500, 503])
async def test_nothing_is_found_where_nothing_was_started(serve, shape, status):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.add_runs(dep, 2, trigger="manual", newest=datetime.now(UTC) - timedelta(minutes=2))
    sim.insert_run(dep, trigger="schedule")
    sim.faults.add("status", status=status, route=RUN)
    error = await _lose(qoder, dep)
    assert await qoder.deployments.find_triggered(error) == []


async def test_a_run_that_was_answered_for_is_not_the_lost_one(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment(max_concurrent=10)
    answered = await qoder.deployments.run(dep)
    sim.faults.add("reset", route=RUN)
    error = await _lose(qoder, dep)
    assert sim.run_ids(dep) == [answered.id]
    assert await qoder.deployments.find_triggered(error) == []
    theirs = sim.insert_run(dep, trigger="manual")
    assert [run.id for run in await qoder.deployments.find_triggered(error)] == [theirs]


async def test_it_is_found_behind_many_scheduled_runs(serve, shape):
    """The list is newest first, and a busy schedule goes on while one looks."""
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.faults.add("reset", after_commit=True, route=RUN)
    error = await _lose(qoder, dep)
    (started,) = sim.run_ids(dep)
    now = datetime.now(UTC)
    sim.add_runs(dep, 250, trigger="schedule", spacing=0.1, newest=now + timedelta(seconds=30))
    sim.add_runs(dep, 500, trigger="manual", spacing=1, newest=now - timedelta(minutes=5))
    sim.requests.clear()
    assert [run.id for run in await qoder.deployments.find_triggered(error)] == [started]
    assert len(sim.requests) <= 4, "older runs are not looked at"


async def test_it_is_found_where_the_record_was_made_later(serve):
    """A lean run says only when its record was made, seconds after the trigger, in whole seconds."""
    sim, qoder = await serve(shape="lean")
    dep = sim.add_deployment()
    sim.faults.add("reset", route=RUN)
    error = await _lose(qoder, dep)
    started = sim.insert_run(dep, trigger="manual", created_after=8)
    assert [run.id for run in await qoder.deployments.find_triggered(error)] == [started]


@pytest.mark.parametrize("seconds", [-3_000_000, -45, 45, 3_000_000])
async def test_a_service_clock_that_goes_differently_hides_nothing(serve, shape, seconds):
    """What time it is for the service is read from its answers, so that an earlier run is told apart, too."""
    clock = ManualClock(datetime.now(UTC) + timedelta(seconds=seconds))
    sim, qoder = await serve(shape=shape, clock=clock)
    dep = sim.add_deployment(max_concurrent=5)
    sim.insert_run(dep, trigger="manual")
    clock.advance(10)
    sim.faults.add("reset", route=RUN, after_commit=True)
    error = await _lose(qoder, dep)
    assert [run.id for run in await qoder.deployments.find_triggered(error)] == sim.run_ids(dep)[:1]


@pytest.mark.parametrize("field", ["agent", "created_at", "trigger_context"])
async def test_a_run_that_cannot_be_read_is_not_taken_for_none(serve, shape, field):
    """Neither the trigger's answer nor the record in the list can be read; an empty list would say: trigger again."""
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()

    def spoil(record: dict) -> None:
        record[field] = 5

    sim.faults.add("body", route=RUN, body=edit_records(spoil))
    sim.faults.add("body", route=RUNS, body=edit_records(spoil), times=ALWAYS)
    error = await _lose(qoder, dep)
    with pytest.raises(ResponseDecodeError):
        await qoder.deployments.find_triggered(error)


async def test_looking_may_fail_like_any_request(serve, shape):
    sim, qoder = await serve(shape=shape)
    sim.faults.add("reset", route=RUN)
    error = await _lose(qoder, sim.add_deployment())
    sim.faults.add("status", status=503, route=RUNS)
    with pytest.raises(QoderError, match="503"):
        await qoder.deployments.find_triggered(error)


@pytest.mark.parametrize("wrong", [None, "dep_1", ConflictError("no", status=409), ValueError()], ids=repr)
async def test_only_an_ambiguous_trigger_can_be_looked_for(serve, wrong):
    sim, qoder = await serve()
    with pytest.raises(ConfigurationError, match="AmbiguousTriggerError"):
        await qoder.deployments.find_triggered(wrong)
    assert len(sim.requests) == 0


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimitError), (501, FeatureNotAvailableError)])
async def test_a_clear_refusal_is_not_ambiguous(serve, shape, status, kind):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.faults.add("status", status=status, route=RUN)
    with pytest.raises(kind):
        await qoder.deployments.run(dep)
    assert sim.run_ids(dep) == []


async def test_a_429_is_sent_again_with_the_same_key(serve, shape):
    sim, _ = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.faults.add("rate_limit", route=RUN, times=2)
    async with client(sim, retry=PATIENT) as qoder:
        run = await qoder.deployments.run(dep)
    assert sim.run_ids(dep) == [run.id]
    assert len({request.headers["Idempotency-Key"] for request in sim.requests.of(RUN)}) == 1
    assert sim.requests.counts[RUN] == 3


@pytest.mark.parametrize("action", ["pause", "archive", "update"])
async def test_other_writes_whose_answer_is_lost_are_not_repeated_either(serve, shape, action):
    """They are not ambiguous triggers: whoever wrote can read how things stand."""
    sim, _ = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.faults.add("status", status=503, after_commit=True, route="POST")
    async with client(sim, retry=PATIENT) as qoder:
        with pytest.raises(QoderError) as caught:
            await getattr(qoder.deployments, action)(dep)
    assert not isinstance(caught.value, AmbiguousTriggerError)
    assert len(sim.requests) == 1
