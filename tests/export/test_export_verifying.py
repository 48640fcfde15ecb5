"""Whether a file has what the service has: what ``verify_export`` finds, and what it does not take for missing."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_support import EVERY_FORMAT, read_all, sent, write_file
from support.clock import START

from qoder_async import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    ExportError,
    NotFoundError,
)
from qoder_async.export.read.seen import SeenRun
from qoder_async.export.verify import comparing, verifying
from qoder_async.export.verify import plan as verify_plan
from qoder_async.export.verify.plan import BEGINNING, FirstLook, SecondLook
from qoder_async.export.verify.verifying import verify_export
from qoder_async.simulator import ManualClock, Simulator

RUNS = "GET /deployments/{id}/runs"
ALWAYS = float("inf")
ALL = 10_000
SECOND = timedelta(seconds=1)
FORMATS = pytest.mark.parametrize("found", EVERY_FORMAT)
TELLING = pytest.mark.parametrize("found", ["parquet", "sqlite"])
SHAPES = pytest.mark.parametrize("shape", ["extended", "lean"])
IGNORING = pytest.mark.parametrize("ignore_filters", [False, True], ids=["heeded", "ignored"])


@pytest.fixture(autouse=True)
def _small_windows(monkeypatch):
    """A few runs fill several windows."""
    monkeypatch.setattr(verify_plan, "WINDOW", 20)
    monkeypatch.setattr(comparing, "WINDOW", 20)


@pytest.fixture
def place(tmp_path, make_client):
    """Open a service and a client; gives a function that compares a file of these records."""

    @asynccontextmanager
    async def opened(shape="extended", **settings):
        world = {"shape": shape, "clock": ManualClock(START), "keep_requests": 100_000} | settings
        async with Simulator(**world) as sim:
            qoder = make_client(sim.url)

            async def verify(records, *, found="jsonl", **options):
                path = write_file(tmp_path / "file", found, records)
                return await verify_export(qoder, path, **{"windows": ALL} | options)

            yield sim, qoder, verify

    return opened


def fill(sim, *sizes, spacing=3600.0, **settings):
    """Deployments with so many runs; their ids."""
    made = [sim.add_deployment(created_at=START - timedelta(days=900)) for _ in sizes]
    for deployment_id, size in zip(made, sizes, strict=True):
        sim.add_runs(deployment_id, size, spacing=spacing, state="mixed", trigger="mixed", **settings)
    return made


def ids(records):
    return [json.loads(record)["id"] for record in records]


def asked(sim, deployment_id):
    return sum(request.path.split("/")[-2] == deployment_id for request in sim.requests.of(RUNS))


# A complete file


@FORMATS
@SHAPES
async def test_a_complete_file_is_complete(place, found, shape):
    async with place(shape) as (sim, _, verify):
        fill(sim, 130, 1, 7, 0, 40)

        report = await verify(sent(sim), found=found)

        assert report.is_complete
        assert (report.rows, report.deployments, report.doubles, report.missing) == (178, 4, 0, ())
        assert sum(window.in_file for window in report.windows) == 178
        assert sum(window.at_service for window in report.windows) == 178
        assert not any(window.unknown for window in report.windows)
        assert report.requests == len(sim.requests) >= 4
        assert report.failures == {}


@SHAPES
async def test_a_sample_has_so_many_windows_and_needs_few_requests(place, shape):
    async with place(shape) as (sim, _, verify):
        (deployment_id,) = fill(sim, 3000)

        report = await verify(sent(sim), windows=20)

        assert report.is_complete
        assert len(report.windows) == 20
        assert all(10 <= window.in_file == window.at_service <= 20 for window in report.windows)
        assert asked(sim, deployment_id) <= 20 + (shape == "lean")  # which refuses pages of 1000 once
        assert report.rows == 3000


async def test_the_same_file_gives_the_same_windows_and_another_gives_others(place):
    async with place() as (sim, _, verify):
        fill(sim, 2000)
        records = sent(sim)

        first, again = [await verify(records, windows=10) for _ in range(2)]
        other = await verify(records[1:], windows=10)

        assert first.windows == again.windows
        assert {window.end for window in first.windows} != {window.end for window in other.windows}


@pytest.mark.parametrize("found", ["jsonl", "csv", "sqlite"])
async def test_the_order_of_the_file_does_not_matter(place, found):
    async with place() as (sim, _, verify):
        fill(sim, 90, 60)
        records = sent(sim)
        random.Random(5).shuffle(records)

        assert (await verify(records, found=found)).is_complete


async def test_many_windows_are_compared_a_part_at_a_time(place, monkeypatch):
    async with place() as (sim, _, verify):
        fill(sim, 130, 30, 70)
        records = sent(sim)
        del records[40], records[150]
        at_once = await verify(records)
        monkeypatch.setattr(verifying, "_AT_A_TIME", 2)

        in_parts = await verify(records)

        assert len(at_once.missing) == 2
        assert sorted(map(str, in_parts.windows)) == sorted(map(str, at_once.windows))


# What is missing


@SHAPES
@IGNORING
@pytest.mark.parametrize("seed", range(4))
async def test_runs_that_are_missing_from_the_file_are_found(place, shape, ignore_filters, seed):
    chance = random.Random(seed)
    async with place(shape, ignore_filters=ignore_filters) as (sim, _, verify):
        deployments = fill(sim, 150, 33, 5)
        # The oldest and the newest of each deployment stay: they bound what is compared.
        inner = [run for deployment_id in deployments for run in sim.run_ids(deployment_id)[1:-1]]
        taken = set(chance.sample(inner, 12))

        report = await verify([record for record in sent(sim) if json.loads(record)["id"] not in taken])

        assert set(report.missing) == taken
        assert len(report.missing) == 12
        assert not report.is_complete
        for window in report.windows:
            assert window.at_service - window.in_file == len(window.missing)
            assert {sim.run(run_id)["deployment_id"] for run_id in window.missing} <= {window.deployment_id}


@FORMATS
async def test_the_end_of_a_history_is_missed_where_the_file_says_that_it_should_have_it(place, found):
    async with place() as (sim, _, verify):
        (deployment_id,) = fill(sim, 100)
        records = sent(sim)[:60]

        report = await verify(records, found=found)

        tells = found in ("parquet", "sqlite")
        assert set(report.missing) == (set(sim.run_ids(deployment_id)[60:]) if tells else set())
        assert report.windows[0].start == (BEGINNING if tells else datetime.fromisoformat(time_in(records[-1])))


@TELLING
async def test_what_lies_before_the_bounds_of_the_export_is_not_missing(place, found, tmp_path):
    async with place() as (sim, qoder, _):
        (deployment_id,) = fill(sim, 100)
        since = START - timedelta(hours=70)
        path = write_file(tmp_path / "bounded", found, sent(sim)[:60], after=since)

        report = await verify_export(qoder, path, windows=ALL)

        assert set(report.missing) == set(sim.run_ids(deployment_id)[60:71])
        assert report.windows[0].start == since


def time_in(record):
    return json.loads(record)["triggered_at"]


@TELLING
@pytest.mark.parametrize(("late", "is_absent"), [(2.0, False), (59.0, False), (-30.0, False), (61.0, True)])
async def test_a_lean_run_that_may_have_been_triggered_before_the_bound_is_not_missing(
    place, found, late, is_absent, tmp_path
):
    """Its record may have been made seconds after its trigger, by which the service filters."""
    since = START - timedelta(hours=71) + SECOND
    async with place("lean") as (sim, qoder, _):
        (deployment_id,) = fill(sim, 100)
        runs = sim.run_ids(deployment_id)
        sim.patch_record(runs[71], created_at=(since + late * SECOND).isoformat())
        path = write_file(tmp_path / "bounded", found, sent(sim)[:71], after=since)

        report = await verify_export(qoder, path, windows=ALL)

        assert report.missing == ((runs[71],) if is_absent else ())


@TELLING
async def test_a_run_that_says_that_it_was_triggered_after_the_bound_is_missing(place, found, tmp_path):
    async with place() as (sim, qoder, _):
        (deployment_id,) = fill(sim, 100)
        runs = sim.run_ids(deployment_id)
        path = write_file(tmp_path / "bounded", found, sent(sim)[:70], after=START - timedelta(hours=70))

        assert (await verify_export(qoder, path, windows=ALL)).missing == (runs[70],)


@TELLING
@pytest.mark.parametrize(("late", "is_absent"), [(59.0, False), (61.0, True)])
async def test_a_deployment_whose_runs_may_all_have_been_triggered_before_the_bound(
    place, found, late, is_absent, tmp_path
):
    since = START + SECOND
    async with place("lean") as (sim, qoder, _):
        one, other = fill(sim, 10, 1)
        (run,) = sim.run_ids(other)
        sim.patch_record(run, created_at=(since + late * SECOND).isoformat())
        sim.clock.advance(3600)
        sim.add_runs(one, 1)
        path = write_file(tmp_path / "bounded", found, sent(sim, sim.run_ids(one)[:1]), after=since)

        report = await verify_export(qoder, path, windows=ALL, deployments=[one, other])

        assert report.missing == ((run,) if is_absent else ())


@SHAPES
async def test_doubles_are_found(place, shape):
    async with place(shape) as (sim, _, verify):
        fill(sim, 50, 20)
        records = sent(sim)

        report = await verify([*records, records[3], records[3], records[60]])

        assert report.doubles == 2
        assert not report.is_complete
        assert report.missing == ()
        assert sum(window.in_file for window in report.windows) == 70


@SHAPES
@IGNORING
async def test_runs_that_the_service_does_not_know_are_told(place, shape, ignore_filters):
    async with place(shape, ignore_filters=ignore_filters) as (sim, _, verify):
        (deployment_id,) = fill(sim, 70)
        records, runs = sent(sim), sim.run_ids(deployment_id)
        for place_in_list in (0, 30, 69):
            sim.delete_run(runs[place_in_list])

        report = await verify(records)

        assert sorted(run for window in report.windows for run in window.unknown) == sorted(
            [runs[0], runs[30], runs[69]]
        )
        assert report.is_complete  # a run that is gone is not missing
        assert sum(window.in_file for window in report.windows) == 70
        assert sum(window.at_service for window in report.windows) == 67


# What is not missing


@SHAPES
async def test_runs_that_came_after_the_export_are_not_missing(place, shape):
    async with place(shape) as (sim, _, verify):
        (deployment_id,) = fill(sim, 50)
        records = sent(sim)
        sim.insert_run(deployment_id)  # at the very time of the newest one
        sim.clock.advance(3600)
        sim.insert_run(deployment_id)

        report = await verify(records)

        assert report.is_complete
        assert report.windows[-1].end - START <= timedelta(microseconds=1)
        assert sum(window.at_service for window in report.windows) == 50


@SHAPES
@pytest.mark.parametrize("late", [0.4, 5.0, 45.0, -5.0])
async def test_records_that_were_not_made_when_they_were_triggered_do_not_matter(place, shape, late):
    async with place(shape) as (sim, _, verify):
        fill(sim, 150, spacing=1.7, created_after=late)
        records = sent(sim)
        gone = records.pop(70)

        report = await verify(records)

        assert report.missing == tuple(ids([gone]))
        assert not any(window.unknown for window in report.windows)


@SHAPES
async def test_many_runs_of_one_moment_are_one_window(place, shape):
    async with place(shape) as (sim, _, verify):
        (deployment_id,) = fill(sim, 10, newest=START - timedelta(hours=5))
        burst = sim.add_runs(deployment_id, 75, same_time=True, newest=START - timedelta(hours=1))
        sim.add_runs(deployment_id, 10, spacing=1.0)
        records = [record for record in sent(sim) if json.loads(record)["id"] != burst[33]]

        report = await verify(records)

        assert report.missing == (burst[33],)
        assert sum(window.in_file for window in report.windows) == 94


@SHAPES
async def test_a_burst_at_the_end_of_the_file_is_compared_as_far_as_it_is_there(place, shape):
    async with place(shape) as (sim, _, verify):
        (deployment_id,) = fill(sim, 0)
        sim.add_runs(deployment_id, 60, same_time=True)
        records = sent(sim)

        report = await verify(records[:50])

        assert report.missing == ()  # they may have come later
        assert sum(window.in_file for window in report.windows) == 50


@IGNORING
async def test_records_that_nobody_can_read_are_neither_missing_nor_unknown(place, ignore_filters):
    async with place(ignore_filters=ignore_filters) as (sim, _, verify):
        (deployment_id,) = fill(sim, 60)
        runs = sim.run_ids(deployment_id)
        was = {run_id: sent(sim, [run_id])[0] for run_id in runs}
        for run_id, raw in (
            (runs[20], b'{"id":"%s","created_at":7}'),
            (runs[30], b'{"id":"%s","agent":4,"novelty":NaN}'),
        ):
            sim.replace_record(run_id, raw % run_id.encode())
        sim.replace_record(runs[40], b"[]")

        both = await verify(sent(sim, [run for run in runs if run != runs[40]]))
        only_at_service = await verify(was.values())
        sim._world.table.raw[sim._run(runs[20])] = was[runs[20]]
        only_in_file = await verify(
            [b'{"id":"%s"}' % runs[20].encode(), *(was[run] for run in runs if run != runs[20])]
        )

        for report in (both, only_at_service, only_in_file):
            assert report.missing == ()
        assert not any(window.unknown for window in both.windows)
        for report in (only_at_service, only_in_file):
            assert [run for window in report.windows for run in window.unknown] == [runs[40]]


# A service that ignores filters


@SHAPES
async def test_a_service_that_ignores_bounds_is_walked_once_for_all_windows_of_a_deployment(place, shape):
    async with place(shape, ignore_filters=True) as (sim, _, verify):
        (deployment_id,) = fill(sim, 4000)
        pages = 4 if shape == "extended" else 40

        report = await verify(sent(sim))

        assert report.is_complete
        assert len(report.windows) == 200
        assert sum(window.at_service for window in report.windows) == 4000
        assert asked(sim, deployment_id) <= pages + 3


async def test_a_walk_that_ignores_bounds_ends_where_the_oldest_window_ends(place, monkeypatch):
    async with place("lean", ignore_filters=True) as (sim, _, verify):
        (deployment_id,) = fill(sim, 4000)
        records = sent(sim)[:90]
        sim.clock.advance(3600)
        sim.add_runs(deployment_id, 30, spacing=1.0)

        report = await verify(records)

        assert report.is_complete
        assert asked(sim, deployment_id) <= 3


# Deployments that should be there


@SHAPES
@IGNORING
async def test_deployments_of_which_nothing_is_in_the_file_are_missing(place, shape, ignore_filters):
    async with place(shape, ignore_filters=ignore_filters) as (sim, qoder, verify):
        there, lost, big, _empty, young = fill(sim, 30, 9, 60, 0, 0)
        archived = sim.add_deployment(archived=True)
        sim.add_runs(archived, 3, newest=START - timedelta(days=300))
        sim.replace_record(sim.run_ids(lost)[4], b'{"id":"drun_odd"}')
        records = sent(sim, sim.run_ids(there))
        sim.clock.advance(60)
        sim.insert_run(young)

        report = await verify(records, deployments=qoder.deployments.list(include_archived=True))

        lacking = {window.deployment_id: window for window in report.windows if window.missing}
        # The newest run of the file is as old as that of the others, which may thus be younger than the file.
        assert set(lacking[lost].missing) == set(sim.run_ids(lost)[1:]) - {sim.run_ids(lost)[4]}
        assert lacking[big].missing == tuple(sim.run_ids(big)[1:21])
        assert set(lacking[archived].missing) == set(sim.run_ids(archived))
        assert set(lacking) == {lost, big, archived}
        assert all(window.in_file == 0 < window.at_service for window in lacking.values())
        assert not report.is_complete


@pytest.mark.parametrize("form", ["id", "ids", "object", "generator"])
async def test_deployments_may_be_named_in_any_way(place, form):
    async with place() as (sim, qoder, verify):
        there, lost = fill(sim, 30, 9)
        named = {
            "id": lost,
            "ids": [there, lost, lost],
            "object": await qoder.deployments.get(lost),
            "generator": (each for each in (there, lost)),
        }

        report = await verify(sent(sim, sim.run_ids(there)), deployments=named[form])

        assert set(report.missing) == set(sim.run_ids(lost)[1:])


async def test_without_deployments_only_those_in_the_file_are_looked_at(place):
    async with place() as (sim, _, verify):
        there, lost = fill(sim, 30, 9)

        report = await verify(sent(sim, sim.run_ids(there)))

        assert report.is_complete
        assert asked(sim, lost) == 0


@SHAPES
async def test_of_an_empty_file_everything_is_missing_that_should_be_there(place, shape):
    async with place(shape) as (sim, qoder, verify):
        deployments = fill(sim, 5, 0)

        alone = await verify([])
        expected = await verify([], deployments=qoder.deployments.list())

        assert alone.is_complete
        assert (alone.rows, alone.deployments, alone.windows, alone.requests) == (0, 0, (), 0)
        assert set(expected.missing) == set(sim.run_ids(deployments[0])[1:])  # the newest is of this very moment
        assert (expected.rows, expected.deployments) == (0, 0)


# Failures


async def test_a_deployment_that_disappeared_does_not_end_the_others(place):
    async with place() as (sim, _, verify):
        here, gone = fill(sim, 50, 50)
        sim.faults.add("status", route=RUNS, status=404, when=lambda request: gone in request.path, times=ALWAYS)

        report = await verify(sent(sim))

        assert list(report.failures) == [gone]
        assert "404" in report.failures[gone]
        assert {window.deployment_id for window in report.windows} == {here}
        assert not report.is_complete


async def test_a_deployment_that_was_never_there_is_a_failure(place):
    async with place() as (sim, _, verify):
        fill(sim, 5)

        report = await verify(sent(sim), deployments=["dep_nowhere"])

        assert list(report.failures) == ["dep_nowhere"]
        assert report.missing == ()


async def test_what_was_compared_before_a_failure_counts(place):
    async with place() as (sim, _, verify):
        (deployment_id,) = fill(sim, 100)
        records = sent(sim)
        lost = records.pop(5)
        sim.faults.add("status", route=RUNS, status=403, nth=2, times=ALWAYS)

        report = await verify(records)

        assert list(report.failures) == [deployment_id]
        assert report.missing == tuple(ids([lost]))
        assert len(report.windows) == 1


async def test_a_failure_that_passes_is_waited_out(place):
    async with place() as (sim, _, verify):
        fill(sim, 100, 30)
        sim.faults.add("status", route=RUNS, status=503, nth=2, times=20)

        assert (await verify(sent(sim))).is_complete


async def test_a_service_that_is_down_ends_it_after_5_minutes(place, clock):
    async with place() as (sim, _, verify):
        fill(sim, *[3] * 20)
        sim.faults.add("reset", times=ALWAYS)
        began = clock.now()

        with pytest.raises(APIConnectionError):
            await verify(sent(sim), max_concurrency=1)

        assert clock.now() - began < 400


async def test_a_service_whose_runs_cannot_be_read_is_not_asked_for_all_of_them(place, clock):
    async with place() as (sim, _, verify):
        fill(sim, *[3] * 20)
        sim.faults.add("reset", route=RUNS, times=ALWAYS)
        began = clock.now()

        with pytest.raises(APIConnectionError):
            await verify(sent(sim), max_concurrency=1)

        assert clock.now() - began < 4 * 330


async def test_a_token_that_is_refused_ends_it(place):
    async with place() as (sim, _, verify):
        fill(sim, 100, 30)
        sim.faults.add("status", route=RUNS, status=401, times=ALWAYS)

        with pytest.raises(AuthenticationError):
            await verify(sent(sim))


async def test_deployments_that_cannot_be_listed_end_it(place):
    async with place() as (sim, qoder, verify):
        fill(sim, 10)
        sim.faults.add("status", route="GET /deployments", status=404, times=ALWAYS)

        with pytest.raises(NotFoundError):
            await verify(sent(sim), deployments=qoder.deployments.list())


async def test_a_closed_client_ends_it(place):
    async with place() as (sim, qoder, verify):
        fill(sim, 10)
        await qoder.aclose()

        with pytest.raises(ClientClosedError):
            await verify(sent(sim))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"windows": 0}, "windows"),
        ({"windows": True}, "windows"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"deployments": 3}, "deployments"),
        ({"deployments": ["dep_1/.."]}, "deployments"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_asked(place, options, named):
    async with place() as (sim, _, verify):
        with pytest.raises(ConfigurationError, match=named):
            await verify([], **options)
        assert len(sim.requests) == 0


@pytest.mark.parametrize("path", [None, 3, b"file", ""])
async def test_what_is_no_path_is_refused(make_client, path):
    with pytest.raises(ConfigurationError, match="path"):
        await verify_export(make_client(), path)


async def test_files_that_are_no_exports_or_damaged_are_refused(place, tmp_path):
    async with place() as (sim, qoder, _):
        fill(sim, 10)
        (tmp_path / "diary").write_text("Dear diary")
        (tmp_path / "torn").write_bytes(b"\n".join(sent(sim))[:-5])

        for name, reason in (
            ("diary", "no export of runs"),
            ("torn", "is damaged: line 10"),
            ("none", "cannot be read"),
        ):
            with pytest.raises(ExportError, match=reason):
                await verify_export(qoder, str(tmp_path / name))
        assert len(sim.requests) == 0


async def test_a_cancelled_comparison_leaves_nothing_behind(place):
    async with place() as (sim, _, verify):
        fill(sim, *[40] * 12)
        is_asked = asyncio.Event()
        sim.faults.add("stall", route=RUNS, when=lambda request: is_asked.set() is None, times=ALWAYS)
        before = asyncio.all_tasks()
        comparing_now = asyncio.create_task(verify(sent(sim)))
        await is_asked.wait()
        comparing_now.cancel()

        with pytest.raises(asyncio.CancelledError):
            await comparing_now
        left = {str(task) for task in asyncio.all_tasks() - before if "qoder_async/simulator" not in str(task)}
        assert not {task for task in left if "qoder_async" in task}


@pytest.mark.parametrize("at_once", [1, 3])
async def test_no_more_deployments_are_read_at_once_than_wanted(place, monkeypatch, at_once):
    running, most = 0, 0
    compare = comparing.Comparing.compare

    async def counting(self, windows):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await compare(self, windows)
        running -= 1

    monkeypatch.setattr(comparing.Comparing, "compare", counting)
    async with place() as (sim, _, verify):
        fill(sim, *[10] * 12)

        assert (await verify(sent(sim), max_concurrency=at_once)).is_complete

    assert (running, most) == (0, at_once)


# What is drawn, without any service


MOMENTS = st.lists(st.integers(-50, 300), max_size=120)


def look_at(moments, deployment_id="dep_1"):
    look = FirstLook()
    look.take(
        SeenRun(f"drun_{number}", deployment_id, START + moment * SECOND, "completed", None)
        for number, moment in enumerate(moments)
    )
    return look


@given(MOMENTS)
def test_all_windows_together_hold_every_run_once(moments):
    look = look_at(moments)

    windows = look.draw(ALL, None)

    for moment in moments:
        assert sum(window.holds(START + moment * SECOND) for window in windows) == 1
    if moments:
        assert windows[0].start == START + min(moments) * SECOND
        assert windows[-1].end == START + max(moments) * SECOND + timedelta(microseconds=1)
        assert [window.end for window in windows[:-1]] == [window.start for window in windows[1:]]
        assert [window.newest for window in windows] == [None] * (len(windows) - 1) + [look.newest]
    else:
        assert windows == []


@given(st.lists(st.integers(-50, 300), unique=True, max_size=120), st.integers(1, 9))
def test_windows_are_small_and_as_many_as_wanted(moments, wanted):
    windows = look_at(moments).draw(wanted, None)

    assert len(windows) == min(wanted, -(-len(moments) // 20))
    for window in windows:
        assert 0 < sum(window.holds(START + moment * SECOND) for moment in moments) <= 20


def test_a_floor_opens_the_oldest_window_and_no_other():
    look = look_at(range(60))
    floor = START - timedelta(days=9)

    starts = [window.start for window in look.draw(ALL, floor)]

    assert starts[0] == floor
    assert starts[1:] == [window.start for window in look.draw(ALL, None)][1:]
    assert look.draw(ALL, START + timedelta(days=1))[0].start == START


def test_every_window_has_its_chance():
    drawn = set()
    for shift in range(60):
        drawn |= {window.start - shift * SECOND for window in look_at(range(shift, 200 + shift)).draw(1, None)}

    assert len(drawn) == 10


def test_windows_are_shared_out_among_deployments():
    look = FirstLook()
    for number in range(40):
        times = [START + offset * SECOND for offset in range(3)]
        look.take(SeenRun(f"drun_{offset}", f"dep_{number}", time, None, None) for offset, time in enumerate(times))

    windows = look.draw(15, None)

    assert len({window.deployment_id for window in windows}) == len(windows) == 15
    assert look.deployments == [f"dep_{number}" for number in range(40)]


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)])
async def test_times_at_the_ends_of_time_are_compared_too(place, moment):
    async with place() as (sim, _, verify):
        deployment_id, other = fill(sim, 3, 2)
        records = sent(sim)
        kept = [record for record in records if other.encode() not in record]
        odd = json.loads(kept[0]) | {"id": "drun_odd", "triggered_at": moment.isoformat()}

        report = await verify([*kept, json.dumps(odd).encode()], deployments=[deployment_id, other])

        assert [run for window in report.windows for run in window.unknown] == ["drun_odd"]
        assert len(report.missing) == 1 + (moment > START)


def test_the_last_moment_of_all_can_be_the_newest():
    look = FirstLook()
    look.take([SeenRun("drun_1", "dep_1", datetime.max.replace(tzinfo=UTC), None, None)])

    (window,) = look.draw(1, None)

    assert window.newest == window.end == look.newest


def test_the_second_look_passes_over_what_is_in_no_window():
    windows = look_at(range(100)).draw(1, None)
    second = SecondLook(windows)

    second.take([SeenRun("drun_1", "dep_2", START, None, None), SeenRun(None, "dep_1", windows[0].start, None, None)])
    second.take([SeenRun("drun_1", "dep_1", windows[0].end, None, None), SeenRun("drun_2", "dep_1", None, None, None)])

    assert windows[0].in_file == 0
    assert second.doubles == set()


@FORMATS
async def test_an_odd_record_is_read_from_the_file_as_from_the_service(place, found, tmp_path):
    async with place() as (sim, qoder, _):
        (deployment_id,) = fill(sim, 30)
        runs = sim.run_ids(deployment_id)
        sim.patch_record(runs[7], agent=None, novelty=[1])
        sim.patch_record(runs[9], duration_ms="long")
        path = write_file(tmp_path / "odd", found, sent(sim))

        report = await verify_export(qoder, path)

        assert report.is_complete
        assert sum(window.at_service for window in report.windows) == len(read_all(path)) == 30
