"""``runs sync``: what it asks the library for, what it says of it, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import attrs
import pytest
from export_scripts import FETCHING, sync_report

from qoder_async import PermissionDeniedError
from qoder_async.cli.export import progress as export_progress
from qoder_async.errors import APIConnectionError, ExportError

OUTCOMES = attrs.evolve(
    FETCHING, phase="outcomes", rows_per_second=48.2, outcomes_done=1_200, outcomes_total=9_600, current_deployments=()
)
FORMS = pytest.mark.parametrize("form", [[], ["--json"]])


def test_nothing_but_the_file_means_all_runs_of_all_deployments(scripted, cli):
    script = scripted(FETCHING, sync_report())

    result = cli("runs", "sync", "runs.db")

    assert (result.code, result.out) == (0, "")
    assert result.err == (
        "qoder-async: 240,512 runs in runs.db: 1,234 new, 56 updated; 500 deployments, 501 requests in 12 s\n"
    )
    (call,) = script.calls
    assert call.pop("on_progress") is not None
    assert call == {"path": Path("runs.db"), "deployments": None, "outcomes": False, "max_concurrency": 8}


def test_each_option_reaches_the_library(scripted, cli):
    script = scripted(sync_report())
    words = ["--deployment", "dep_1", "--deployment", "dep_2", "--deployment", "dep_1", "--outcomes"]

    assert cli("runs", "sync", "runs.db", *words, "--concurrency", "3").code == 0

    (call,) = script.calls
    del call["on_progress"]
    expected = {"deployments": ("dep_1", "dep_2"), "outcomes": True, "max_concurrency": 3}
    assert call == {"path": Path("runs.db")} | expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "FILE"),
        (["runs.db", "more.db"], "more.db"),
        (["runs.db", "--concurrency", "0"], "--concurrency must be 1 or more, got 0"),
        (["runs.db", "--since", "2h"], "--since"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(scripted, cli, arguments, said):
    script = scripted(sync_report())

    result = cli("runs", "sync", *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err.splitlines()[0]
    assert script.calls == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"unfinished": 1}, "1 run has not ended: the next sync reads it again"),
        ({"unfinished": 1_012}, "1,012 runs have not ended: the next sync reads them again"),
        ({"missing": 1}, "1 run disappeared before it had ended: it stays as it was"),
        ({"missing": 1_012}, "1,012 runs disappeared before they had ended: they stay as they were"),
    ],
)
def test_what_is_worth_knowing_beside_is_told(scripted, cli, found, said):
    scripted(sync_report(**found, gone={"dep_1": "404 gone"}))

    result = cli("runs", "sync", "runs.db")

    assert result.err.splitlines()[1:] == [
        f"  {said}",
        "  1 deployment disappeared: its runs that had come are kept",
        "  dep_1: 404 gone",
    ]


def test_json_is_the_report_and_nothing_else(scripted, cli):
    expected = sync_report(gone={"dep_1": "404"}, unfinished=3)
    scripted(FETCHING, expected)

    result = cli("runs", "sync", "runs.db", "--json")

    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == attrs.asdict(expected)


def test_a_log_says_how_far_it_is(scripted, cli, monkeypatch):
    monkeypatch.setattr(export_progress, "SECONDS_APART", 0.0)
    scripted(FETCHING, sync_report())

    first, second = cli("runs", "sync", "runs.db").err.splitlines()

    assert first.startswith("qoder-async: 120 of 500 deployments done, 240,512 runs, ")
    assert second.startswith("qoder-async: 240,512 runs in runs.db: ")


def test_a_log_says_how_many_outcomes_there_are(scripted, cli, monkeypatch):
    monkeypatch.setattr(export_progress, "SECONDS_APART", 0.0)
    scripted(OUTCOMES, attrs.evolve(OUTCOMES, outcomes_done=0, outcomes_total=1), sync_report())

    first, second, _ = cli("runs", "sync", "runs.db", "--outcomes").err.splitlines()

    assert first == "qoder-async: 1,200 of 9,600 outcomes asked for, 48 runs/s, 2,812 requests"
    assert second.startswith("qoder-async: 0 of 1 outcome asked for, ")


def test_a_file_that_is_something_else_is_wrong_usage(scripted, cli):
    message = "runs.db exists and is no export of runs: choose another name, or move it away"
    scripted(ExportError(message, path="runs.db"))

    result = cli("runs", "sync", "runs.db")

    assert (result.code, result.out, result.err) == (2, "", f"qoder-async: {message}\n")


@FORMS
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (APIConnectionError("the service went away"), "the service went away"),
        (
            ExportError("runs.db cannot be written: the disk is full", path="x"),
            "runs.db cannot be written: the disk is full",
        ),
    ],
)
def test_a_sync_that_breaks_half_way_says_how_it_goes_on(scripted, cli, form, error, said):
    scripted(FETCHING, error)

    result = cli("runs", "sync", "runs.db", "--outcomes", *form)

    assert (result.code, result.out) == (5, "")
    head, kept, again, *_ = result.err.splitlines()
    assert head == f"qoder-async: {said}"
    assert kept == "  what was written to runs.db is safe"
    assert again == f"  go on: {shlex.join(['qoder-async', 'runs', 'sync', 'runs.db', '--outcomes', *form])}"


def test_deployments_that_failed_are_named_with_the_command_that_goes_on(scripted, cli):
    failures = {f"dep_{number}": PermissionDeniedError("not yours", status=403) for number in range(2)}
    scripted(FETCHING, ExportError("2 deployments failed", path="runs.db", failures=failures))

    result = cli("runs", "sync", "runs.db", "--concurrency", "2")

    assert (result.code, result.out) == (5, "")
    head, first, second, kept, again, advice = result.err.splitlines()
    assert head == "qoder-async: 2 of 500 deployments failed"
    assert first.startswith("  dep_0: 403")
    assert second.startswith("  dep_1: 403")
    assert kept == "  what was written to runs.db is safe"
    assert again == "  go on: qoder-async runs sync runs.db --concurrency 2"
    assert "the token is valid, but not for this" in advice


@FORMS
def test_an_interrupted_sync_says_what_is_safe_and_how_it_goes_on(scripted, cli, form):
    scripted(FETCHING, asyncio.CancelledError())

    result = cli("runs", "sync", "-runs.db", "--deployment", "dep_1", *form)

    assert (result.code, result.out) == (2, "")  # a name that begins with a hyphen is an option
    result = cli("runs", "sync", "./-runs.db", "--deployment", "dep_1", *form)
    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines() == [
        "qoder-async: interrupted; what was written to -runs.db is safe",
        f"  go on: {shlex.join(['qoder-async', 'runs', 'sync', './-runs.db', '--deployment', 'dep_1', *form])}",
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_has_a_bar_that_is_taken_away(scripted, on_screen, columns):
    scripted(FETCHING, sync_report(unfinished=1))

    screen = on_screen("runs", "sync", "runs.db", columns=columns)

    assert screen.code == 0
    assert "120 of 500  24%" in screen.plain
    left = screen.text.rpartition("\x1b[2K")[2]
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", left).splitlines()]
    assert max(map(len, lines)) <= columns
    assert " ".join(lines[:-1]) == (
        "240,512 runs in runs.db: 1,234 new, 56 updated; 500 deployments, 501 requests in 12 s"
    )
    assert lines[-1] == "1 run has not ended: the next sync reads it again"
