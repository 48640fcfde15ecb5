"""The benchmark of many at once runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ["--repeat=1", "--latency-ms=1", "--deployments=6", "--page-sizes=4", "--max-concurrency=3", "--in-turn=2"]
SMALL += ["--pages=3", "--slices=2", "--many=40", "--one-in=10", "--guarded=5", "--crowds=2,5"]


def _many(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "many", *SMALL, *arguments]
    # A module of the checkout: nox keeps the checkout off sys.path.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shape", ["extended", "lean"])
def test_a_little_of_everything_is_measured(shape):
    done = _many(f"--shape={shape}", "--json")

    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)["experiments"]
    assert list(measured) == ["fan-out", "history", "many-empty", "gateway"]
    assert {one["shape"] for results in measured.values() for one in results} == {shape}
    (fanned,) = measured["fan-out"]
    ways = {way: (figures["runs"], figures["requests"]) for way, figures in fanned["ways"].items()}
    assert ways == {"fan_out": (72, 18), "gathered": (72, 18), "in_turn": (36, 9)}
    assert [one["spread"] for one in measured["history"]] == ["even", "poisson", "bursts", "second", "late"]
    assert all(figures["runs"] == 300 for one in measured["history"] for figures in one["ways"].values())
    (emptied,) = measured["many-empty"]
    assert (emptied["runs"], emptied["requests"]) == (20, 41)
    assert [(one["max_concurrency"], one["runs"], one["failures"]) for one in measured["gateway"]] == [
        (2, 5, 0),
        (5, 5, 0),
    ]


def test_a_gateway_refuses_what_comes_too_fast():
    done = _many("--only=gateway", "--shape=lean", "--rate=4", "--crowds=5")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "4 requests a second let through" in lines[2]
    shape, at_once, *_, failures = lines[6].split()
    assert (shape, at_once, failures) == ("lean", "5", "0")
