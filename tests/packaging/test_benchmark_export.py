"""The benchmark of exports and syncs runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _export(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "export", *arguments]
    # A module of the checkout: nox keeps the checkout off sys.path.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_few_runs_are_exported_and_synced(tmp_path: Path):
    sizes = ["--runs=3000", "--deployments=5", "--shape=extended", f"--folder={tmp_path}"]
    done = _export("--format=csv", "--sync", "--json", *sizes)

    assert done.returncode == 0, done.stderr
    (service,) = json.loads(done.stdout)["services"]
    assert (service["shape"], service["runs"]) == ("extended", 3000)
    measured = {one["what"]: one for one in service["jobs"]}
    assert list(measured) == ["csv", "sync, first", "sync, nothing new"]
    for one in measured.values():
        assert one["rows"] == 3000
        assert one["seconds"]["whole"] == sum(one["seconds"][phase] for phase in ("fetching", "writing")) > 0
        assert one["bytes"] > 100_000
        assert one["memory"]["peak"] >= one["memory"]["before"] > 0
        late = one["late"]["all"]
        assert 0 < late["p50"] <= late["p99"] <= late["max"]
    # One request for the list of deployments, and one for each of them: 600 runs are one page.
    assert (measured["csv"]["requests"], measured["sync, nothing new"]["requests"]) == (6, 6)
    assert not list(tmp_path.iterdir())


def test_the_figures_are_laid_out():
    done = _export("--format=jsonl", "--runs=300", "--deployments=3", "--shape=lean")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "lean: 300 runs, 100 a page" in lines
    assert sum(line.startswith("jsonl ") for line in lines) == 2
    assert lines[-1] == "by: python -m benchmarks export --format=jsonl --runs=300 --deployments=3 --shape=lean"
