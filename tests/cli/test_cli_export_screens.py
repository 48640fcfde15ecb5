"""What ``runs export`` and ``runs sync`` show on a terminal; test_cli_export_processes has the same with real ones."""

from __future__ import annotations

import re
import sys

import attrs
import pytest
from cli_support import TerminalStream
from export_scripts import FETCHING, WRITING, report, sync_report

from qoder_async.cli import main
from qoder_async.cli.export import progress as export_progress
from qoder_async.errors import APIConnectionError


@pytest.mark.parametrize("columns", [30, 80, 120])
def test_a_terminal_has_a_bar_that_is_taken_away(scripted, on_screen, columns):
    scripted(FETCHING, WRITING, report())

    screen = on_screen("runs", "export", "-o", "runs.parquet", columns=columns)

    assert screen.code == 0
    beginning, fetching, writing, end = frames(screen.text)
    assert beginning[0] == "Deployments 0 of ?"
    assert beginning[1].startswith("0 runs, 0 runs/s, 0 B, 0 req")
    assert "120 of 500  24%" in fetching[0]
    assert fetching[1].startswith("240,512 runs, 12,034 runs/s")
    assert writing[0].startswith("Writing runs.parquet")
    assert writing[0].endswith("25%" if columns > 30 else "")
    assert len(fetching) == 3
    assert writing[1] == "55,000 runs/s, 0 s"
    assert len(writing) == 2
    assert max(map(len, end)) <= columns
    assert " ".join(map(str.strip, end)) == (
        "240,512 runs of 500 deployments in runs.parquet (31.2 MB); 2,812 requests in 41 s"
    )
    assert max(map(len, fetching + writing)) < columns
    if columns > 30:
        assert fetching[0].startswith("Deployments ━━━━")
        assert len(fetching[0]) == columns - 1
        assert fetching[1].endswith("141.2 MB, 2,812 requests, 0 s")
        ids = FETCHING.current_deployments[: 1 if columns == 80 else 2]
        assert fetching[2] == f"{', '.join(ids)} and {8 - len(ids)} more"
    else:
        assert fetching[2] == "8 deployments"


def test_a_sync_has_a_bar_of_outcomes(scripted, on_screen):
    outcomes = attrs.evolve(FETCHING, phase="outcomes", rows_per_second=48.2, outcomes_done=1_200, outcomes_total=9_600)
    scripted(FETCHING, outcomes, sync_report())

    screen = on_screen("runs", "sync", "runs.db", "--outcomes")

    _, fetching, asking, _ = frames(screen.text)
    assert fetching[0].startswith("Deployments ━")
    assert asking[0].startswith("Outcomes ━")
    assert asking[0].endswith(" 1,200 of 9,600  12%")
    assert asking[1:] == ["48 runs/s, 2,812 requests, 0 s"]


def frames(text: str) -> list[list[str]]:
    """What stood at the bottom of the terminal, one after the other, and last what stays."""
    shown = [re.sub(r"\x1b\[[0-9;]*m", "", part) for part in re.split(r"(?:\r\x1b\[2K(?:\x1b\[1A)?)+", text)]
    return [part.splitlines() for part in shown if part]


@pytest.mark.parametrize("settings", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours_or_control(scripted, on_screen, settings, monkeypatch, capfd):
    monkeypatch.setattr(export_progress, "SECONDS_APART", 0.0)
    scripted(FETCHING, report())

    screen = on_screen("runs", "export", "-o", "runs.parquet", **settings)

    assert screen.code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screen.text)
    assert ("Deployments" in screen.text) == ("NO_COLOR" in settings)
    assert ("120 of 500 deployments done" in capfd.readouterr().err) == ("TERM" in settings)


def test_no_bar_is_drawn_as_long_as_nobody_knows_its_end(scripted, on_screen):
    scripted(attrs.evolve(FETCHING, deployments_total=None, current_deployments=()), report())

    shown = frames(on_screen("runs", "export", "-o", "runs.csv").text)[1]

    assert shown == ["Deployments 120 of ?", "240,512 runs, 12,034 runs/s, 141.2 MB, 2,812 requests, 0 s"]


def test_nothing_to_export_is_a_full_bar(scripted, on_screen):
    scripted(attrs.evolve(FETCHING, deployments_done=0, deployments_total=0), report(rows=0))

    bar = frames(on_screen("runs", "export", "-o", "runs.csv").text)[1][0]

    assert re.fullmatch("Deployments ━+ 0 of 0 100%", bar)


def test_a_bar_without_colours_keeps_its_place(scripted, on_screen):
    scripted(FETCHING, report())

    bar = frames(on_screen("runs", "export", "-o", "runs.csv", NO_COLOR="1").text)[1][0]

    assert re.fullmatch("Deployments ━+╸? {30,}120 of 500  24%", bar)
    assert len(bar) == 79


def test_a_terminal_that_has_gone_away_does_not_stop_an_export(scripted, monkeypatch):
    class Gone(TerminalStream):
        def write(self, text):
            raise OSError(5, "Input/output error")

    ended = []
    scripted(FETCHING, lambda: ended.append(True), report())
    monkeypatch.setattr(sys, "stdout", Gone())

    assert main(["runs", "export", "-o", "runs.csv"]) == 5
    assert ended == [True]


def test_errors_stand_above_a_terminal_without_a_bar(scripted, on_screen, capfd):
    scripted(FETCHING, APIConnectionError("the service went away"))

    screen = on_screen("runs", "export", "-o", "runs.csv")

    assert screen.code == 5
    assert screen.text.endswith("\x1b[2K")
    assert capfd.readouterr().err.startswith("qoder-async: the service went away\n")


def test_a_name_that_would_steer_the_terminal_is_shown_as_text(scripted, on_screen):
    scripted(WRITING, report(path="\x1b[31mruns.csv"))

    screen = on_screen("runs", "export", "-o", "\x1b[31mruns.csv")

    assert "\x1b[31m" not in screen.text
    assert "Writing \\x1b[31mruns.csv" in screen.plain
