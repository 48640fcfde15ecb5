"""Waiting and watching as real processes: pipes, Ctrl-C, kill -9, terminals."""

from __future__ import annotations

import json
import re
import signal
import sys
import time

import pytest
from cli_support import onward, run_on_terminal, run_process, settled, started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of Unix")


def read_until(stream, text: str) -> str:
    """Read lines until one holds a text."""
    said = ""
    while text not in said:
        line = stream.readline()
        assert line, said
        said += line
    return said


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_each_run_is_shown_as_it_ends_and_ctrl_c_leaves_the_others_alone(sim, form, cli):
    deployment = sim.add_deployment()
    ended = sim.add_runs(deployment, 2)
    going = sim.insert_run(deployment, state="running")

    # Three are looked for in one list, so that the one that goes on is seen together with those that have ended.
    with started("runs", "wait", going, *ended, "--timeout", "10m", *form) as process:
        shown = [process.stdout.readline() for _ in ended]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    assert all(sum(run in line for line in shown) == 1 for run in ended)
    first, second = err.splitlines()
    assert first == "qoder-async: interrupted; 1 of 3 runs had not ended, and goes on by itself"
    assert onward(second) == ["runs", "wait", going, "--timeout", "10m", *form]
    assert sim.run(going)["status"] == "running"
    sim.set_run(going, status="completed")
    assert cli(*onward(second)).code == 0


def test_ctrl_c_after_a_trigger_leaves_the_run_alone(sim):
    deployment = sim.add_deployment(run_duration=10_000.0, timeout=100_000.0)

    with started("deployments", "run", deployment, "--wait") as process:
        said = read_until(process.stderr, "triggered")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    (run,) = sim.run_ids(deployment)
    assert said == f"qoder-async: triggered {run}\n"
    assert (process.returncode, out) == (130, "")
    assert f"interrupted; {run} had not ended, and goes on by itself" in err
    assert onward(err) == ["runs", "wait", run]
    assert sim.run(run)["status"] == "running"


def test_ctrl_c_before_the_answer_to_the_trigger_tells_the_key(sim):
    deployment = sim.add_deployment()
    sim.faults.add("stall", after_commit=True)

    with started("deployments", "run", deployment, "--wait", "--idempotency-key", "key-8") as process:
        while not sim.requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert "may have been started, or not" in err
    assert f"qoder-async deployments run {deployment} --idempotency-key key-8 --wait" in err


def test_a_reader_that_has_seen_enough_ends_the_wait_quietly(sim):
    deployment = sim.add_deployment()
    (ended,) = sim.add_runs(deployment, 1)
    going = sim.insert_run(deployment, state="running")

    with started("runs", "wait", going, ended) as process:
        assert ended in process.stdout.readline()
        process.stdout.close()
        sim.set_run(going, status="completed")
        err = process.stderr.read()
        process.wait(20)

    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_wait_on_a_terminal_has_one_line_that_is_written_anew(sim, columns):
    deployment = sim.add_deployment()
    ended, failed = sim.add_runs(deployment, 1), sim.add_runs(deployment, 1, state="failed")
    going = sim.insert_run(deployment, state="running")

    screen = run_on_terminal(
        "runs",
        "wait",
        *ended,
        *failed,
        going,
        columns=columns,
        answer=("2 of 3 ended, ", signal.SIGINT),
    )

    assert screen.code == 130
    assert "\x1b[32mcompleted" in screen.text
    assert "\x1b[31mfailed" in screen.text
    shown = settled(screen.text)
    told = [line for line in shown if not line.startswith(" ")]
    assert [line.split()[0] for line in told[:3]] == ["RUN", *sorted([*ended, *failed], key=screen.text.index)]
    if columns == 80:  # why it failed has no room beside, and stands below
        assert shown.pop(1 + [line.split()[0] for line in shown].index(*failed)) == "  unknown_error: Sandbox lost"
    assert shown[3] == "qoder-async: interrupted; 1 of 3 runs had not ended, and goes on by itself"
    assert len(shown) == 5
    assert max(map(len, shown[:3])) <= columns


