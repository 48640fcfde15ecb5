"""What nobody has documented yet changes nothing; what is missing is named."""

from __future__ import annotations

import pytest
from resources_support import ALWAYS, RUNS, edit_records
from support.served import ids_of

from qoder_async import Deployment, DeploymentRun, ResponseDecodeError


async def test_unknown_words_and_fields_of_a_run(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 3)
    new = {
        "status": "hibernating",
        "trigger_context": {"type": "telepathy", "medium": "ether"},
        "error": {"type": "cosmic_ray_error", "message": "bit flipped", "bit": 7},
        "mood": {"level": [1, None]},
    }
    sim.patch_record(ids[1], **new)
    for runs in (
        await qoder.runs.list(dep).collect(),
        await qoder.runs.list_all().collect(),
        [await qoder.runs.get(run_id) for run_id in ids],
    ):
        assert [run.id for run in runs] == ids
        run = runs[1]
        assert (run.status, run.status.is_known) == ("hibernating", False)
        assert (run.trigger_context.type, run.trigger_context.type.is_known) == ("telepathy", False)
        assert (run.error.type, run.error.message) == ("cosmic_ray_error", "bit flipped")
        assert run.extra["mood"] == {"level": [1, None]}


async def test_unknown_words_can_be_filtered_for(serve):
    sim, qoder = await serve(shape="extended")
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 3)
    sim.patch_record(ids[1], status="hibernating", trigger_context={"type": "telepathy"})
    everything = (await qoder.request("GET", f"/deployments/{dep}/runs")).body
    for pager in (
        qoder.runs.list(dep, status="hibernating"),
        qoder.runs.list_all(trigger_type="telepathy"),
    ):
        # A server that knows the words; the simulator does not.
        sim.faults.add("status", status=200, body=everything, content_type="application/json")
        assert await ids_of(pager) == [ids[1]]


@pytest.mark.parametrize(
    "fields",
    [
        {"error": {"type": "x"}},
        {"error": {"type": "x", "message": None}},
        {"session_id": None},
        {"session_id": ...},
        {"trigger_context": {"type": "schedule", "scheduled_at": "2026-11-20T12:00:00+02:00"}},
        {"created_at": "2026-06-14T08:54:06.271902633Z"},
        {"created_at": "2026-06-14T08:54:06"},
        {"type": "deployment_run_v2"},
        {"type": ...},
        {"status": None},
        {"cas_run_extras": None},
        {"cas_run_extras": {"attempt": 3, "turn_id": None, "more": 1}},
        {"agent": {"id": "agent_1", "version": 12.0, "colour": "red"}},
    ],
    ids=str,
)
async def test_shapes_that_documents_disagree_on(serve, shape, fields):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 3)
    sim.patch_record(ids[1], **fields)
    assert await ids_of(qoder.runs.list(dep)) == ids
    assert isinstance(await qoder.runs.get(ids[1]), DeploymentRun)


async def test_unknown_words_and_fields_of_sessions(serve, shape):
    sim, qoder = await serve(shape=shape)
    sim.add_runs(sim.add_deployment(), 3)
    new = {"status": "daydreaming", "colour": "red", "usage": {"total_credits": 1, "moons": 2}}
    sim.faults.add("body", times=ALWAYS, body=edit_records(lambda record: record.update(new)))
    sessions = await qoder.sessions.list().collect()
    assert [(one.status, one.status.is_known, one.extra["colour"]) for one in sessions] == [
        ("daydreaming", False, "red")
    ] * 3
    assert (await qoder.sessions.get(sessions[0])).status == "daydreaming"


@pytest.mark.parametrize(
    "new",
    [
        {"type": "agent.sneezed", "loudness": 11},
        {"type": "session.status_idle", "stop_reason": "tired"},
        {"type": "session.status_idle", "stop_reason": {"type": "tired", "hours": 3}},
        {"type": "session.status_idle", "stop_reason": None},
        {"type": "session.error", "error": {"type": "x", "retry_status": {"type": "maybe"}}},
        {"type": "session.error", "error": "just a text"},
        {"content": "just a text"},
        {"processed_at": ...},
    ],
    ids=str,
)
async def test_unknown_events(serve, shape, new):
    sim, qoder = await serve(shape=shape)
    run = await qoder.runs.get(sim.insert_run(sim.add_deployment()))
    before = await ids_of(qoder.sessions.events(run.session_id))

    def edit(record: dict) -> None:
        record.update(new)
        for name in [name for name, value in record.items() if value is ...]:
            del record[name]

    sim.faults.add("body", body=edit_records(edit))
    events = await qoder.sessions.events(run.session_id).collect()
    assert [event.id for event in events] == before
    if "type" in new:
        assert {event.type for event in events} == {new["type"]}
    if new.get("stop_reason"):
        assert {event.stop_reason_type for event in events} == {"tired"}


async def test_unknown_fields_of_deployments(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment(schedule="0 8 * * *")
    new = {"status": "dormant", "metadata": {"cas_config": {"stats": {"total_runs": 3}}}, "colour": "red"}
    sim.faults.add("body", times=ALWAYS, body=edit_records(lambda record: record.update(new)))
    (listed,) = await qoder.deployments.list().collect()
    got = await qoder.deployments.get(dep)
    for deployment in (listed, got):
        assert isinstance(deployment, Deployment)
        assert (deployment.status, deployment.status.is_known) == ("dormant", False)
        assert deployment.metadata["cas_config"]["stats"]["total_runs"] == 3
        assert deployment.extra["colour"] == "red"


REQUIRED = ["deployment_id", "agent", "trigger_context", "created_at"]


@pytest.mark.parametrize("field", REQUIRED)
async def test_a_missing_field_in_a_list_names_path_run_and_request(serve, shape, field):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 30)
    sim.patch_record(ids[17], **{field: ...})
    with pytest.raises(ResponseDecodeError) as caught:
        await qoder.runs.list(dep).collect()
    error = caught.value
    assert error.problems == (f"data[17].{field}: missing",)
    assert ids[17] in str(error)
    assert error.problems[0] in str(error)
    assert error.request_id
    assert error.request_id in str(error)
    assert sim.requests.of(RUNS) != []


async def test_a_missing_field_deep_within_names_its_whole_path(serve, shape):
    sim, qoder = await serve(shape=shape)
    dep = sim.add_deployment()
    ids = sim.add_runs(dep, 3)
    sim.patch_record(ids[1], agent={"id": "agent_1"}, trigger_context={})
    with pytest.raises(ResponseDecodeError) as caught:
        await qoder.runs.list(dep).collect()
    assert set(caught.value.problems) == {"data[1].agent.version: missing", "data[1].trigger_context.type: missing"}


@pytest.mark.parametrize("field", ["id", *REQUIRED])
async def test_a_missing_field_of_one_run_names_path_run_and_request(serve, shape, field):
    sim, qoder = await serve(shape=shape)
    run_id = sim.insert_run(sim.add_deployment())
    sim.patch_record(run_id, **{field: ...})
    with pytest.raises(ResponseDecodeError) as caught:
        await qoder.runs.get(run_id)
    assert caught.value.problems == (f"{field}: missing",)
    assert run_id in str(caught.value)
    assert caught.value.request_id in str(caught.value)
