from datetime import datetime, timedelta

import pytest
from sim_helpers import START, fixture

from qoder_async.simulator import Simulator

DONE = [
    "user.message",
    "session.status_running",
    "span.model_request_start",
    "agent.message",
    "span.model_request_end",
]
HICCUP = ["session.error", "session.status_rescheduled", "session.status_running"]


def without_hiccup(types: list[str]) -> list[str]:
    return types[:3] + types[6:] if types[3:6] == HICCUP else types


async def session_of(client, run_id: str) -> str:
    return client.sim.run(run_id)["session_id"]


async def events_of(client, session_id: str, **query) -> list[dict]:
    return (await client.get(f"/sessions/{session_id}/events", **query)).body["data"]


@pytest.mark.parametrize(
    ("state", "ending", "status"),
    [
        ("completed", [*DONE, "session.status_idle"], "idle"),
        ("stopped", [*DONE, "agent.tool_use", "session.status_idle"], "idle"),
        ("running", DONE[:3], "running"),
        ("pending", DONE[:1], "idle"),
    ],
)
async def test_the_events_of_a_run(serve, clock, state, ending, status):
    client = await serve(shape="lean")
    run_id = client.sim.insert_run(client.sim.add_deployment(), state=state)
    clock.advance(1)
    session_id = await session_of(client, run_id)
    events = await events_of(client, session_id)
    assert without_hiccup([event["type"] for event in events]) == ending
    assert (await client.get(f"/sessions/{session_id}")).body["status"] == status
    assert len({event["id"] for event in events}) == len(events)


@pytest.mark.parametrize("state", ["failed", "timed_out"])
async def test_failures_end_in_an_error_and_some_terminate_the_session(serve, clock, state):
    client = await serve(shape="lean")
    run_ids = client.sim.add_runs(client.sim.add_deployment(), 30, state=state)
    endings = set()
    for run_id in run_ids:
        session_id = await session_of(client, run_id)
        types = without_hiccup([event["type"] for event in await events_of(client, session_id)])
        assert types[:4] == [
            "user.message",
            "session.status_running",
            "span.model_request_start",
            "span.model_request_end",
        ]
        status = (await client.get(f"/sessions/{session_id}")).body["status"]
        endings.add((tuple(types[4:]), status))
    assert endings == {
        (("session.error", "session.status_terminated"), "terminated"),
        (("session.error",), "idle"),
    }


async def test_what_events_say(serve, clock):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment()
    stopped = await events_of(client, await session_of(client, client.sim.insert_run(deployment_id, state="stopped")))
    assert stopped[-1]["stop_reason"] == {"type": "requires_action", "event_ids": [stopped[-2]["id"]]}
    assert list(stopped[-1]) == list(fixture("events_idle_requires_action"))
    run_ids = client.sim.add_runs(deployment_id, 20, state="completed", newest=START - timedelta(hours=1))
    shapes = {event["type"]: list(event) for event in fixture("events_list_success")["data"]}
    hiccups = 0
    for run_id in run_ids:
        events = await events_of(client, await session_of(client, run_id))
        assert events[-1]["stop_reason"] == {"type": "end_turn"}
        times = [datetime.fromisoformat(event["processed_at"]) for event in events]
        assert times == sorted(times)
        assert times[0] >= datetime.fromisoformat(client.sim.run(run_id)["created_at"])
        errors = [event for event in events if event["type"] == "session.error"]
        hiccups += len(errors)
        assert all(error["error"]["retry_status"] == {"type": "retrying"} for error in errors)
        assert all(list(event) == shapes.get(event["type"], list(event)) for event in events)
    assert 0 < hiccups < 20


async def test_events_appear_as_time_passes_and_keep_their_identifiers(serve, clock):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment(run_duration=10.0, start_delay=1.0)
    session_id = (await client.post(f"/deployments/{deployment_id}/run")).body["session_id"]
    seen: list[dict] = []
    for _ in range(30):
        events = await events_of(client, session_id)
        assert events[: len(seen)] == seen
        seen = events
        clock.advance(0.5)
    assert seen[-1]["type"] == "session.status_idle"
    assert datetime.fromisoformat(seen[-1]["processed_at"]) == START + timedelta(seconds=11)


