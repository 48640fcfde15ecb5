"""What is said where the arguments cannot be meant: one line, and what to type instead."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "said", "step"),
    [
        (["runs", "export"], "runs export: OUTPUT is missing", ""),
        (["runs", "get"], "runs get: RUN is missing", ""),
        (["runs", "list", "--since"], "--since needs a value", ""),
        (["runs", "list", "--max-items", "ten"], "--max-items must be a whole number, got 'ten'", ""),
        (["runs", "list", "--max-items", "1.5"], "--max-items must be a whole number, got '1.5'", ""),
        (["simulate", "--port", "1.5"], "--port must be a whole number, got '1.5'", ""),
        (["runs", "stats", "--concurrency=x"], "--concurrency must be a whole number, got 'x'", ""),
        (["runs", "list", "--has-error=x"], "--has-error takes no value", ""),
        (["runs", "list", "--timeout", "long"], "--timeout must be a number, got 'long'", ""),
        (["runs", "list", "--json=5"], "--json takes no value", ""),
        (["runs", "list", "--since", "1h", "--since", "2h"], "--since was given more than once", ""),
        (["runs", "sync", "a.db", "b.db"], "runs sync does not take 'b.db'", ""),
        (["simulate", "--shape", "leen"], "--shape must be one of extended, lean, got 'leen'", ""),
        (["runs", "list", "--bogus"], "unknown option: --bogus", ""),
        (
            ["runs", "list", "dep_1"],
            "runs list does not take 'dep_1'",
            "name a deployment so: qoder-async runs list --deployment dep_1",
        ),
        (
            ["--json", "runs", "list"],
            "--json comes after a command, or does not exist",
            "perhaps: qoder-async runs list --json",
        ),
        (["--json", "--bogus"], "--json comes after a command, or does not exist", ""),
    ],
)
def test_arguments_that_cannot_be_meant(sim, cli, arguments, said, step):
    result = cli(*arguments)

    first, *steps = result.err.splitlines()
    assert (result.code, result.out) == (2, "")
    assert first == f"qoder-async: {said}"
    assert [line.strip() for line in steps[:-1]] == ([step] if step else [])
    assert steps[-1].startswith("  see: qoder-async ")
    assert steps[-1].endswith(" --help")
    assert len(sim.requests) == 0


def test_a_word_that_is_nearly_a_command(cli):
    assert 'Did you mean "runs"?' in cli("run", "list").err
    assert 'Did you mean "list"?' in cli("runs", "lst").err


@pytest.mark.parametrize(
    ("arguments", "step"),
    [
        (["runs", "get", "dep_1"], "see its runs: qoder-async runs list --deployment dep_1"),
        (["runs", "wait", "drun_1", "dep_1"], "see its runs: qoder-async runs list --deployment dep_1"),
        (["runs", "watch", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (["runs", "list", "--deployment", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (
            ["runs", "export", "-o", "x.csv", "--deployment", "drun_1"],
            "see its deployment: qoder-async runs get drun_1",
        ),
        (["runs", "sync", "x.db", "--deployment", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (["runs", "stats", "--deployment", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (["deployments", "get", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (["deployments", "run", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (["deployments", "pause", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (["deployments", "unpause", "drun_1"], "see its deployment: qoder-async runs get drun_1"),
        (["deployments", "archive", "drun_1", "--yes"], "see its deployment: qoder-async runs get drun_1"),
    ],
)
def test_an_id_of_the_other_kind(sim, cli, arguments, step):
    result = cli(*arguments)

    assert result.code == 2
    assert result.err.splitlines()[1:] == [f"  {step}"]
    assert "begins with d" in result.err
    assert len(sim.requests) == 0


def test_a_wait_that_was_not_asked_for(sim, cli):
    result = cli("deployments", "run", "dep_1", "--timeout", "10m")

    assert result.code == 2
    assert result.err.splitlines()[0] == "qoder-async: --timeout 10m says how long to wait: add --wait"
    assert len(sim.requests) == 0


@pytest.mark.parametrize("name", ["runs.csv", "runs.jsonl.gz", "runs.parquet"])
def test_a_sync_into_a_file_of_another_format(sim, cli, tmp_path, name):
    result = cli("runs", "sync", str(tmp_path / name))

    assert result.code == 2
    assert "a sync keeps a SQLite file, such as runs.db" in result.err
    assert f"qoder-async runs export -o {tmp_path / name}" in result.err
    assert list(tmp_path.iterdir()) == []
    assert len(sim.requests) == 0


@pytest.mark.parametrize("name", ["runs.db", "runs.sqlite", "runs"])
def test_a_sync_into_a_name_that_says_no_other_format(sim, cli, tmp_path, name):
    sim.add_runs(sim.add_deployment(), 3)

    assert cli("runs", "sync", str(tmp_path / name)).code == 0
    assert (tmp_path / name).read_bytes().startswith(b"SQLite format 3")


def test_the_file_of_an_export_needs_no_option(sim, cli, tmp_path):
    sim.add_runs(sim.add_deployment(), 3)

    assert cli("runs", "export", str(tmp_path / "runs.jsonl")).code == 0
    assert len((tmp_path / "runs.jsonl").read_bytes().splitlines()) == 3


def test_a_host_that_cannot_be_reached_is_told_plainly(cli, monkeypatch):
    monkeypatch.setenv("QODER_BASE_URL", "http://127.0.0.1:9")

    lines = cli("runs", "list").err.splitlines()

    assert lines[-2] == "qoder-async: GET /deployment_runs: cannot connect to 127.0.0.1:9"
    for line in lines[:-2]:
        assert line.startswith("qoder-async: GET /deployment_runs failed, again in ")
        assert line.endswith("): cannot connect to 127.0.0.1:9")
    assert len(lines) == 5


@pytest.mark.parametrize("command", ["stats", "verify"])
@pytest.mark.parametrize(("name", "makes"), [("runs.db", "sync"), ("runs.csv", "export")])
def test_a_file_that_is_not_there(sim, cli, tmp_path, command, name, makes):
    result = cli("runs", command, str(tmp_path / name))

    assert result.code == 2
    assert result.err.splitlines() == [
        f"qoder-async: {tmp_path / name} cannot be read: No such file or directory",
        f"  make it: qoder-async runs {makes} {tmp_path / name}",
    ]
    assert len(sim.requests) == 0
