"""``deployments run``, with and without ``--wait``."""

import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest

from qoder_async.simulator import ManualClock

_ROUTE = "POST /deployments/{id}/run"


def commands(err: str) -> list[list[str]]:
    """The commands that a message gives, without the program's name."""
    lines = [line for line in err.splitlines()[1:] if "qoder-async " in line]
    return [shlex.split(line[line.index("qoder-async ") :])[1:] for line in lines]


async def test_a_run_is_triggered_and_awaited(timed, shape):
    sim = await timed.serve(shape=shape)
    deployment = sim.add_deployment(run_duration=30.0)

    result = await timed("deployments", "run", deployment, "--wait")

    (run,) = sim.run_ids(deployment)
    assert result.code == 0
    assert result.err == f"qoder-async: triggered {run}\n"
    assert [row[:2] for row in result.rows] == [[run, "completed"]]
    assert len(result.rows[0]) == 7


@pytest.mark.parametrize(
    ("shape", "behaviour", "state", "code"),
    [
        ("extended", {"failure_rate": 1.0}, "failed", 1),
        ("extended", {"no_session_rate": 1.0}, "failed", 1),
        ("lean", {"no_session_rate": 1.0}, "failed", 1),
        ("lean", {"stop_rate": 1.0}, "stopped", 3),
    ],
)
async def test_the_exit_codes_are_those_of_a_wait(timed, shape, behaviour, state, code):
    sim = await timed.serve(shape=shape)
    deployment = sim.add_deployment(run_duration=5.0, **behaviour)

    result = await timed("deployments", "run", deployment, "--wait", "--json")

    assert result.code == code
    found = json.loads(result.out)
    assert found["state"] == state
    assert found["run"]["id"] in result.err


def test_a_run_that_is_skipped_at_once(sim, cli):
    deployment = sim.add_deployment(max_concurrent=1, run_duration=10_000)
    assert cli("deployments", "run", deployment).code == 0

    result = cli("deployments", "run", deployment, "--wait")

    assert result.code == 3
    assert result.rows[0][1] == "skipped"


async def test_when_the_time_runs_out_the_run_goes_on(timed):
    sim = await timed.serve()
    deployment = sim.add_deployment(run_duration=100_000.0, timeout=1_000_000.0)

    result = await timed("deployments", "run", deployment, "--wait", "--timeout", "20s", "--request-timeout", "9")

    (run,) = sim.run_ids(deployment)
    assert (result.code, result.out) == (4, "")
    first, second, _ = result.err.splitlines()
    assert first == f"qoder-async: triggered {run}"
    assert f"{run} had not ended, and goes on by itself" in second
    assert commands(result.err) == [["runs", "wait", run, "--timeout", "20s", "--request-timeout", "9.0"]]


async def test_a_service_that_goes_away_meanwhile(timed):
    sim = await timed.serve()
    deployment = sim.add_deployment(run_duration=60.0)
    for route in ("GET /deployments/{id}/runs", "GET /deployment_runs", "GET /deployment_runs/{run_id}"):
        sim.faults.add("status", status=502, times=10_000, route=route)

    result = await timed("deployments", "run", deployment, "--wait")

    (run,) = sim.run_ids(deployment)
    assert (result.code, result.out) == (5, "")
    assert ["runs", "wait", run] in commands(result.err)
    assert sim.request_counts[_ROUTE] == 1


def test_a_trigger_that_is_refused_leaves_nothing_to_wait_for(sim, cli):
    deployment = sim.add_deployment(status="paused")

    result = cli("deployments", "run", deployment, "--wait")

    assert (result.code, result.out) == (5, "")
    assert result.err.startswith("qoder-async: 409 ")
    assert "runs wait" not in result.err
    assert sim.run_ids(deployment) == []


async def test_a_lost_trigger_is_explained_and_sent_again_with_the_same_key(timed):
    sim = await timed.serve()
    deployment = sim.add_deployment(run_duration=5.0)
    sim.faults.add("reset", route=_ROUTE, after_commit=True)

    lost = await timed("deployments", "run", deployment, "--wait", "--timeout", "5m", "--request-timeout", "9")

    assert (lost.code, lost.out) == (5, "")
    assert "may have been started, or not" in lost.err
    look, resend = commands(lost.err)
    assert look[-2:] == ["--timeout", "9.0"]
    (run,) = sim.run_ids(deployment)
    assert (await timed(*look)).rows[0][0] == run
    assert resend[:2] == ["deployments", "run"]
    assert {"--wait", "5m", "--request-timeout"} < set(resend)
    again = await timed(*resend)
    assert (again.code, again.rows[0][:2]) == (0, [run, "completed"])
    assert sim.run_ids(deployment) == [run]


@pytest.mark.parametrize("options", [[], ["--wait"]])
@pytest.mark.parametrize("minutes", [-10, 10])
def test_after_a_lost_trigger_the_services_clock_counts(serve, cli, shape, minutes, options):
    now = datetime.now(UTC)
    sim = serve(shape=shape, clock=ManualClock(now + timedelta(minutes=minutes)))
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 1, newest=now + timedelta(minutes=minutes - 3))
    (before,) = sim.run_ids(deployment)
    sim.faults.add("status", status=503, route=_ROUTE, after_commit=True)

    lost = cli("deployments", "run", deployment, *options)

    (started,) = set(sim.run_ids(deployment)) - {before}
    look, _ = commands(lost.err)
    assert [row[0] for row in cli(*look).rows] == [started]


def test_without_wait_the_timeout_is_that_of_an_attempt(sim, cli):
    deployment = sim.add_deployment()
    sim.faults.add("stall", route=_ROUTE)

    result = cli("deployments", "run", deployment, "--timeout", "0.05")

    assert result.code == 5
    look, resend = commands(result.err)
    assert look[-2:] == resend[-2:] == ["--timeout", "0.05"]
    assert "--wait" not in resend


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--timeout", "10m"], "without it, --timeout is the seconds"),
        (["--timeout", "0"], "--timeout must be"),
        (["--wait", "--timeout", "soon"], "--timeout must be a duration"),
        (["--wait", "--request-timeout", "0"], "--request-timeout must be"),
        (["--wait", "--idempotency-key", ""], "--idempotency-key must be"),
    ],
)
def test_wrong_usage_of_run(sim, cli, arguments, said):
    deployment = sim.add_deployment()

    result = cli("deployments", "run", deployment, *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert len(sim.requests) == 0
