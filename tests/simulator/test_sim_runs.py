import asyncio
from datetime import timedelta

import pytest
from sim_helpers import START, fixture

from qoder_async.simulator import Simulator


async def test_the_shapes_of_runs(serve, clock):
    client = await serve(shape="extended")
    deployment_id = client.sim.add_deployment(run_duration=17.268, max_concurrent=1)
    running = await client.post(f"/deployments/{deployment_id}/run")
    skipped = await client.post(f"/deployments/{deployment_id}/run")
    assert list(running.body) == list(fixture("run_extended_running"))
    assert list(skipped.body) == list(fixture("run_extended_skipped_INFERRED"))
    assert len(running.body["triggered_at"]) == len("2026-06-14T08:54:06.271902633Z")
    clock.advance(60)
    completed = (await client.get(f"/deployment_runs/{running.body['id']}")).body
    assert list(completed) == list(fixture("run_extended_completed"))
    assert completed["triggered_at"] == "2026-11-20T09:30:11.271902Z"
    assert running.body["triggered_at"].startswith("2026-11-20T09:30:11.271902")
    assert completed["duration_ms"] == 17268
    nested = await client.get(f"/deployments/{deployment_id}/runs/{running.body['id']}")
    assert nested.body == completed == client.sim.run(running.body["id"])


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ("pending", "run_extended_pending_INFERRED"),
        ("running", "run_extended_running"),
        ("failed", "run_extended_failed_INFERRED"),
        ("timed_out", "run_extended_failed_INFERRED"),
        ("skipped", "run_extended_skipped_INFERRED"),
        ("completed", "run_extended_completed"),
    ],
)
def test_extended_runs_by_state(clock, state, name):
    sim = Simulator(clock=clock)
    run_id = sim.insert_run(sim.add_deployment(), state=state)
    expected = fixture(name)
    record = sim.run(run_id)
    assert list(record) == list(expected)
    assert record["status"] == expected["status"]
    assert list(record.get("cas_run_extras", {})) == list(expected.get("cas_run_extras", {}))
    assert (record["error"] is None) == (expected["error"] is None)


@pytest.mark.parametrize(
    ("state", "trigger", "name"),
    [
        ("completed", "manual", "run_current_manual"),
        ("failed", "schedule", "run_current_schedule"),
        ("no_session", "schedule", "run_current_session_not_created"),
        ("skipped", "manual", "run_current_unknown_error"),
    ],
)
def test_lean_runs(clock, state, trigger, name):
    sim = Simulator(shape="lean", clock=clock)
    expected, record = (
        fixture(name),
        sim.run(sim.insert_run(sim.add_deployment(), state=state, trigger=trigger)),
    )
    assert list(record) == list(expected)
    assert list(record["trigger_context"]) == list(expected["trigger_context"])
    assert (record["error"] is None) == (expected["error"] is None)
    assert (record["session_id"] is None) == (expected["session_id"] is None)
    assert record["created_at"] == "2026-11-20T09:30:11Z"
    if trigger == "schedule":
        assert record["trigger_context"]["scheduled_at"] == "2026-11-20T09:30:00Z"


@pytest.mark.parametrize("parameter", ["page", "after_id"])
@pytest.mark.parametrize("next_page", ["last_id", "opaque"])
async def test_walking_lean(serve, parameter, next_page):
    client = await serve(shape="lean", next_page=next_page)
    deployment_id = client.sim.add_deployment()
    run_ids = client.sim.add_runs(deployment_id, 45, same_time=True)
    assert len(set(run_ids)) == 45
    assert client.sim.run_ids(deployment_id) == run_ids
    pages = await client.walk(f"/deployments/{deployment_id}/runs", parameter)
    assert [len(page) for page in pages] == [20, 20, 5]
    assert [record["id"] for page in pages for record in page] == run_ids


async def test_the_extended_shape_does_not_know_page(serve):
    client = await serve(shape="extended")
    path = f"/deployments/{client.sim.add_deployment()}/runs"
    client.sim.add_runs(client.sim.deployment_ids()[0], 45)
    first = await client.get(path)
    assert first.body["next_page"] == first.body["last_id"] == first.ids[-1]
    assert (await client.get(path, page=first.body["next_page"])).body == first.body
    assert (await client.get(path, page=first.body["next_page"], after_id=first.body["next_page"])).ids != first.ids
    assert len(await client.walk(path, "after_id")) == 3


