"""Waiting for runs: what is shown, and the exit codes."""

import json

import pytest
from cli_support import onward

from qoder_async import DeploymentRun, QoderError, RunState, converter
from qoder_async.cli.arguments.common import FollowingCommon
from qoder_async.cli.arguments.moments import read_duration
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Stop
from qoder_async.cli.following.verdict import verdict
from qoder_async.cli.following.waiting import Awaited

COMPLETED, FAILED, SKIPPED, STOPPED = RunState.COMPLETED, RunState.FAILED, RunState.SKIPPED, RunState.STOPPED


@pytest.mark.parametrize(
    ("states", "has_unfollowed", "has_run_out", "code"),
    [
        ([], False, False, ExitCode.FINE),
        ([COMPLETED, COMPLETED], False, False, ExitCode.FINE),
        ([COMPLETED, FAILED], False, False, ExitCode.RUN_FAILED),
        ([SKIPPED], False, False, ExitCode.RUN_SKIPPED),
        ([COMPLETED, STOPPED], False, False, ExitCode.RUN_SKIPPED),
        ([SKIPPED, FAILED, STOPPED], False, False, ExitCode.RUN_FAILED),
        ([RunState.UNKNOWN], False, False, ExitCode.API),
        ([FAILED, RunState("evaporated")], False, False, ExitCode.API),
        ([], False, True, ExitCode.TIMEOUT),
        ([FAILED, COMPLETED], False, True, ExitCode.TIMEOUT),
        ([SKIPPED], True, False, ExitCode.API),
        ([FAILED], True, True, ExitCode.API),
    ],
)
def test_the_worst_decides_and_what_is_not_known_is_worse(states, has_unfollowed, has_run_out, code):
    assert verdict(states, has_unfollowed=has_unfollowed, has_run_out=has_run_out) is code
    assert verdict(reversed(states), has_unfollowed=has_unfollowed, has_run_out=has_run_out) is code


def test_the_numbers_are_the_contract():
    assert {code.name: code.value for code in ExitCode} == {
        "FINE": 0,
        "RUN_FAILED": 1,
        "USAGE": 2,
        "RUN_SKIPPED": 3,
        "TIMEOUT": 4,
        "API": 5,
        "BUG": 70,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("2D", 172_800),
        (" 1w ", 604_800),
        ("none", None),
        ("None", None),
        ("0", None),
        ("0m", None),
    ],
)
def test_durations_people_type(text, seconds):
    assert read_duration(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "-1", "1y", "h", "1.5h", "ten", "inf", "nan", "1e3", "9" * 400, "9" * 20 + "d"])
def test_durations_nobody_means(text):
    with pytest.raises(Stop, match="--timeout must be a duration"):
        read_duration(text, "--timeout")


async def test_a_run_is_awaited(timed, shape):
    sim = await timed.serve(shape=shape)
    deployment = sim.add_deployment(run_duration=60.0)
    run = json.loads((await timed("deployments", "run", deployment, "--json")).out)["id"]

    result = await timed("runs", "wait", run)

    assert (result.code, result.err) == (0, "")
    ((shown, state, milliseconds, ended_at, of, session, why),) = result.rows
    assert (shown, state, of, why) == (run, "completed", deployment, "-")
    assert session == sim.run(run)["session_id"]
    assert 58_000 <= int(milliseconds) <= 62_000
    assert ended_at.endswith("Z")


async def test_runs_are_shown_as_they_end(timed, shape):
    sim = await timed.serve(shape=shape)
    deployment = sim.add_deployment()
    runs = [sim.insert_run(deployment, state="running") for _ in range(3)]

    async def end_them():
        for run in (runs[1], runs[2], runs[0]):
            await timed.time.sleep(30)
            sim.set_run(run, status="completed")

    result = await timed("runs", "wait", *runs, meanwhile=(end_them(),))

    assert result.code == 0
    assert [row[0] for row in result.rows] == [runs[1], runs[2], runs[0]]


def test_a_run_that_is_named_twice_is_shown_once(sim, cli):
    first, second = sim.add_runs(sim.add_deployment(), 2)

    result = cli("runs", "wait", first, second, first)

    assert result.code == 0
    assert sorted(row[0] for row in result.rows) == sorted([first, second])


@pytest.mark.parametrize(
    ("shape", "state", "code"),
    [
        ("extended", "completed", 0),
        ("extended", "failed", 1),
        ("extended", "skipped", 3),
        ("lean", "completed", 0),
        ("lean", "failed", 1),
    ],
)
def test_the_exit_code_says_how_it_ended(serve, cli, shape, state, code):
    sim = serve(shape=shape)
    (run,) = sim.add_runs(sim.add_deployment(), 1, state=state)

    result = cli("runs", "wait", run)

    assert result.code == code
    assert result.rows[0][:2] == [run, state]
    assert (result.rows[0][6] == "-") == (state != "failed")


