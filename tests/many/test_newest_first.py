"""The merge as pure data: sorted, complete, and never at a loss."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import START

from qoder_async._many.newest_first import Branch, NewestFirst

LATEST = 60
"""How many seconds after its trigger the record of a lean run may be made."""


@attrs.frozen
class Run:
    """What the merge looks at."""

    id: str
    created_at: object
    triggered_at: object = None

    @property
    def time(self):
        return self.triggered_at or self.created_at


def extended(name, at, late=0):
    return Run(name, START + timedelta(seconds=at + late), START + timedelta(seconds=at))


def lean(name, at, late=0):
    return Run(name, START + timedelta(seconds=at + late))


def merged(branches, choose=lambda number: 0):
    """Merge lists of pages; whoever is asked may answer at any time, as ``choose`` says."""
    merge, waiting, places = NewestFirst(), [], dict.fromkeys(branches, 0)
    by_name = {name: Branch(name) for name in branches}
    for branch in by_name.values():
        merge.add(branch)
        waiting.append(branch)
    given_out, asked = [], []

    def answer(branch):
        waiting.remove(branch)
        pages, place = branches[branch.name], places[branch.name]
        places[branch.name] += 1
        if place < len(pages):
            branch.add(pages[place])
        else:
            branch.end()

    for _ in range(10_000):
        while waiting and choose(2):
            answer(waiting[choose(len(waiting))])
        branch, runs = merge.take()
        if branch is None:
            assert runs == []
            assert all(branch.is_over for branch in by_name.values())
            return given_out, asked
        assert runs or not branch.is_over, "waits for a page that never comes"
        given_out += runs
        if not branch.is_over and branch not in waiting:
            waiting.append(branch)
            asked.append(branch.name)
        if not runs:
            # Nothing else may be given before this one has answered; others may answer first.
            while branch in waiting:
                answer(waiting[choose(len(waiting))])
    raise AssertionError("no end")


def cut(runs, sizes):
    """Cut a list into pages of these sizes, over and over."""
    pages, rest, turn = [], list(runs), 0
    while rest:
        size = sizes[turn % len(sizes)]
        pages.append(rest[:size])
        rest, turn = rest[size:], turn + 1
    return pages


@st.composite
def lists(draw):
    """Lists of runs by deployment, each sorted by the trigger and cut into pages, some of them empty."""
    make = draw(st.sampled_from([extended, lean]))
    width = draw(st.sampled_from([3, 300, 30_000]))
    branches = {}
    for number in range(draw(st.integers(0, 5))):
        times = draw(st.lists(st.integers(0, width), max_size=25))
        late = st.integers(0, LATEST)
        runs = [make(f"{number}-{place}", at, draw(late)) for place, at in enumerate(sorted(times, reverse=True))]
        sizes = draw(st.lists(st.integers(0, 6), min_size=1, max_size=4))
        branches[f"dep_{number}"] = cut(runs, [*sizes, 1])
    return branches


@settings(max_examples=150)
@given(lists(), st.data())
def test_whatever_comes_in_whatever_order_it_is_sorted_and_complete(branches, data):
    draws = iter(data.draw(st.lists(st.integers(0, 1_000_000), min_size=60, max_size=60)))
    found, _ = merged(branches, lambda number: next(draws, 0) % number)
    assert sorted(run.id for run in found) == sorted(run.id for pages in branches.values() for p in pages for run in p)
    assert all(one.time >= other.time for one, other in pairwise(found))


@settings(max_examples=100)
@given(lists())
def test_within_a_list_equal_times_stay_in_its_order(branches):
    found, _ = merged(branches)
    place = {run.id: number for number, run in enumerate(found)}
    for pages in branches.values():
        for one, other in pairwise([run for page in pages for run in page]):
            if one.time == other.time:
                assert place[one.id] < place[other.id]


def test_nothing_at_all():
    assert merged({}) == ([], [])
    assert merged({"a": [], "b": [[]], "c": [[], []]})[0] == []


def test_a_branch_holds_back_until_all_others_have_said_what_they_have():
    merge, first, second = NewestFirst(), Branch("first"), Branch("second")
    merge.add(first)
    merge.add(second)
    first.add([extended("new", 10), extended("old", 1)])
    assert merge.take() == (second, [])
    second.add([extended("between", 5)])
    assert [run.id for run in merge.take()[1]] == ["new"]
    assert [run.id for run in merge.take()[1]] == ["between"]
    # The second list may hold more, but nothing that is newer than what it gave.
    assert merge.take() == (second, [])
    second.end()
    assert [run.id for run in merge.take()[1]] == ["old"]
    assert merge.take() == (first, [])
    first.end()
    assert merge.take() == (None, [])


def test_where_triggers_are_known_a_page_is_given_to_its_end():
    merge, branch = NewestFirst(), Branch("only")
    merge.add(branch)
    branch.add([extended("b", 60, 30), extended("a", 0)])
    assert [run.id for run in merge.take()[1]] == ["b", "a"]


@pytest.mark.parametrize("late", [0, 1, 59, 60])
def test_where_only_the_record_is_dated_the_next_page_may_hold_newer_runs(late):
    merge, branch = NewestFirst(), Branch("only")
    merge.add(branch)
    branch.add([lean("c", 200), lean("b", 100)])
    # Triggered just before "b", and made up to a minute later.
    assert [run.id for run in merge.take()[1]] == ["c"]
    assert merge.take() == (branch, [])
    branch.add([lean("a", 100, late)])
    branch.end()
    assert {run.id for run in merge.take()[1]} == {"a", "b"}


def test_a_branch_of_which_nothing_is_known_comes_before_everything():
    merge, known, unknown = NewestFirst(), Branch("known"), Branch("unknown")
    merge.add(known)
    known.add([extended("a", 1_000_000)])
    known.end()
    merge.add(unknown)
    assert merge.take() == (unknown, [])
    unknown.add([])
    assert merge.take() == (unknown, [])
    unknown.end()
    assert [run.id for run in merge.take()[1]] == ["a"]
    assert merge.take() == (None, [])
