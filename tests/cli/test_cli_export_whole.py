"""``runs export`` against a simulated service: the file, and what becomes of it."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta

import pytest
from cli_support import forbid, onward
from export_scripts import work_in
from support.clock import START
from support.exported_ids import ids_in

LISTS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Names of files are those in a folder of the test's own."""
    return work_in(monkeypatch, tmp_path)


def fill(sim, deployments=3, runs=250):
    """Deployments with runs; their ids."""
    made = [sim.add_deployment() for _ in range(deployments)]
    for deployment in made:
        sim.add_runs(deployment, runs, newest=START, spacing=3600.0, state="mixed", trigger="mixed")
    return made


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def test_all_runs_are_in_the_file_archived_deployments_too(serve, cli, shape, folder):
    sim = serve(shape=shape)
    sim.populate(deployments=30, runs=400)
    assert any(sim.deployment(each)["archived_at"] for each in sim.deployment_ids())

    result = cli("runs", "export", "-o", "runs.jsonl")

    assert (result.code, result.out) == (0, "")
    (line,) = result.err.splitlines()
    assert line.startswith("qoder-async: 400 runs of 30 deployments in runs.jsonl (")
    assert names(folder) == ["runs.jsonl"]
    assert sorted(ids_in(folder / "runs.jsonl", "jsonl")) == sorted(sim.run_ids())


@pytest.mark.parametrize(
    "name", ["runs.jsonl", "runs.jsonl.gz", "runs.jsonl.zst", "runs.csv", "runs.parquet", "runs.db"]
)
def test_the_name_says_the_format(sim, cli, folder, name):
    fill(sim)

    result = cli("runs", "export", "-o", name, "--json")

    assert (result.code, result.err) == (0, "")
    report = json.loads(result.out)
    took = report.pop("seconds")
    assert 0 < took < 50
    assert report == {
        "path": str(folder / name),
        "format": name.removeprefix("runs.").replace("db", "sqlite"),
        "rows": 750,
        "bytes": (folder / name).stat().st_size,
        "deployments": 3,
        "gone": {},
        "undecodable": 0,
        "requests": len(sim.requests),
        "resumed_rows": 0,
    }
    assert names(folder) == [name]


def test_only_some_deployments_and_times_in_a_format_of_its_own(sim, cli, folder):
    first, second, _ = fill(sim)
    since = START - timedelta(hours=10)

    words = ["--deployment", first, "--deployment", second, "--since", since.isoformat(), "--format", "sqlite"]
    result = cli("runs", "export", "-o", "runs", *words)

    assert result.code == 0, result.err
    with sqlite3.connect(folder / "runs") as connection:
        found = {run for (run,) in connection.execute("select id from runs")}
    connection.close()
    assert found == {run for one in (first, second) for run in sim.run_ids(one)[:11]}


def test_the_same_command_replaces_an_export(sim, cli, folder):
    (deployment,) = fill(sim, deployments=1)
    assert cli("runs", "export", "-o", "runs.csv").code == 0
    before = (folder / "runs.csv").read_bytes()
    sim.insert_run(deployment)

    result = cli("runs", "export", "-o", "runs.csv")

    assert result.code == 0
    assert "251 runs of 1 deployment in runs.csv" in result.err
    assert len((folder / "runs.csv").read_bytes()) > len(before)


def test_a_file_of_another_program_is_left_alone(sim, cli, folder):
    fill(sim)
    (folder / "runs.csv").write_text("a,b\n1,2\n")

    result = cli("runs", "export", "-o", "runs.csv")

    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert "is no export of runs: choose another name" in line
    assert len(sim.requests) == 0
    assert (folder / "runs.csv").read_text() == "a,b\n1,2\n"
    assert names(folder) == ["runs.csv"]


@pytest.mark.parametrize(
    ("target", "said"),
    [("folder.csv", "is a folder"), ("nowhere/runs.csv", "there is no such folder: make it first")],
)
def test_a_target_that_cannot_be(sim, cli, folder, target, said):
    (folder / "folder.csv").mkdir()

    result = cli("runs", "export", "-o", target)

    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert said in line
    assert len(sim.requests) == 0


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_only_deployments_that_failed_are_asked_again(sim, cli, folder, form):
    deployments = fill(sim)
    forbid(sim, deployments[1])

    result = cli("runs", "export", "-o", "runs.jsonl", *form)

    assert (result.code, result.out) == (5, "")
    head, failed, kept, again, advice = result.err.splitlines()
    assert head == "qoder-async: 1 of 3 deployments failed"
    assert failed.startswith(f"  {deployments[1]}: 403")
    assert kept == "  500 runs are safe beside runs.jsonl"
    assert onward(again) == ["runs", "export", "-o", "runs.jsonl", *form]
    assert "the token is valid, but not for this" in advice
    assert not (folder / "runs.jsonl").exists()

    sim.faults.clear()
    before = len(sim.requests.of(LISTS))
    result = cli(*onward(again))

    assert result.code == 0
    assert sorted(ids_in(folder / "runs.jsonl", "jsonl")) == sorted(sim.run_ids())
    assert {request.path.split("/")[-2] for request in sim.requests.of(LISTS)[before:]} == {deployments[1]}
    if form:
        assert json.loads(result.out)["resumed_rows"] == 500
    else:
        assert result.err.splitlines()[1:] == ["  500 runs of these were there from before"]


def test_other_filters_than_those_it_began_with(sim, cli, folder):
    deployments = fill(sim)
    forbid(sim, deployments[1])
    failed = cli("runs", "export", "-o", "runs.jsonl", "--since", "40w")
    sim.faults.clear()

    again = cli("runs", "export", "-o", "runs.jsonl", "--since", "40w")

    assert (failed.code, again.code) == (5, 2)
    (line,) = again.err.splitlines()
    assert "has begun with other filters (--since " in line
    assert "begin anew with --no-resume" in line
    anew = cli("runs", "export", "-o", "runs.jsonl", "--since", "40w", "--no-resume")
    assert anew.code == 0
    assert len(anew.err.splitlines()) == 1
    assert cli(*onward(failed.err)).code == 0


def test_a_deployment_that_disappears_meanwhile_is_told(sim, cli, folder):
    deployments = fill(sim)
    gone = deployments[2]
    sim.faults.add("status", route=LISTS, status=404, when=lambda request: gone in request.path, times=ALWAYS)

    result = cli("runs", "export", "-o", "runs.jsonl")

    assert result.code == 0
    head, disappeared, which = result.err.splitlines()
    assert "500 runs of 3 deployments" in head
    assert disappeared == "  1 deployment disappeared: its runs that had come are kept"
    assert which.startswith(f"  {gone}: 404")


def test_a_token_that_is_refused(sim, cli, folder):
    fill(sim)
    sim.faults.add("status", route="GET /deployments", status=401, times=ALWAYS)

    result = cli("runs", "export", "-o", "runs.jsonl")

    assert (result.code, result.out) == (5, "")
    assert "401" in result.err.splitlines()[0]
    assert "QODER_ACCESS_TOKEN" in result.err


def test_a_deployment_that_is_none_is_refused_as_typed(sim, cli, folder):
    result = cli("runs", "export", "-o", "runs.jsonl", "--deployment", "../x")

    assert (result.code, result.out) == (2, "")
    assert "the deployment must be an id" in result.err
    assert names(folder) == []
