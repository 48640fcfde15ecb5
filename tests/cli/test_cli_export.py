"""``runs export``: what it asks the library for, what it says of it, and how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from cli_support import onward
from export_scripts import FETCHING, WRITING, report, saved

from qoder_async import PermissionDeniedError, RateLimitError
from qoder_async._many.fanout_orders import INCOMPLETE
from qoder_async.cli import main
from qoder_async.cli.export import progress as export_progress
from qoder_async.cli.export.progress import Lines
from qoder_async.cli.export.words import in_work, whole_line
from qoder_async.cli.show.words import size
from qoder_async.errors import AuthenticationError, ConfigurationError, ExportError
from qoder_async.export.notices import HAS_DISAPPEARED, IS_GONE, NOT_UP_TO_DATE

DEPLOYMENT = "dep_00000000000000000000000000000001"
FORMS = pytest.mark.parametrize("form", [[], ["--json"]])


def forbidden() -> PermissionDeniedError:
    return PermissionDeniedError("not yours", status=403, type="permission_error")


def test_nothing_but_the_file_means_all_runs_of_all_deployments(scripted, cli):
    script = scripted(report())

    result = cli("runs", "export", "-o", "runs.parquet")

    assert (result.code, result.out) == (0, "")
    (call,) = script.calls
    assert call.pop("on_progress") is not None
    assert call == {
        "path": Path("runs.parquet"),
        "deployments": None,
        "format": None,
        "triggered_after": None,
        "triggered_before": None,
        "resume": True,
        "max_concurrency": 8,
    }


def test_each_option_reaches_the_library(scripted, cli):
    script = scripted(report())
    words = ["--deployment", DEPLOYMENT, "--deployment", "dep_2", "--deployment", DEPLOYMENT]
    words += ["--since", "2h", "--until", "2026-12-01", "--format", "csv", "--no-resume", "--concurrency", "3"]

    assert cli("runs", "export", "--output", "x.txt", *words).code == 0

    (call,) = script.calls
    del call["on_progress"]
    since = call.pop("triggered_after")
    assert abs(datetime.now(UTC) - timedelta(hours=2) - since) < timedelta(minutes=1)
    assert call == {
        "path": Path("x.txt"),
        "deployments": (DEPLOYMENT, "dep_2"),
        "format": "csv",
        "triggered_before": datetime(2026, 12, 1, tzinfo=UTC),
        "resume": False,
        "max_concurrency": 3,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "OUTPUT is missing"),
        (["-o", "runs.txt"], "-o must end in one of .jsonl, "),
        (["-o", "runs.txt"], "or --format must say what is wanted; got 'runs.txt'"),
        (["-o", "runs.jsonl", "--format", "xml"], "--format"),
        (["-o", "runs.jsonl", "--concurrency", "0"], "--concurrency must be 1 or more, got 0"),
        (["-o", "runs.jsonl", "--since", "yesterday"], "--since must be a time"),
        (["-o", "runs.jsonl", "more"], "more"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(scripted, cli, arguments, said):
    script = scripted(report())

    result = cli("runs", "export", *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err.splitlines()[0]
    assert script.calls == []


def test_an_argument_that_the_library_refuses_is_named_as_the_option(scripted, cli):
    scripted(ConfigurationError("triggered_before must not be before triggered_after"))

    result = cli("runs", "export", "-o", "runs.csv")

    assert result.code == 2
    assert result.err == "qoder-async: --until must not be before --since\n"


def test_a_log_has_one_line_at_the_end_of_a_short_export(scripted, cli):
    scripted(FETCHING, WRITING, report())

    result = cli("runs", "export", "-o", "runs.parquet")

    assert (result.code, result.out) == (0, "")
    assert result.err == (
        "qoder-async: 240,512 runs of 500 deployments in runs.parquet (31.2 MB); 2,812 requests in 41 s\n"
    )


def test_what_is_worth_knowing_beside_is_told(scripted, cli):
    gone = {f"dep_{number}": "404 not_found_error: gone\nfor good" for number in range(12)}
    scripted(report(format="sqlite", resumed_rows=120_000, undecodable=3, gone=gone))

    result = cli("runs", "export", "-o", "runs.db")

    _, resumed, undecodable, disappeared, *each = result.err.splitlines()
    assert resumed == "  120,000 runs of these were there from before"
    assert undecodable == "  3 runs could not be read whole: all of it is in the column raw"
    assert disappeared == "  12 deployments disappeared: their runs that had come are kept"
    assert each[0] == "  dep_0: 404 not_found_error: gone for good"
    assert each[9:] == ["  dep_9: 404 not_found_error: gone for good", "  and 2 more"]


def test_json_is_the_report_and_nothing_else(scripted, cli):
    expected = report(gone={"dep_1": "404"}, undecodable=1, resumed_rows=7)
    scripted(FETCHING, WRITING, expected)

    result = cli("runs", "export", "-o", "runs.parquet", "--json")

    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == attrs.asdict(expected)
    assert result.out.endswith("}\n")


def test_lines_of_a_log_are_five_seconds_apart(capsys):
    time = 0.0
    lines = Lines(Path("x/runs.csv"), now=lambda: time)
    told = {}

    async def export() -> None:
        nonlocal time
        async with lines.shown():
            for time in (0.5, 4.9, 5.0, 5.5, 9.9, 10.2, 31.0, 31.5, 36.0):
                lines.saw(WRITING if time > 30 else FETCHING)
                if text := capsys.readouterr().err:
                    told[time] = text

    asyncio.run(export())

    fetching = "qoder-async: 120 of 500 deployments done, 240,512 runs, 12,034 runs/s, 141.2 MB, 2,812 requests\n"
    writing = "qoder-async: runs.csv: 250,000 of 1,000,000 runs written, 55,000 runs/s\n"
    assert told == {5.0: fetching, 10.2: fetching, 31.0: writing, 36.0: writing}


def test_a_log_that_nobody_reads_any_more_does_not_stop_an_export(scripted, cli, monkeypatch):
    class Closed:
        def write(self, text):
            raise BrokenPipeError

        def flush(self):
            raise BrokenPipeError

    monkeypatch.setattr(export_progress, "SECONDS_APART", 0.0)
    script = scripted(FETCHING, report())
    monkeypatch.setattr(sys, "stderr", Closed())

    assert main(["runs", "export", "-o", "runs.csv"]) == 0
    assert len(script.calls) == 1


def test_a_target_that_cannot_be_is_wrong_usage_in_one_line(scripted, cli):
    message = "runs.csv exists and is no export of runs: choose another name, or move it away"
    scripted(ExportError(message, path="runs.csv"))

    result = cli("runs", "export", "-o", "runs.csv")

    assert (result.code, result.out) == (2, "")
    assert result.err == f"qoder-async: {message}\n"


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ([FETCHING, saved(240_000)], ["240,000 runs are safe beside runs.csv"]),
        (
            [WRITING, saved(7_000, is_whole=True)],
            ["all 7,000 runs are safe beside runs.csv, which is still to be written"],
        ),
        ([FETCHING, saved(1)], ["1 run is safe beside runs.csv"]),
        ([FETCHING, saved(0)], []),
        ([FETCHING, lambda: Path("runs.csv.checkpoint").write_text("?")], []),
        ([FETCHING], []),
    ],
)
def test_a_disk_that_is_full_half_way_says_what_is_safe_and_how_it_goes_on(scripted, cli, steps, kept):
    message = "runs.csv cannot be written: the disk is full: free some space and start again, it goes on where it was"
    scripted(*steps, ExportError(message, path="runs.csv"))

    result = cli("runs", "export", "-o", "runs.csv")

    assert result.code == 5
    assert result.err.splitlines() == [
        f"qoder-async: {message}",
        *(f"  {line}" for line in kept),
        "  go on: qoder-async runs export -o runs.csv",
    ]


def test_what_is_safe_is_found_where_a_link_leads(scripted, cli, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    Path("runs.csv").symlink_to(tmp_path / "elsewhere" / "target.csv")
    scripted(FETCHING, saved(7, name="elsewhere/target.csv"), asyncio.CancelledError())

    result = cli("runs", "export", "-o", "runs.csv")

    assert "interrupted; 7 runs are safe beside runs.csv\n" in result.err


def test_other_filters_are_told_as_options(scripted, cli):
    message = (
        "An export to runs.csv has begun with other filters (base_url http://a; triggered_after 2026-11-01T00:00:00Z; "
        "now base_url http://b; triggered_after none): give the same ones to go on with it, or begin anew with "
        "resume=False"
    )
    scripted(ExportError(message, path="runs.csv"))

    result = cli("runs", "export", "-o", "runs.csv")

    assert result.code == 2
    assert result.err == (
        "qoder-async: An export to runs.csv has begun with other filters (--base-url http://a; --since "
        "2026-11-01T00:00:00Z; now --base-url http://b; --since none): give the same ones to go on with it, or begin "
        "anew with --no-resume\n"
    )


@pytest.mark.parametrize("path", ["/data/base_url/triggered_after.jsonl", "/a base_url b/resume=False", "base_url"])
def test_the_path_is_not_told_as_options(scripted, cli, path):
    message = f"{path}.spool is in the way of {path}, which began with other filters (base_url none): use resume=False"
    scripted(ExportError(message, path=path))

    result = cli("runs", "export", "-o", "runs.csv")

    assert result.err == (
        f"qoder-async: {path}.spool is in the way of {path}, which began with other filters (--base-url none): "
        "use --no-resume\n"
    )


def test_notices_of_the_same_kind_are_told_once(scripted, cli):
    log = logging.getLogger("qoder_async")

    def warn() -> None:
        for number in range(3):
            log.warning(HAS_DISAPPEARED, f"dep_{number}")
            log.warning(IS_GONE, f"dep_{number}")
            log.warning(INCOMPLETE, f"dep_{number}", "403")
            log.warning(NOT_UP_TO_DATE, f"dep_{number}", "403")
            log.warning("The service refused to go on with the runs of %s from %s", f"dep_{number}", "after_id:x")

    scripted(warn, report())

    result = cli("runs", "export", "-o", "runs.csv")

    notice, end = result.err.splitlines()
    assert notice == "qoder-async: The service refused to go on with the runs of dep_0 from after_id:x"
    assert end.startswith("qoder-async: 240,512 runs")


@FORMS
def test_deployments_that_failed_are_named_with_the_command_that_goes_on(scripted, cli, form):
    failures = {f"dep_{number}": forbidden() for number in range(11)}
    failures["dep_11"] = RateLimitError("slow down", status=429, retry_after=7)
    scripted(FETCHING, saved(240_512), ExportError("12 deployments failed", path="runs.csv", failures=failures))

    result = cli("runs", "export", "-o", "runs.csv", *form)

    assert (result.code, result.out) == (5, "")
    head, *told = result.err.splitlines()
    assert head == "qoder-async: 12 of 500 deployments failed"
    assert [line[:9] for line in told[:10]] == [f"  dep_{number}: " if number < 10 else "" for number in range(10)]
    assert "403" in told[0]
    assert told[10:13] == [
        "  and 2 more",
        "  240,512 runs are safe beside runs.csv",
        f"  {shlex.join(['go', 'on:', 'qoder-async', 'runs', 'export', '-o', 'runs.csv', *form])}",
    ]
    assert len(told) == 15
    assert "the token is valid, but not for this" in told[13]
    assert told[14] == "  try again in 7 s"


def test_a_token_that_is_refused_before_anything_came(scripted, cli):
    scripted(AuthenticationError("no", status=401))

    result = cli("runs", "export", "-o", "runs.csv")

    assert result.code == 5
    assert "put a valid token into QODER_ACCESS_TOKEN" in result.err
    assert "go on" not in result.err


def test_a_token_that_is_refused_half_way(scripted, cli):
    scripted(FETCHING, saved(240_512), AuthenticationError("no", status=401))

    result = cli("runs", "export", "-o", "runs.csv")

    assert result.code == 5
    assert onward(result.err) == ["runs", "export", "-o", "runs.csv"]
    assert "  240,512 runs are safe beside runs.csv\n" in result.err


@FORMS
@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([FETCHING, saved(240_000, name="my runs.csv")], "interrupted; 240,000 runs are safe beside my runs.csv"),
        (
            [WRITING, saved(1_000_000, is_whole=True, name="my runs.csv")],
            "interrupted; all 1,000,000 runs are safe beside my runs.csv, which is still to be written",
        ),
        ([FETCHING], "interrupted"),
        ([], "interrupted"),
    ],
)
def test_an_interrupted_export_says_what_is_safe_and_how_it_goes_on(scripted, cli, form, steps, said):
    scripted(*steps, asyncio.CancelledError())

    result = cli("runs", "export", "-o", "my runs.csv", *form)

    assert (result.code, result.out) == (130, "")
    assert result.err.splitlines() == [
        f"qoder-async: {said}",
        f"  go on: {shlex.join(['qoder-async', 'runs', 'export', '-o', 'my runs.csv', *form])}",
    ]


def test_the_command_that_goes_on_means_the_same_and_does_not_begin_anew(scripted, cli):
    script = scripted(FETCHING, asyncio.CancelledError())
    words = ["--deployment", DEPLOYMENT, "--deployment", "dep_2", "--since", "2h", "--until", "2050-01-01"]
    words += ["--format", "sqlite", "--no-resume", "--concurrency", "3", "--timeout", "7", "--json"]

    result = cli("runs", "export", "--output=-runs.csv", "--base-url", "http://127.0.0.1:9/x", *words)
    again = cli(*onward(result.err))

    assert onward(again.err) == onward(result.err)
    first, second = script.calls
    assert first.pop("path") == Path("-runs.csv")
    assert second.pop("path") == Path("./-runs.csv")
    assert (first.pop("resume"), second.pop("resume")) == (False, True)
    del first["on_progress"], second["on_progress"]
    assert first == second
    assert onward(result.err)[-5:] == ["--base-url", "http://127.0.0.1:9/x", "--json", "--timeout", "7.0"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (5 * 10**15, "5,000.0 TB"),
    ],
)
def test_sizes(count, text):
    assert size(count) == text


def test_deployments_in_work_are_named_as_far_as_there_is_room():
    ids = ["dep_1", "dep_2", "dep_3"]

    assert in_work([], 80) == ""
    assert in_work(ids, 19) == "dep_1, dep_2, dep_3"
    assert in_work(ids, 18) == "dep_1 and 2 more"
    assert in_work(ids, 15) == "3 deployments"


def test_a_line_for_a_log():
    one = attrs.evolve(FETCHING, deployments_done=1, deployments_total=None, rows=1, requests=1, rows_per_second=0.4)

    assert whole_line(one, Path("x")) == "1 deployment done, 1 run, 0 runs/s, 141.2 MB, 1 request"
