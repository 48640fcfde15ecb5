import json
from datetime import UTC, datetime, timedelta

import pytest
from sim_helpers import START, fixture

from qoder_async.simulator import ProblemError, Simulator

MINIMAL = {
    "name": "on-demand",
    "agent": "agent_1",
    "environment_id": "env_1",
    "initial_events": [{"type": "user.message", "content": "Go."}],
}
CRON = {"type": "cron", "expression": "15 2 * * 1-5", "timezone": "Europe/Paris"}


def keys(record, *, depth: int = 2):
    """Names of fields, and of fields within fields, in order."""
    if not isinstance(record, dict) or not depth:
        return type(record) if record is not None else None
    return {name: keys(value, depth=depth - 1) for name, value in record.items()}


async def test_the_lean_record(serve):
    client = await serve(shape="lean")
    body = fixture("deployment_create_request_full")
    created = await client.post("/deployments", body)
    assert created.status == 200
    expected = fixture("deployment_current_with_budget")
    assert list(created.body) == list(expected)
    assert keys(created.body["schedule"]) == keys(expected["schedule"])
    assert created.body["schedule"]["upcoming_runs_at"] == expected["schedule"]["upcoming_runs_at"]
    assert created.body["environment_variables"] == "LOG_LEVEL=info\nREGION=eu"
    assert created.body["created_at"] == "2026-11-20T09:30:11Z"
    assert (await client.get(f"/deployments/{created.body['id']}")).body == created.body


async def test_secrets_are_not_given_back(serve):
    client = await serve()
    body = fixture("deployment_create_request_full")
    answer = await client.post("/deployments", body)
    assert "REDACTED" in json.dumps(body)
    assert "REDACTED" not in json.dumps(answer.body)
    assert [entry["type"] for entry in answer.body["resources"]] == [entry["type"] for entry in body["resources"]]


async def test_the_extended_record(serve, clock):
    client = await serve(shape="extended")
    created = await client.post("/deployments", fixture("deployment_create_request_cas_config_2026_06"))
    clock.advance(3600)
    await client.post(f"/deployments/{created.body['id']}/run")
    record = (await client.get(f"/deployments/{created.body['id']}")).body
    expected = fixture("deployment_extended_2026_06")
    assert list(record) == list(expected)
    cas_config, expected_config = record["metadata"].pop("cas_config"), expected["metadata"].pop("cas_config")
    assert cas_config["config"] == {"max_concurrent": 1, "max_retries": 2, "timeout_ms": 600000}
    assert keys(cas_config) == keys(expected_config)
    assert cas_config["stats"]["last_triggered_at"] == "2026-11-20T10:30:11Z"
    assert record["schedule"]["last_run_at"] == "2026-11-20T10:30:11Z"
    assert record["metadata"] == {"team": "platform"}


async def test_manual_only(serve):
    client = await serve(shape="lean")
    record = (await client.post("/deployments", fixture("deployment_create_request_minimal"))).body
    expected = fixture("deployment_current_manual_only")
    assert list(record) == list(expected)
    for name in (
        "schedule",
        "status",
        "paused_reason",
        "metadata",
        "resources",
        "vault_ids",
        "environment_variables",
    ):
        assert record[name] == expected[name]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": None}, "name"),
        ({"agent": None}, "agent"),
        ({"environment_id": None}, "environment_id"),
        ({"initial_events": None}, "initial_events"),
        ({"name": ""}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": 5}, "name"),
        ({"environment_id": ""}, "environment_id"),
        ({"agent": {"id": "agent_1"}}, "agent"),
        ({"agent": {"id": "agent_1", "type": "agent", "version": 0}}, "agent.version"),
        ({"initial_events": []}, "initial_events"),
        ({"initial_events": [MINIMAL["initial_events"][0]] * 51}, "initial_events"),
        ({"initial_events": "x"}, "initial_events"),
        ({"initial_events": [{"type": "agent.message"}]}, "initial_events[0].type"),
        ({"resources": [{"type": "disk"}]}, "resources[0].type"),
        ({"vault_ids": ["v"] * 51}, "vault_ids"),
        ({"vault_ids": [1]}, "vault_ids"),
        ({"metadata": []}, None),
        ({"metadata": [1]}, "metadata"),
        ({"metadata": {str(index): "" for index in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: ""}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"metadata": {"cas_config": 1}}, "metadata.cas_config"),
        ({"metadata": {"cas_config": {"session_strategy": "?"}}}, "metadata.cas_config.session_strategy"),
        (
            {"metadata": {"cas_config": {"config": {"max_concurrent": 0}}}},
            "metadata.cas_config.config.max_concurrent",
        ),
        ({"metadata": {"cas_config": {"session_strategy": []}}}, "metadata.cas_config.session_strategy"),
        ({"metadata": {"cas_config": {"config": {"timeout_ms": 10**400}}}}, "metadata.cas_config.config.timeout_ms"),
        ({"schedule": "0 0 * * *"}, "schedule"),
        ({"schedule": CRON | {"expression": f"{'9' * 5000} * * * *"}}, "schedule.expression"),
        ({"schedule": {"type": "cron", "expression": "0 0 * * *"}}, "schedule.timezone"),
        ({"schedule": CRON | {"type": "rate"}}, "schedule.type"),
        ({"schedule": CRON | {"expression": "61 * * * *"}}, "schedule.expression"),
        ({"schedule": CRON | {"timezone": "Nowhere"}}, "schedule.timezone"),
        ({"budget": {"type": "limit", "max_credit_cost": "0.00"}}, "budget.max_credit_cost"),
        ({"budget": {"type": "limit", "max_credit_cost": "1.234"}}, "budget.max_credit_cost"),
        ({"budget": {"type": "limit", "max_credit_cost": 5}}, "budget.max_credit_cost"),
        ({"budget": {"max_credit_cost": "5"}}, "budget.type"),
        ({"description": 5}, "description"),
    ],
)
async def test_what_a_creation_may_not_say(serve, change, param):
    client = await serve(shape="lean")
    answer = await client.post("/deployments", MINIMAL | change)
    if param is None:
        assert answer.status == 200
    else:
        assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
        assert answer.error["param"] == param
        assert (await client.get("/deployments")).body["data"] == []


