from datetime import UTC, datetime, timedelta

import pytest
from sim_helpers import START

from qoder_async.simulator import AcceleratedClock, ManualClock, Simulator


def statuses(sim: Simulator) -> list[str]:
    """Oldest first."""
    return [sim.run(run_id)["status"] for run_id in reversed(sim.run_ids())]


def test_a_schedule_fires(sim, clock):
    sim.add_deployment(schedule="*/10 * * * *", timezone="Europe/Paris", run_duration=30.0)
    clock.advance(3600)
    runs = [sim.run(run_id) for run_id in sim.run_ids()]
    assert [run["trigger_context"]["scheduled_at"][11:16] for run in runs] == [
        "10:30",
        "10:20",
        "10:10",
        "10:00",
        "09:50",
        "09:40",
    ]
    assert [run["status"] for run in runs] == ["running"] + ["completed"] * 5
    for run in runs:
        late = datetime.fromisoformat(run["triggered_at"]) - datetime.fromisoformat(
            run["trigger_context"]["scheduled_at"]
        )
        assert timedelta(0) <= late < timedelta(seconds=1)


def test_time_may_pass_in_one_go_or_in_small_steps():
    worlds = []
    for steps in (1, 720):
        clock = ManualClock(START)
        sim = Simulator(clock=clock, seed=4)
        sim.add_deployment(
            schedule="*/2 * * * *",
            run_duration=(30.0, 400.0),
            failure_rate=0.3,
            max_retries=2,
            max_concurrent=2,
        )
        for _ in range(steps):
            clock.advance(7200 / steps)
        worlds.append([sim.run(run_id) for run_id in sim.run_ids()])
    assert worlds[0] == worlds[1]
    assert {run["status"] for run in worlds[0]} >= {"completed", "failed", "skipped"}
    assert {run["trigger_context"]["type"] for run in worlds[0]} == {"schedule", "retry"}


async def test_pending_running_completed(serve, clock):
    client = await serve()
    deployment_id = client.sim.add_deployment(run_duration=10.0, start_delay=2.0)
    run_id = (await client.post(f"/deployments/{deployment_id}/run")).body["id"]
    pending = client.sim.run(run_id)
    assert pending["status"] == "pending"
    assert "session_id" not in pending
    clock.advance(2)
    running = client.sim.run(run_id)
    assert (running["status"], "session_id" in running) == ("running", True)
    assert running["cas_run_extras"]["started_at"] == "2026-11-20T09:30:13.271902Z"
    clock.advance(9.9)
    assert client.sim.run(run_id)["status"] == "running"
    clock.advance(0.2)
    completed = client.sim.run(run_id)
    assert (completed["status"], completed["completed_at"]) == ("completed", "2026-11-20T09:30:23.271902Z")


async def test_lean_runs_never_change(serve, clock):
    client = await serve(shape="lean")
    deployment_id = client.sim.add_deployment(run_duration=10.0, failure_rate=1.0, max_retries=3)
    first = (await client.post(f"/deployments/{deployment_id}/run")).body
    clock.advance(3600)
    assert (await client.get("/deployment_runs")).body["data"] == [first]


def test_the_cap_makes_runs_skipped(sim, clock):
    sim.add_deployment(schedule="* * * * *", run_duration=150.0, max_concurrent=2)
    clock.advance(300)  # at 09:35:11; runs of 09:31, 09:32 and 09:34 had their place
    assert statuses(sim) == ["completed", "completed", "skipped", "running", "running"]


def test_a_run_that_takes_too_long_fails(sim, clock):
    sim.add_deployment(schedule="31 9 * * *", run_duration=100.0, timeout=20.0)
    clock.advance(120)
    run = sim.run(sim.run_ids()[0])
    assert (run["status"], run["error"]["type"]) == ("failed", "timeout_error")
    took = datetime.fromisoformat(run["completed_at"]) - datetime.fromisoformat(run["cas_run_extras"]["started_at"])
    assert took == timedelta(seconds=20)


