"""Exports as real processes: Ctrl-C, kill -9, logs, terminals."""

from __future__ import annotations

import json
import re
import signal
import sys
import time

import pytest
from cli_support import onward, run_on_terminal, run_process, started
from export_scripts import work_in
from support.exported_ids import ids_in

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of Unix")

LISTS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Names of files are those in a folder of the test's own."""
    return work_in(monkeypatch, tmp_path)


@pytest.fixture
def deployments(sim):
    """Four deployments with 50 runs each."""
    made = [sim.add_deployment() for _ in range(4)]
    for deployment in made:
        sim.add_runs(deployment, 50, state="mixed", trigger="mixed")
    return made


def stall_third(sim):
    """Let no list answer but the first two; one at a time, the third is asked for once those are taken in."""
    sim.faults.add("stall", route=LISTS, nth=3, times=ALWAYS)


def until_third(sim, process):
    """Wait until the third list is asked for."""
    while len(sim.requests.of(LISTS)) < 3:
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_says_what_is_safe_and_the_same_command_goes_on(sim, deployments, cli, folder, form):
    stall_third(sim)

    with started("runs", "export", "-o", "runs.jsonl", "--concurrency", "1", *form) as process:
        until_third(sim, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    first, second = err.splitlines()
    assert first == "qoder-async: interrupted; 100 runs are safe beside runs.jsonl"
    assert onward(second) == ["runs", "export", "-o", "runs.jsonl", "--concurrency", "1", *form]
    assert not (folder / "runs.jsonl").exists()

    sim.faults.clear()
    again = cli(*onward(second))
    assert again.code == 0
    assert sorted(ids_in(folder / "runs.jsonl", "jsonl")) == sorted(sim.run_ids())
    assert [each.name for each in folder.iterdir()] == ["runs.jsonl"]


def test_ctrl_c_before_anything_came(sim, deployments, folder):
    sim.faults.add("stall", route="GET /deployments", times=ALWAYS)

    with started("runs", "export", "-o", "runs.jsonl") as process:
        while not sim.requests:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert err.splitlines() == ["qoder-async: interrupted", "  go on: qoder-async runs export -o runs.jsonl"]


def test_a_kill_leaves_what_the_same_command_goes_on_from(sim, deployments, folder):
    stall_third(sim)

    with started("runs", "export", "-o", "runs.csv", "--concurrency", "1", "--json") as process:
        until_third(sim, process)
        refused = run_process("runs", "export", "-o", "runs.csv")
        process.kill()
        process.wait(20)
    sim.faults.clear()
    result = run_process("runs", "export", "-o", "runs.csv", "--json")

    assert (refused.code, refused.out) == (2, "")
    assert "is being written by another process or task: wait for its end" in refused.err
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out)["rows"] == 200
    assert [each.name for each in folder.iterdir()] == ["runs.csv"]


def settled(text: str) -> list[str]:
    """The lines that are left on a terminal when all is over."""
    screen, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r\n|\r|\n|[^\x1b\r\n]+", text):
        if part == "\r\n" or part == "\n":
            row += 1
            screen += [""] * (row == len(screen))
        elif part == "\x1b[1A":
            row -= 1
        elif part == "\x1b[2K":
            screen[row] = ""
        elif part != "\r" and not part.startswith("\x1b"):
            screen[row] += part
    return [line for line in screen if line]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_the_bar_and_is_left_without_it(sim, deployments, columns):
    for number, deployment in enumerate(deployments):
        kind = {"kind": "delay", "seconds": 0.4 * (number + 1)} if number < 2 else {"kind": "stall"}
        sim.faults.add(route=LISTS, when=lambda request, one=deployment: one in request.path, times=ALWAYS, **kind)

    screen = run_on_terminal(
        "runs", "export", "-o", "runs.jsonl", columns=columns, answer=("2 of 4  50%", signal.SIGINT)
    )

    assert screen.code == 130
    assert "\x1b[36m━" in screen.text
    assert "\x1b[?25l" not in screen.text  # a process that is killed leaves the cursor
    assert settled(screen.text) == [
        "qoder-async: interrupted; 100 runs are safe beside runs.jsonl",
        "  go on: qoder-async runs export -o runs.jsonl",
    ]
    in_work = [line for line in screen.lines if line.startswith("dep_")]
    assert any(deployments[3] in line and deployments[1] not in line for line in in_work)
    bars = [line for line in screen.lines if line.startswith("Deployments ━")]
    assert {len(line.rstrip()) for line in bars} == {columns - 1}


@pytest.mark.parametrize("settings", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_is_left_with_what_was_made(sim, settings):
    sim.add_runs(sim.add_deployment(), 1)

    screen = run_on_terminal("runs", "export", "-o", "runs.db", **settings)

    assert screen.code == 0
    (line,) = settled(screen.text)
    assert re.fullmatch(r"1 run of 1 deployment in runs.db \([\d.]+ kB\); \d requests in \d s", line)
    assert ("\x1b[36m" in screen.text or "\x1b[32m" in screen.text) == (not settings)


def test_a_terminal_that_cannot_rewrite_gets_lines(sim):
    sim.add_runs(sim.add_deployment(), 1)

    screen = run_on_terminal("runs", "export", "-o", "runs.db", TERM="dumb")

    assert screen.code == 0
    assert "\x1b" not in screen.text
    (line,) = screen.lines
    assert line.startswith("qoder-async: 1 run of 1 deployment in runs.db")


def test_json_on_a_terminal_is_alone_there(sim):
    sim.add_runs(sim.add_deployment(), 1)

    screen = run_on_terminal("runs", "export", "-o", "runs.csv", "--json")

    assert "\x1b" not in screen.text
    assert json.loads(screen.text)["rows"] == 1


def test_notices_stand_above_the_bar(sim):
    sim.add_runs(sim.add_deployment(), 1)
    sim.faults.add("status", route=LISTS, status=503)

    screen = run_on_terminal("runs", "export", "-o", "runs.csv", columns=120)

    assert screen.code == 0
    notice, made = settled(screen.text)
    assert notice.startswith("qoder-async: ")
    assert "again in" in notice
    assert made.startswith("1 run of 1 deployment in runs.csv")
