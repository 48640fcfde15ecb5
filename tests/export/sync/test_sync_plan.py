"""How far down a list is read, and what is known then: by tables, and against a list that is played through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qoder_async import Cursor
from qoder_async._paging.run_lists import LOOK_BACK, TIME_SLACK
from qoder_async._wire.decode import RawRecord
from qoder_async.export.sync.plan import SAFE_AGE, Descent, Mark, State, after_part, asks_from
from qoder_async.export.walks import Part, Place

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ON = Place(Cursor("after_id", "drun_x"), last_id="drun_x", last_time=NOON)


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def read(record: RawRecord) -> datetime | None:
    """The tests' records hold nothing but their age in seconds, or nothing that can be read."""
    return None if record.raw == b"?" else ago(float(record.raw))


def part(*ages: float | str, is_last: bool = False, first: str = "a") -> Part:
    """A page of runs of these ages, which are named a, b, c …"""
    records = [RawRecord(chr(ord(first) + place), str(age).encode()) for place, age in enumerate(ages)]
    return Part(records, Place() if is_last else ON, is_last=is_last)


def after(state: State, page: Part, asked_at: datetime | None = NOON) -> State:
    return after_part(state, page, asked_at=asked_at, read_time=read)


# What is known at the end


@pytest.mark.parametrize(
    ("ages", "asked_at", "known"),
    [
        ((), NOON, None),
        ((10, 20, 359), NOON, None),
        ((10, 20, 361), NOON, "c"),
        ((0, 360), NOON, "b"),
        ((10, 369, 371, 400), NOON, "c"),  # it is 361 seconds older than the newest
        ((10, 369, 371, 400), None, "c"),
        ((1000, 1100, 1359, 1361), NOON, "d"),  # it costs nothing to look back from the newest run
        ((1000, 1100, 1359), NOON, "a"),  # where that leads beyond the page, the service's time is enough
        ((1000, 1100, 1359), None, None),
        (("?", 10, "?", 371), NOON, "d"),
        ((-100, 300, 400, 500), NOON, "c"),  # a newest run from the future does not count
        ((10, 400, 500), ago(100), "c"),  # nor a service whose clock is behind
        (("?", "?"), NOON, None),
    ],
)
def test_a_walk_to_the_end_leaves_the_newest_run_below_which_nothing_appears_any_more(ages, asked_at, known):
    state = after(State(), part(*ages, is_last=True), asked_at)
    assert (state.known and state.known.id) == known
    assert state.descent is None


def test_a_run_without_id_is_no_mark():
    page = Part([RawRecord(None, b"400"), RawRecord("b", b"500")], Place(), is_last=True)
    assert after(State(), page).known == Mark("b", ago(500))


def test_what_was_known_stays_known_where_all_above_it_is_young():
    state = State(known=Mark("k", ago(1000)))
    assert after(state, part(10, 20, is_last=True)) == state


def test_a_walk_to_the_known_run_takes_the_newer_one_that_is_safe():
    page = part(10, 500, 1000)
    assert after(State(known=Mark("c", ago(1000))), page) == State(known=Mark("b", ago(500)))


# Where a walk ends


@pytest.mark.parametrize(
    ("ages", "is_reached"),
    [
        ((10, 20, 30), False),
        ((1061.5, 1062, 1063), True),  # the known run is not there any more, and all of this is below it
        ((1060.5, 1062, 1063), False),
        ((9999, 10, 20), False),  # one odd time ends nothing
        ((10, 20, 9999), False),
        (("?", 1062, "?"), True),
        (("?", "?"), False),
        ((), False),
    ],
)
def test_a_walk_ends_where_everything_is_older_than_what_is_known(ages, is_reached):
    state = after(State(known=Mark("k", ago(1000))), part(*ages))
    assert (state.descent is None) is is_reached


def test_a_walk_ends_at_the_known_run_wherever_it_stands_on_the_page():
    for place in "abc":
        assert after(State(known=Mark(place, ago(20))), part(10, 20, 30)).descent is None


def test_nothing_known_is_never_reached():
    assert after(State(), part(10, 20, 99999)).descent is not None


# A walk of several pages


def test_a_walk_that_goes_on_keeps_what_it_walks_to_and_how_far_it_is():
    known = Mark("k", ago(99999))
    first = after(State(known=known), part(10, 20))
    assert first == State(known=known, descent=Descent(ON, settled=ago(360), mark=None))
    second = after(first, part(30, 400, first="m"), asked_at=None)
    assert second == State(known=known, descent=Descent(ON, settled=ago(360), mark=Mark("n", ago(400))))
    third = after(second, part(500, 600, is_last=True, first="p"))
    assert third == State(known=Mark("n", ago(400)))


def test_what_is_safe_is_settled_when_the_walk_begins():
    """A walk that is gone on with days later still knows only what it saw then."""
    first = after(State(), part(10), asked_at=ago(5))
    assert first.descent
    assert first.descent.settled == ago(5) - SAFE_AGE
    last = after(first, part(300, 364, 366, is_last=True, first="m"), asked_at=NOON + timedelta(days=3))
    assert last.known == Mark("o", ago(366))


def test_a_deployment_that_is_found_again_is_not_gone():
    assert after(State(known=Mark("a", ago(500)), gone="not found"), part(500)).gone is None


# Bounds


def test_all_is_asked_for_where_nothing_is_known():
    assert asks_from(State()) is None


def test_as_much_more_is_asked_for_as_the_order_of_the_list_may_be_off():
    state = State(known=Mark("k", NOON))
    assert asks_from(state) == NOON - TIME_SLACK - timedelta(seconds=1)


