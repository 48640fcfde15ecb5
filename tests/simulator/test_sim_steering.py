from datetime import timedelta

import pytest
from sim_helpers import START

from qoder_async.simulator import ManualClock, Simulator


def test_history_in_bulk(clock, shape):
    sim = Simulator(shape=shape, clock=clock)
    deployment_id = sim.add_deployment()
    old = sim.add_runs(deployment_id, 5000, newest=START - timedelta(days=10), state="mixed", trigger="mixed")
    new = sim.add_runs(deployment_id, 5000, state="mixed", render=True)
    middle = sim.add_runs(deployment_id, 10, newest=START - timedelta(days=9), spacing=1, state="running")
    assert sim.run_ids(deployment_id) == new + middle + old
    assert len(set(sim.run_ids())) == 10_010
    record = sim.deployment(deployment_id)
    if shape == "extended":
        assert record["metadata"]["cas_config"]["stats"]["total_runs"] == 10_010
        statuses = [sim.run(run_id)["status"] for run_id in old]
        assert {"completed", "failed", "skipped"} == set(statuses)
        assert {sim.run(run_id)["trigger_context"]["type"] for run_id in old} == {"manual", "schedule"}
        assert sim.run(middle[0])["status"] == "running"


def test_history_is_the_same_every_time(clock):
    first, second = (Simulator(clock=clock, seed=9) for _ in range(2))
    for sim in (first, second):
        sim.add_runs(sim.add_deployment(), 50, state="mixed")
    assert [first.run(run_id) for run_id in first.run_ids()] == [second.run(run_id) for run_id in second.run_ids()]


def test_what_history_cannot_be(clock):
    sim = Simulator(clock=clock)
    deployment_id = sim.add_deployment()
    assert sim.add_runs(deployment_id, 0) == []
    for wrong in ({"state": "lost"}, {"trigger": "webhook"}, {"spacing": -1.0}):
        with pytest.raises(ValueError):
            sim.add_runs(deployment_id, 1, **wrong)
    with pytest.raises(ValueError, match="count"):
        sim.add_runs(deployment_id, -1)
    with pytest.raises(KeyError):
        sim.add_runs("dep_1", 1)


@pytest.mark.parametrize("raw", [b'{"id":"\\ud800"}', b'{"x":NaN}', b"[" * 500 + b"]" * 500, b"{"])
async def test_records_replaced_by_hand(serve, raw, clock):
    client = await serve()
    deployment_id = client.sim.add_deployment()
    before, run_id = (
        client.sim.insert_run(deployment_id),
        client.sim.insert_run(deployment_id, state="running"),
    )
    client.sim.replace_record(run_id, raw)
    client.sim.set_run(run_id, status="completed")
    async with client.http.get(client.sim.url + "/deployment_runs", headers={"Authorization": "Bearer x"}) as answer:
        body = await answer.read()
    assert body.startswith(b'{"data":[' + raw + b',{"id":"' + before.encode())
    async with client.http.get(
        f"{client.sim.url}/deployment_runs/{run_id}", headers={"Authorization": "Bearer x"}
    ) as answer:
        assert await answer.read() == raw


def test_an_inserted_run_may_be_given_a_status(clock):
    sim = Simulator(clock=clock)
    deployment_id = sim.add_deployment()
    record = sim.run(sim.insert_run(deployment_id, status="running"))
    assert (record["status"], "completed_at" in record) == ("running", False)
    assert sim.run(sim.insert_run(deployment_id, status="odd"))["status"] == "odd"


def test_records_patched_by_hand(clock):
    sim = Simulator(clock=clock)
    run_id = sim.insert_run(sim.add_deployment(), state="running", extra=[1])
    sim.patch_record(run_id, status="rescheduled", session_id=..., error=None)
    record = sim.run(run_id)
    assert (record["status"], record["extra"], "session_id" in record) == ("rescheduled", [1], False)
    sim.set_run(run_id, status="completed")
    assert sim.run(run_id)["status"] == "completed"
    sim.set_run(run_id, status="archived")
    assert sim.run(run_id)["status"] == "archived"


def test_unknown_runs():
    sim = Simulator(clock=ManualClock())
    for action in (sim.run, sim.delete_run, sim.set_run, sim.patch_record, sim.delete_session):
        with pytest.raises(KeyError):
            action("drun_1")
