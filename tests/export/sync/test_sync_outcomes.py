"""How lean runs went, from their sessions."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import count

import pytest
import pytest_asyncio
from support.clock import ago
from support.requests_for import of
from sync_support import DEPLOYMENTS, RUNS, column, query, routes, stage

from qoder_async import ExportError, ServerError
from qoder_async.simulator.instants import from_seconds
from qoder_async.simulator.run_table import Outcome

DAY = 86_400.0
SESSION = "GET /sessions/{id}"
EVENTS = "GET /sessions/{id}/events"
OUTCOMES = {
    Outcome.COMPLETED: "completed",
    Outcome.STOPPED: "stopped",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "failed",
    Outcome.NO_SESSION: "failed",
    Outcome.SKIPPED: "failed",
}
"""What the simulator knows of a run, and the word for it."""


@pytest_asyncio.fixture
async def on(tmp_path):
    async with stage(tmp_path, "lean") as opened:
        yield opened


def outcomes(on):
    """The outcomes in the file, by run."""
    return dict(query(on.path, "SELECT id, outcome FROM runs"))


def expected(on):
    """The same as the simulator knows them."""
    table, numbers = on.sim._world.table, {run: on.sim._run(run) for run in on.sim.run_ids()}
    return {
        run: None if number in table.going_on else OUTCOMES[Outcome(table.outcome[number])]
        for run, number in numbers.items()
    }


@pytest.mark.parametrize("strategy", ["new_session", "reuse"])
async def test_every_ended_run_has_its_outcome(on, strategy):
    on.sim.add_deployment(
        schedule="* * * * *",
        run_duration=(1.0, 90.0),
        timeout=80.0,
        failure_rate=0.2,
        stop_rate=0.2,
        no_session_rate=0.2,
        session_strategy=strategy,
    )
    for _ in range(4):
        on.advance(20 * 60 + 1)
        report = await on.sync(outcomes=True)
        assert outcomes(on) == expected(on)
        assert report.unfinished == sum(outcome is None for outcome in outcomes(on).values())
    assert set(outcomes(on).values()) >= {"completed", "stopped", "failed"}


async def test_what_is_known_of_an_ending_is_in_its_columns(on):
    (dep,) = on.add(0)
    well, badly, stopped, never = (
        on.sim.insert_run(dep, state=state, triggered_at=ago(DAY + place))
        for place, state in enumerate(["completed", "failed", "stopped", "no_session"])
    )
    await on.sync(outcomes=True)
    names = "outcome, outcome_error_type, outcome_error_message, stop_reason, outcome_at IS NULL"
    rows = {run: rest for run, *rest in query(on.path, f"SELECT id, {names} FROM runs")}
    assert rows[well] == ["completed", None, None, "end_turn", 0]
    assert rows[badly] == ["failed", "unknown_error", "Sandbox lost", None, 0]
    assert rows[stopped] == ["stopped", None, None, "requires_action", 0]
    error = on.sim.run(never)["error"]
    assert rows[never] == ["failed", error["type"], error["message"], None, 1]
    ended = on.sim._world.table.completed[on.sim._run(well)]
    ((text,),) = query(on.path, "SELECT outcome_at FROM runs WHERE id = ?", well)
    assert len(text) == 27
    assert from_seconds(datetime.fromisoformat(text).timestamp()) == ended


async def test_the_view_of_results_says_how_each_run_went(on):
    (dep,) = on.add(0)
    states = {
        on.sim.insert_run(dep, state=state, triggered_at=ago(DAY + place)): state
        for place, state in enumerate(["completed", "failed", "stopped", "no_session", "running"])
    }
    await on.sync()
    before = {states[run]: state for run, state in query(on.path, "SELECT id, state FROM results")}
    assert before == dict.fromkeys(states.values()) | {"no_session": "failed"}  # that is in its record
    await on.sync(outcomes=True)
    found = {states[run]: rest for run, *rest in query(on.path, "SELECT id, state, error_type, seconds FROM results")}
    assert {state: rest[:2] for state, rest in found.items()} == {
        "completed": ["completed", None],
        "failed": ["failed", "unknown_error"],
        "stopped": ["stopped", None],
        "no_session": [
            "failed",
            on.sim.run(next(iter(run for run in states if states[run] == "no_session")))["error"]["type"],
        ],
        "running": [None, None],
    }
    for run, state in states.items():
        number = on.sim._run(run)
        if state in ("completed", "failed", "stopped"):
            took = (on.sim._world.table.completed[number] - on.sim._world.table.triggered[number]) / 1e6
            assert found[state][2] == pytest.approx(took, abs=1.0), state  # a lean run begins at a whole second
        else:
            assert found[state][2] is None


async def test_the_view_of_results_of_runs_with_a_status(tmp_path):
    async with stage(tmp_path, "extended") as on:
        (dep,) = on.add(0)
        ended = on.sim.insert_run(dep, state="completed", triggered_at=ago(DAY))
        failed = on.sim.insert_run(dep, state="failed", triggered_at=ago(DAY + 1))
        skipped = on.sim.insert_run(dep, state="skipped", triggered_at=ago(DAY + 2))
        await on.sync()
        rows = {run: rest for run, *rest in query(on.path, "SELECT id, state, ended_at, seconds FROM results")}
        record = on.sim.run(ended)
        assert rows[ended][0] == "completed"
        assert datetime.fromisoformat(rows[ended][1]) == datetime.fromisoformat(record["completed_at"])
        assert rows[ended][2] == record["duration_ms"] / 1000
        assert (rows[failed][0], rows[skipped][0]) == ("failed", "skipped")
        ((error,),) = query(on.path, "SELECT error_message FROM results WHERE id = ?", failed)
        assert error == on.sim.run(failed)["error"]["message"]


# How many requests it takes


async def test_an_old_run_takes_one_request_and_only_once(on):
    on.add(20, newest=ago(DAY))
    await on.sync()
    assert set(outcomes(on).values()) == {None}
    report = await on.sync(outcomes=True)
    assert (report.new, report.updated, report.unfinished) == (0, 20, 0)
    assert set(outcomes(on).values()) == {"completed"}
    assert on.sim.request_counts[EVENTS] == 20
    assert on.sim.request_counts[SESSION] == 0
    assert routes(await on.asked(outcomes=True)) == [DEPLOYMENTS, RUNS]


async def test_a_new_run_counts_as_new_only(on):
    on.add(20, newest=ago(DAY))
    report = await on.sync(outcomes=True)
    assert (report.new, report.updated) == (20, 0)


async def test_a_run_at_work_takes_two_requests_until_it_has_ended(on):
    (dep,) = on.add(0)
    run = on.sim.insert_run(dep, state="running", triggered_at=ago(DAY))
    await on.sync()
    for _ in range(3):
        assert routes(await on.asked(outcomes=True)) == [DEPLOYMENTS, RUNS, EVENTS, SESSION]
    assert (await on.sync(outcomes=True)).unfinished == 1
    on.sim.set_run(run, status="completed")
    assert routes(await on.asked(outcomes=True)) == [DEPLOYMENTS, RUNS, EVENTS]
    assert outcomes(on) == {run: "completed"}


async def test_a_run_whose_session_came_to_rest_just_now(on):
    """What happened between the two requests is read again."""
    (dep,) = on.add(0)
    run = on.sim.insert_run(dep, state="running", triggered_at=ago(DAY))

    def end(_):
        on.sim.set_run(run, status="stopped")
        return False

    on.sim.faults.add("status", route=SESSION, when=end)
    assert routes(await on.asked(outcomes=True))[-3:] == [EVENTS, SESSION, EVENTS]
    assert outcomes(on) == {run: "stopped"}


async def test_extended_runs_have_their_status(tmp_path):
    async with stage(tmp_path) as on:
        on.add(20)
        await on.sync(outcomes=True)
        assert set(outcomes(on).values()) == {None}
        assert on.sim.request_counts[EVENTS] == 0


async def test_only_of_the_deployments_that_are_synced(on):
    one, _ = on.add(3, 4, newest=ago(DAY))
    await on.sync()
    await on.sync(deployments=one, outcomes=True)
    assert column(on.path, "count(*)", "outcome IS NOT NULL") == [3]


# Sessions that cannot be read


async def test_runs_of_a_deployment_that_is_gone_are_not_waited_for(on):
    one, two = on.add(4, 3)
    await on.sync()
    on.sim.faults.add("status", status=404, times=99, when=of(one))
    report = await on.sync(outcomes=True)
    assert (list(report.gone), report.unfinished) == ([one], 0)
    assert column(on.path, "outcome", f"deployment_id = '{one}'") == [None] * 4
    assert None not in column(on.path, "outcome", f"deployment_id = '{two}'")


async def test_a_session_that_is_gone_tells_nothing(on):
    (dep,) = on.add(0)
    run = on.sim.insert_run(dep, triggered_at=ago(DAY))
    on.sim.delete_session(on.sim.run(run)["session_id"])
    await on.sync(outcomes=True)
    assert outcomes(on) == {run: "unknown"}


async def test_a_session_that_is_not_there_yet_is_asked_for_again(on):
    (dep,) = on.add(0)
    run = on.sim.insert_run(dep)
    missing = on.sim.faults.add("status", route=EVENTS, status=404)
    await on.sync(outcomes=True)
    assert missing.hits == 1
    assert outcomes(on) == {run: None}
    await on.sync(outcomes=True)
    assert outcomes(on) == {run: "completed"}


async def test_a_session_that_may_not_be_read_tells_nothing(on):
    (dep,) = on.add(0)
    run = on.sim.insert_run(dep, triggered_at=ago(DAY))
    on.sim.faults.add("status", route=EVENTS, status=403)
    await on.sync(outcomes=True)
    assert outcomes(on) == {run: "unknown"}


async def test_a_session_id_that_is_none_is_not_asked_for(on):
    (dep,) = on.add(0)
    run = on.sim.insert_run(dep, triggered_at=ago(DAY), session_id="../../secrets")
    assert routes(await on.asked(outcomes=True))[-1:] == [RUNS]
    assert outcomes(on) == {run: "unknown"}


# What goes wrong


async def test_what_passes_is_waited_out(on):
    on.add(10, newest=ago(DAY))
    on.sim.faults.add("status", route=EVENTS, status=503, times=12)
    await on.sync(outcomes=True)
    assert set(outcomes(on).values()) == {"completed"}


async def test_a_service_that_is_down_ends_it(on):
    on.add(30, newest=ago(DAY))
    on.sim.faults.add("status", route=EVENTS, nth=11, times=float("inf"), status=500)
    with pytest.raises(ServerError):
        await on.sync(outcomes=True, max_concurrency=2)
    on.sim.faults.clear()
    assert column(on.path, "count(*)", "outcome IS NOT NULL") == [10]
    assert routes(await on.asked(outcomes=True)).count(EVENTS) == 20


async def test_a_failure_of_one_run_does_not_keep_the_others_away(on):
    one, two = on.add(3, 3, newest=ago(DAY))
    on.sim.faults.add("status", route=EVENTS, status=400, nth=2)
    with pytest.raises(ExportError, match="1 of 2 deployments failed") as caught:
        await on.sync(outcomes=True)
    assert set(caught.value.failures) <= {one, two}
    assert column(on.path, "count(*)", "outcome IS NOT NULL") == [5]
    await on.sync(outcomes=True)
    assert column(on.path, "count(*)", "outcome IS NOT NULL") == [6]


async def test_one_that_is_cut_off_keeps_what_is_known(on):
    on.add(700, newest=ago(DAY))
    await on.sync()
    task = None
    left = 300

    def strike(_):
        nonlocal left
        left -= 1
        if not left:
            task.cancel()
        return False

    fault = on.sim.faults.add("status", route=EVENTS, when=strike)
    task = asyncio.create_task(on.sync(outcomes=True))
    with pytest.raises(asyncio.CancelledError):
        await task
    fault.remove()
    (known,) = column(on.path, "count(*)", "outcome IS NOT NULL")
    assert 250 < known <= 300
    assert routes(await on.asked(outcomes=True)).count(EVENTS) == 700 - known
    assert set(outcomes(on).values()) == {"completed"}


# Progress


async def test_asking_for_outcomes_is_a_phase_of_its_own(on):
    one, _ = on.add(30, 5)
    await on.sync(deployments=[one], outcomes=True)
    on.advance(DAY)
    on.sim.add_runs(one, 12)
    on.clock.now = count(1000.0).__next__  # so that it is always time to tell it
    told = []
    await on.sync(outcomes=True, on_progress=told.append)

    fetching = [each for each in told if each.phase == "fetching"]
    asking = told[len(fetching) :]
    assert len(fetching) > 1
    assert {(each.outcomes_done, each.outcomes_total) for each in fetching} == {(0, 0)}
    assert {(each.phase, each.outcomes_total) for each in asking} == {("outcomes", 17)}
    done = [each.outcomes_done for each in asking]
    assert done == sorted(done)
    assert done[-1] == 17
    assert any(0 < each < 17 for each in done)
    # What is said of it is of this phase: each look at the clock takes a second.
    assert all(each.rows_per_second <= each.outcomes_done for each in asking)
    assert asking[-1].rows_per_second > 0


async def test_runs_of_other_deployments_are_none_to_ask_for(on):
    one, two, three = on.add(3, 4, 5)
    await on.sync()
    on.sim.faults.add("status", status=404, times=99, when=of(two))
    told = []
    await on.sync(deployments=[one, two], outcomes=True, on_progress=told.append)
    assert (told[-1].phase, told[-1].outcomes_done, told[-1].outcomes_total) == ("outcomes", 3, 3)
    assert outcomes(on)[on.sim.run_ids(three)[0]] is None


async def test_where_there_is_none_to_ask_for_it_stays_fetching(on):
    on.add(3)
    await on.sync(outcomes=True)
    told = []
    await on.sync(outcomes=True, on_progress=told.append)
    assert (told[-1].phase, told[-1].outcomes_done, told[-1].outcomes_total) == ("fetching", 0, 0)