async def test_opaque_cursors_are_understood_in_the_extended_shape_too(serve):
    client = await serve(shape="extended", next_page="opaque")
    client.sim.add_runs(client.sim.add_deployment(), 45)
    first = (await client.get("/deployment_runs")).body
    assert all(character in first["next_page"] for character in "+/=? &%#é")
    pages = await client.walk("/deployment_runs", "page")
    assert [record["id"] for page in pages for record in page] == client.sim.run_ids()


@pytest.mark.parametrize("name", ["/deployment_runs", "/deployments", "/sessions"])
async def test_envelopes(serve, shape, name):
    client = await serve(shape=shape, next_page="absent")
    assert (await client.get(name)).body == fixture("list_empty_without_next_page_key")
    client = await serve(shape=shape)
    assert (await client.get(name)).body == fixture("list_empty")
    client.sim.add_runs(client.sim.add_deployment(), 3)
    page = (await client.get("/deployment_runs", limit=2)).body
    assert list(page) == list(fixture("runs_list_current_page1"))
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][1]["id"])
    rest = (await client.get("/deployment_runs", limit=2, after_id=page["last_id"])).body
    assert (len(rest["data"]), rest["has_more"], rest["next_page"]) == (1, False, None)


async def test_walking_backward(serve, shape):
    client = await serve(shape=shape)
    deployment_id = client.sim.add_deployment()
    run_ids = client.sim.add_runs(deployment_id, 10)
    path = f"/deployments/{deployment_id}/runs"
    page = (await client.get(path, limit=3, before_id=run_ids[7])).body
    assert [record["id"] for record in page["data"]] == run_ids[4:7]
    assert (page["has_more"], page["next_page"]) == (True, run_ids[6])
    page = (await client.get(path, limit=3, before_id=run_ids[2])).body
    assert [record["id"] for record in page["data"]] == run_ids[:2]
    assert (page["has_more"], page["next_page"]) == (False, run_ids[1])
    page = (await client.get(path, limit=3, before_id=run_ids[0])).body
    assert (page["data"], page["has_more"], page["next_page"]) == ([], False, None)


@pytest.mark.parametrize(
    ("shape", "settings", "limit", "fine"),
    [
        ("extended", {}, "1000", True),
        ("extended", {}, "1001", False),
        ("lean", {}, "100", True),
        ("lean", {}, "101", False),
        ("lean", {"max_page_size": 1000}, "1000", True),
        ("lean", {}, "0", False),
        ("lean", {}, "-1", False),
        ("lean", {}, "", False),
        ("lean", {}, "ten", False),
        ("lean", {}, "²", False),
        ("lean", {}, "9" * 5000, False),
    ],
)
async def test_limits(serve, shape, settings, limit, fine):
    client = await serve(shape=shape, **settings)
    answer = await client.get("/deployment_runs", limit=limit)
    assert answer.status == (200 if fine else 400)
    if not fine:
        assert answer.error["param"] == "limit"
    if limit == "101":
        assert answer.error == fixture("error_400_limit")["error"]


@pytest.mark.parametrize(
    "query",
    [
        {"after_id": "a", "before_id": "b"},
        {"after_id": "a", "page": "b"},
        {"before_id": "a", "page": "b"},
        {"after_id": "drun_unknown"},
        {"page": "drun_unknown"},
        {"before_id": "other"},
        {"triggered_after": "soon"},
        {"triggered_before": "2026-11-20T09:30:11 01:00"},
    ],
)
async def test_bad_cursors_and_times(serve, query):
    client = await serve(shape="lean")
    deployment_id, other = client.sim.add_deployment(), client.sim.add_deployment()
    query = {name: client.sim.insert_run(other) if value == "other" else value for name, value in query.items()}
    answer = await client.get(f"/deployments/{deployment_id}/runs", **query)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert answer.error["param"] in query