def test_a_stopped_run_says_why(serve, cli):
    sim = serve(shape="lean")
    (run,) = sim.add_runs(sim.add_deployment(), 1, state="running")
    sim.set_run(run, status="stopped", stop_reason="requires_action")

    result = cli("runs", "wait", run)

    assert result.code == 3
    assert (result.rows[0][1], result.rows[0][6]) == ("stopped", "requires_action")


async def test_nobody_can_tell_without_the_session(timed):
    sim = await timed.serve(shape="lean")
    (run,) = sim.add_runs(sim.add_deployment(), 1, state="completed", spacing=3600.0)
    sim.delete_session(sim.run(run)["session_id"])

    result = await timed("runs", "wait", run)

    assert result.code == 5
    assert (result.rows[0][1], result.rows[0][6]) == ("unknown", "its session is gone or may not be read")


def test_json_keeps_the_bytes(serve, cli):
    sim = serve()
    (run,) = sim.add_runs(sim.add_deployment(), 1, state="failed")
    record = json.dumps(sim.run(run) | {"novelty": 1.50}, indent=None, separators=(" , ", " : "))
    sim.replace_record(run, record.encode())

    result = cli("runs", "wait", run, "--json")

    assert result.code == 1
    (line,) = result.lines
    assert line.startswith(f'{{"run":{record},"state":"failed","error":{{"type":')
    found = json.loads(line)
    assert list(found) == ["run", "state", "error", "stop_reason", "ended_at", "session"]
    assert found["error"] == sim.run(run)["error"]
    assert found["ended_at"] == sim.run(run)["completed_at"]
    assert found["session"] is None


def test_json_has_the_session_where_it_was_read(serve, cli):
    sim = serve(shape="lean")
    (run,) = sim.add_runs(sim.add_deployment(), 1)

    found = json.loads(cli("runs", "wait", run, "--json").out)

    assert found["run"] == sim.run(run)
    assert (found["state"], found["stop_reason"], found["error"]) == ("completed", "end_turn", None)
    assert found["session"]["id"] == sim.run(run)["session_id"]
    assert found["ended_at"]


def test_a_record_on_several_lines_is_still_one_line(serve, cli):
    sim = serve()
    (run,) = sim.add_runs(sim.add_deployment(), 1)
    sim.replace_record(run, json.dumps(sim.run(run), indent=2).encode())

    result = cli("runs", "wait", run, "--json")

    assert len(result.lines) == 1
    assert json.loads(result.out)["run"] == sim.run(run)


async def test_when_the_time_runs_out_the_printed_command_goes_on(timed):
    sim = await timed.serve()
    deployment = sim.add_deployment()
    (ended,) = sim.add_runs(deployment, 1, state="failed")
    going = sim.insert_run(deployment, state="running")
    other = sim.insert_run(deployment, state="running")

    result = await timed("runs", "wait", going, ended, other, "--timeout", "30s")

    assert result.code == 4
    assert [row[:2] for row in result.rows] == [[ended, "failed"]]
    assert "the time ran out (--timeout 30s): 2 of 3 runs had not ended, and go on by themselves" in result.err
    again = onward(result.err)
    assert again == ["runs", "wait", going, other, "--timeout", "30s"]
    for run in (going, other):
        sim.set_run(run, status="completed")
    assert (await timed(*again)).code == 0


async def test_one_run_that_takes_too_long(timed):
    sim = await timed.serve(shape="lean")
    going = sim.insert_run(sim.add_deployment(), state="running")

    result = await timed("runs", "wait", going, "--timeout", "20", "--json", "--request-timeout", "7")

    assert (result.code, result.out) == (4, "")
    assert f"{going} had not ended, and goes on by itself" in result.err
    assert onward(result.err) == ["runs", "wait", going, "--timeout", "20", "--json", "--request-timeout", "7.0"]


async def test_a_run_that_was_not_seen_is_not_said_to_go_on(timed):
    await timed.serve()

    result = await timed("runs", "wait", "drun_typo", "--timeout", "5")

    assert (result.code, result.out) == (4, "")
    told, _ = result.err.splitlines()
    assert told == "qoder-async: the time ran out (--timeout 5): drun_typo was not seen: nothing is known of it"
    assert onward(result.err) == ["runs", "wait", "drun_typo", "--timeout", "5"]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([0, 1, 2], "3 of 4 runs had not ended, and go on by themselves"),
        ([0], "1 of 4 runs had not ended, and goes on by itself; 2 of 4 runs were not seen: nothing is known of them"),
        (
            [1, 2],
            "2 of 4 runs had not ended, and go on by themselves; 1 of 4 runs was not seen: nothing is known of it",
        ),
        ([], "3 of 4 runs were not seen: nothing is known of them"),
    ],
)
def test_after_ctrl_c_only_what_was_seen_is_said_to_go_on(sim, seen, said):
    runs = sim.add_runs(sim.add_deployment(), 4, state="running")
    awaited = Awaited(patience="1h", common=FollowingCommon(), run_ids=tuple(runs))
    for index in seen:
        awaited.saw(converter.structure(sim.run(runs[index]), DeploymentRun))

    failure = awaited.interrupted(runs[:3], {})

    assert (failure.code, failure.message) == (130, f"interrupted; {said}")
    assert onward("\n".join(failure.steps)) == ["runs", "wait", *runs[:3]]