def test_the_line_stays_on_a_narrow_terminal(sim):
    going = sim.insert_run(sim.add_deployment(), state="running")

    screen = run_on_terminal("runs", "wait", going, columns=30, answer=(" s: drun", signal.SIGINT))

    assert screen.code == 130
    rewritten = re.findall(r"\r\x1b\[2K([^\r]*)", screen.text)
    assert len(rewritten) > 1
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in rewritten if "qoder-async" not in line) < 30


@pytest.mark.parametrize("settings", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_a_terminal_that_wants_no_colours_gets_none(sim, settings):
    (run,) = sim.add_runs(sim.add_deployment(), 1, state="failed")

    screen = run_on_terminal("runs", "wait", run, **settings)

    assert screen.code == 1
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", screen.text)
    assert ("\x1b" in screen.text) == ("NO_COLOR" in settings)
    assert settled(screen.text)[1].startswith(run)


def test_a_triggered_run_is_named_above_the_line(sim):
    deployment = sim.add_deployment(run_duration=10_000.0, timeout=100_000.0)

    screen = run_on_terminal("deployments", "run", deployment, "--wait", answer=("running", signal.SIGINT))

    (run,) = sim.run_ids(deployment)
    assert screen.code == 130
    assert settled(screen.text)[:2] == [
        f"qoder-async: triggered {run}",
        f"qoder-async: interrupted; {run} had not ended, and goes on by itself",
    ]


def test_nothing_is_rewritten_where_json_is_wanted(sim):
    (run,) = sim.add_runs(sim.add_deployment(), 1)

    screen = run_on_terminal("runs", "wait", run, "--json")

    assert "\x1b" not in screen.text
    assert json.loads(screen.text)["run"] == sim.run(run)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_in_a_watch_prints_the_command_that_goes_on(sim, form, cli):
    first, second = sim.add_runs(sim.add_deployment(), 2, spacing=600.0)

    with started("runs", "watch", "--since", "1h", *form) as process:
        seen = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    assert all(sum(run in line for line in seen) == 2 for run in (first, second))
    assert err.startswith("qoder-async: interrupted after 4 changes\n")
    third = sim.insert_run(sim.add_deployment(), state="running")
    again = cli(*onward(err), "--max-changes", "1")
    assert again.code == 0
    assert len(again.lines) == 1
    assert third in again.out


def test_a_watch_that_is_killed_goes_on_from_its_file(sim, tmp_path):
    deployment = sim.add_deployment()
    old = sim.insert_run(deployment)
    kept = tmp_path / "bot.state"
    command = ("runs", "watch", "--since", "1h", "--state", str(kept), "--json")

    with started(*command) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        while old not in kept.read_text("utf-8"):
            time.sleep(0.01)
        process.kill()
        process.wait(20)
    new = sim.insert_run(deployment)
    result = run_process(*command, "--max-changes", "2")

    assert [json.loads(line)["run"]["id"] for line in lines] == [old, old]
    assert [json.loads(line)["run"]["id"] for line in result.lines] == [new, new]
    assert [json.loads(line)["kind"] for line in result.lines] == ["created", "finished"]


def test_a_reader_that_has_seen_enough_ends_the_watch_quietly(sim, tmp_path):
    sim.add_runs(sim.add_deployment(), 2000)
    kept = tmp_path / "bot.state"

    with started("runs", "watch", "--since", "2w", "--state", str(kept)) as process:
        shown = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(20)

    assert shown
    assert (process.returncode, err) == (0, "")


def test_a_watch_on_a_terminal_says_that_it_has_begun(sim):
    screen = run_on_terminal("runs", "watch", answer=("Watching all deployments", signal.SIGINT))

    assert screen.code == 130
    assert "interrupted after 0 changes" in screen.plain
