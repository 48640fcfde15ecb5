"""Every method of the resources: what is sent, and what comes back."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import pytest
from resources_support import last
from support.served import client, ids_of

from qoder_async import (
    UNSET,
    AgentRef,
    BadRequestError,
    Budget,
    ConfigurationError,
    ConflictError,
    Deployment,
    DeploymentRun,
    NotFoundError,
    Response,
    RetryPolicy,
    RunStatus,
    Schedule,
    Session,
    SessionEvent,
)

EVENTS = [{"type": "user.message", "content": [{"type": "text", "text": "Go."}]}]
MINIMAL = {"name": "nightly", "agent": "agent_1", "environment_id": "env_1", "initial_events": EVENTS}


def _sent(sim, method: str, path: str) -> dict:
    """The body of the last request, which must be this one, signed and with or without a key."""
    request = last(sim)
    assert (request.method, request.path) == (method, path)
    assert request.headers["Authorization"] == "Bearer pt-x"
    if method == "GET":
        assert "Idempotency-Key" not in request.headers
        assert request.body == b""
        return {}
    assert uuid.UUID(request.headers["Idempotency-Key"]).version == 4
    assert request.headers["Content-Type"] == "application/json"
    body: dict = json.loads(request.body)
    return body


# Deployments


async def test_create_leaves_out_what_is_unset(serve, shape):
    sim, qoder = await serve(shape=shape)
    deployment = await qoder.deployments.create(**MINIMAL)
    assert _sent(sim, "POST", "/deployments") == MINIMAL
    assert isinstance(deployment, Deployment)
    assert (deployment.name, deployment.status, deployment.agent.id) == ("nightly", "active", "agent_1")
    assert sim.deployment_ids() == [deployment.id]


async def test_create_sends_null_for_none_and_models_as_json(serve, shape):
    sim, qoder = await serve(shape=shape)
    deployment = await qoder.deployments.create(
        **MINIMAL | {"agent": AgentRef(id="agent_1", version=2), "initial_events": tuple(EVENTS)},
        description=None,
        schedule=Schedule(expression="0 8 * * *", timezone="Europe/Berlin"),
        resources=[{"type": "file", "file_id": "file_1"}],
        vault_ids=("vault_1",),
        metadata={"team": "platform"},
        environment_variables="A=1\nB=2",
        budget=Budget(max_credit_cost="12.50"),
    )
    body = _sent(sim, "POST", "/deployments")
    assert body["agent"] == {"id": "agent_1", "type": "agent", "version": 2}
    assert body["description"] is None
    assert {name: body["schedule"][name] for name in ("type", "expression", "timezone")} == {
        "type": "cron",
        "expression": "0 8 * * *",
        "timezone": "Europe/Berlin",
    }
    assert body["budget"]["type"] == "limit"
    assert body["budget"]["max_credit_cost"] == "12.50"
    assert body["vault_ids"] == ["vault_1"]
    assert deployment.schedule.timezone == "Europe/Berlin"
    assert deployment.agent.version == 2


async def test_models_built_by_hand_send_only_what_they_say(serve):
    """``upcoming_runs_at`` is the service's to say, and an absent budget field is no null."""
    sim, qoder = await serve(shape="lean")
    await qoder.deployments.create(
        **MINIMAL,
        schedule=Schedule(expression="0 8 * * *", timezone="UTC"),
        budget=Budget(max_credit_cost="12.50"),
    )
    body = _sent(sim, "POST", "/deployments")
    assert body["schedule"] == {"type": "cron", "expression": "0 8 * * *", "timezone": "UTC"}
    assert body["budget"] == {"type": "limit", "max_credit_cost": "12.50"}


