"""The benchmark of waiting runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_few_runs_are_waited_for_in_both_ways():
    command = [sys.executable, "-m", "benchmarks", "waiting", "--json"]
    command += ["--shape=lean", "--runs=24", "--deployments=4", "--repeat=1", "--waiters=0"]
    # A module of the checkout: nox keeps the checkout off sys.path.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert [one["shape"] for one in measured["block"]] == ["lean"]
    assert [one["duration"] for one in measured["alone"]] == [2, 20, 300, 3600]
    for one in measured["block"]:
        assert one["runs"] == 24
        assert one["ratio"] == one["library"]["requests"] / one["loops"]["requests"]
        assert one["ratio"] < 0.5
    assert measured["crowd"] == []
