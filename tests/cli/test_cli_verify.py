"""``runs verify``: a file of runs, compared with the service."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cli_support import below_the_live_line, run_on_terminal, started
from support.clock import START

LISTS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")
ENDINGS = ("jsonl", "jsonl.gz", "csv", "parquet", "db")
FIELDS = [
    *("path", "rows", "deployments", "is_complete", "missing", "doubles", "failures", "requests", "windows"),
]
WINDOW_FIELDS = ["deployment_id", "start", "end", "in_file", "at_service", "missing", "unknown"]


def fill(sim, *sizes):
    """Deployments with so many runs, the newest of START and one every hour; their ids."""
    made = [sim.add_deployment() for _ in sizes]
    for deployment, size in zip(made, sizes, strict=True):
        sim.add_runs(deployment, size, newest=START, spacing=3600.0, state="mixed", trigger="mixed")
    return made


def file_of(sim, path, runs=None):
    """What an export would write of these runs, by default of all."""
    records = [sim._world.writer.record(sim._run(run)) for run in sim.run_ids() if runs is None or run in runs]
    path.write_bytes(b"".join(record + b"\n" for record in records))
    return str(path)


@pytest.fixture
def damaged(sim, tmp_path):
    """A file that lacks two runs, has one twice and one that the service does not know; and the ids of these."""
    busy, other = fill(sim, 900, 40)
    runs = sim.run_ids(busy)
    lost, double, gone = (runs[100], runs[700]), runs[300], sim.run_ids(other)[5]
    kept = set(sim.run_ids()) - set(lost)
    path = file_of(sim, tmp_path / "runs.jsonl", kept)
    with Path(path).open("ab") as file:
        file.write(sim._world.writer.record(sim._run(double)) + b"\n")
    sim.delete_run(gone)
    return path, busy, lost, gone


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_complete_file_of_any_format_is_complete(serve, cli, shape, tmp_path, ending):
    sim = serve(shape=shape)
    big, small = fill(sim, 700, 30)
    path = str(tmp_path / f"runs.{ending}")
    assert cli("runs", "export", "-o", path).code == 0

    result = cli("runs", "verify", path, "--all-deployments")

    assert (result.code, result.err) == (0, "")
    counts = sorted((row[0], *row[3:]) for row in result.rows)
    expected = [(big, "350", "350", "0", "0", "-"), (big, "350", "350", "0", "0", "-")]
    assert counts == sorted([*expected, (small, "30", "30", "0", "0", "-")])
    tells = ending in ("parquet", "db")
    assert sum(row[1] == "-" for row in result.rows) == (2 if tells else 0)
    assert all(row[2].startswith("2026-") for row in result.rows)


def test_what_is_missing_is_exit_code_1(cli, damaged):
    path, busy, lost, _ = damaged

    result = cli("runs", "verify", path)

    assert result.code == 1
    assert sorted(run for row in result.rows for run in row[7].split(",") if run != "-") == sorted(lost)
    assert {row[0] for row in result.rows if row[5] != "0"} == {busy}
    assert [row[6] for row in result.rows if row[0] != busy] == ["1"]
    head, step = result.err.splitlines()
    assert head == f"qoder-async: 2 runs are missing from {path}; 1 run is in {path} more than once"
    assert step == "  what was compared is a sample: export it again"


def test_json_has_all_of_it_in_one_object(cli, damaged):
    path, _, lost, gone = damaged

    result = cli("runs", "verify", path, "--json")

    assert result.code == 1
    (line,) = result.lines
    report = json.loads(line)
    assert list(report) == FIELDS
    assert all(list(window) == WINDOW_FIELDS for window in report["windows"])
    assert (report["path"], report["rows"], report["deployments"]) == (path, 939, 2)
    assert (report["is_complete"], report["doubles"], report["failures"]) == (False, 1, {})
    assert sorted(report["missing"]) == sorted(lost)
    assert [run for window in report["windows"] for run in window["unknown"]] == [gone]
    assert report["requests"] == 3
    assert all(window["start"].endswith("Z") and window["end"].endswith("Z") for window in report["windows"])


def test_of_a_deployment_that_is_not_in_the_file_all_is_missing(sim, cli, tmp_path):
    there, lost = fill(sim, 30, 4)
    path = file_of(sim, tmp_path / "runs", set(sim.run_ids(there)))

    alone = cli("runs", "verify", path)
    of_all = cli("runs", "verify", path, "--all-deployments")

    assert (alone.code, len(alone.rows)) == (0, 1)
    assert of_all.code == 1
    assert of_all.rows[1][0] == lost
    assert of_all.rows[1][7].split(",") == sim.run_ids(lost)[1:]


def test_so_many_windows_are_compared(sim, cli, tmp_path):
    fill(sim, 3000)
    path = file_of(sim, tmp_path / "runs")
    sim.requests.clear()

    assert len(cli("runs", "verify", path, "--windows", "2").rows) == 2
    assert len(sim.requests) == 2
    assert len(cli("runs", "verify", path, "--windows", "999").rows) == 6


def test_an_empty_file_has_no_windows(sim, cli, on_screen, tmp_path):
    fill(sim, 5)
    (tmp_path / "runs").touch()

    assert cli("runs", "verify", str(tmp_path / "runs")) == cli("runs", "verify", str(tmp_path / "runs"))
    result = cli("runs", "verify", str(tmp_path / "runs"))

    assert (result.code, result.out, result.err) == (0, "", "")
    assert below_the_live_line(on_screen("runs", "verify", str(tmp_path / "runs")))[-1] == (
        "0 of them compared in 0 windows: nothing is missing"
    )
    assert cli("runs", "verify", str(tmp_path / "runs"), "--all-deployments").code == 1


# Failures


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_deployment_that_cannot_be_read_is_told(sim, cli, tmp_path, is_whole):
    broken, fine = fill(sim, 30, 40)
    kept = set(sim.run_ids()) - (set() if is_whole else {sim.run_ids(fine)[20]})
    path = file_of(sim, tmp_path / "runs", kept)
    sim.faults.add("status", route=LISTS, status=404, when=lambda request: broken in request.path, times=ALWAYS)

    result = cli("runs", "verify", path)

    assert [row[0] for row in result.rows] == [fine]
    head, *told = result.err.splitlines()
    assert any(line.strip().startswith(f"{broken}: 404") for line in told)
    if is_whole:
        assert (result.code, head) == (5, "qoder-async: 1 deployment could not be compared")
    else:  # what is known to be missing outweighs what is not known
        assert (result.code, head) == (1, f"qoder-async: 1 run is missing from {path}")
        assert told[0] == "  1 deployment could not be compared:"


def test_a_damaged_file_is_exit_code_1(sim, cli, tmp_path):
    fill(sim, 3)
    path = file_of(sim, tmp_path / "runs")
    os.truncate(path, Path(path).stat().st_size - 20)

    result = cli("runs", "verify", path)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"qoder-async: {path} is damaged: line 3 is no run")


def test_a_token_that_is_refused_is_exit_code_5(sim, cli, tmp_path):
    fill(sim, 3)
    path = file_of(sim, tmp_path / "runs")
    sim.faults.add("status", route=LISTS, status=401, times=ALWAYS)

    result = cli("runs", "verify", path)

    assert (result.code, result.out) == (5, "")
    assert "QODER_ACCESS_TOKEN" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs", "--windows", "0"], "--windows must be 1 or more, got 0"),
        (["runs", "--concurrency", "0"], "--concurrency must be 1 or more, got 0"),
        (["nowhere"], "nowhere cannot be read: No such file or directory"),
        (["diary"], "diary was made neither by: runs export, nor by: runs sync"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(sim, cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diary").write_text("Dear diary\n")
    (tmp_path / "runs").touch()

    result = cli("runs", "verify", *arguments)

    assert (result.code, result.out) == (2, "")
    assert result.err == f"qoder-async: {message}\n"
    assert len(sim.requests) == 0


def test_without_a_file_it_is_wrong_usage(cli):
    assert cli("runs", "verify").code == 2


# On a terminal


@pytest.mark.parametrize("columns", [20, 80, 120])
def test_a_terminal_has_a_table_and_what_is_missing(on_screen, damaged, columns):
    path, busy, lost, gone = damaged

    screen = on_screen("runs", "verify", path, columns=columns)

    assert screen.code == 1
    heading, *rows = below_the_live_line(screen)
    table = [row for row in rows if row.startswith("dep_")]
    assert len(table) == 3
    assert heading.split()[0] == "DEPLOYMENT"
    if columns >= 80:
        assert max(map(len, (heading, *table))) <= columns
        assert heading.endswith("UNKNOWN")
        assert ("FROM (UTC)" in heading) == (columns == 120)
    for run in lost:
        assert f"missing: {run} of {busy}" in rows
    assert any(row.startswith(f"unknown to the service: {gone}") for row in rows)
    told = " ".join(" ".join(rows).split())
    assert "has 939 runs of 2 deployments 938 of them compared in 3 windows" in told


def test_many_missing_runs_are_counted(sim, on_screen, tmp_path):
    (deployment,) = fill(sim, 100)
    kept = set(sim.run_ids(deployment)[:10] + sim.run_ids(deployment)[60:])
    path = file_of(sim, tmp_path / "runs", kept)

    rows = below_the_live_line(on_screen("runs", "verify", path, columns=120))

    assert sum(row.startswith("missing: drun_") for row in rows) == 20
    assert "missing: 30 more, see --json" in rows


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
def test_a_real_terminal_is_told_how_far_it_is(sim, tmp_path):
    fill(sim, 1500, 200)
    path = file_of(sim, tmp_path / "runs")

    screen = run_on_terminal("runs", "verify", path)

    assert screen.code == 0
    assert "runs read" in screen.plain
    assert "nothing is missing" in screen.plain
    assert screen.text.rsplit("\x1b[2K", 1)[1].lstrip().startswith(("DEPLOYMENT", "\x1b[1mDEPLOYMENT"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_says_how_far_it_was(sim, tmp_path):
    fill(sim, 1500, 200)
    path = file_of(sim, tmp_path / "runs")
    sim.faults.add("stall", route=LISTS, nth=2, times=ALWAYS)

    with started("runs", "verify", path, "--concurrency", "1") as process:
        while sim.request_counts.get(LISTS, 0) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    assert err.startswith("qoder-async: interrupted: 1,700 runs read, ")


def test_runs_that_came_later_are_not_missing(serve, cli, shape, tmp_path):
    sim = serve(shape=shape)
    (deployment,) = fill(sim, 30)
    path = file_of(sim, tmp_path / "runs")
    sim.insert_run(deployment, triggered_at=START + timedelta(seconds=2))

    result = cli("runs", "verify", path, "--all-deployments")

    assert (result.code, [row[3:7] for row in result.rows]) == (0, [["30", "30", "0", "0"]])


def test_the_help_says_what_the_exit_codes_mean(cli):
    result = cli("runs", "verify", "--help")

    assert result.code == 0
    for words in (
        *FIELDS,
        *WINDOW_FIELDS,
        "Exit codes: 0 nothing is missing",
        "separated by tabs",
        "--all-deployments",
    ):
        assert words in result.out
    assert max(map(len, result.lines)) <= 80
    assert {"stats", "verify"} <= {line.split()[1] for line in cli("runs", "--help").lines if line.startswith("│ ")}
