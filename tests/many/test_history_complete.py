"""A history has every run once, the newest first, however the runs lie in time and whatever the service heeds."""

from __future__ import annotations

import logging
import random
from datetime import timedelta

import pytest
from history_support import BOUNDS, SECOND, Service, even, ids_of, office_hours, poisson, reads_bounds, warped, whole
from many_support import BOTH
from support.clock import START, ago

DAY = 86400.0
LATE = {"at once": 0, "a second later": 1.0, "half a minute later": 30.5, "seconds or a minute later": None}


def lateness(name):
    if (late := LATE[name]) is not None:
        return late
    rng = random.Random(5)
    return lambda _: rng.choice([0, 0.4, 3, 17, 45.2, 58])


def second(number):
    return whole(START) - number * SECOND


TIMES = {
    "none": [],
    "one": even(1),
    "a page": even(10),
    "a page and one": even(11),
    "even": even(400),
    "many in a second": even(400, 0.003),
    "parts of a second": even(400, 0.37),
    "poisson": poisson(400),
    "office hours": office_hours(20, 20),
    "all at one time": [ago(5)] * 400,
    "all at one time in a second": [ago(5.75)] * 400,
    "one time in the middle": [*even(200), *[ago(9000)] * 300, *[ago(9000 + 60 * n) for n in range(200)]],
    "many at each whole second": [second(number) for number in range(60) for _ in range(12)],
    "many around each whole second": [
        second(number) + timedelta(microseconds=rest) for number in range(50) for rest in [0] * 5 + [-1] * 5 + [1] * 5
    ],
    "many at each minute": [second(60 * number) for number in range(30) for _ in range(25)],
    "bursts": [ago(day * 3 * DAY + 0.01 * number) for day in range(20) for number in range(25)],
    "bursts of a page": [ago(day * 3 * DAY) for day in range(40) for _ in range(10)],
    "dense end": [*even(100, 3600.0), *(ago(60 * DAY + number) for number in range(500))],
    "sparse end": [*even(500, 1), *(ago(DAY + 3600 * number) for number in range(100))],
    "gaps of months": [ago(day * DAY + 300 * number) for day in (0, 31, 32, 150, 390) for number in range(90)],
    "before the deployment was made": [ago(395 * DAY + 3600 * number) for number in range(500)],
    "long before 2020": [ago(8 * 365 * DAY + 60 * number) for number in range(200)],
    "one long ago": [*even(300), ago(20 * 365 * DAY)],
    "in the future": [ago(3600 * number - 30 * DAY) for number in range(300)],
}
FEWER = {name: times[::2] for name, times in TIMES.items()}
LATES = pytest.mark.parametrize("late", LATE)


async def _compare(service, **settings):
    found = await service.walked(page_size=10, **settings)
    assert found == service.ids
    return found


@BOTH
@pytest.mark.parametrize("times", TIMES)
def test_wherever_the_runs_lie(shape, times):
    service = Service(TIMES[times], shape)
    warped(_compare(service))
    assert len(service.asked) <= 3 * len(TIMES[times]) / 10 + 40


@LATES
@pytest.mark.parametrize(
    "times", ["even", "parts of a second", "many at each whole second", "many at each minute", "bursts", "dense end"]
)
def test_lean_records_that_are_made_later(times, late):
    warped(_compare(Service(FEWER[times], "lean", late=lateness(late))))


@pytest.mark.parametrize("late", [61, 119, 121, 300, 7200])
@pytest.mark.parametrize("times", ["even", "parts of a second", "many at each minute", "dense end"])
def test_lean_records_that_are_made_later_than_they_should(times, late):
    warped(_compare(Service(FEWER[times], "lean", late=late)))


@BOTH
@pytest.mark.parametrize("offset", [0, -1, 250_000])
def test_hundreds_of_runs_on_every_boundary(shape, offset):
    """Boundaries are whole seconds: whichever are chosen, 500 runs lie there."""
    times = [second(number) + timedelta(microseconds=offset) for number in range(4) for _ in range(500)]
    service = Service(times, shape)

    async def compare():
        assert await service.walked() == service.ids

    warped(compare())
    boundaries = {query["triggered_before"] for query in service.asked if "triggered_before" in query}
    assert len(boundaries) > 1 or shape == "lean"  # whose windows are two minutes wide


