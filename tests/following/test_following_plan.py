"""The plan of a look: everybody is in it once, and lists are read only where they pay."""

from __future__ import annotations

from collections import Counter

import pytest
from following_support import extended, lean
from hypothesis import example, given
from hypothesis import strategies as st

from qoder_async.following.followed import Followed, Reach
from qoder_async.following.plan import cost_without, pays_to_go_on, plan_look

FEWEST = 3
"""How many requests the list of all deployments replaces at least."""
BLIND_PAGES = 2
"""How many of its pages are read in vain for runs of which only the id is known."""
NOW = 1000.0


def followed(number, deployment=None, *, alone_until=0.0, runs_reach=Reach.EVERYTHING):
    each = Followed(id=f"drun_{number}", since=0, good=0, alone_until=alone_until, runs_reach=runs_reach)
    if deployment is not None:
        each.know(lean(id=each.id, deployment_id=deployment))
    return each


def many(*deployments, **fields):
    return [followed(number, deployment, **fields) for number, deployment in enumerate(deployments)]


def look(due, *, everywhere=True):
    return plan_look(due, lambda each: each.runs_reach, now=NOW, everywhere=everywhere)


def parts_of(plan):
    return [plan.everywhere, *plan.by_deployment.values(), plan.singly]


def ids(runs):
    return [each.id for each in runs]


RUNS = st.lists(
    st.tuples(
        st.sampled_from([None, "dep_a", "dep_b", "dep_c", "dep_d", "../dep"]),
        st.sampled_from([0.0, NOW, NOW + 0.1, NOW + 60]),
        st.sampled_from(list(Reach)),
    ),
    max_size=30,
).map(
    lambda rows: [
        followed(number, deployment, alone_until=until, runs_reach=reach)
        for number, (deployment, until, reach) in enumerate(rows)
    ]
)


@given(due=RUNS, everywhere=st.booleans())
def test_everybody_who_is_due_is_in_exactly_one_part(due, everywhere):
    plan = look(due, everywhere=everywhere)
    assert Counter(each for part in parts_of(plan) for each in part) == Counter(due)


@given(due=RUNS, everywhere=st.booleans())
def test_nobody_is_looked_for_beyond_their_reach(due, everywhere):
    plan = look(due, everywhere=everywhere)
    assert everywhere or not plan.everywhere
    for each in plan.everywhere:
        assert (each.runs_reach, each.alone_until <= NOW) == (Reach.EVERYTHING, True)
    for deployment, group in plan.by_deployment.items():
        assert len(group) > 1
        for each in group:
            assert each.deployment_id == deployment
            assert each.runs_reach is not Reach.NOTHING
            assert each.alone_until <= NOW


@given(due=RUNS, everywhere=st.booleans())
def test_it_begins_with_no_more_requests_than_single_reads(due, everywhere):
    plan = look(due, everywhere=everywhere)
    requests = bool(plan.everywhere) + len(plan.by_deployment) + len(plan.singly)
    assert requests <= len(due)
    if plan.everywhere:
        assert cost_without(plan.everywhere) >= FEWEST
        assert requests <= len(due) - (FEWEST - 1)


@given(due=RUNS)
def test_no_list_is_left_unused_that_would_pay(due):
    plan = look(due)
    alone = Counter(
        each.deployment_id
        for each in plan.singly
        if each.deployment_id and each.runs_reach is not Reach.NOTHING and each.alone_until <= NOW
    )
    assert max(alone.values(), default=0) <= 1
    near = [each for each in due if each.runs_reach is Reach.EVERYTHING and each.alone_until <= NOW]
    assert bool(plan.everywhere) == (cost_without(near) >= FEWEST)


def test_nothing_is_due():
    plan = look([])
    assert parts_of(plan) == [[], []]


def test_one_run_is_read_by_itself():
    for deployment in ("dep_a", None):
        plan = look(many(deployment))
        assert (plan.everywhere, plan.by_deployment, ids(plan.singly)) == ([], {}, ["drun_0"])


def test_runs_of_one_deployment_are_looked_for_in_its_list():
    plan = look(many("dep_a", "dep_a", "dep_b"))
    assert (plan.everywhere, ids(plan.singly)) == ([], ["drun_2"])
    assert {key: ids(group) for key, group in plan.by_deployment.items()} == {"dep_a": ["drun_0", "drun_1"]}


@pytest.mark.parametrize("deployments", [("dep_a", "dep_b", "dep_c"), ("dep_a", "dep_b", None), (None, None, None)])
def test_what_would_cost_three_requests_is_looked_for_in_the_list_of_everything(deployments):
    due = many(*deployments)
    assert look(due).everywhere == due
    assert look(due, everywhere=False).everywhere == []


def test_a_thousand_runs_of_fifty_deployments():
    due = many(*(f"dep_{number % 50}" for number in range(1000)))
    plan = look(due)
    assert (len(plan.everywhere), plan.by_deployment, plan.singly) == (1000, {}, [])
    plan = look(due, everywhere=False)
    assert (len(plan.by_deployment), plan.singly) == (50, [])


def test_who_is_to_be_read_singly_for_a_while_is():
    due = [followed(number, "dep_a", alone_until=NOW + number) for number in (-1, 0, 1, 60)]
    assert ids(look(due).singly) == ["drun_1", "drun_60"]