def test_time_has_a_beginning():
    first = datetime.min.replace(tzinfo=UTC)
    assert after(State(known=Mark("k", first)), part(10)).descent is not None


# Played through


@attrs.define
class _Run:
    id: str
    triggered: float
    visible_at: float
    shown: float


@attrs.define
class Play:
    """A list that changes while it is read, and a sync of it that is killed now and then. Time is in seconds."""

    random: Random
    is_lean: bool
    heeds_bounds: bool
    skew: float | None
    page_size: int
    now: float = 1_000_000.0
    runs: dict[str, _Run] = attrs.field(factory=dict)
    file: set[str] = attrs.field(factory=set)
    state: State = attrs.field(factory=State)
    made: int = 0
    is_quiet: bool = False

    def happen(self) -> None:
        """Let something happen: time passes, runs are triggered, runs vanish."""
        random = self.random
        if self.is_quiet:
            return
        self.now += random.choice([0.1, 0.1, 0.2, 5, 100, 400])
        for _ in range(random.choice([0, 0, 0, 1, 3, 12])):
            triggered = self.now - random.choice([0, 0, 0.25])
            late = random.choice([0, 0, 0, 1, 30, LOOK_BACK.total_seconds()])
            lag = random.choice([0, 1, 59]) if self.is_lean else 0
            shown = float(int(triggered + lag)) if self.is_lean else triggered
            self.made += 1
            # Ids are in no order.
            run_id = f"{random.randrange(10**9)}-{self.made}"
            self.runs[run_id] = _Run(run_id, triggered, max(triggered + late, self.now), shown)
        if self.runs and random.random() < 0.1:
            del self.runs[random.choice(list(self.runs))]

    def page(self, cursor: tuple[float, str] | None, asks_from: float | None) -> Part:
        """Answer a request."""
        seen = [run for run in self.runs.values() if run.visible_at <= self.now]
        if asks_from is not None and self.heeds_bounds:
            seen = [run for run in seen if run.triggered >= asks_from]
        seen.sort(key=lambda run: (run.triggered, run.id), reverse=True)
        if cursor is not None:
            seen = [run for run in seen if (run.triggered, run.id) < cursor]
        shown, rest = seen[: self.page_size], seen[self.page_size :]
        records = [RawRecord(run.id, str(run.shown).encode()) for run in shown]
        if not rest:
            return Part(records, Place(), is_last=True)
        place = Place(Cursor("page", f"{shown[-1].triggered} {shown[-1].id}"), last_id=shown[-1].id)
        return Part(records, place, is_last=False)

    def sync(self, *, may_die: bool) -> float | None:
        """Sync; tell when its last walk began, or nothing where it was killed."""
        if self.state.descent is not None and not self._descend(may_die=may_die):
            return None
        began = self.now
        return began if self._descend(may_die=may_die) else None

    def _descend(self, *, may_die: bool) -> bool:
        while True:
            descent = self.state.descent
            bound = asks_from(self.state)
            cursor = None
            if descent is not None:
                triggered, run_id = str(descent.place.cursor).removeprefix("page:").split()
                cursor = float(triggered), run_id
            asked_at = None if self.skew is None else stamp(self.now - self.skew)
            came = self.page(cursor, None if bound is None else bound.timestamp())
            state = after_part(self.state, came, asked_at=asked_at, read_time=lambda record: stamp(float(record.raw)))
            if may_die and self.random.random() < 0.15:
                return False  # before it was written
            self.file |= {record.id for record in came.records if record.id}
            self.state = state
            if state.descent is None:
                return True
            if may_die and self.random.random() < 0.15:
                return False
            self.happen()

    def assert_complete(self, at: float) -> None:
        """Check that everything is there that was visible at that time, and is still."""
        missing = [run for run in self.runs.values() if run.visible_at <= at and run.id not in self.file]
        assert not missing, missing


def stamp(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def plays(**settings: Any) -> Any:
    return st.builds(
        Play,
        random=st.integers(0, 2**32).map(Random),
        is_lean=st.booleans(),
        heeds_bounds=st.booleans(),
        skew=st.sampled_from([None, 0.0, 1.0, 3600.0, -50.0]),
        page_size=st.sampled_from([1, 3, 10]),
        **settings,
    )


@settings(max_examples=300)
@given(plays())
def test_whatever_happens_a_sync_that_ends_has_everything_that_was_there_when_its_walk_began(play):
    for _ in range(play.random.randrange(3, 12)):
        for _ in range(play.random.randrange(4)):
            play.happen()
        began = play.sync(may_die=True)
        if began is not None:
            play.assert_complete(began)
    play.now += LOOK_BACK.total_seconds()
    play.is_quiet = True
    assert play.sync(may_die=False) is not None
    play.assert_complete(play.now)


@settings(max_examples=100)
@given(plays(), st.integers(0, 400))
def test_a_history_that_came_to_rest_takes_one_page(play, burst):
    """However dense its last minutes are, and wherever the service's clock tells the time."""
    for place in range(burst):
        triggered = play.now + place * 0.01
        play.runs[f"{place:04}"] = _Run(f"{place:04}", triggered, triggered, float(int(triggered)))
    play.heeds_bounds, play.skew, play.page_size, play.is_quiet = True, 0.0, 10, True
    play.now += 1000
    play.sync(may_die=False)
    play.assert_complete(play.now)
    bound = asks_from(play.state)
    page = play.page(None, None if bound is None else bound.timestamp())
    last = after_part(play.state, page, asked_at=stamp(play.now), read_time=lambda record: stamp(float(record.raw)))
    assert last == play.state
