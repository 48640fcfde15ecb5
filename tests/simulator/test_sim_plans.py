"""How the next runs go can be said beforehand."""

from __future__ import annotations

import pytest
from sim_helpers import START

from qoder_async import AsyncQoder, Poll
from qoder_async.simulator import AcceleratedClock, Simulator

QUICK = Poll(initial=0.01, maximum=0.05)


@pytest.mark.parametrize("shape", ["extended", "lean"])
async def test_runs_go_as_planned_and_later_ones_as_the_deployment_says(shape):
    planned = ("failed", "completed", "stopped", "no_session", "timed_out")
    async with Simulator(shape=shape, clock=AcceleratedClock(10_000, start=START)) as sim:
        deployment = sim.add_deployment(run_duration=30.0, timeout=100.0, failure_rate=1.0)
        sim.plan_runs(deployment, "failed", "completed")
        sim.plan_runs(deployment, *planned[2:])
        async with AsyncQoder("pt-test", base_url=sim.url, pace=None) as qoder:
            ends = [
                await qoder.deployments.run_and_wait(deployment, poll=QUICK, timeout=20)
                for _ in range(len(planned) + 1)
            ]
    stopped = "stopped" if shape == "lean" else "completed"  # a record of June 2026 says no more
    assert [str(end.state) for end in ends] == ["failed", "completed", stopped, "failed", "failed", "failed"]
    assert [end.run.session_id is None for end in ends] == [False, False, False, True, False, False]


def test_a_run_that_takes_its_whole_time_and_one_that_never_ends(clock):
    sim = Simulator(clock=clock)
    deployment = sim.add_deployment(schedule="31 9 * * *", run_duration=5.0, timeout=100.0, start_delay=0.0)
    sim.plan_runs(deployment, "timed_out", "running")
    clock.advance(60)
    (run,) = sim.run_ids()
    clock.advance(88)
    assert sim.run(run)["status"] == "running"  # it began at 09:31:00
    clock.advance(2)
    assert sim.run(run)["error"]["type"] == "timeout_error"
    clock.advance(86_400 * 3)  # on the first of three days it starts, and leaves no place to the others
    assert [sim.run(run_id)["status"] for run_id in sim.run_ids()] == ["skipped", "skipped", "running", "failed"]


def test_runs_without_a_place_leave_the_plan_alone(clock):
    sim = Simulator(clock=clock)
    deployment = sim.add_deployment(schedule="* * * * *", run_duration=90.0, start_delay=0.0)
    sim.plan_runs(deployment, "completed", "failed")
    clock.advance(280)  # 09:31 to 09:34: every other one finds no place
    assert [sim.run(run_id)["status"] for run_id in reversed(sim.run_ids())] == [
        "completed",
        "skipped",
        "failed",
        "skipped",
    ]


def test_what_cannot_be_planned(clock):
    sim = Simulator(clock=clock)
    deployment = sim.add_deployment()
    with pytest.raises(ValueError, match="got 'pending'"):
        sim.plan_runs(deployment, "failed", "pending")
    with pytest.raises(KeyError):
        sim.plan_runs("dep_1", "failed")
