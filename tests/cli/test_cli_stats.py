"""``runs stats``: figures of each deployment, from a file or from the service."""

from __future__ import annotations

import functools
import json
import os
import signal
import statistics
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cli_support import below_the_live_line, forbid, run_on_terminal, started
from rich.cells import cell_len
from support.clock import START

from qoder_async.cli.stats import sources as stats_sources
from qoder_async.cli.stats.sparkline import choose_days, sparkline
from qoder_async.cli.stats.view import StatsView
from qoder_async.export.statistics import DeploymentStatistics

LISTS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")
DAY = timedelta(days=1)
ENDINGS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "db")
MISSING = "dep_00000000000000000000000000000000"
DAYS = [date(2026, 11, day) for day in range(20, 25)]
FIELDS = ["deployment_id", "runs", "states", "success_rate", "median_ms", "p95_ms", "first_at", "last_at", "per_day"]


def fill(sim, *sizes, **settings):
    """Deployments with so many runs, the newest of START and one every hour; their ids."""
    made = [sim.add_deployment() for _ in sizes]
    options = {"newest": START, "spacing": 3600.0, "state": "mixed", "trigger": "mixed"} | settings
    for deployment, size in zip(made, sizes, strict=True):
        sim.add_runs(deployment, size, **options)
    return made


def lines_of(sim, path):
    """What an export of all runs would write."""
    records = [sim._world.writer.record(sim._run(run)) for run in sim.run_ids()]
    path.write_bytes(b"".join(record + b"\n" for record in records))
    return str(path)


def figures(sim, deployment, after=None, before=None):
    """The same figures, counted another way."""
    runs = [sim.run(run) for run in sim.run_ids(deployment)]
    times = {run["id"]: datetime.fromisoformat(run.get("triggered_at", run["created_at"])) for run in runs}
    runs = [run for run in runs if (after or START - 999 * DAY) <= times[run["id"]] < (before or START + 999 * DAY)]
    states = Counter(run.get("status", "started" if run.get("session_id") else "failed") for run in runs)
    took = [run["duration_ms"] for run in runs if run.get("status") == "completed"]
    ended = states["completed"] + states["failed"]
    return {
        "runs": len(runs),
        "states": dict(states),
        "success_rate": states["completed"] / ended if states["completed"] else None,
        "median_ms": statistics.median(took) if took else None,
        "p95_ms": pytest.approx(statistics.quantiles(took, n=20, method="inclusive")[18]) if took else None,
        "per_day": dict(Counter(times[run["id"]].date().isoformat() for run in runs)),
    }


def objects(result):
    return {each["deployment_id"]: each for each in map(json.loads, result.lines)}


# Figures


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_in_any_format_gives_the_figures_of_the_service(serve, cli, shape, tmp_path, ending):
    sim = serve(shape=shape)
    deployments = fill(sim, 120, 40, 3)
    path = str(tmp_path / f"runs.{ending}")
    assert cli("runs", "export", "-o", path).code == 0
    sim.requests.clear()

    from_file = cli("runs", "stats", path, "--json")
    assert len(sim.requests) == 0
    live = cli("runs", "stats", "--json")

    assert (from_file.code, from_file.err) == (live.code, live.err) == (0, "")
    assert from_file.out == live.out
    assert list(objects(live)) == deployments  # the busiest first
    for deployment, found in objects(live).items():
        assert list(found) == FIELDS
        expected = figures(sim, deployment)
        assert {name: found[name] for name in expected} == expected
        assert found["last_at"] == "2026-11-22T08:30:00Z"


def test_a_file_needs_no_token(sim, cli, tmp_path, monkeypatch):
    fill(sim, 3)
    path = lines_of(sim, tmp_path / "runs")
    monkeypatch.delenv("QODER_ACCESS_TOKEN")

    assert cli("runs", "stats", path).code == 0
    assert cli("runs", "stats").code == 2


@pytest.mark.parametrize("source", ["file", "live"])
def test_without_a_terminal_there_is_a_line_of_fields_for_each(sim, cli, tmp_path, source):
    quick, none = fill(sim, 0, 0)
    for count, state in ((6, "completed"), (2, "failed"), (1, "skipped")):
        sim.add_runs(quick, count, newest=START, spacing=86_400.0, state=state, run_duration=2.5)
    source = [lines_of(sim, tmp_path / "runs"), "--deployment", quick, "--deployment", none] if source == "file" else []

    result = cli("runs", "stats", *source)

    assert (result.code, result.err) == (0, "")
    assert result.rows == [
        [quick, "9", "0.7500", "2500", "2500", "▃▃▃▃▆█", "completed=6,failed=2,skipped=1"],
        [none, "0", "-", "-", "-", "······", "-"],
    ]