async def test_cas_config_is_exempt_from_the_limits_of_metadata(serve):
    client = await serve()
    metadata = {str(index): "x" for index in range(16)} | {"cas_config": {"config": {"max_concurrent": 3}}}
    record = (await client.post("/deployments", MINIMAL | {"metadata": metadata})).body
    assert record["metadata"]["cas_config"]["config"]["max_concurrent"] == 3
    assert len(record["metadata"]) == 17


async def test_an_update_is_a_merge_patch(serve, clock):
    client = await serve(shape="lean")
    body = MINIMAL | {
        "metadata": {"team": "a", "obsolete": "x", "stays": "y"},
        "description": "d",
        "schedule": CRON,
    }
    made = (await client.post("/deployments", body)).body
    clock.advance(100)
    answer = await client.post(f"/deployments/{made['id']}", fixture("deployment_update_request"))
    record = answer.body
    assert record["name"] == "nightly-summary-v2"
    assert record["metadata"] == {"team": "data", "stays": "y"}
    assert record["schedule"]["expression"] == "30 2 * * 1-5"
    assert record["schedule"]["upcoming_runs_at"][0] == "2026-11-23T01:30:00Z"
    assert (record["description"], record["agent"]) == ("d", made["agent"])
    assert (record["created_at"], record["updated_at"]) == ("2026-11-20T09:30:11Z", "2026-11-20T09:31:51Z")
    cleared = (await client.post(f"/deployments/{made['id']}", {"schedule": None, "description": None})).body
    assert (cleared["schedule"], cleared["description"]) == (None, "")
    clock.advance(86400 * 7)
    assert client.sim.run_ids() == []


@pytest.mark.parametrize("change", [{"name": ""}, {"name": None}, {"agent": None}, {"initial_events": None}])
async def test_what_an_update_may_not_say(serve, change):
    client = await serve()
    deployment_id = client.sim.add_deployment()
    before = client.sim.deployment(deployment_id)
    answer = await client.post(f"/deployments/{deployment_id}", change)
    assert (answer.status, answer.error["param"]) == (400, next(iter(change)))
    assert client.sim.deployment(deployment_id) == before


async def test_pause_and_unpause(serve, clock):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment(schedule="0 * * * *")
    path = f"/deployments/{deployment_id}"
    assert (await client.post(f"{path}/unpause")).error["message"] == "Deployment is not paused"
    paused = await client.post(f"{path}/pause")
    assert (paused.body["status"], paused.body["paused_reason"]) == ("paused", {"type": "manual"})
    assert len(paused.body["schedule"]["upcoming_runs_at"]) == 5
    again = await client.post(f"{path}/pause")
    assert again.status == 409
    assert again.error == fixture("error_409_already_paused")["error"]
    assert (await client.post(f"{path}/run")).status == 409
    clock.advance(7200)
    assert client.sim.run_ids() == []
    active = await client.post(f"{path}/unpause")
    assert (active.body["status"], active.body["paused_reason"]) == ("active", None)
    assert client.sim.run_ids() == []  # nothing is caught up
    clock.advance(3600)
    assert len(client.sim.run_ids()) == 1


def test_paused_by_the_service():
    sim = Simulator(shape="lean")
    expected = fixture("deployment_current_paused_by_error")
    record = sim.deployment(sim.add_deployment(status="paused", paused_reason=expected["paused_reason"]))
    assert (record["status"], record["paused_reason"]) == ("paused", expected["paused_reason"])


