"""``runs sync`` against a simulated service: the file, and what becomes of it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sqlite3
import sys
import time

import pytest
from cli_support import onward, run_on_terminal, started
from export_scripts import work_in

LISTS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")
UNIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of Unix")


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Names of files are those in a folder of the test's own."""
    return work_in(monkeypatch, tmp_path)


def fill(sim, deployments=3, runs=20):
    """Deployments with runs; their ids."""
    made = [sim.add_deployment() for _ in range(deployments)]
    for deployment in made:
        sim.add_runs(deployment, runs, state="mixed", trigger="mixed")
    return made


def ask(path, question):
    """What a file answers."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def ids(path):
    return [run for (run,) in ask(path, "select id from runs order by id")]


def test_a_file_is_made_and_then_kept_up_to_date(serve, cli, shape, folder):
    sim = serve(shape=shape)
    deployments = fill(sim)
    going = sim.insert_run(deployments[0], state="running")

    first = cli("runs", "sync", "runs.db")
    sim.set_run(going, status="completed")
    sim.insert_run(deployments[1])
    second = cli("runs", "sync", "runs.db", "--json")

    assert (first.code, first.out) == (0, "")
    assert first.err.startswith("qoder-async: 61 runs in runs.db: 61 new, 0 updated; 3 deployments, ")
    assert ("1 run has not ended: the next sync reads it again" in first.err) == (shape == "extended")
    assert (second.code, second.err) == (0, "")
    report = json.loads(second.out)
    assert report["path"] == str(folder / "runs.db")
    assert (report["rows"], report["new"], report["updated"]) == (62, 1, int(shape == "extended"))
    assert report["unfinished"] == 0
    assert sorted(report) == sorted(
        ["path", "rows", "new", "updated", "unfinished", "missing", "deployments", "gone", "requests", "seconds"]
    )
    assert ids(folder / "runs.db") == sorted(sim.run_ids())


def test_outcomes_of_lean_runs(serve, cli, folder):
    sim = serve(shape="lean")
    sim.add_runs(sim.add_deployment(), 3)

    plain = cli("runs", "sync", "runs.db")
    told = cli("runs", "sync", "runs.db", "--outcomes")

    assert (plain.code, told.code) == (0, 0)
    assert ask(folder / "runs.db", "select distinct outcome from runs") == [("completed",)]


def test_only_some_deployments(sim, cli, folder):
    first, _, third = fill(sim)

    result = cli("runs", "sync", "runs.db", "--deployment", first, "--deployment", third)

    assert result.code == 0
    assert ids(folder / "runs.db") == sorted([*sim.run_ids(first), *sim.run_ids(third)])


def test_an_export_of_all_times_is_taken_on(sim, cli, folder):
    (deployment,) = fill(sim, deployments=1)
    assert cli("runs", "export", "-o", "runs.db").code == 0
    sim.insert_run(deployment)

    result = cli("runs", "sync", "runs.db")

    assert result.code == 0
    assert result.err.startswith("qoder-async: 21 runs in runs.db: 1 new, ")


def test_a_file_of_another_program_is_left_alone(sim, cli, folder):
    fill(sim)
    (folder / "runs.db").write_text("my diary")

    result = cli("runs", "sync", "runs.db")

    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert len(sim.requests) == 0
    assert (folder / "runs.db").read_text() == "my diary"


def test_an_export_of_some_time_is_left_alone(sim, cli, folder):
    fill(sim)
    assert cli("runs", "export", "-o", "runs.db", "--since", "1d").code == 0
    before = len(sim.requests)

    result = cli("runs", "sync", "runs.db")

    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert len(sim.requests) == before


def test_deployments_that_fail_leave_the_others_up_to_date(sim, cli, folder):
    deployments = fill(sim)
    bad = deployments[1]
    sim.faults.add("status", route=LISTS, status=403, when=lambda request: bad in request.path, times=ALWAYS)

    result = cli("runs", "sync", "runs.db")

    assert (result.code, result.out) == (5, "")
    head, failed, kept, again, advice = result.err.splitlines()
    assert head == "qoder-async: 1 of 3 deployments failed"
    assert failed.startswith(f"  {bad}: 403")
    assert kept == "  what was written to runs.db is safe"
    assert "the token is valid, but not for this" in advice
    assert len(ids(folder / "runs.db")) == 40
    sim.faults.clear()
    assert cli(*onward(again)).code == 0
    assert ids(folder / "runs.db") == sorted(sim.run_ids())


@UNIX
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_says_what_is_safe_and_the_same_command_goes_on(sim, cli, folder, form):
    fill(sim)
    sim.faults.add("stall", route=LISTS, nth=3, times=ALWAYS)

    with started("runs", "sync", "runs.db", "--concurrency", "1", *form) as process:
        while len(sim.requests.of(LISTS)) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    first, second = err.splitlines()
    assert first == "qoder-async: interrupted; what was written to runs.db is safe"
    assert onward(second) == ["runs", "sync", "runs.db", "--concurrency", "1", *form]
    assert len(ids(folder / "runs.db")) == 40
    sim.faults.clear()
    assert cli(*onward(second)).code == 0
    assert ids(folder / "runs.db") == sorted(sim.run_ids())
    assert [each.name for each in folder.iterdir()] == ["runs.db"]


@UNIX
@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_is_left_with_what_was_done(sim, columns):
    fill(sim)

    screen = run_on_terminal("runs", "sync", "runs.db", columns=columns)

    assert screen.code == 0
    assert "Deployments 0 of ?" in screen.plain
    *_, last = re.split(r"\x1b\[2K", screen.text)
    assert re.fullmatch(
        r"\x1b\[2m60 runs in runs.db: 60 new, 0 updated; 3 deployments, \d requests in \d s\x1b\[0m\r\n", last
    )