@pytest.mark.parametrize("source", ["file", "live"])
def test_only_the_runs_of_a_window_count(serve, cli, shape, tmp_path, source):
    sim = serve(shape=shape)
    deployment, other = fill(sim, 200, 100, created_after=7.0)
    after, before = START - 90 * timedelta(hours=1), START - 30 * timedelta(hours=1)
    file = [lines_of(sim, tmp_path / "runs")] if source == "file" else []

    window = ["--since", after.isoformat(), "--until", before.isoformat()]
    result = cli("runs", "stats", *file, *window, "--json")

    assert result.code == 0
    for each in (deployment, other):
        expected = figures(sim, each, after, before)
        assert {name: objects(result)[each][name] for name in expected} == expected
        assert objects(result)[each]["runs"] == 60


def test_a_window_may_begin_at_the_beginning_of_time(sim, cli):
    (deployment,) = fill(sim, 3)

    result = cli("runs", "stats", "--since", "0001-01-01", "--until", "9999-12-31T23:59:59Z", "--json")

    assert objects(result)[deployment]["runs"] == 3


@pytest.mark.parametrize("source", ["file", "live"])
def test_only_some_deployments_count(sim, cli, tmp_path, source):
    first, _, third = fill(sim, 10, 20, 30)
    file = [lines_of(sim, tmp_path / "runs")] if source == "file" else []

    result = cli("runs", "stats", *file, "--deployment", first, "--deployment", third, "--deployment", first, "--json")

    assert {name: found["runs"] for name, found in objects(result).items()} == {first: 10, third: 30}
    if not file:
        assert {request.route for request in sim.requests} == {LISTS}


def test_all_deployments_are_counted_also_archived_ones_and_those_without_runs(serve, cli, shape):
    sim = serve(shape=shape)
    sim.populate(deployments=30, runs=400)
    idle = sim.add_deployment()

    result = cli("runs", "stats", "--json")

    found = objects(result)
    assert set(found) == set(sim.deployment_ids())
    assert sum(each["runs"] for each in found.values()) == 400
    assert found[idle] == dict.fromkeys(FIELDS) | {"deployment_id": idle, "runs": 0, "states": {}, "per_day": {}}


def test_lean_runs_have_the_outcomes_that_a_sync_has_found(serve, cli, tmp_path):
    sim = serve(shape="lean")
    (deployment,) = fill(sim, 0)
    for count, state in ((8, "completed"), (3, "failed")):
        sim.add_runs(deployment, count, newest=START, state=state, run_duration=4.0)
    path = str(tmp_path / "runs.db")
    assert cli("runs", "sync", path).code == 0
    before = objects(cli("runs", "stats", path, "--json"))[deployment]
    assert cli("runs", "sync", path, "--outcomes").code == 0

    after = objects(cli("runs", "stats", path, "--json"))[deployment]

    assert (before["states"], before["success_rate"]) == ({"started": 11}, None)
    assert after["states"] == {"completed": 8, "failed": 3}
    assert after["success_rate"] == 8 / 11
    assert 3_000 <= after["median_ms"] <= 5_000


def test_what_cannot_be_read_is_told(sim, cli, tmp_path):
    fill(sim, 3)
    path = lines_of(sim, tmp_path / "runs")
    with Path(path).open("ab") as file:
        file.write(b'{"id":"drun_odd","deployment_id":7}\n')

    result = cli("runs", "stats", path)

    assert (result.code, len(result.rows)) == (0, 1)
    assert result.err == "qoder-async: 1 run left out: no deployment or no time can be read of them\n"


def test_an_empty_file_has_nothing_to_show(cli, on_screen, tmp_path):
    (tmp_path / "runs").touch()

    assert cli("runs", "stats", str(tmp_path / "runs")).out == ""
    assert below_the_live_line(on_screen("runs", "stats", str(tmp_path / "runs"))) == ["No runs."]


# Failures


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_deployment_that_fails_is_left_out_and_told(sim, cli, form):
    deployments = fill(sim, 30, 20, 10)
    forbid(sim, deployments[1])
    named = [word for each in (*deployments, MISSING) for word in ("--deployment", each)]

    result = cli("runs", "stats", *named, *form)

    assert result.code == 5
    shown = list(objects(result)) if form else [row[0] for row in result.rows]
    assert shown == [deployments[0], deployments[2]]
    head, *told = result.err.splitlines()
    assert head == "qoder-async: 2 of 4 deployments failed"
    assert any(line.strip().startswith(f"{deployments[1]}: 403") for line in told)
    assert any(line.strip().startswith(f"{MISSING}: 404") for line in told)