async def test_archive(serve, clock):
    client = await serve()
    deployment_id = client.sim.add_deployment(name="old", schedule="0 * * * *")
    path = f"/deployments/{deployment_id}"
    record = (await client.post(f"{path}/archive")).body
    assert record["name"] == f"old_archived_{int(START.timestamp())}"
    assert (record["status"], record["archived_at"]) == ("active", "2026-11-20T09:30:11Z")
    assert record["schedule"]["upcoming_runs_at"] == []
    for action in ("archive", "pause", "unpause", "run"):
        assert (await client.post(f"{path}/{action}")).status == 409
    clock.advance(7200)
    assert client.sim.run_ids() == []
    assert (await client.get("/deployments")).ids == []
    assert (await client.get("/deployments", include_archived="true")).ids == [deployment_id]


@pytest.mark.parametrize("suffix", ["", "/runs", "/runs/drun_1"])
async def test_nothing_there(serve, suffix):
    client = await serve(shape="lean")
    answer = await client.get(f"/deployments/dep_1{suffix}")
    assert (answer.status, answer.error) == (404, fixture("error_404")["error"])


async def test_upcoming_runs_move_on(serve, clock):
    client = await serve()
    deployment_id = client.sim.add_deployment(schedule={"type": "cron", "expression": "0 * * * *", "timezone": "UTC"})
    assert client.sim.deployment(deployment_id)["schedule"]["upcoming_runs_at"][0] == "2026-11-20T10:00:00Z"
    clock.advance(1800)
    assert client.sim.deployment(deployment_id)["schedule"]["upcoming_runs_at"][0] == "2026-11-20T11:00:00Z"


async def test_list_and_filters(serve, shape):
    client = await serve(shape=shape)
    sim = client.sim
    made = [
        sim.add_deployment(
            name=str(index),
            created_at=START - timedelta(hours=index),
            status="paused" if index == 1 else "active",
            archived=index == 2,
            agent_id="agent_other" if index == 3 else None,
        )
        for index in range(5)
    ]
    assert sim.deployment_ids() == made
    for query, expected in [
        ({}, [0, 1, 3, 4]),
        ({"include_archived": "true"}, [0, 1, 2, 3, 4]),
        ({"include_archived": "false"}, [0, 1, 3, 4]),
        ({"status": "paused"}, [1]),
        ({"status": "active"}, [0, 3, 4]),
        ({"agent_id": "agent_other"}, [3]),
        ({"created_at[gte]": "2026-11-20T06:30:11Z"}, [0, 1, 3]),
        ({"created_at[gt]": "2026-11-20T06:30:11Z"}, [0, 1]),
        ({"created_at[lte]": "2026-11-20T06:30:11Z"}, [3, 4]),
        ({"created_at[lt]": "2026-11-20T06:30:11Z", "limit": "5"}, [4]),
    ]:
        if shape == "extended" and "created_at" in next(iter(query), ""):
            expected = [0, 1, 3, 4]  # noqa: PLW2901  a filter of the later generation
        assert (await client.get("/deployments", **query)).ids == [made[index] for index in expected], query
    for query in ({"status": "gone"}, {"include_archived": "yes"}, {"created_at[gt]": "x"}, {"limit": "0"}):
        answer = await client.get("/deployments", **query)
        if shape == "extended" and "created_at[gt]" in query:
            assert answer.status == 200
        else:
            assert (answer.status, answer.error["param"]) == (400, next(iter(query)))


async def test_pages_of_deployments(serve, shape):
    client = await serve(shape=shape)
    for index in range(7):
        client.sim.add_deployment(name=str(index))
    pages = await client.walk("/deployments", "page" if shape == "lean" else "after_id", limit=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [record["id"] for page in pages for record in page] == client.sim.deployment_ids()


def test_what_cannot_be_added_by_hand():
    with pytest.raises(ProblemError):
        Simulator().add_deployment(schedule="nonsense")
    with pytest.raises(ValueError, match="time zone"):
        Simulator().add_deployment(created_at=datetime(2026, 1, 1))  # noqa: DTZ001
    assert Simulator().add_deployment(created_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_populated_world_is_lively_and_the_same_every_time(clock, shape):
    worlds = [Simulator(shape=shape, clock=clock, seed=5) for _ in range(2)]
    for world in worlds:
        assert len(world.populate(deployments=30, runs=600)) == 30
    first, second = worlds
    clock.advance(3600)
    assert first.run_ids() == second.run_ids()
    assert len(first.run_ids()) > 600
    records = [first.deployment(deployment_id) for deployment_id in first.deployment_ids()]
    assert len({record["name"] for record in records}) == 30
    assert {record["status"] for record in records} == {"active", "paused"}
    assert any(record["archived_at"] for record in records)
    assert Simulator(clock=clock, seed=6).populate(1, 1) != first.deployment_ids()[:1]
    if shape == "extended":
        assert {first.run(run_id)["status"] for run_id in first.run_ids()} >= {
            "completed",
            "failed",
            "skipped",
        }


def test_a_populated_world_may_be_large(shape):
    sim = Simulator(shape=shape)
    names = [sim.deployment(deployment_id)["name"] for deployment_id in sim.populate(deployments=250, runs=0)]
    assert len(set(names)) == 250