@pytest.mark.parametrize("slices", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("page_size", [1, 7, 100, 1000])
@BOTH
def test_slices_and_page_sizes(shape, page_size, slices):
    times = {1: poisson(60, 20), 7: poisson(150, 20), 100: poisson(450, 20), 1000: even(1100, 20)}[page_size]
    service = Service(times, shape, late=3)

    async def compare():
        assert await service.walked(page_size=page_size, slices=slices) == service.ids

    warped(compare())
    assert service.most_at_once <= slices
    if slices == 1:
        refused = shape == "lean" and page_size == 1000
        assert len(service.requests) == -(-len(times) // min(page_size, 100 if refused else 1000)) + refused


@pytest.mark.parametrize("largest", [100, 250])
def test_a_page_size_that_is_refused_falls_back_once(largest, caplog):
    service = Service(even(1500), max_page_size=largest)

    async def compare():
        assert await service.walked(page_size=1000) == service.ids

    warped(compare())
    assert [query["limit"] for query in service.asked].count("1000") == 1


@BOTH
@pytest.mark.parametrize("next_page", ["last_id", "opaque", "absent"])
@pytest.mark.parametrize("times", ["poisson", "many at each minute", "gaps of months"])
def test_cursors_of_all_kinds(shape, next_page, times):
    warped(_compare(Service(FEWER[times], shape, next_page=next_page, late=2)))


@BOTH
@pytest.mark.parametrize("times", ["poisson", "many at each whole second", "many around each whole second", "bursts"])
@pytest.mark.parametrize("reads", [name for name in BOUNDS if name not in ("neither", "only before", "only after")])
def test_services_that_read_bounds_otherwise(shape, times, reads, caplog):
    caplog.set_level(logging.INFO, "qoder_async")
    service = Service(TIMES[times], shape, late=0.6, before=reads_bounds(reads))
    warped(_compare(service))
    assert caplog.messages == []
    assert len(service.asked) <= 1.6 * len(TIMES[times]) / 10 + 20


# The caller's bounds

SPANS = [(0, 86400), (3600.5, 9000.25), (3600, 3600), (3600, 3601), (-100, 50), (9000, 1e9), (400 * 60, 1e6), (59, 61)]


@BOTH
@pytest.mark.parametrize("span", SPANS, ids=str)
@pytest.mark.parametrize("times", ["even", "parts of a second"])
def test_bounds_of_the_callers(shape, times, span):
    service = Service(FEWER[times], shape, late=20)
    before, after = (ago(seconds) for seconds in span)

    async def compare():
        for bounds in (
            {"triggered_after": after, "triggered_before": before},
            {"triggered_after": after.isoformat()},
            {"triggered_before": before},
        ):
            found = await service.walked(page_size=10, **bounds)
            assert found == await service.listed(page_size=10, **bounds)
            assert len(set(found)) == len(found)

    warped(compare())


@pytest.mark.parametrize("reads", ["half-open", *BOUNDS])
@pytest.mark.parametrize("after", [ago(100), ago(59.999_999)])
@pytest.mark.parametrize("before", [None, ago(11.25)])
def test_bounds_are_exact_where_runs_say_when_they_were_triggered(reads, after, before):
    """Also where the service does not heed them, or reads them otherwise, unless it gives less than was asked for."""
    if "whole seconds" in reads:
        after, before = whole(after), before and whole(before)
    times = [second(number / 4) for number in range(420) for _ in range(2)]
    service = Service(times, before=None if reads == "half-open" else reads_bounds(reads))

    async def walk():
        async with service.history(triggered_after=after, triggered_before=before, page_size=15) as history:
            return [run async for run in history]

    runs = warped(walk())
    wanted = [time for time in sorted(times, reverse=True) if after <= time and (before is None or time < before)]
    assert [run.triggered_at for run in runs] == wanted
    assert len(set(ids_of(runs))) == len(runs)


@BOTH
@pytest.mark.parametrize("bound", ["triggered_after", "triggered_before"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:30Z", "9999-12-31T23:59:59.999999Z"])
def test_bounds_at_the_ends_of_time(shape, bound, moment):
    """Somebody writes down that there shall be no bound."""
    service = Service(FEWER["even"], shape)

    async def compare():
        found = await service.walked(page_size=10, **{bound: moment})
        assert found == await service.listed(page_size=10, **{bound: moment})

    warped(compare())


# The deployment's beginning


@BOTH
@pytest.mark.parametrize("made", [ago(0), ago(-DAY), ago(400 * 60), ago(3000), ago(20 * 365 * DAY)])
def test_whenever_the_deployment_is_said_to_have_been_made(shape, made):
    warped(_compare(Service(FEWER["even"], shape, made=made)))


# Services that do not heed bounds

IGNORED = "page by page"


@BOTH
@pytest.mark.parametrize("times", ["poisson", "many in a second", "many at each minute", "gaps of months", "dense end"])
@pytest.mark.parametrize("reads", ["neither", "only before", "only after"])
def test_services_that_ignore_bounds(shape, times, reads, caplog):
    caplog.set_level(logging.INFO, "qoder_async")
    service = Service(FEWER[times], shape, late=7, before=reads_bounds(reads), next_page="opaque")
    warped(_compare(service))
    told = [record for record in caplog.records if IGNORED in record.message]
    assert len(told) <= 1
    if reads != "only before" and any("triggered_before" in query for query in service.asked):
        assert [record.levelname for record in told] == ["INFO"]
        assert service.dep in told[0].message
    assert len(service.asked) <= 2 * len(FEWER[times]) / 10 + 20


@BOTH
@pytest.mark.parametrize("slices", [2, 8])
def test_filters_that_are_ignored_are_noticed_soon(shape, slices, caplog):
    caplog.set_level(logging.INFO, "qoder_async")
    service = Service(FEWER["even"], shape, ignore_filters=True)
    warped(_compare(service, slices=slices))
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert len(service.asked) <= 40 + 4 * slices


@BOTH
def test_filters_that_are_heeded_are_not_suspected(shape, caplog):
    caplog.set_level(logging.INFO, "qoder_async")
    for times in list(FEWER.values())[4::2]:
        warped(_compare(Service(times, shape, late=40)))
    assert caplog.records == []


@BOTH
def test_a_bound_of_the_callers_that_is_ignored(shape, caplog):
    caplog.set_level(logging.INFO, "qoder_async")
    service = Service(FEWER["even"], shape, ignore_filters=True)

    async def compare():
        before = ago(6000)
        found = await service.walked(page_size=10, triggered_before=before)
        assert found == await service.listed(page_size=10, triggered_before=before)

    warped(compare())
    assert len(caplog.records) == 1
