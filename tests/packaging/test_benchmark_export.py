"""The benchmark of exports and syncs runs."""

import json

import pytest


@pytest.fixture
def run(load, capsys):
    """Run the command line in this process (what it measures, it starts in others), and give what it printed."""
    command = load("__main__")

    def run(*arguments):
        command.main(["export", "--idle=0.03", *arguments])
        return capsys.readouterr().out

    return run


def test_a_few_runs_are_exported_and_synced(run, tmp_path):
    sizes = ["--runs=3000", "--deployments=5", "--shape=extended", f"--folder={tmp_path}"]
    done = run("--format=csv", "--sync", "--json", *sizes)
    (service,) = json.loads(done)["services"]
    assert (service["shape"], service["runs"]) == ("extended", 3000)
    measured = {one["what"]: one for one in service["jobs"]}
    assert list(measured) == ["csv", "sync, first", "sync, nothing new"]
    for one in measured.values():
        assert one["rows"] == 3000
        assert one["rates"] == [3000 / one["seconds"]["whole"]]
        assert one["seconds"]["whole"] == sum(one["seconds"][phase] for phase in ("fetching", "writing")) > 0
        assert one["bytes"] > 100_000
        assert one["memory"]["peak"] >= one["memory"]["before"] > 0
        late = one["late"]["all"]
        assert 0 < late["p50"] <= late["p99"] <= late["max"]
    # One request for the list of deployments, and one for each of them: 600 runs are one page.
    assert (measured["csv"]["requests"], measured["sync, nothing new"]["requests"]) == (6, 6)
    assert not list(tmp_path.iterdir())


def test_the_figures_are_laid_out(run):
    arguments = ["--format=jsonl", "--runs=300", "--deployments=3", "--shape=lean", "--repeat=2"]
    lines = run(*arguments).splitlines()

    assert "lean: 300 runs, 100 a page" in lines
    assert sum(line.startswith("jsonl ") for line in lines) == 2
    assert lines[-1] == f"by: python -m benchmarks export --idle=0.03 {' '.join(arguments)}"