async def test_the_cursor_of_a_deleted_run_works(serve, shape):
    client = await serve(shape=shape)
    run_ids = client.sim.add_runs(client.sim.add_deployment(), 6, spacing=0)
    client.sim.delete_run(run_ids[2])
    assert (await client.get("/deployment_runs", after_id=run_ids[2])).ids == run_ids[3:]
    assert (await client.get("/deployment_runs", before_id=run_ids[2])).ids == run_ids[:2]
    assert (await client.get(f"/deployment_runs/{run_ids[2]}")).status == 404
    assert client.sim.run_ids() == run_ids[:2] + run_ids[3:]


async def test_filters_of_the_extended_lists(serve):
    client = await serve(shape="extended")
    deployment_id = client.sim.add_deployment()
    other = client.sim.add_deployment()
    failed = client.sim.insert_run(deployment_id, state="failed", trigger="schedule")
    completed = client.sim.insert_run(deployment_id, state="completed")
    skipped = client.sim.insert_run(other, state="skipped", trigger="retry")
    nested = f"/deployments/{deployment_id}/runs"
    for path, query, expected in [
        (nested, {"status": "failed"}, [failed]),
        (nested, {"status": "running"}, []),
        ("/deployment_runs", {"status": "skipped"}, [skipped]),
        ("/deployment_runs", {"deployment_id": deployment_id}, [completed, failed]),
        ("/deployment_runs", {"deployment_id": "dep_unknown"}, []),
        ("/deployment_runs", {"trigger_type": "retry"}, [skipped]),
        ("/deployment_runs", {"has_error": "true"}, [failed]),
        ("/deployment_runs", {"has_error": "false", "trigger_type": "manual"}, [completed]),
    ]:
        assert (await client.get(path, **query)).ids == expected, query
    for query in ({"status": "lost"}, {"trigger_type": "x"}, {"has_error": "1"}):
        answer = await client.get("/deployment_runs", **query)
        assert (answer.status, answer.error["param"]) == (400, next(iter(query)))


async def test_lean_ignores_status(serve):
    client = await serve(shape="lean")
    client.sim.add_runs(client.sim.add_deployment(), 3)
    assert len((await client.get("/deployment_runs", status="failed")).ids) == 3


async def test_a_service_that_ignores_filters(serve, shape):
    client = await serve(shape=shape, ignore_filters=True)
    deployment_id = client.sim.add_deployment(archived=True)
    client.sim.add_runs(deployment_id, 3)
    later = "2030-01-01T00:00:00Z"
    nested = await client.get(f"/deployments/{deployment_id}/runs", triggered_after=later, status="failed")
    assert len(nested.ids) == 3
    everything = {"created_at[gt]": later, "trigger_type": "manual", "has_error": "true"}
    assert len((await client.get("/deployment_runs", **everything)).ids) == 3
    assert len((await client.get("/sessions", **{"created_at[gt]": later})).ids) == 3
    path = f"/sessions/{client.sim.run(client.sim.run_ids()[0])['session_id']}/events"
    assert (await client.get(path, type="user.message")).ids == (await client.get(path)).ids
    assert (await client.get(path, **{"created_at[gt]": "soon"})).status == 400


async def test_windows_of_time(serve, shape):
    client = await serve(shape=shape)
    deployment_id = client.sim.add_deployment()
    run_ids = client.sim.add_runs(deployment_id, 10, spacing=10, newest=START, created_after=25)
    triggered = [START - timedelta(seconds=10 * index) for index in range(10)]
    path = f"/deployments/{deployment_id}/runs"
    window = {"triggered_after": triggered[6].isoformat(), "triggered_before": triggered[3].isoformat()}
    assert (await client.get(path, **window)).ids == run_ids[4:7]  # from (included) and to (excluded)
    shown = client.sim.run(run_ids[5])["created_at"]
    for bound, expected in [
        ("gt", run_ids[:5]),
        ("gte", run_ids[:6]),
        ("lt", run_ids[6:]),
        ("lte", run_ids[5:]),
    ]:
        found = await client.get("/deployment_runs", **{f"created_at[{bound}]": shown})
        assert found.ids == (expected if shape == "lean" else run_ids), bound
    assert shown.startswith("2026-11-20T09:29:46")  # 50 s before, and made 25 s after its trigger


