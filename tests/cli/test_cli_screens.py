"""What people see on a terminal; test_cli_processes has the same with real ones."""

import re

import pytest
from cli_support import CANARY

from qoder_async.cli.demo import scene, stage


def test_the_demo_fits_80_columns(on_screen, monkeypatch):
    monkeypatch.setattr(scene, "RUNS", 800)
    monkeypatch.setattr(stage, "_PAUSE", 0)

    screen = on_screen("demo")

    assert screen.code == 0, screen.plain
    assert "\x1b[" in screen.text
    assert max(len(line) for line in screen.lines) <= 80


def test_the_token_is_not_shown_if_the_service_repeats_it(serve, on_screen, cli):
    sim = serve(shape="lean")
    deployment = sim.add_deployment(name=f"say {CANARY}", metadata={CANARY: CANARY})

    for call in (on_screen, cli):  # both look for the token in what is shown
        assert call("deployments", "list", **({"columns": 200} if call is on_screen else {})).code == 0
        assert call("deployments", "get", deployment).code == 0
    assert cli("deployments", "list").rows[0][1] == "say [redacted]"


@pytest.mark.parametrize("columns", [20, 80, 120, 200])
def test_lists_are_aligned_and_cut_no_id(serve, on_screen, columns, shape):
    sim = serve(shape=shape)
    sim.populate(deployments=12, runs=0)
    sim.add_deployment(name="名前" * 20)
    deployment = sim.add_deployment()
    sim.add_runs(deployment, 150, state="mixed", trigger="mixed")

    runs = on_screen("runs", "list", columns=columns)
    deployments = on_screen("deployments", "list", columns=columns)

    assert (runs.code, deployments.code) == (0, 0)
    heading, *rows = [line for line in runs.lines if line and not line.startswith("  ")]
    assert heading.startswith("RUN")
    assert [row.split()[0] for row in rows[:150]] == sim.run_ids()
    assert rows[150:] == ["150 runs"]
    if columns > 40:
        assert max(len(row) for row in rows) <= columns
        assert "STATUS" in heading
    if columns >= 120:
        assert rows[0].count(deployment) == 1
    assert deployments.lines[0].startswith("DEPLOYMENT")
    assert len([line for line in deployments.lines if line.startswith("dep_")]) == 13


@pytest.mark.parametrize("arguments", [("runs", "list"), ("runs", "stats"), ("runs", "list", "--help")])
def test_a_width_of_0_is_none(sim, on_screen, arguments):
    sim.add_runs(sim.add_deployment(), 3)

    screen = on_screen(*arguments, COLUMNS="0")

    assert (screen.code, screen.lines) == (0, on_screen(*arguments, COLUMNS="").lines)
    assert len(screen.lines) > 3


def test_no_color_is_heeded(sim, on_screen):
    sim.add_runs(sim.add_deployment(), 3)

    assert "\x1b[" in on_screen("runs", "list").text
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", on_screen("runs", "list", NO_COLOR="1").text)
    assert "\x1b" not in on_screen("runs", "list", TERM="dumb").text


def test_a_record_is_wrapped(sim, on_screen):
    (run,) = sim.add_runs(sim.add_deployment(), 1)
    sim.patch_record(run, novelty="word " * 40)

    screen = on_screen("runs", "get", run, columns=80)

    assert screen.code == 0
    assert max(len(line) for line in screen.lines) <= 80
    assert screen.plain.count("word") == 40
    assert run in screen.plain


def test_where_only_ids_fit_more_stands_below(sim, on_screen):
    deployment = sim.add_deployment(name="nightly")
    failed, good = sim.add_runs(deployment, 2, state="failed")[0], sim.insert_run(deployment, state="completed")

    runs = on_screen("runs", "list", columns=40).lines
    waited = on_screen("runs", "wait", failed, good, columns=40).lines
    listed = on_screen("deployments", "list", columns=40).lines

    assert runs[0] == "RUN"
    assert runs[runs.index(failed) + 1].startswith("  failed  20")
    assert runs[runs.index(good) + 1].startswith("  completed  20")
    below = waited.index(failed) + 1
    assert waited[below].startswith("  failed  ")
    assert waited[below + 1] == "  unknown_error: Sandbox lost"
    assert listed[:3] == ["DEPLOYMENT", deployment, "  nightly  active"]


def test_why_a_run_failed_is_never_cut(sim, on_screen):
    (failed,) = sim.add_runs(sim.add_deployment(), 1, state="failed")
    message = "the sandbox was lost " * 6
    sim.patch_record(failed, error={"type": "unknown_error", "message": message.strip()})

    narrow, wide = (on_screen("runs", "wait", failed, columns=columns).lines for columns in (80, 300))

    told = f"unknown_error: {message.strip()}"
    row = next(index for index, line in enumerate(narrow) if line.startswith(failed))
    assert " ".join(line.strip() for line in narrow[row + 1 :]) == told
    assert max(map(len, narrow)) <= 80
    assert wide[-1].startswith(failed)
    assert wide[-1].endswith(told)


def test_one_long_name_does_not_move_the_others(sim, on_screen):
    deployment = sim.add_deployment(metadata={"a_name_that_is_longer_than_half_a_screen": "here"})

    lines = on_screen("deployments", "get", deployment, columns=80).lines

    (name,) = [line for line in lines if line.startswith("name ")]
    assert "metadata.a_name_that_is_longer_than_half_a_screen  here" in lines
    assert any(line.startswith(f"id{' ' * (len(name) - len(name.split(maxsplit=1)[1]) - 2)}dep_") for line in lines)
    assert max(map(len, lines)) <= 80
