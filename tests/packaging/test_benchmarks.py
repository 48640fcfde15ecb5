"""The benchmarks run."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _walk(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "walk", "--repeat=1", *arguments]
    # A module of the checkout: nox keeps the checkout off sys.path.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_short_walk_is_measured():
    done = _walk("--runs=250", "--page-size=100", "--contenders=bare,raw", "--json")

    assert done.returncode == 0, done.stderr
    measured = {one["name"]: one for one in json.loads(done.stdout)["contenders"]}
    assert set(measured) == {"bare", "raw"}
    assert all(one["runs"] == 250 and one["runs_per_second"] > 0 for one in measured.values())


def test_an_unknown_contender_is_named():
    done = _walk("--contenders=bare,fast")

    assert done.returncode == 1
    assert "no such contender: fast" in done.stderr
