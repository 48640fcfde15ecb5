"""Runs that had not ended are read again with the fewest requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qoder_async.export.sync.rereads import Density, Stretch, Unfinished, plan, words_to_list


def runs(*names: str) -> list[Unfinished]:
    return [Unfinished(name, f"time of {name}") for name in names]


def apart(*distances: int) -> list[Density]:
    return [Density(1, distance) for distance in (0, *distances)]


def sizes(stretches: list[Stretch]) -> list[tuple[str, int]]:
    return [("".join(run.id for run in stretch.runs), stretch.size) for stretch in stretches]


def test_nothing_is_read_for_nothing():
    assert plan([], [], 100) == []


def test_a_single_run_is_read_by_its_id():
    assert sizes(plan(runs("a"), apart(), 100)) == [("a", 1)]


def test_runs_near_each_other_are_read_as_a_part_of_the_list():
    assert sizes(plan(runs("a", "b", "c", "d"), apart(1, 40, 1), 100)) == [("abcd", 53)]


def test_a_part_is_no_longer_than_a_page():
    assert sizes(plan(runs("a", "b", "c"), apart(50, 40), 100)) == [("ab", 61), ("c", 1)]
    assert sizes(plan(runs("a", "b", "c"), apart(50, 39), 100)) == [("abc", 100)]
    assert sizes(plan(runs("a", "b", "c"), apart(101, 101), 100)) == [("a", 1), ("b", 1), ("c", 1)]


def test_runs_of_the_same_time_may_stand_above():
    assert sizes(plan(runs("a", "b"), [Density(30, 0), Density(1, 31)], 100)) == [("ab", 71)]
    assert sizes(plan(runs("a", "b"), [Density(30, 0), Density(30, 0)], 100)) == [("ab", 40)]


def test_a_run_of_which_nobody_knows_where_it_stands_is_read_by_its_id():
    lean = Unfinished("b", "time of b", is_placed=False)
    one, other = runs("a", "c")
    assert sizes(plan([one, lean, other], apart(1, 1), 100)) == [("a", 1), ("b", 1), ("c", 1)]


@given(
    st.lists(st.tuples(st.integers(1, 150), st.booleans()), max_size=60),
    st.sampled_from([1, 100, 1000]),
)
def test_each_run_is_read_once_and_never_with_more_requests_than_the_list_has_pages(entries, page_size):
    densities = [Density(1, distance) for distance, _ in entries]
    unfinished = [Unfinished(str(place), "", is_placed) for place, (_, is_placed) in enumerate(entries)]
    stretches = plan(unfinished, densities, page_size)
    assert [run for stretch in stretches for run in stretch.runs] == unfinished
    assert all(stretch.size <= page_size for stretch in stretches)
    if page_size > 1 and all(is_placed for _, is_placed in entries):
        pages = sum(density.since_last for density in densities[1:]) / (page_size - 10)
        assert len(stretches) <= 2 * pages + 1


def test_a_status_is_listed_where_that_saves_requests():
    running, pending, odd = (Unfinished("a", "", status=word) for word in ("running", "pending", "queued"))
    assert words_to_list([running, running], 2) == []
    assert words_to_list([running, running], 3) == ["running"]
    assert words_to_list([pending, running], 3) == []
    assert words_to_list([pending, running], 4) == ["running", "pending"]
    assert words_to_list([pending, odd], 4) == ["pending"]
    assert words_to_list([odd], 0) == []
    assert words_to_list([], 0) == []