async def test_records(serve, clock):
    for shape, name in (("lean", "session_current_idle"), ("extended", "session_2026_06")):
        client = await serve(shape=shape)
        run_id = client.sim.insert_run(client.sim.add_deployment(), state="running")
        clock.advance(12.5)
        record = (await client.get(f"/sessions/{await session_of(client, run_id)}")).body
        expected = fixture(name)
        assert set(record) == set(expected)
        assert list(record["agent"]) == list(expected["agent"])
        assert record["stats"] == {"active_seconds": 12.5, "duration_seconds": 12.5}
        assert record["status"] == ("running" if shape == "lean" else "processing")
        client.sim.set_run(run_id, status="completed")
        record = (await client.get(f"/sessions/{record['id']}")).body
        assert record["status"] == "idle"
        assert record["updated_at"] > record["created_at"]


@pytest.mark.parametrize("suffix", ["", "/events"])
async def test_no_such_session(serve, shape, suffix):
    client = await serve(shape=shape)
    run_id = client.sim.insert_run(client.sim.add_deployment(), state="pending")
    deleted = client.sim.insert_run(client.sim.add_deployment())
    session_id = await session_of(client, deleted)
    assert (await client.get(f"/sessions/{session_id}{suffix}")).status == 200
    client.sim.delete_session(session_id)
    assert (await client.get(f"/sessions/{session_id}{suffix}")).status == 404
    assert (await client.get("/sessions/sess_1" + suffix)).status == 404
    assert (await client.post(f"/sessions/{session_id}/cancel")).status == 404
    pending = "sess_" + run_id.removeprefix("drun_")
    assert (await client.get(f"/sessions/{pending}{suffix}")).status == 404
    assert client.sim.run(deleted)["session_id"] == session_id


async def test_an_archived_session_is_out_of_the_list_and_still_readable(serve, clock, shape):
    client = await serve(shape=shape)
    sim = client.sim
    deployment_id = sim.add_deployment(session_strategy="reuse", run_duration=5.0)
    path = f"/deployments/{deployment_id}/run"
    archived = (await client.post(path)).body["session_id"]
    clock.advance(60)
    other = await session_of(client, sim.insert_run(sim.add_deployment()))
    events = await events_of(client, archived)
    sim.archive_session(archived)
    at = (START + timedelta(seconds=60)).isoformat().replace("+00:00", "Z")
    clock.advance(60)
    sim.archive_session(archived)
    record = (await client.get(f"/sessions/{archived}")).body
    assert record["archived_at"] == at
    assert await events_of(client, archived) == events
    for query, expected in [
        ({}, [other]),
        ({"include_archived": "false"}, [other]),
        ({"include_archived": "true"}, [other, archived]),
        ({"deployment_id": deployment_id}, []),
        ({"deployment_id": deployment_id, "include_archived": "true"}, [archived]),
    ]:
        assert (await client.get("/sessions", **query)).ids == expected, query
    assert (await client.get("/sessions", include_archived="perhaps")).status == 400
    assert (await client.get("/sessions", include_archived="true")).body["data"][1] == record
    # An archived session takes no further turn.
    assert (await client.post(path)).body["session_id"] != archived
    with pytest.raises(KeyError):
        sim.archive_session("sess_1")


async def test_a_session_may_be_archived_while_it_works(serve, clock):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment(run_duration=5.0)
    session_id = (await client.post(f"/deployments/{deployment_id}/run")).body["session_id"]
    client.sim.archive_session(session_id)
    query = {"statuses[]": "running", "deployment_id": deployment_id}
    assert (await client.get("/sessions", **query)).ids == []
    assert (await client.get("/sessions", **query, include_archived="true")).ids == [session_id]
    clock.advance(60)
    assert (await events_of(client, session_id))[-1]["type"] == "session.status_idle"