async def test_update_sends_only_what_changes(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment(schedule="0 8 * * *", metadata={"a": "1", "b": "2"})
    before = await qoder.deployments.get(dep)
    changed = await qoder.deployments.update(before, name="new", metadata={"a": None, "c": "3"}, schedule=None)
    assert _sent(sim, "POST", f"/deployments/{dep}") == {
        "name": "new",
        "metadata": {"a": None, "c": "3"},
        "schedule": None,
    }
    assert changed.name == "new"
    assert changed.schedule is None
    assert {key: changed.metadata[key] for key in ("b", "c")} == {"b": "2", "c": "3"}
    assert "a" not in changed.metadata
    assert changed.agent == before.agent


async def test_update_with_the_schedule_of_another_deployment(serve, shape):
    """A schedule as it was read can be sent to another deployment."""
    sim, qoder = await serve(shape=shape)
    source = await qoder.deployments.get(sim.add_deployment(schedule="5 4 * * *", timezone="Asia/Tokyo"))
    target = sim.add_deployment()
    changed = await qoder.deployments.update(target, schedule=source.schedule, agent=source.agent)
    assert _sent(sim, "POST", f"/deployments/{target}")["schedule"] == {
        "type": "cron",
        "expression": "5 4 * * *",
        "timezone": "Asia/Tokyo",
    }
    assert (changed.schedule.expression, changed.schedule.timezone) == ("5 4 * * *", "Asia/Tokyo")


async def test_update_of_nothing_is_an_empty_patch(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    await qoder.deployments.update(dep, name=UNSET)
    assert _sent(sim, "POST", f"/deployments/{dep}") == {}


async def test_a_refused_field_is_named(serve, shape):
    _sim, qoder = await serve(shape=shape)
    with pytest.raises(BadRequestError) as caught:
        await qoder.deployments.create(**MINIMAL | {"name": ""})
    assert caught.value.param == "name"
    assert caught.value.request_id


def _circle() -> dict:
    circle: dict = {}
    circle["itself"] = circle
    return circle


@pytest.mark.parametrize(
    "value", [{"x": object()}, {object(): 1}, {"x": "\ud800"}, _circle()], ids=["value", "key", "surrogate", "circle"]
)
async def test_what_has_no_json_form_is_refused_before_any_request(serve, value):
    sim, qoder = await serve()
    with pytest.raises(ConfigurationError, match="JSON"):
        await qoder.deployments.create(**MINIMAL, metadata=value)
    assert len(sim.requests) == 0


async def test_get_list_pause_unpause_archive(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment(name="nightly")
    deployment = await qoder.deployments.get(dep)
    _sent(sim, "GET", f"/deployments/{dep}")
    assert (deployment.id, deployment.name, deployment.is_archived) == (dep, "nightly", False)

    paused = await qoder.deployments.pause(dep)
    assert _sent(sim, "POST", f"/deployments/{dep}/pause") == {}
    assert (paused.status, paused.paused_reason.type) == ("paused", "manual")
    with pytest.raises(ConflictError, match="already paused"):
        await qoder.deployments.pause(paused)
    with pytest.raises(ConflictError, match="paused"):
        await qoder.deployments.run(paused)

    active = await qoder.deployments.unpause(paused)
    assert _sent(sim, "POST", f"/deployments/{dep}/unpause") == {}
    assert (active.status, active.paused_reason) == ("active", None)
    with pytest.raises(ConflictError, match="not paused"):
        await qoder.deployments.unpause(active)

    archived = await qoder.deployments.archive(active)
    assert _sent(sim, "POST", f"/deployments/{dep}/archive") == {}
    assert archived.is_archived
    assert archived.name.startswith("nightly_archived_")
    with pytest.raises(ConflictError):
        await qoder.deployments.archive(archived)
    with pytest.raises(ConflictError):
        await qoder.deployments.run(archived)
    assert await ids_of(qoder.deployments.list()) == []
    assert await ids_of(qoder.deployments.list(include_archived=True)) == [dep]
    assert sim.run_ids() == []


async def test_each_write_has_a_key_of_its_own(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment(max_concurrent=10)
    for _ in range(3):
        await qoder.deployments.run(dep)
    assert len({request.headers["Idempotency-Key"] for request in sim.requests}) == 3
    assert len(sim.run_ids(dep)) == 3


# Runs


async def test_run_starts_one(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    for place in (dep, await qoder.deployments.get(dep)):
        run = await qoder.deployments.run(place)
        assert _sent(sim, "POST", f"/deployments/{dep}/run") == {}
        assert isinstance(run, DeploymentRun)
        assert run.id == sim.run_ids(dep)[0]
        assert (run.deployment_id, run.trigger_context.type) == (dep, "manual")
        assert (run.status is None) == (shape == "lean")


async def test_run_at_the_limit_is_recorded_and_returned(serve):
    sim, qoder = await serve(shape="extended")
    dep = sim.add_deployment(max_concurrent=1, run_duration=1000)
    assert (await qoder.deployments.run(dep)).status == "running"
    assert (await qoder.deployments.run(dep)).status is RunStatus.SKIPPED


async def test_the_caller_may_bring_the_key_and_the_same_key_starts_one_run(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    runs = [await qoder.deployments.run(dep, idempotency_key="mine-1") for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(sim.run_ids(dep)) == 1
    assert last(sim).headers["Idempotency-Key"] == "mine-1"


@pytest.mark.parametrize("key", ["", "a\nb", "é" * 3, 5])
async def test_a_key_that_cannot_stand_in_a_header_is_refused(serve, key):
    sim, qoder = await serve()
    with pytest.raises(ConfigurationError, match="idempotency_key"):
        await qoder.deployments.run(sim.add_deployment(), idempotency_key=key)
    assert len(sim.requests) == 0


async def test_get_a_run_globally_and_nested(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep, other = sim.add_deployment(), sim.add_deployment()
    run_id = sim.insert_run(dep)
    run = await qoder.runs.get(run_id)
    _sent(sim, "GET", f"/deployment_runs/{run_id}")
    assert await qoder.runs.get(run) == run
    deployment = await qoder.deployments.get(dep)
    assert await qoder.runs.get(run, deployment_id=deployment) == run
    _sent(sim, "GET", f"/deployments/{dep}/runs/{run_id}")
    assert json.loads(run.raw) == sim.run(run_id)
    with pytest.raises(NotFoundError):
        await qoder.runs.get(run, deployment_id=other)
    with pytest.raises(NotFoundError):
        await qoder.runs.get("drun_nobody")


async def test_lists_take_the_deployment_or_its_id(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.insert_run(sim.add_deployment())
    ids = sim.add_runs(dep, 3)
    deployment = await qoder.deployments.get(dep)
    for place in (dep, deployment):
        assert await ids_of(qoder.runs.list(place)) == ids
        assert last(sim).path == f"/deployments/{dep}/runs"
        assert await ids_of(qoder.runs.list_all(deployment_id=place)) == ids
        assert last(sim).path == "/deployment_runs"
        assert len(await ids_of(qoder.sessions.list(deployment_id=place))) == 3


# Sessions


async def test_sessions_get_list_events_cancel(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment(run_duration=1000)
    run = await qoder.deployments.run(dep)
    session = await qoder.sessions.get(run.session_id)
    _sent(sim, "GET", f"/sessions/{run.session_id}")
    assert isinstance(session, Session)
    assert session.status == ("processing" if shape == "extended" else "running")
    assert [one.id async for one in qoder.sessions.list()] == [session.id]

    events = await qoder.sessions.events(session).collect()
    _sent(sim, "GET", f"/sessions/{session.id}/events")
    assert all(isinstance(event, SessionEvent) for event in events)
    assert events[0].type == "user.message"

    acknowledged = await qoder.sessions.cancel(session)
    assert _sent(sim, "POST", f"/sessions/{session.id}/cancel") == {}
    assert last(sim).status == 202
    assert (acknowledged.id, acknowledged.status, acknowledged.created_at) == (session.id, "canceling", None)


async def test_cancelling_an_idle_session_is_fine(serve, shape):
    sim, qoder = await serve(shape=shape)
    run = await qoder.runs.get(sim.insert_run(sim.add_deployment()))
    assert (await qoder.sessions.cancel(run.session_id)).id == run.session_id
    assert last(sim).status == 200


async def test_what_is_gone_is_not_found(serve, shape):
    sim, qoder = await serve(shape=shape)
    run = await qoder.runs.get(sim.insert_run(sim.add_deployment()))
    sim.delete_session(run.session_id)
    for call in (qoder.sessions.get, qoder.sessions.cancel, lambda one: qoder.sessions.events(one).collect()):
        with pytest.raises(NotFoundError):
            await call(run.session_id)
    with pytest.raises(NotFoundError):
        await qoder.runs.list("dep_nobody").collect()


# Ids


CALLS = {
    "deployments.get": lambda qoder, one: qoder.deployments.get(one),
    "deployments.update": lambda qoder, one: qoder.deployments.update(one, name="x"),
    "deployments.archive": lambda qoder, one: qoder.deployments.archive(one),
    "deployments.pause": lambda qoder, one: qoder.deployments.pause(one),
    "deployments.unpause": lambda qoder, one: qoder.deployments.unpause(one),
    "deployments.run": lambda qoder, one: qoder.deployments.run(one),
    "runs.get": lambda qoder, one: qoder.runs.get(one),
    "runs.get nested": lambda qoder, one: qoder.runs.get("drun_1", deployment_id=one or "/"),
    "runs.list": lambda qoder, one: qoder.runs.list(one).collect(),
    "sessions.get": lambda qoder, one: qoder.sessions.get(one),
    "sessions.cancel": lambda qoder, one: qoder.sessions.cancel(one),
    "sessions.events": lambda qoder, one: qoder.sessions.events(one).collect(),
}
AGENT = AgentRef(id="agent_1", version=1)


@pytest.mark.parametrize("wrong", ["", ".", "..", "a/b", "a?b", "a b", "a%2fb", "é", None, 5, AGENT], ids=repr)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_ids_that_are_not_safe_in_a_path_never_get_there(serve, call, wrong):
    sim, qoder = await serve()
    with pytest.raises(ConfigurationError):
        await call(qoder, wrong)
    assert len(sim.requests) == 0


async def test_an_object_of_another_kind_is_refused(serve, shape):
    """A run is no deployment, though it has an id too."""
    sim, qoder = await serve(shape=shape)
    run = await qoder.runs.get(sim.insert_run(sim.add_deployment()))
    sim.requests.clear()
    for call in ("deployments.get", "runs.list", "sessions.get"):
        with pytest.raises(ConfigurationError, match="DeploymentRun"):
            await CALLS[call](qoder, run)
    assert len(sim.requests) == 0


# Whatever is not wrapped


async def test_request_reaches_any_endpoint(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 5)
    for path in (f"/deployments/{dep}/runs", f"deployments/{dep}/runs"):
        answer = await qoder.request("get", path, query={"limit": 2, "status": None})
        assert isinstance(answer, Response)
        assert answer.status == 200
        assert [run["id"] for run in answer.json()["data"]] == ids[:2]
        assert json.loads(answer.body) == answer.json()
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.request_id == answer.headers["X-Request-Id"]
        assert dict(last(sim).query) == {"limit": "2"}
        _sent(sim, "GET", f"/deployments/{dep}/runs")


async def test_request_spells_the_query_as_the_service_does(serve):
    sim, qoder = await serve()
    query = {"a": True, "b[]": ["x y", "&=é"], "c": None, "d": datetime(2026, 11, 20, 12, tzinfo=UTC), "e": 5}
    with pytest.raises(NotFoundError):
        await qoder.request("GET", "/agents", query=query)
    assert last(sim).path == "/agents"
    assert list(last(sim).query.items()) == [
        ("a", "true"),
        ("b[]", "x y"),
        ("b[]", "&=é"),
        ("d", "2026-11-20T12:00:00Z"),
        ("e", "5"),
    ]


async def test_request_writes_with_a_key(serve, shape):
    sim, qoder = await serve(shape=shape)
    body = {**MINIMAL, "agent": AgentRef(id="agent_1", version=1), "description": RunStatus.FAILED}
    answer = await qoder.request("POST", "/deployments", json=body)
    assert _sent(sim, "POST", "/deployments")["agent"] == {"id": "agent_1", "type": "agent", "version": 1}
    assert answer.json()["description"] == "failed"
    dep = answer.json()["id"]
    paused = await qoder.request("POST", f"/deployments/{dep}/pause")
    assert last(sim).body == b""
    assert paused.json()["status"] == "paused"
    with pytest.raises(ConflictError):
        await qoder.request("POST", f"/deployments/{dep}/pause", json=None)


async def test_request_is_repeated_like_any_other(serve, shape):
    sim, _ = await serve(shape=shape)
    sim.faults.add("status", status=503)
    async with client(sim, retry=RetryPolicy(attempts=2, initial=0)) as qoder:
        assert (await qoder.request("GET", "/deployments")).status == 200
    assert len(sim.requests) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("FETCH", "/x"),
        (None, "/x"),
        ("GET", ""),
        ("GET", "/"),
        ("GET", "https://elsewhere.example/x"),
        ("GET", "//elsewhere.example/x"),
        ("GET", "/a?b=c"),
        ("GET", "/a/../b"),
        ("GET", "/a/./b"),
        ("GET", "/a//b"),
        ("GET", "/a b"),
        ("GET", "/a#b"),
        ("GET", "/a%2fb"),
        ("GET", None),
    ],
    ids=str,
)
async def test_requests_that_cannot_be_meant(serve, arguments):
    sim, qoder = await serve()
    with pytest.raises(ConfigurationError):
        await qoder.request(*arguments)
    assert len(sim.requests) == 0
