"""The plan of a history's windows, alone: they tile its time, they end, and they cost little."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qoder_async._many.windows import Windows

NOW = datetime(2026, 11, 1, 8, 30, 0, 250_000, tzinfo=UTC)
DAY = 86400.0
SECOND = timedelta(seconds=1)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


class Play:
    """A plan, and a service that answers the windows it begins, one at a time and in any order.

    Args:
        ages: How many seconds ago each run was triggered.
        late: By how much a record may be later than its trigger; then runs say when they were made only.
    """

    def __init__(self, ages, *, after=None, before=None, at_once=8, page_size=100, floor=None, late=None, seed=0):
        self.rng = random.Random(seed)
        self.times = sorted(ago(age) for age in ages)
        self.late = late
        self.after, self.before, self.at_once, self.page_size = after, before, at_once, page_size
        self.floor = floor
        self.plan = Windows(after, before, at_once=at_once, page_size=page_size)
        self.floor_is_told = after is not None or at_once == 1
        self.walks = {}
        self.order = []
        self.requests = 0
        self.found = set()
        self.records = [self.record(number) for number in range(len(self.times))]

    def record(self, number):
        time = self.times[number]
        if self.late is None:
            return SimpleNamespace(number=number, triggered_at=time, created_at=time)
        made = (time + timedelta(seconds=self.rng.uniform(0, self.late))).replace(microsecond=0)
        return SimpleNamespace(number=number, triggered_at=None, created_at=made)

    @property
    def windows(self):
        return self.plan._windows

    def run(self):
        """Answer until nothing is left; check the plan after each step."""
        while self.plan.head is not None:
            self.begin()
            self.check()
            running = [window for window, walk in self.walks.items() if walk is not None]
            if not self.floor_is_told and self.rng.random() < 0.3:
                self.floor_is_told = True
                self.plan.set_floor(self.floor)
                self.check()
            elif running:
                self.answer(self.rng.choice(running))
                self.check()
            while (head := self.plan.head) is not None and head.is_over and self.walks[head] is None:
                self.plan.drop_head()
        return self

    def begin(self):
        while (window := self.plan.begin_next()) is not None:
            low = 0 if window.asked_after is None else bisect_left(self.times, window.asked_after)
            high = len(self.times) if window.before is None else bisect_left(self.times, window.before)
            self.walks[window] = (low, high)
            self.order.append(window)
            newer = self.windows[: self.windows.index(window)]
            assert all(each.is_begun for each in newer)

    def answer(self, window):
        low, high = self.walks[window]
        start = max(low, high - self.page_size)
        self.requests += 1
        items, has_more = self.records[start:high][::-1], start > low
        self.found.update(record.number for record in items)
        if items:
            assert not window.is_violated_by(items)
            self.plan.note_page(window, items, has_more=has_more)
        if window.is_over or not has_more:
            self.plan.note_end(window)
            self.walks[window] = None
        else:
            self.walks[window] = (low, start)

    def check(self):
        windows = self.windows
        if not windows:
            return
        if self.is_untouched:
            assert windows[0].before == self.before
        assert windows[-1].after == self.after
        for newer, older in pairwise(windows):
            assert newer.after is not None
            assert newer.after == older.before
            assert newer.after.microsecond == 0
        for window in windows:
            assert window.asked_after is None or window.after is None or window.asked_after <= window.after
            if window.before is not None and window.after is not None:
                assert window.before - window.after >= min(self.least, self.span)
        assert sum(window.is_begun and not window.is_over for window in windows) <= self.at_once

    @property
    def least(self):
        """A cut lies the grain below what came, which in lean records may seem to lie a minute above its window."""
        return SECOND if self.late is None else timedelta(seconds=59)

    @property
    def is_untouched(self):
        return self.order == [] or self.windows[0] is self.order[0]

    @property
    def span(self):
        return timedelta.max if None in (self.after, self.before) else self.before - self.after

    @property
    def pages(self):
        return -(-len(self.times) // self.page_size)


def even(count, spacing=60.0):
    return [spacing * number for number in range(count)]


def poisson(count, spacing=60.0):
    rng, age, ages = random.Random(1), 0.0, []
    for _ in range(count):
        age += rng.expovariate(1 / spacing)
        ages.append(age)
    return ages


def office_hours(days, a_day):
    rng = random.Random(2)
    return [DAY * day + rng.random() * 8 * 3600 for day in range(days) for _ in range(a_day)]


def bursts(count, size, gap, spacing=0.01):
    rng = random.Random(3)
    ages, age = [], 0.0
    for _ in range(count):
        ages += [age + spacing * number for number in range(size)]
        age += gap * rng.uniform(0.1, 2)
    return ages


PAGE = 25
SHAPES = {
    "even": even(2500),
    "poisson": poisson(2500),
    "office hours": office_hours(100, 25),
    "bursts of two pages": bursts(40, 62, 7 * DAY),
    "bursts of a page": bursts(100, 25, 7 * DAY),
    "bursts of half a page": bursts(200, 12, DAY),
    "bursts of many pages": bursts(8, 375, 30 * DAY),
    "bursts at one time": bursts(100, 25, DAY, spacing=0),
    "bursts close by": bursts(100, 30, 300, spacing=0),
    "growing gaps": [1.5**number for number in range(45)] + [100 * 1.1**n + k for n in range(100) for k in range(22)],
    "growing": [DAY * 365 * random.Random(number).random() ** 3 for number in range(2500)],
    "dense end": [3600.0 * n for n in range(75)] + [60 * DAY + n for n in range(2000)],
    "sparse end": [*even(2000, 1.0), *(DAY + 3600.0 * number for number in range(500))],
    "gaps": even(750, 300) + [30 * DAY + 3600 * n for n in range(25)] + [90 * DAY + 60 * n for n in range(1750)],
    "all at one time": [5.0] * 2500,
    "125 in each second": [float(n // 125) for n in range(2500)],
    "one long ago": [*even(1250), 6 * 365 * DAY],
    "dense beginning": [0.001 * n for n in range(2250)] + [40 * DAY * n for n in range(1, 10)],
    "in the future": [n * 60 - 30 * DAY for n in range(2500)],
    "one": [0.0],
    "none": [],
}
FLOORS = {"none": None, "400 days": ago(400 * DAY), "too late": ago(DAY), "in the future": ago(-9 * DAY)}


@pytest.mark.parametrize("late", [None, 50], ids=["exact", "late"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_run_is_in_a_window_that_is_walked(name, late):
    ages = SHAPES[name]
    floor = list(FLOORS.values())[len(name) % 4]
    play = Play(ages, late=late, floor=floor, page_size=PAGE).run()
    assert play.found == set(range(len(ages)))
    assert play.requests <= 1.6 * play.pages + 20
    assert len(play.order) <= play.requests


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("at_once", [1, 2, 50])
def test_whatever_is_known_and_however_many_walk(at_once, floor):
    ages = SHAPES["bursts of two pages"]
    play = Play(ages, at_once=at_once, floor=FLOORS[floor], page_size=PAGE).run()
    assert play.found == set(range(len(ages)))
    assert play.requests <= 1.6 * play.pages + 3 * at_once
    assert (play.requests == play.pages) is (at_once == 1)


@pytest.mark.parametrize("late", [None, 50], ids=["exact", "late"])
@pytest.mark.parametrize("span", [0, 0.5, 1, 2, 3, 10, 121, 3600, 40 * DAY])
def test_bounds_of_the_callers(span, late):
    after, before = ago(7 * DAY + span), ago(7 * DAY)
    ages = [*even(750, 1200), *(7 * DAY + span * n / 750 for n in range(750))]
    play = Play(ages, after=after, before=before, late=late, page_size=PAGE).run()
    low, high = bisect_left(play.times, after), bisect_left(play.times, before)
    assert play.found >= set(range(low, high))
    if late is None:
        assert play.found == set(range(low, high))
    assert play.requests <= 1.6 * ((high - low) / PAGE + 1) + 20


@pytest.mark.parametrize("year", [1, 1970, 2019])
@pytest.mark.parametrize("late", [None, 50], ids=["exact", "late"])
def test_a_bound_of_long_ago_costs_little(year, late):
    if year == 1 and late:
        year = 2
    after = datetime(year, 1, 1, 0, 2, tzinfo=UTC)
    play = Play(even(3000), after=after, late=late).run()
    assert play.found == set(range(3000))
    assert play.requests <= 60


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100])
def test_a_page_is_one_window(count):
    play = Play(even(count), floor=ago(40 * DAY)).run()
    assert play.requests == len(play.order) == 1


def test_before_2020():
    ages = [8 * 365 * DAY + 60.0 * number for number in range(1000)]
    play = Play(ages, page_size=10).run()
    assert play.found == set(range(1000))
    assert play.requests <= 1.6 * play.pages + 20


clusters = st.lists(
    st.tuples(
        st.sampled_from([0, 0.3, 1, 2, 59, 3600, DAY, 90 * DAY]),
        st.integers(1, 60),
        st.sampled_from([0, 0.001, 0.25, 1, 60, 3600]),
    ),
    max_size=25,
)
bounds = st.none() | st.floats(0, 400 * DAY)


@settings(max_examples=100)
@given(
    clusters,
    bounds,
    bounds,
    st.sampled_from(list(FLOORS.values())),
    st.none() | st.integers(0, 58),
    st.sampled_from([1, 2, 3, 8, 50]),
    st.sampled_from([1, 2, 5, 30]),
    st.integers(0, 2**32),
)
def test_any_distribution(parts, one, other, floor, late, at_once, page_size, seed):
    ages, age = [], 0.0
    for gap, count, spacing in parts:
        age += gap
        ages += [age + spacing * number for number in range(count)]
        age = ages[-1]
    after, before = (None if bound is None else ago(bound) for bound in (one, other))
    if after and before and before < after:
        after, before = before, after
    play = Play(
        ages, after=after, before=before, at_once=at_once, page_size=page_size, floor=floor, late=late, seed=seed
    ).run()
    low = 0 if after is None else bisect_left(play.times, after)
    high = len(ages) if before is None else bisect_left(play.times, before)
    assert play.found >= set(range(low, high))
    pages = -(-(high - low) // page_size)
    assert len(play.order) <= play.requests <= 3 * pages + 5 * at_once
