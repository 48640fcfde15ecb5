"""Filters: as they are sent, and as they are applied again where the service ignores them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from resources_support import ALL_RUNS, ALWAYS, RUNS, edit_records, last, query_of
from support.served import ids_of

from qoder_async import ConfigurationError, RunStatus, TriggerType, UnsupportedFilterError

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=10)
MICROSECOND = timedelta(microseconds=1)
MOMENTS = [
    NOON - timedelta(hours=1),
    NOON - MICROSECOND,
    NOON,
    NOON + MICROSECOND,
    LATER - MICROSECOND,
    LATER,
    LATER + MICROSECOND,
]
INSIDE = slice(2, 5)
"""Which of the moments are in the half-open window from noon until later."""


@pytest.fixture(params=[False, True], ids=["server filters", "server ignores filters"])
def ignore_filters(request) -> bool:
    return request.param


async def _eight_runs(serve, **settings):
    """Runs at moments around two bounds, oldest first."""
    sim, qoder = await serve(**settings)
    dep = sim.add_deployment()
    return sim, qoder, dep, [sim.insert_run(dep, triggered_at=moment) for moment in MOMENTS]


# Applied again


async def test_triggered_bounds_are_half_open(serve, ignore_filters):
    _sim, qoder, dep, ids = await _eight_runs(serve, shape="extended", ignore_filters=ignore_filters)
    found = await ids_of(qoder.runs.list(dep, triggered_after=NOON, triggered_before=LATER))
    assert found == ids[INSIDE][::-1]
    assert await ids_of(qoder.runs.list(dep, triggered_after=NOON)) == ids[2:][::-1]
    assert await ids_of(qoder.runs.list(dep, triggered_before=NOON)) == ids[:2][::-1]
    assert await ids_of(qoder.runs.list(dep, triggered_after=NOON, triggered_before=NOON)) == []


async def test_windows_that_touch_share_nothing_and_lose_nothing(serve, shape):
    _sim, qoder, dep, ids = await _eight_runs(serve, shape=shape)
    early = await ids_of(qoder.runs.list(dep, triggered_before=NOON))
    middle = await ids_of(qoder.runs.list(dep, triggered_after=NOON, triggered_before=LATER))
    late = await ids_of(qoder.runs.list(dep, triggered_after=LATER))
    if shape == "extended":
        assert late + middle + early == ids[::-1]
    else:
        # A lean run has no triggered_at to be compared again: one microsecond may overlap, and nothing is lost.
        assert set(late + middle + early) == set(ids)


async def test_a_lean_run_without_triggered_at_is_not_dropped(serve):
    _sim, qoder, dep, ids = await _eight_runs(serve, shape="lean", ignore_filters=True)
    assert await ids_of(qoder.runs.list(dep, triggered_after=NOON)) == ids[::-1]


async def test_created_bounds_of_runs_are_half_open(serve, shape, ignore_filters):
    sim, qoder, _dep, ids = await _eight_runs(serve, shape=shape, ignore_filters=ignore_filters)
    created = [datetime.fromisoformat(sim.run(run_id)["created_at"]) for run_id in ids]
    wanted = [run_id for run_id, moment in zip(ids, created, strict=True) if NOON <= moment < LATER]
    assert await ids_of(qoder.runs.list_all(created_after=NOON, created_before=LATER)) == wanted[::-1]


async def test_created_bounds_of_deployments_are_half_open(serve, shape, ignore_filters):
    sim, qoder = await serve(shape=shape, ignore_filters=ignore_filters)
    second = timedelta(seconds=1)
    moments = [NOON - second, NOON, NOON + second, LATER - second, LATER, LATER + second]
    ids = [sim.add_deployment(created_at=moment) for moment in moments]
    found = await ids_of(qoder.deployments.list(created_after=NOON, created_before=LATER))
    assert found == ids[1:4][::-1]


async def test_created_bounds_of_sessions_are_half_open(serve, shape, ignore_filters):
    _sim, qoder, _dep, _ids = await _eight_runs(serve, shape=shape, ignore_filters=ignore_filters)
    everything = await qoder.sessions.list().collect()
    assert len(everything) == len(MOMENTS)
    wanted = [session.id for session in everything if NOON <= session.created_at < LATER]
    assert 0 < len(wanted) < len(MOMENTS)
    assert await ids_of(qoder.sessions.list(created_after=NOON, created_before=LATER)) == wanted


@pytest.mark.parametrize("status", ["pending", "running", "completed", "failed", "skipped"])
async def test_status_of_runs(serve, ignore_filters, status):
    sim, qoder = await serve(shape="extended", ignore_filters=ignore_filters)
    dep = sim.add_deployment()
    for state in ("completed", "failed", "skipped", "pending", "running"):
        sim.insert_run(dep, state=state)
    for word in (status, RunStatus(status)):
        for pager in (qoder.runs.list(dep, status=word), qoder.runs.list_all(status=word)):
            assert [run.status async for run in pager] == [status]


@pytest.mark.parametrize("trigger_type", ["manual", "schedule", "retry"])
async def test_trigger_type(serve, shape, ignore_filters, trigger_type):
    sim, qoder = await serve(shape=shape, ignore_filters=ignore_filters)
    dep = sim.add_deployment()
    for trigger in ("manual", "schedule", "retry"):
        sim.insert_run(dep, trigger=trigger)
    for word in (trigger_type, TriggerType(trigger_type)):
        runs = await qoder.runs.list_all(trigger_type=word).collect()
        assert [run.trigger_context.type for run in runs] == [trigger_type]


@pytest.mark.parametrize("has_error", [True, False])
async def test_has_error(serve, shape, ignore_filters, has_error):
    sim, qoder = await serve(shape=shape, ignore_filters=ignore_filters)
    dep = sim.add_deployment()
    failed = sim.insert_run(dep, state="failed" if shape == "extended" else "no_session")
    fine = sim.insert_run(dep)
    assert await ids_of(qoder.runs.list_all(has_error=has_error)) == [failed if has_error else fine]


async def test_deployment_of_runs_and_sessions(serve, shape):
    """A server that ignores even this one filter."""
    sim, qoder = await serve(shape=shape)
    deps = [sim.add_deployment() for _ in range(2)]
    runs = [sim.insert_run(dep) for dep in deps]
    for route, pager in (
        (ALL_RUNS, qoder.runs.list_all(deployment_id=deps[0])),
        ("GET /sessions", qoder.sessions.list(deployment_id=deps[0])),
    ):
        everything = (await qoder.request("GET", route.split()[1])).body
        sim.faults.add("body", route=route, body=lambda _body, everything=everything: everything)
        found = await pager.collect()
        if route == ALL_RUNS:
            assert [run.id for run in found] == runs[:1]
        else:
            # An extended session does not say whose it is.
            assert [session.deployment_id for session in found] == (deps[:1] if shape == "lean" else [None, None])


async def test_status_agent_and_archive_of_deployments(serve, shape, ignore_filters):
    sim, qoder = await serve(shape=shape, ignore_filters=ignore_filters)
    active = sim.add_deployment()
    paused = sim.add_deployment(status="paused")
    other = sim.add_deployment(agent_id="agent_other")
    archived = sim.add_deployment(archived=True)
    expected = [
        ({}, [other, paused, active]),
        ({"include_archived": True}, [archived, other, paused, active]),
        ({"status": "active"}, [other, active]),
        ({"status": "paused"}, [paused]),
        ({"agent_id": "agent_other"}, [other]),
        ({"agent_id": "agent_nobody"}, []),
    ]
    for filters, wanted in expected:
        assert await ids_of(qoder.deployments.list(**filters)) == wanted, filters


async def test_statuses_of_sessions(serve, shape, ignore_filters):
    sim, qoder = await serve(shape=shape, ignore_filters=ignore_filters)
    dep = sim.add_deployment()
    for state in ("running", "completed", "running"):
        sim.insert_run(dep, state=state)
    running = "processing" if shape == "extended" else "running"
    assert len(await qoder.sessions.list(statuses=[running]).collect()) == 2
    assert len(await qoder.sessions.list(statuses=("idle",)).collect()) == 1
    assert len(await qoder.sessions.list(statuses={running, "idle"}).collect()) == 3
    assert await qoder.sessions.list(statuses=["terminated"]).collect() == []


async def test_agent_of_sessions(serve, shape, ignore_filters):
    """The record names its agent: as ``agent_id``, or within ``agent``."""
    sim, qoder = await serve(shape=shape, ignore_filters=ignore_filters)
    for agent in ("agent_one", "agent_two", "agent_one"):
        sim.insert_run(sim.add_deployment(agent_id=agent))
    found = await qoder.sessions.list(agent_id="agent_two").collect()
    assert [session.agent.id for session in found] == ["agent_two"]


@pytest.mark.parametrize("include_archived", [True, False])
async def test_archived_sessions(serve, shape, include_archived):
    """The server sends archived sessions whether they were asked for or not."""
    sim, qoder = await serve(shape=shape)
    sim.add_runs(sim.add_deployment(), 3)
    ids = await ids_of(qoder.sessions.list())

    def archive(record: dict) -> None:
        if record["id"] == ids[1]:
            record["archived_at"] = "2026-11-20T12:00:00Z"

    sim.faults.add("body", route="GET /sessions", body=edit_records(archive), times=ALWAYS)
    wanted = ids if include_archived else [ids[0], ids[2]]
    assert await ids_of(qoder.sessions.list(include_archived=include_archived)) == wanted


async def test_types_of_events(serve, shape):
    """With a server that filters, and with one that does not."""
    sim, qoder = await serve(shape=shape)
    run_id = sim.insert_run(sim.add_deployment())
    session = (await qoder.runs.get(run_id)).session_id
    everything = (await qoder.request("GET", f"/sessions/{session}/events", query={"limit": 100})).body
    wanted = ["user.message", "session.status_idle"]
    for _ in range(2):
        assert [event.type async for event in qoder.sessions.events(session, types=wanted)] == wanted
        sim.faults.add("body", body=lambda _body: everything)


@pytest.mark.parametrize("make", ["list", "list_all"])
@pytest.mark.parametrize("prefetch", [0, 1])
async def test_a_lean_run_cannot_be_asked_for_its_status(serve, make, prefetch):
    """Nothing, or everything, would both be wrong."""
    sim, qoder = await serve(shape="lean")
    dep = sim.add_deployment()
    sim.add_runs(dep, 250)
    pager = (
        qoder.runs.list(dep, status="completed", prefetch=prefetch)
        if make == "list"
        else qoder.runs.list_all(status="completed", prefetch=prefetch)
    )
    with pytest.raises(UnsupportedFilterError, match="status='completed'"):
        await anext(aiter(pager))
    assert len(sim.requests) == 1
    with pytest.raises(UnsupportedFilterError):
        await pager.first_page()
    with pytest.raises(UnsupportedFilterError):
        await anext(pager.raw())


async def test_a_lean_list_without_runs_has_none_of_that_status(serve):
    sim, qoder = await serve(shape="lean")
    assert await qoder.runs.list(sim.add_deployment(), status="failed").collect() == []


# As they are sent


BOTH = {"created_after": NOON, "created_before": LATER}
GTE, LT, LTE = "created_at[gte]", "created_at[lt]", "created_at[lte]"
AT_NOON, AT_LATER = "2026-11-20T12:00:00Z", "2026-11-20T12:10:00Z"

SENT = [
    ("runs.list", {}, {}),
    ("runs.list", {"status": RunStatus.FAILED}, {"status": "failed"}),
    (
        "runs.list",
        {"triggered_after": NOON, "triggered_before": LATER},
        {"triggered_after": "2026-11-20T11:59:59.999999Z", "triggered_before": AT_LATER},
    ),
    (
        "runs.list",
        {"triggered_after": "2026-11-20T13:00:00.5+01:00"},
        {"triggered_after": "2026-11-20T12:00:00.499999Z"},
    ),
    (
        "runs.list",
        {"triggered_before": NOON.astimezone(timezone(timedelta(hours=-5)))},
        {"triggered_before": AT_NOON},
    ),
    ("runs.list_all", {}, {}),
    ("runs.list_all", {"deployment_id": "dep_1"}, {"deployment_id": "dep_1"}),
    ("runs.list_all", {"has_error": True, "trigger_type": "retry"}, {"has_error": "true", "trigger_type": "retry"}),
    ("runs.list_all", {"has_error": False, "status": "failed"}, {"has_error": "false", "status": "failed"}),
    ("runs.list_all", BOTH, {GTE: AT_NOON, LT: AT_LATER}),
    ("deployments.list", {}, {}),
    ("deployments.list", {"include_archived": False}, {}),
    (
        "deployments.list",
        {"include_archived": True, "status": "paused", "agent_id": "agent_1"},
        {"include_archived": "true", "status": "paused", "agent_id": "agent_1"},
    ),
    ("deployments.list", BOTH, {GTE: AT_NOON, LTE: AT_LATER}),
    ("sessions.list", {}, {}),
    (
        "sessions.list",
        {"deployment_id": "dep_1", "agent_id": "agent_1", "include_archived": True, "order": "asc"},
        {"deployment_id": "dep_1", "agent_id": "agent_1", "include_archived": "true", "order": "asc"},
    ),
    ("sessions.list", {"statuses": ["idle", "running"]}, {"statuses[]": ["idle", "running"]}),
    ("sessions.list", {"statuses": ["idle"], **BOTH}, {"statuses[]": "idle", GTE: AT_NOON, LT: AT_LATER}),
]


@pytest.mark.parametrize(("call", "filters", "query"), SENT)
async def test_filters_are_spelled_as_the_service_does(serve, call, filters, query):
    sim, qoder = await serve(shape="extended")
    resource, method = call.split(".")
    required = [sim.add_deployment()] if call == "runs.list" else []
    await getattr(getattr(qoder, resource), method)(*required, **filters).collect()
    assert query_of(last(sim)) == query
    assert last(sim).query["limit"] == "100"


async def test_filters_of_events_are_spelled_as_the_service_does(serve, shape):
    sim, qoder = await serve(shape=shape)
    run = await qoder.runs.get(sim.insert_run(sim.add_deployment()))
    types = ["user.message", "a+b &=%é"]
    await qoder.sessions.events(run.session_id, types=types, order="desc", page_size=7).collect()
    assert query_of(last(sim)) == {"types[]": types, "order": "desc"}
    assert last(sim).query["limit"] == "7"


async def test_filters_stay_on_every_page(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    sim.add_runs(dep, 30, trigger="manual")
    await qoder.runs.list_all(trigger_type="manual", page_size=10).collect()
    assert [request.query["trigger_type"] for request in sim.requests] == ["manual"] * 3
    assert sim.requests.counts[ALL_RUNS] == 3


@pytest.mark.parametrize(
    "far",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
    ids=str,
)
async def test_the_ends_of_time_are_a_bound_like_any_other(serve, far):
    """ "Since ever" and "until ever" are what callers write who have no bound."""
    sim, qoder = await serve(shape="extended")
    dep = sim.add_deployment()
    sim.add_runs(dep, 3)
    name = "triggered_after" if str(far) < "2000" else "triggered_before"
    assert len(await qoder.runs.list(dep, **{name: far}).collect()) == 3
    assert len(sim.requests.of(RUNS)) == 1


# Refused


@pytest.mark.parametrize(
    "beyond",
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    ],
    ids=str,
)
async def test_a_time_that_is_none_in_utc_is_refused(serve, beyond):
    _sim, qoder = await serve()
    with pytest.raises(ConfigurationError, match="triggered_after"):
        qoder.runs.list("dep_1", triggered_after=beyond)


WRONG = [
    ("runs.list", {"status": ""}),
    ("runs.list", {"status": 5}),
    ("runs.list", {"triggered_after": datetime(2026, 11, 20)}),  # noqa: DTZ001  that is the point
    ("runs.list", {"triggered_after": "2026-11-20T12:00:00"}),
    ("runs.list", {"triggered_after": "yesterday"}),
    ("runs.list", {"triggered_after": 1_700_000_000}),
    ("runs.list", {"triggered_after": NOON.date()}),
    ("runs.list", {"triggered_after": LATER, "triggered_before": NOON}),
    ("runs.list_all", {"has_error": "true"}),
    ("runs.list_all", {"has_error": 1}),
    ("runs.list_all", {"trigger_type": ""}),
    ("runs.list_all", {"deployment_id": "a/b"}),
    ("runs.list_all", {"created_after": LATER, "created_before": NOON}),
    ("deployments.list", {"status": ["active"]}),
    ("deployments.list", {"agent_id": "a b"}),
    ("deployments.list", {"created_after": LATER, "created_before": NOON}),
    ("sessions.list", {"statuses": "idle"}),
    ("sessions.list", {"statuses": [5]}),
    ("sessions.list", {"statuses": [""]}),
    ("sessions.list", {"statuses": [None]}),
    ("sessions.list", {"order": "newest"}),
    ("sessions.list", {"created_after": "x"}),
]


@pytest.mark.parametrize(("call", "filters"), WRONG, ids=str)
async def test_filters_that_cannot_be_meant_are_refused_before_any_request(serve, call, filters):
    sim, qoder = await serve(shape="extended")
    resource, method = call.split(".")
    required = ["dep_1"] if call == "runs.list" else []
    with pytest.raises(ConfigurationError, match=next(reversed(filters))):
        getattr(getattr(qoder, resource), method)(*required, **filters)
    assert len(sim.requests) == 0
