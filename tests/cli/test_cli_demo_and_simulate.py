"""The demonstration and the simulator's announcement, in this process."""

from functools import partial

import pytest

from qoder_async import export_runs
from qoder_async._many.fanout_orders import AsTheyCome
from qoder_async.cli.demo import scene
from qoder_async.cli.simulate import World, _announce
from qoder_async.simulator import Simulator


@pytest.mark.parametrize(
    ("method", "answer"),
    [("deployment_ids", []), ("run_ids", [])],
)
def test_the_demo_fails_where_a_claim_does_not_hold(cli, monkeypatch, method, answer):
    monkeypatch.setattr(Simulator, method, lambda *_: answer)

    result = cli("demo")

    assert result.code == 1
    assert "does not hold" in result.out
    assert "All of it held" not in result.out


def test_the_demo_fails_where_a_fault_does_not_strike(cli, monkeypatch):
    monkeypatch.setattr(scene, "RUNS", 800)
    monkeypatch.setattr("qoder_async.simulator.faults.Faults.strike", lambda *_: None)

    result = cli("demo")

    assert result.code == 1
    assert "does not hold" in result.out


def test_the_demo_fails_where_the_newest_do_not_come_first(cli, monkeypatch):
    monkeypatch.setattr(scene, "RUNS", 800)
    monkeypatch.setattr("qoder_async.fanout._ORDERS", dict.fromkeys(["arrival", "newest"], AsTheyCome))

    result = cli("demo")

    assert result.code == 1
    assert result.out.splitlines()[-1].strip() == "does not hold: the newest first, over all of them"


def test_the_demo_fails_where_an_export_does_not_go_on(cli, monkeypatch):
    monkeypatch.setattr(scene, "RUNS", 2200)
    monkeypatch.setattr("qoder_async.cli.demo.files.export_runs", partial(export_runs, resume=False))

    result = cli("demo")

    assert result.code == 1
    assert result.out.splitlines()[-1].strip() == "does not hold: no page that had come was asked for again"


def test_the_demo_needs_no_settings_and_heeds_none(cli, monkeypatch):
    monkeypatch.delenv("QODER_ACCESS_TOKEN")
    monkeypatch.setenv("QODER_BASE_URL", "nonsense")
    monkeypatch.setattr(scene, "RUNS", 800)

    result = cli("demo")

    assert result.code == 0, result.out
    assert result.err == ""
    assert "PermissionDeniedError" in result.out.partition("The runs of 40 deployments")[2]


@pytest.mark.parametrize(
    ("host", "warns"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("box", True)]
)
def test_simulate_warns_where_others_can_reach_it(capsys, host, warns):
    world = World(shape="lean", host=host, port=1, seed=0, deployments=1, runs=1, speed=1.0)

    _announce(world, "http://x")

    out = capsys.readouterr().out
    assert ("Whoever reaches this machine" in out) == warns
    assert ("--allow-insecure" in out) == warns