def test_reach_may_be_that_of_sessions():
    due = many("dep_a", "dep_a")
    for each in due:
        each.sessions_reach = Reach.NOTHING
    assert plan_look(due, lambda each: each.sessions_reach, now=NOW, everywhere=True).singly == due
    assert look(due).singly == []


def test_an_id_that_is_not_safe_in_a_path_leads_to_no_list():
    due = many("../dep", "../dep")
    assert look(due).singly == due


@given(due=RUNS)
def test_what_a_look_costs_without_the_list_of_everything(due):
    deployments = {each.deployment_id for each in due if each.deployment_id}
    assert cost_without(due) == len(deployments) + sum(each.deployment_id is None for each in due)
    assert cost_without(due) <= len(due)


# How far the list of everything is read


def pages_read(wanted, found_on, *, of_all=True):
    """Read page after page of an endless list; ``found_on`` says how many of those looked for each page shows."""
    missing, pages = list(wanted), 0
    while True:
        shown = found_on[pages] if pages < len(found_on) else 0
        missing = missing[shown:]
        pages += 1
        found = sum(each.deployment_id is None and each not in missing for each in wanted)
        if not pays_to_go_on(pages=pages, missing=missing, found=found, of_all=of_all):
            return pages


@given(
    deployments=st.lists(st.sampled_from(["dep_a", "dep_b", "dep_c"]), min_size=1), found_on=st.lists(st.integers(0, 3))
)
def test_for_known_deployments_it_costs_no_more_than_it_saves(deployments, found_on):
    due = many(*deployments)
    assert pages_read(due, found_on) <= cost_without(due)


@given(count=st.integers(1, 30), found_on=st.lists(st.integers(0, 3)))
def test_for_unknown_deployments_it_costs_no_more_than_it_saves_and_two_pages(count, found_on):
    due = many(*[None] * count)
    pages = pages_read(due, found_on)
    assert pages <= count + BLIND_PAGES
    assert pages <= sum(found_on[:pages]) + BLIND_PAGES


@given(
    deployments=st.lists(st.sampled_from([None, "dep_a", "dep_b"]), min_size=3, max_size=60),
    found_on=st.lists(st.integers(0, 60), max_size=5),
)
@example(deployments=["dep_a", "dep_b"] * 25 + [None], found_on=[50])
def test_for_some_of_both_it_costs_no_more_than_it_saves_and_two_pages(deployments, found_on):
    """That page one shows fifty runs of known deployments is no reason to read fifty more for one that it does not."""
    due = many(*deployments)
    assert pages_read(due, found_on) <= cost_without(due) + BLIND_PAGES


@given(count=st.integers(1, 30), found_on=st.lists(st.integers(0, 3)))
def test_the_list_of_a_deployment_costs_no_more_than_single_reads(count, found_on):
    assert pages_read(many(*["dep_a"] * count), found_on, of_all=False) <= count


@pytest.mark.parametrize("of_all", [False, True])
def test_nothing_missing_is_nothing_to_go_on_for(of_all):
    assert not pays_to_go_on(pages=1, missing=[], found=100, of_all=of_all)


def test_how_far_it_pays_to_go_on():
    due = many("dep_a", "dep_a", "dep_b")
    assert [pays_to_go_on(pages=pages, missing=due, found=0, of_all=True) for pages in (1, 2)] == [True, False]
    assert [pays_to_go_on(pages=pages, missing=due, found=0, of_all=False) for pages in (2, 3)] == [True, False]


def test_how_far_it_pays_to_go_on_for_runs_of_which_only_the_id_is_known():
    due = many(None, None, None)
    assert [pays_to_go_on(pages=pages, missing=due, found=0, of_all=True) for pages in (1, 2)] == [True, False]
    assert [pays_to_go_on(pages=pages, missing=due[1:], found=1, of_all=True) for pages in (2, 3)] == [True, False]
    due = many("dep_a", "dep_b", None)
    assert [pays_to_go_on(pages=pages, missing=due, found=0, of_all=True) for pages in (3, 4)] == [True, False]


# What the plan reads of those who are followed


def test_what_is_known_of_a_run_that_was_never_seen():
    unseen = Followed(id="drun_1", since=0, good=0)
    assert (unseen.deployment_id, unseen.session_id, unseen.triggered, unseen.needs_session) == (
        None,
        None,
        None,
        False,
    )


def test_what_is_known_of_a_run():
    seen, run = Followed(id="drun_1", since=0, good=0), lean()
    seen.know(run)
    assert (seen.deployment_id, seen.session_id) == (run.deployment_id, run.session_id)
    assert (seen.triggered, seen.needs_session) == (run.created_at, True)
    seen.know(lean(session_id=None))
    assert (seen.session_id, seen.needs_session) == (None, False)
    run = extended("running", created_at="2026-06-14T08:54:09Z")
    seen.know(run)
    assert (seen.session_id, seen.needs_session) == (run.session_id, False)
    assert seen.triggered == run.triggered_at != run.created_at


@pytest.mark.parametrize("odd", ["../secrets", "a/b", "a?b", "", " ", "é"])
def test_ids_that_are_not_safe_in_a_path_are_not_asked_about(odd):
    seen = Followed(id="drun_1", since=0, good=0)
    seen.know(lean(deployment_id=odd, session_id=odd))
    assert (seen.deployment_id, seen.session_id) == (None, None)
