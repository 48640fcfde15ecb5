"""An error about a wrong argument names the argument, what was given and what is allowed."""

from __future__ import annotations

import inspect
import re
from typing import get_args

import attrs
import pytest

from qoder_async.simulator import Faults, RateLimit, RunState, Simulator
from qoder_async.simulator.faults import Details, FaultKind


def test_a_kind_of_fault(sim):
    kinds = "status, rate_limit, reset, truncate, delay, stall, garbage, body"
    with pytest.raises(ValueError, match=f"^kind must be one of {kinds}, got 'down'$"):
        sim.faults.add("down")


def test_the_kinds_of_faults_are_in_their_help():
    text = inspect.getdoc(Faults.add) or ""
    assert [kind for kind in get_args(FaultKind) if f"``{kind}``" not in text] == []


def test_the_arguments_of_a_fault(sim):
    _, *named, _ = inspect.signature(Faults.add).parameters
    names = ", ".join([*named, *attrs.fields_dict(Details)])
    with pytest.raises(TypeError, match=rf"^Faults.add has no argument 'colour'; its arguments are: {names}$"):
        sim.faults.add("status", colour="red")


STATES = "pending, running, completed, failed, skipped, stopped, timed_out, no_session"


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"state": "succeeded"}, f"state must be one of {STATES}, mixed, got 'succeeded'"),
        ({"trigger": "webhook"}, "trigger must be one of manual, schedule, retry, mixed, got 'webhook'"),
        ({"spacing": -1.0}, "spacing must be 0 or more, got -1"),
        ({"state": ["failed"]}, f"state must be one of {STATES}, mixed, got ['failed']"),
    ],
)
def test_what_history_is_like(sim, wrong, problem):
    deployment = sim.add_deployment()
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        sim.add_runs(deployment, 1, **wrong)


def test_the_state_of_one_run(sim):
    deployment = sim.add_deployment()
    for wrong in ("succeeded", "mixed"):
        with pytest.raises(ValueError, match=f"^state must be one of {STATES}, got '{wrong}'$"):
            sim.insert_run(deployment, state=wrong)
    assert sim.run_ids() == []


def test_the_words_for_a_state_are_in_the_help():
    for method in (Simulator.add_runs, Simulator.insert_run, Simulator.plan_runs, Simulator.set_run):
        text = inspect.getdoc(method) or ""
        missing = [state for state in get_args(RunState) if f"``{state}``" not in text]
        assert missing == (["pending"] if method is Simulator.plan_runs else []), method


def test_the_status_of_a_lean_run(clock):
    sim = Simulator(shape="lean", clock=clock)
    run = sim.insert_run(sim.add_deployment())
    with pytest.raises(ValueError, match=f"^status must be one of {STATES}, got 'odd': a lean run .* patch_record"):
        sim.set_run(run, status="odd")


def test_how_a_run_is_planned(sim):
    deployment = sim.add_deployment()
    plans = "completed, failed, skipped, stopped, timed_out, no_session, running"
    with pytest.raises(ValueError, match=f"^states must be one of {plans}, got 'pending'$"):
        sim.plan_runs(deployment, "failed", "pending")


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"shape": "new"}, "shape must be one of extended, lean, got 'new'"),
        ({"shape": ["lean"]}, "shape must be one of extended, lean, got ['lean']"),
        ({"next_page": "first_id"}, "next_page must be one of last_id, opaque, absent, got 'first_id'"),
        ({"latency": -1}, "latency must be 0 or more, got -1"),
        ({"visibility_delay": -2}, "visibility_delay must be 0 or more, got -2"),
        ({"host": ""}, "host must not be empty, got ''"),
    ],
)
def test_settings(setting, problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        Simulator(**setting)


def test_a_clock_that_goes_backwards(clock):
    with pytest.raises(ValueError, match=r"^seconds must be 0 or more, got -1: time does not go backwards$"):
        clock.advance(-1)


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("insert_run", "deployment_id must be one of sim.deployment_ids(), got 'odd_x'"),
        ("plan_runs", "deployment_id must be one of sim.deployment_ids(), got 'odd_x'"),
        ("deployment", "deployment_id must be one of sim.deployment_ids(), got 'odd_x'"),
        ("run", "run_id must be one of sim.run_ids(), got 'odd_x'"),
        ("delete_run", "run_id must be one of sim.run_ids(), got 'odd_x'"),
        ("archive_session", "session_id must be that of a run, see sim.run(run_id), got 'odd_x'"),
    ],
)
def test_identifiers(sim, action, problem):
    with pytest.raises(KeyError) as caught:
        getattr(sim, action)("odd_x")
    assert caught.value.args == (problem,)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"status": "pause"}, "status must be one of active, paused, got 'pause'"),
        ({"session_strategy": "shared"}, "session_strategy must be one of new_session, reuse, got 'shared'"),
        ({"session_strategy": None}, "session_strategy must be one of new_session, reuse, got None"),
    ],
)
def test_what_a_deployment_is_like(sim, wrong, problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        sim.add_deployment(**wrong)
    assert sim.deployment_ids() == []


def test_how_a_rate_limit_refuses():
    with pytest.raises(ValueError, match=r"^refusal must be one of reset, 429, 503, got 429$"):
        RateLimit(refusal=429)
