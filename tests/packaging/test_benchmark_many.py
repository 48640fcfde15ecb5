"""The benchmark of many at once runs."""

import json

import pytest


@pytest.fixture
def run(load, capsys):
    """Run the command line in this process (what it measures, it starts in others), and give what it printed."""
    command = load("__main__")

    def run(*arguments):
        command.main(["many", "--repeat=1", "--latency-ms=1", *arguments])
        return capsys.readouterr().out

    return run


def test_few_deployments_and_a_short_history_are_measured(run):
    sizes = ["--deployments=6", "--page-sizes=4", "--max-concurrency=3", "--in-turn=2"]
    sizes += ["--pages=3", "--slices=2", "--spread=bursts", "--many=40", "--one-in=10"]
    done = run("--only=fan-out", "--only=history", "--only=many-empty", "--shape=lean", "--json", *sizes)
    measured = json.loads(done)["experiments"]
    assert list(measured) == ["fan-out", "history", "many-empty"]
    (fanned,), (walked,), (emptied,) = measured.values()
    ways = {way: (figures["runs"], figures["requests"]) for way, figures in fanned["ways"].items()}
    assert ways == {"fan_out": (72, 18), "gathered": (72, 18), "in_turn": (36, 9)}
    assert (walked["shape"], walked["spread"]) == ("lean", "bursts")
    assert {way: figures["runs"] for way, figures in walked["ways"].items()} == {"in_turn": 300, "history": 300}
    assert (emptied["deployments"], emptied["runs"], emptied["requests"]) == (40, 20, 41)


def test_what_a_gateway_refuses_is_counted(run):
    done = run("--only=gateway", "--shape=extended", "--guarded=6", "--rate=4", "--crowds=6")

    title, head, row = (done.splitlines()[line] for line in (2, 4, 6))
    assert title.startswith("gateway: 6 deployments of one page, 4 requests a second let through")
    assert head.endswith("failures")
    shape, at_once, _took, _s, _ratio, requests, refused, *_, failures = row.split()
    assert (shape, at_once, failures) == ("extended", "6", "0")
    assert int(requests) == 6 + int(refused) > 6