async def test_windows_where_creation_lags_unevenly(serve):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment()
    late = client.sim.insert_run(deployment_id, triggered_at=START - timedelta(hours=2), created_after=7200)
    prompt = client.sim.insert_run(deployment_id, triggered_at=START - timedelta(hours=1))
    since = (START - timedelta(minutes=1)).isoformat()
    assert (await client.get("/deployment_runs", **{"created_at[gte]": since})).ids == [late]
    assert (await client.get("/deployment_runs", **{"created_at[lt]": since})).ids == [prompt]


async def test_new_runs_become_visible_late(serve, clock, shape):
    client = await serve(shape=shape, visibility_delay=5)
    deployment_id = client.sim.add_deployment(max_concurrent=5)
    run_id = (await client.post(f"/deployments/{deployment_id}/run")).body["id"]
    inserted = client.sim.insert_run(deployment_id)
    paths = (f"/deployment_runs/{run_id}", f"/deployments/{deployment_id}/runs/{run_id}")
    assert [(await client.get(path)).status for path in paths] == [404, 404]
    assert (await client.get("/deployment_runs")).ids == []
    assert client.sim.run_ids() == [inserted, run_id]
    clock.advance(5)
    assert (await client.get("/deployment_runs")).ids == [inserted, run_id]
    assert [(await client.get(path)).status for path in paths] == [200, 200]


async def test_runs_of_another_deployment(serve):
    client = await serve()
    mine, other = client.sim.add_deployment(), client.sim.add_deployment()
    run_id = client.sim.insert_run(other)
    assert (await client.get(f"/deployments/{mine}/runs/{run_id}")).status == 404
    assert (await client.get(f"/deployments/{other}/runs/{run_id}")).status == 200


async def test_runs_inserted_between_pages(serve, shape):
    client = await serve(shape=shape)
    deployment_id = client.sim.add_deployment()
    run_ids = client.sim.add_runs(deployment_id, 10, newest=START)
    path = f"/deployments/{deployment_id}/runs"
    first = await client.get(path, limit=5)
    newer = [client.sim.insert_run(deployment_id) for _ in range(3)]
    rest = await client.get(path, limit=5, after_id=first.body["last_id"])
    assert first.ids + rest.ids == run_ids
    assert (await client.get(path, limit=3)).ids == newer[::-1]


async def test_many_requests_at_once(serve):
    client = await serve()
    client.sim.add_runs(client.sim.add_deployment(), 100)
    answers = await asyncio.gather(*[client.get("/deployment_runs", limit=50) for _ in range(50)])
    assert all(answer.ids == client.sim.run_ids()[:50] for answer in answers)


async def test_what_goes_on_is_found_among_much_that_is_over(serve, clock, shape):
    client = await serve(shape=shape)
    sim = client.sim
    first = sim.add_deployment(max_concurrent=9, run_duration=60.0, session_strategy="reuse")
    second = sim.add_deployment()
    sim.add_runs(first, 500)
    started = [(await client.post(f"/deployments/{first}/run")).body["id"] for _ in range(3)]
    pending = sim.insert_run(second, state="pending")
    reopened = sim.add_runs(second, 300)[150]
    sim.set_run(reopened, status="running")
    gone = sim.insert_run(second, state="running")
    sim.delete_run(gone)
    expected = {"pending": [pending], "running": [run for run in sim.run_ids() if run in {*started, reopened}]}
    at_work = ["running"] if shape == "lean" else ["processing", "canceling"]
    sessions = [sim.run(run_id)["session_id"] for run_id in expected["running"]]
    assert (await client.get("/sessions", statuses=",".join(at_work))).ids == sessions
    if shape == "extended":
        for status, run_ids in expected.items():
            assert (await client.get("/deployment_runs", status=status)).ids == run_ids
            limited = await client.walk(f"/deployments/{first}/runs", "after_id", status=status, limit=2)
            assert [run["id"] for page in limited for run in page] == [run for run in run_ids if run in started]
    clock.advance(61)
    assert (await client.get("/sessions", statuses=",".join(at_work))).ids == [sim.run(reopened)["session_id"]]