async def test_cancelling(serve, clock, shape):
    client = await serve(shape=shape)
    deployment_id = client.sim.add_deployment(run_duration=60.0, max_retries=2)
    run = (await client.post(f"/deployments/{deployment_id}/run")).body
    session_id = run["session_id"]
    clock.advance(10)
    answer = await client.post(f"/sessions/{session_id}/cancel")
    assert (answer.status, answer.body) == (202, fixture("session_cancel_ack") | {"id": session_id})
    status = (await client.get(f"/sessions/{session_id}")).body["status"]
    assert status == ("running" if shape == "lean" else "canceling")
    assert (await client.post(f"/sessions/{session_id}/cancel")).status == 202
    clock.advance(1)
    assert (await client.get(f"/sessions/{session_id}")).body["status"] == "idle"
    assert (await client.post(f"/sessions/{session_id}/cancel")).status == 200
    events = await events_of(client, session_id)
    assert events[-1]["stop_reason"] == {"type": "interrupted"}
    if shape == "extended":
        ended = client.sim.run(run["id"])
        assert (ended["status"], ended["error"]["type"]) == ("failed", "cancelled_error")
    clock.advance(600)
    assert client.sim.run_ids() == [run["id"]]


@pytest.mark.parametrize("start_delay", [60.0, None])
async def test_a_pending_run_that_is_set_to_run_starts_then(serve, clock, shape, start_delay):
    client = await serve(shape=shape)
    deployment_id = client.sim.add_deployment(start_delay=start_delay)
    if start_delay is None:
        run_id = client.sim.insert_run(deployment_id, state="pending")
    else:
        run_id = (await client.post(f"/deployments/{deployment_id}/run")).body["id"]
    clock.advance(10)
    client.sim.set_run(run_id, status="running")
    session_id = await session_of(client, run_id)
    begun = (await events_of(client, session_id))[1]
    assert (begun["type"], datetime.fromisoformat(begun["processed_at"])) == (
        "session.status_running",
        START + timedelta(seconds=10),
    )
    clock.advance(5)
    client.sim.set_run(run_id, status="completed")
    ended = (await events_of(client, session_id))[-1]
    assert (ended["type"], datetime.fromisoformat(ended["processed_at"])) == (
        "session.status_idle",
        START + timedelta(seconds=15),
    )
    assert (await client.get(f"/sessions/{session_id}")).body["stats"]["active_seconds"] == 5
    if shape == "extended":
        assert client.sim.run(run_id)["duration_ms"] == 5000
    clock.advance(600)
    assert (await events_of(client, session_id))[-1] == ended


async def test_events_stay_in_order_when_an_older_run_of_their_session_is_changed(serve, clock):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment(session_strategy="reuse", run_duration=5.0)
    runs = []
    for _ in range(2):
        runs.append((await client.post(f"/deployments/{deployment_id}/run")).body)
        clock.advance(60)
    client.sim.set_run(runs[0]["id"], status="completed")
    events = await events_of(client, runs[0]["session_id"])
    times = [datetime.fromisoformat(event["processed_at"]) for event in events]
    assert times == sorted(times)
    assert times[-1] == START + timedelta(seconds=120)


async def test_runs_that_share_a_session(serve, clock, shape):
    client = await serve(shape=shape)
    deployment_id = client.sim.add_deployment(run_duration=5.0, session_strategy="reuse", failure_rate=0.5)
    sessions, counts = set(), []
    for _ in range(4):
        run_id = (await client.post(f"/deployments/{deployment_id}/run")).body["id"]
        clock.advance(10)
        session_id = await session_of(client, run_id)
        sessions.add(session_id)
        events = await events_of(client, session_id, limit=100)
        counts.append(sum(event["type"] == "user.message" for event in events))
        assert [event["processed_at"] for event in events] == sorted(
            (event["processed_at"] for event in events), key=datetime.fromisoformat
        )
    assert (len(sessions), counts) == (1, [1, 2, 3, 4])
    assert (await client.get("/sessions", deployment_id=deployment_id)).ids == [session_id]


async def test_a_shared_session_that_is_busy_or_gone_is_replaced(serve, clock):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment(session_strategy="reuse", max_concurrent=2, run_duration=9.0)
    path = f"/deployments/{deployment_id}/run"
    first = (await client.post(path)).body["session_id"]
    second = (await client.post(path)).body["session_id"]
    assert first != second
    clock.advance(60)
    assert (await client.post(path)).body["session_id"] == second
    clock.advance(60)
    client.sim.delete_session(second)
    assert (await client.post(path)).body["session_id"] not in {first, second}