def test_a_token_that_is_refused_ends_it(sim, cli):
    fill(sim, 3)
    sim.faults.add("status", route="GET /deployments", status=401, times=ALWAYS)

    result = cli("runs", "stats")

    assert (result.code, result.out) == (5, "")
    assert "401" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--concurrency", "0"], "--concurrency must be 1 or more, got 0"),
        (["--since", "soon"], "--since must be a time"),
        (["--since", "1h", "--until", "2h"], "--until must not be before --since"),
        (["--deployment", "dep/1"], "the deployment must be an id"),
        (["nowhere.db"], "nowhere.db cannot be read: No such file or directory"),
        (["."], ". is a folder: choose the name of a file"),
        (["diary"], "diary was made neither by: runs export, nor by: runs sync"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(sim, cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diary").write_text("Dear diary\n")

    result = cli("runs", "stats", *arguments)

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"qoder-async: {message}")
    assert len(sim.requests) == 0


def test_a_missing_extra_is_named(sim, cli, tmp_path, monkeypatch):
    fill(sim, 3)
    path = str(tmp_path / "runs.parquet")
    assert cli("runs", "export", "-o", path).code == 0
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    result = cli("runs", "stats", path)

    assert result.code == 2
    assert 'pip install "qoder-async[parquet]"' in result.err


def test_a_damaged_file_is_told(sim, cli, tmp_path):
    fill(sim, 3)
    path = lines_of(sim, tmp_path / "runs")
    os.truncate(path, Path(path).stat().st_size - 20)

    result = cli("runs", "stats", path)

    assert (result.code, result.out) == (5, "")
    assert f"{path} is damaged: line 3 is no run" in result.err


# On a terminal


@pytest.mark.parametrize("columns", [20, 40, 80, 120, 200])
def test_it_fits_terminals_of_all_widths(serve, on_screen, columns, shape):
    sim = serve(shape=shape)
    deployments = fill(sim, 1200, 70, 3)

    screen = on_screen("runs", "stats", columns=columns)

    assert screen.code == 0
    heading, *rows = below_the_live_line(screen)
    assert heading.split()[0] == "DEPLOYMENT"
    assert [row.split()[0] for row in rows if row.startswith("dep_")] == deployments
    blocks = [row for row in rows if "█" in row]
    assert len(blocks) == 3
    assert all(row.startswith("dep_" if columns == 200 else "  ") for row in blocks)
    if columns >= 40:
        widest = max(
            cell_len(line) for line in (heading, *rows) if "sessions" not in line and "deployments" not in line
        )
        assert widest <= columns
    if columns >= 80:
        assert heading.split()[:5] == ["DEPLOYMENT", "RUNS", "SUCCESS", "MEDIAN", "P95"]
        assert "1,200" in rows[0]
        assert ("completed" if shape == "extended" else "started") in rows[columns < 200]
        assert any(row.startswith("1,273 runs of 3 deployments") for row in rows)
        assert "per day (UTC): 2026-10-24 to 2026-11-22" in rows
    told = any("runs sync FILE --outcomes" in row for row in rows)
    assert told == (shape == "lean")


def test_figures_are_written_for_people(sim, on_screen):
    (deployment,) = fill(sim, 0)
    sim.add_runs(deployment, 999, newest=START, state="completed", run_duration=83.0, spacing=60.0)
    sim.add_runs(deployment, 111, newest=START, state="failed", spacing=60.0)

    screen = on_screen("runs", "stats", columns=80)

    _, first, second, third, *_ = below_the_live_line(screen)
    assert first.split() == [deployment, "1,110", "90.0", "%", "1", "m", "23", "s", "1", "m", "23", "s"]
    assert second == "  ▇█  999 completed, 111 failed"
    assert third == "1,110 runs of 1 deployment, success 90.0 %"


def test_no_more_than_30_days_are_drawn_and_a_window_is_drawn_whole(sim, cli, tmp_path):
    (deployment,) = fill(sim, 90, spacing=86_400.0)
    path = lines_of(sim, tmp_path / "runs")
    window = ["--since", "2026-11-01", "--until", "2026-11-11"]

    assert cli("runs", "stats", path).rows[0][5] == "█" * 30
    assert cli("runs", "stats", path, *window).rows[0][5] == "█" * 10
    assert cli("runs", "stats", path, "--since", "2026-11-20", "--until", "2026-11-23").rows[0][5] == "███"
    assert cli("runs", "stats", path, "--deployment", deployment, "--since", "2027-01-01").rows[0][5] == "-"


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
@pytest.mark.parametrize("source", ["file", "live"])
def test_a_real_terminal_is_told_how_far_it_is(sim, tmp_path, source):
    fill(sim, 1500, 200)
    file = [lines_of(sim, tmp_path / "runs")] if source == "file" else []

    screen = run_on_terminal("runs", "stats", *file)

    assert screen.code == 0
    assert ("runs read" if file else "deployments done") in screen.plain
    assert "1,700 runs of 2 deployments" in screen.plain
    last = screen.text.rsplit("\x1b[2K", 1)[1]
    assert "DEPLOYMENT" in last  # the line is taken away before the table


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_ctrl_c_ends_a_walk(sim):
    fill(sim, 1500, 200)
    sim.faults.add("stall", route=LISTS, nth=2, times=ALWAYS)

    with started("runs", "stats") as process:
        while sim.request_counts.get(LISTS, 0) < 2:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    assert err.startswith("qoder-async: interrupted: ")


def test_an_interrupted_reading_says_how_far_it_was(sim, cli, tmp_path, monkeypatch):
    fill(sim, 700)
    path = lines_of(sim, tmp_path / "runs")
    monkeypatch.setattr(stats_sources, "redrawn", raise_ctrl_c(stats_sources.redrawn))

    result = cli("runs", "stats", path)

    assert (result.code, result.out) == (130, "")
    assert result.err.startswith("qoder-async: interrupted after ")


def raise_ctrl_c(redrawn):
    """Interrupt as soon as the block begins."""

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return redrawn(*arguments)

    return interrupted


# Days


def test_days_are_those_with_runs_or_of_the_window():
    at = datetime(2026, 11, 20, 15, tzinfo=UTC)
    choose = functools.partial(choose_days, today=DAYS[4])

    assert choose([], at, None) == []
    assert choose([DAYS[3], DAYS[1]], None, None) == DAYS[1:4]
    assert choose([DAYS[1]], at, None) == DAYS[:2]
    assert choose([DAYS[1]], None, at + 3 * DAY) == DAYS[1:4]
    assert choose([DAYS[1]], at, datetime(2026, 11, 23, tzinfo=UTC)) == DAYS[:3]
    assert choose(DAYS, None, None, most=2) == DAYS[3:]
    assert choose([DAYS[0]], at + 2 * DAY, at + DAY) == []


@pytest.mark.parametrize(("today", "last"), [(DAYS[0], 2), (DAYS[3], 3), (DAYS[4] + DAY, 4)])
def test_days_to_come_are_left_out(today, last):
    """But for those on which there are runs: a service's clock may be ahead."""
    after, before = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)

    assert choose_days(DAYS[:3], after, before, today=today) == DAYS[: last + 1]
    assert choose_days(DAYS[:3], after, before, today=today, most=2) == DAYS[last - 1 : last + 1]