async def test_a_run_that_does_not_exist_ends_no_other(timed):
    sim = await timed.serve()
    (ended,) = sim.add_runs(sim.add_deployment(), 1)

    result = await timed("runs", "wait", "drun_nowhere", ended)

    assert result.code == 5
    assert [row[:2] for row in result.rows] == [[ended, "completed"]]
    first, second, advice = result.err.splitlines()
    assert first == "qoder-async: 1 of 2 runs cannot be followed"
    assert second.startswith("  drun_nowhere: 404 ")
    assert advice.startswith("  see what there is: ")


async def test_a_single_run_that_does_not_exist(timed):
    await timed.serve()

    result = await timed("runs", "wait", "drun_nowhere")

    assert (result.code, result.out) == (5, "")
    assert result.err.startswith("qoder-async: 404 ")
    assert "go on" not in result.err


async def test_a_long_list_of_failures_is_cut(timed):
    await timed.serve()

    result = await timed("runs", "wait", *(f"drun_nowhere{number}" for number in range(12)))

    assert result.code == 5
    assert "12 of 12 runs cannot be followed" in result.err
    assert result.err.count("  drun_nowhere") == 10
    assert "  and 2 more" in result.err


async def test_a_service_that_is_away_for_minutes(timed):
    sim = await timed.serve()
    (run,) = sim.add_runs(sim.add_deployment(), 1)
    sim.faults.add("status", status=503, times=10_000)

    result = await timed("runs", "wait", run, "--timeout", "none")

    assert (result.code, result.out) == (5, "")
    assert "503" in result.err.splitlines()[-3]
    again = onward(result.err)
    assert again == ["runs", "wait", run, "--timeout", "none"]
    sim.faults.clear()
    assert (await timed(*again)).code == 0


def test_a_token_that_is_refused_ends_the_wait_and_can_be_mended(sim, cli):
    runs = sim.add_runs(sim.add_deployment(), 2)
    sim.faults.add("status", status=401, times=100)

    result = cli("runs", "wait", *runs)

    assert (result.code, result.out) == (5, "")
    assert "2 of 2 runs cannot be followed" in result.err
    assert result.err.count("put a valid token") == 1
    assert onward(result.err) == ["runs", "wait", *runs]


async def test_slow_answers_name_the_option_of_this_command(timed):
    sim = await timed.serve()
    (run,) = sim.add_runs(sim.add_deployment(), 1)
    sim.faults.add("stall", times=10_000)

    result = await timed("runs", "wait", run, "--request-timeout", "0.005")

    assert result.code == 5
    assert "or allow more time with --request-timeout" in result.err
    assert onward(result.err)[-2:] == ["--request-timeout", "0.005"]


def test_a_wait_that_breaks_down_says_how_to_go_on(sim, cli, monkeypatch):
    runs = sim.add_runs(sim.add_deployment(), 2)

    async def break_down(self):
        raise QoderError("it broke down")

    with monkeypatch.context() as patch:
        patch.setattr("qoder_async.following.waiting.EndingRuns.__anext__", break_down)
        result = cli("runs", "wait", *runs)

    assert (result.code, result.out) == (5, "")
    assert result.err.startswith("qoder-async: it broke down\n")
    assert cli(*onward(result.err)).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "RUNS"),
        (["../x"], "the run must be an id"),
        (["drun_1", "--timeout", "soon"], "--timeout must be a duration"),
        (["drun_1", "--timeout=-5"], "--timeout must be a duration"),
        (["drun_1", "--request-timeout", "0"], "--request-timeout must be"),
        (["drun_1", "--request-timeout", "10m"], "--request-timeout"),
    ],
)
def test_wrong_usage_of_wait(sim, cli, arguments, said):
    result = cli("runs", "wait", *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert len(sim.requests) == 0


def test_options_may_stand_between_the_runs(sim, cli):
    first, second = sim.add_runs(sim.add_deployment(), 2)

    result = cli("runs", "wait", first, "--timeout", "10m", second)

    assert {row[0] for row in result.rows} == {first, second}