def test_retries_are_runs_of_their_own(sim, clock):
    sim.add_deployment(schedule="31 9 * * *", run_duration=1.0, failure_rate=1.0, max_retries=2)
    clock.advance(600)
    runs = [sim.run(run_id) for run_id in reversed(sim.run_ids())]
    assert [run["trigger_context"]["type"] for run in runs] == ["schedule", "retry", "retry"]
    assert [run["cas_run_extras"]["attempt"] for run in runs] == [1, 2, 3]
    stats = sim.deployment(sim.deployment_ids()[0])["metadata"]["cas_config"]["stats"]
    assert (stats["total_runs"], stats["total_failures"], stats["consecutive_failures"]) == (3, 3, 3)


def test_a_session_that_cannot_be_made(sim, clock):
    sim.add_deployment(schedule="31 9 * * *", no_session_rate=1.0)
    clock.advance(120)
    run = sim.run(sim.run_ids()[0])
    assert (run["status"], run["error"]["type"]) == ("failed", "environment_archived_error")
    assert "session_id" not in run
    assert run["cas_run_extras"] == {"attempt": 1}


def test_rates_are_about_right(clock):
    sim = Simulator(clock=clock, seed=2)
    sim.add_deployment(schedule="* * * * *", run_duration=1.0, failure_rate=0.3)
    clock.advance(60 * 500)
    assert 0.2 < statuses(sim).count("failed") / 500 < 0.4


def test_runs_set_by_hand(sim, clock):
    run_id = sim.insert_run(sim.add_deployment(max_concurrent=1), state="pending")
    sim.set_run(run_id, status="running")
    assert sim.run(run_id)["status"] == "running"
    clock.advance(5)
    sim.set_run(run_id, status="failed", error={"type": "odd_error", "message": "Odd."})
    failed = sim.run(run_id)
    assert (failed["status"], failed["error"]["type"]) == ("failed", "odd_error")
    assert failed["completed_at"] == "2026-11-20T09:30:16.271902Z"
    sim.set_run(run_id, status="completed", duration=2.5)
    completed = sim.run(run_id)
    assert (completed["status"], completed["duration_ms"], completed["error"]) == ("completed", 2500, None)
    sim.set_run(run_id, status="skipped")
    assert "session_id" not in sim.run(run_id)
    sim.set_run(run_id, status="running")
    assert "session_id" in sim.run(run_id)
    clock.advance(86400)
    assert sim.run(run_id)["status"] == "running"


def test_a_lean_run_has_no_odd_status(clock):
    sim = Simulator(shape="lean", clock=clock)
    run_id = sim.insert_run(sim.add_deployment(), state="running")
    with pytest.raises(ValueError, match="patch_record"):
        sim.set_run(run_id, status="rescheduled")
    sim.set_run(run_id, status="failed")
    assert "status" not in sim.run(run_id)


async def test_a_run_set_by_hand_makes_room(serve):
    client = await serve()
    deployment_id = client.sim.add_deployment()
    path = f"/deployments/{deployment_id}/run"
    run_id = client.sim.insert_run(deployment_id, state="running")
    assert (await client.post(path)).body["status"] == "skipped"
    client.sim.set_run(run_id, status="completed")
    running = await client.post(path)
    assert running.body["status"] == "running"
    client.sim.delete_run(running.body["id"])
    assert (await client.post(path)).body["status"] == "running"


async def test_a_deleted_run_does_not_come_back(serve, clock):
    client = await serve()
    deployment_id = client.sim.add_deployment(run_duration=5.0, failure_rate=1.0, max_retries=1)
    run_id = (await client.post(f"/deployments/{deployment_id}/run")).body["id"]
    client.sim.delete_run(run_id)
    clock.advance(3600)
    assert client.sim.run_ids() == []


def test_an_accelerated_clock_needs_no_help(monkeypatch):
    now = 0.0
    monkeypatch.setattr("qoder_async.simulator.clock.time.monotonic", lambda: now)
    sim = Simulator(clock=AcceleratedClock(60, start=datetime(2026, 1, 1, tzinfo=UTC)))
    sim.add_deployment(schedule="* * * * *")
    now = 10.0
    assert len(sim.run_ids()) in {9, 10}


def test_many_schedules(clock):
    sim = Simulator(clock=clock)
    for index in range(300):
        sim.add_deployment(schedule=f"{index % 60} * * * *", run_duration=60.0)
    clock.advance(4 * 3600)
    assert len(sim.run_ids()) == 1200