def test_runs_are_drawn_also_where_most_of_the_window_is_to_come(capsys):
    unknown = dict.fromkeys(("success_rate", "median_ms", "p95_ms", "first_at", "last_at"))
    per_day = {DAYS[0]: 1, DAYS[1]: 2}
    result = DeploymentStatistics(deployment_id="dep_1", runs=3, states={}, per_day=per_day, **unknown)
    after, before = datetime(2026, 11, 19, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)

    StatsView(after=after, before=before, as_json=False, today=DAYS[2]).show([result])

    assert capsys.readouterr().out.split("\t")[5] == "·▄█·"


def test_blocks_are_as_high_as_the_numbers():
    numbers = dict(zip(DAYS, (8, 1, 0, 4, 80), strict=True))

    assert sparkline(numbers, DAYS) == "▁▁·▁█"
    assert sparkline(numbers, DAYS[:4]) == "█▁·▄"
    assert sparkline({}, DAYS) == "·····"
    assert sparkline({}, []) == ""
    assert sparkline(dict(zip(DAYS, (1, 2, 3, 4, 5), strict=True)), DAYS) == "▂▄▅▇█"


def test_the_help_says_what_the_figures_are(cli):
    result = cli("runs", "stats", "--help")

    assert result.code == 0
    for words in ("SUCCESS", "MEDIAN and P95", "PER DAY", "STATES", "separated by tabs", *FIELDS, "exit code 5"):
        assert words in result.out
    assert max(map(len, result.lines)) <= 80
    assert "One JSON object per deployment" in result.out
