"""Statistics of runs, against the standard library's own."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading_support import quiet_world, read_all, sent, write_file
from support.clock import START

from qoder_async import DeploymentRun
from qoder_async._wire.decode import decode_record
from qoder_async.export.read.seen import SeenRun, seen_run
from qoder_async.export.statistics import Statistics, quantile, success_rate

DAY = timedelta(days=1)
STATES = ("completed", "failed", "stopped", "skipped", "running", "pending", "started", "resting")
RUNS = st.lists(
    st.builds(
        SeenRun,
        id=st.just("drun_1"),
        deployment_id=st.sampled_from(["dep_1", "dep_2", "dep_3"]),
        time=st.integers(0, 8 * 86_400_000).map(lambda passed: START - timedelta(milliseconds=passed)),
        state=st.sampled_from(STATES),
        duration_ms=st.none() | st.integers(0, 10**9),
    )
)


def counted(runs, **settings):
    made = Statistics(**settings)
    made.add(runs)
    return {result.deployment_id: result for result in made.results()}


def seen(state="completed", time=START, deployment_id="dep_1", duration_ms=None):
    return SeenRun("drun_1", deployment_id, time, state, duration_ms)


@given(RUNS)
def test_all_figures_are_those_of_an_independent_count(runs):
    results = counted(runs)

    assert set(results) == {run.deployment_id for run in runs}
    for deployment_id, result in results.items():
        mine = [run for run in runs if run.deployment_id == deployment_id]
        states = Counter(run.state for run in mine)
        assert result.runs == len(mine)
        assert result.states == states
        assert list(result.states.values()) == sorted(states.values(), reverse=True)
        assert result.per_day == Counter(run.time.date() for run in mine)
        assert list(result.per_day) == sorted(result.per_day)
        assert (result.first_at, result.last_at) == (min(run.time for run in mine), max(run.time for run in mine))
        took = [run.duration_ms for run in mine if run.state == "completed" and run.duration_ms is not None]
        assert result.median_ms == (statistics.median(took) if took else None)
        if len(took) > 1:
            assert result.p95_ms == pytest.approx(statistics.quantiles(took, n=20, method="inclusive")[18])
        else:
            assert result.p95_ms == (took[0] if took else None)
        ended = states["completed"] + states["failed"] + states["stopped"]
        if result.success_rate is not None:
            assert result.success_rate == states["completed"] / ended
        else:
            assert not states["completed"]
            assert not states["stopped"]
            assert not ended or states["started"]


@given(RUNS, st.lists(st.integers(0, 30), max_size=5))
def test_it_does_not_matter_in_what_order_and_batches_runs_come(runs, cuts):
    made = Statistics()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(runs)], strict=True):
        made.add(reversed(runs[start:end]))

    assert {result.deployment_id: result for result in made.results()} == counted(runs)
    assert made.seen == len(runs)


@given(st.lists(st.integers(0, 2**62), min_size=2), st.integers(2, 100))
def test_quantiles_are_those_of_the_standard_library(values, parts):
    expected = statistics.quantiles(values, n=parts, method="inclusive")

    for part in range(1, parts):
        assert quantile(sorted(values), part, parts) == pytest.approx(expected[part - 1])


def test_of_nothing_there_is_no_quantile():
    assert quantile([], 1, 2) is None
    assert quantile([7], 19, 20) == 7.0


@pytest.mark.parametrize(
    ("states", "rate"),
    [
        ({}, None),
        ({"skipped": 3, "running": 1}, None),
        ({"completed": 3}, 1.0),
        ({"failed": 2}, 0.0),
        ({"completed": 3, "failed": 1, "skipped": 9}, 0.75),
        ({"completed": 1, "stopped": 1}, 0.5),
        ({"started": 90, "failed": 10}, None),
        ({"started": 1, "failed": 1, "completed": 3}, 0.75),
        ({"started": 1, "stopped": 1}, 0.0),
    ],
)
def test_the_success_rate_says_nothing_of_runs_of_which_nobody_knows(states, rate):
    assert success_rate(states) == rate


def test_only_completed_runs_tell_how_long_runs_take():
    runs = [seen(duration_ms=10), seen("failed", duration_ms=1), seen(duration_ms=20), seen("skipped", duration_ms=0)]

    assert counted(runs)["dep_1"].median_ms == 15.0


def test_durations_that_cannot_be_do_not_count():
    runs = [seen(duration_ms=odd) for odd in (-1, 2**63, 10**30)] + [seen(duration_ms=5), seen(duration_ms=2**63 - 1)]

    result = counted(runs)["dep_1"]

    assert result.runs == 5
    assert result.median_ms == (5 + 2**63 - 1) / 2


def test_days_are_those_of_utc():
    late = datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC)

    result = counted([seen(time=late), seen(time=late + timedelta(microseconds=1))])["dep_1"]

    assert result.per_day == {date(2026, 3, 1): 1, date(2026, 3, 2): 1}


def test_bounds_are_half_open():
    runs = [seen(time=START + offset * DAY) for offset in range(5)]

    result = counted(runs, after=START + DAY, before=START + 3 * DAY)["dep_1"]

    assert list(result.per_day) == [(START + DAY).date(), (START + 2 * DAY).date()]
    assert result.runs == 2


def test_of_some_deployments_others_do_not_count_and_those_without_runs_do():
    runs = [seen(deployment_id="dep_1"), seen(deployment_id="dep_2")]

    results = counted(runs, only=("dep_2", "dep_3"))

    assert list(results) == ["dep_2", "dep_3"]
    empty = results["dep_3"]
    assert (empty.runs, empty.states, empty.success_rate, empty.median_ms, empty.p95_ms) == (0, {}, None, None, None)
    assert (empty.first_at, empty.last_at, empty.per_day) == (None, None, {})


def test_a_deployment_can_be_counted_before_its_runs():
    made = Statistics()
    made.add([seen(deployment_id="dep_1")])
    made.add_deployment("dep_1")
    made.add_deployment("dep_2")

    assert [(result.deployment_id, result.runs) for result in made.results()] == [("dep_1", 1), ("dep_2", 0)]


def test_the_busiest_deployment_comes_first():
    runs = [seen(deployment_id=name) for name in ("dep_b", "dep_c", "dep_c", "dep_a")]

    assert list(counted(runs)) == ["dep_c", "dep_a", "dep_b"]


def test_runs_that_tell_no_deployment_or_no_time_are_counted_apart():
    made = Statistics()
    made.add([seen(), seen(deployment_id=None), seen(time=None), seen(state=None)])

    (result,) = made.results()

    assert (made.seen, made.unreadable) == (4, 2)
    assert result.states == {"completed": 1, "unknown": 1}


@pytest.mark.parametrize("shape", ["extended", "lean"])
def test_runs_of_a_file_and_of_the_service_are_the_same(tmp_path, shape):
    sim = quiet_world(shape, runs=200)

    from_file = counted(read_all(write_file(tmp_path / "file", "csv", sent(sim))))
    live = counted([seen_run(decode_record(raw, DeploymentRun)) for raw in sent(sim)])

    assert from_file == live
    assert sum(result.runs for result in live.values()) == 600


def test_a_run_takes_8_bytes():
    made = Statistics()
    made.add(seen(duration_ms=number) for number in range(10_000))

    (tally,) = made._tallies.values()

    assert tally.durations.itemsize * len(tally.durations) == 80_000
    assert len(tally.days) == 1