async def test_listing_sessions(serve, clock, shape):
    client = await serve(shape=shape)
    sim = client.sim
    first, second = sim.add_deployment(), sim.add_deployment(agent_id="agent_other")
    runs = [
        sim.insert_run(first),
        sim.insert_run(second, state="running"),
        sim.insert_run(first, state="skipped"),
    ]
    clock.advance(60)
    runs.append(sim.insert_run(first))
    sessions = [await session_of(client, run_id) for run_id in (runs[0], runs[1], runs[3])]
    running = "running" if shape == "lean" else "processing"
    for query, expected in [
        ({}, [2, 1, 0]),
        ({"order": "asc"}, [0, 1, 2]),
        ({"deployment_id": first}, [2, 0]),
        ({"deployment_id": "dep_unknown"}, []),
        ({"agent_id": "agent_other"}, [1]),
        ({"agent_id": "agent_other", "agent_version": "3"}, [1]),
        ({"agent_version": "2"}, []),
        ({"memory_store_id": "memstore_1"}, []),
        ({"statuses[]": running}, [1]),
        ({"statuses": f"idle,{running}"}, [2, 1, 0]),
        ({"created_at[gt]": (START + timedelta(seconds=30)).isoformat()}, [2]),
        ({"created_at[lte]": (START + timedelta(seconds=30)).isoformat()}, [1, 0]),
        ({"include_archived": "true", "limit": "2"}, [2, 1]),
    ]:
        assert (await client.get("/sessions", **query)).ids == [sessions[index] for index in expected], query
    assert (await client.get("/sessions", order="up")).status == 400
    assert (await client.get("/sessions", limit="101")).status == 400
    pages = await client.walk("/sessions", "page", limit=2)
    assert [record["id"] for page in pages for record in page] == sessions[::-1]
    assert len(await client.walk("/sessions", "page", limit=1, order="asc")) == 3
    assert (await client.get("/sessions", page="sess_unknown")).status == 400
    assert (await client.get("/sessions", after_id=sessions[2])).ids == sessions[::-1]  # not understood here


async def test_listing_events(serve, clock, shape):
    client = await serve(shape=shape)
    deployment_id = client.sim.add_deployment(session_strategy="reuse", run_duration=5.0)
    for _ in range(5):
        await client.post(f"/deployments/{deployment_id}/run")
        clock.advance(60)
    path = f"/sessions/{await session_of(client, client.sim.run_ids()[0])}/events"
    everything = (await client.get(path, limit=100)).body["data"]
    ids = [event["id"] for event in everything]
    assert len((await client.get(path)).ids) == 20 < len(ids)
    for parameter in ("after_id", "page"):
        pages = await client.walk(path, parameter, limit=7)
        assert [event["id"] for page in pages for event in page] == ids
        pages = await client.walk(path, parameter, limit=7, order="desc")
        assert [event["id"] for page in pages for event in page] == ids[::-1]
    before = await client.get(path, before_id=ids[10], limit=4)
    assert (before.ids, before.body["has_more"], before.body["next_page"]) == (ids[6:10], True, ids[9])
    idle = [event["id"] for event in everything if event["type"] == "session.status_idle"]
    talk = [event["id"] for event in everything if event["type"] in {"user.message", "agent.message"}]
    assert (await client.get(path, type="session.status_idle")).ids == idle
    assert (await client.get(path, type="user.message,agent.message")).ids == talk
    answer = await client.send("GET", path, params=[("types[]", "user.message"), ("types[]", "agent.message")])
    assert answer.ids == talk
    since = everything[8]["processed_at"]
    later = (await client.get(path, **{"created_at[gt]": since, "limit": "100"})).body["data"]
    assert later
    assert all(event["processed_at"] > since for event in later)
    for query in (
        {"after_id": "evt_1"},
        {"after_id": ids[0], "page": ids[0]},
        {"order": "x"},
        {"limit": "0"},
    ):
        assert (await client.get(path, **query)).status == 400


def test_a_million_runs_keep_no_events(clock):
    sim = Simulator(shape="lean", clock=clock)
    sim.add_runs(sim.add_deployment(), 10_000)
    assert sim._world.table.shared_turns == {}
