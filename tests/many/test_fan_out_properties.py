"""Whatever happens to the service meanwhile, what was there all along comes once."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from many_support import Direct, assert_newest_first
from support.clock import START

from qoder_async import APIConnectionError, ResponseDecodeError
from qoder_async.simulator import ManualClock, Simulator

DELAY = 20
"""Seconds until an inserted run can be seen."""

acts = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 9), st.sampled_from([0, 0.5, 30])),
    st.tuples(st.just("flip"), st.integers(0, 99), st.sampled_from(["failed", "running", "completed"])),
    st.tuples(st.just("fail"), st.just(0), st.just("")),
    st.tuples(st.just("wait"), st.integers(0, 4), st.just("")),
    st.tuples(st.just("time"), st.sampled_from([1, 19, 40]), st.just("")),
)


@attrs.frozen
class Plan:
    """A world, how it is walked, and what happens before each request, request by request."""

    shape: str
    deployments: list
    is_hidden: bool
    acts: list
    source: str
    walk: dict


plans = st.builds(
    Plan,
    shape=st.sampled_from(["extended", "lean"]),
    deployments=st.lists(
        st.tuples(
            st.integers(0, 12),
            st.sampled_from([0.001, 1, 60]),
            st.sampled_from([0, 100, 5000]),
            st.sampled_from([0, 3, 60]),
        ),
        max_size=6,
    ),
    is_hidden=st.booleans(),
    acts=st.lists(st.lists(acts, max_size=3), max_size=25),
    source=st.sampled_from(["ids", "pager", "prefetch"]),
    walk=st.fixed_dictionaries(
        {
            "order": st.sampled_from(["arrival", "newest"]),
            "page_size": st.integers(1, 6),
            "max_concurrency": st.integers(1, 5),
        }
    ),
)


class World:
    """A simulator to which the acts of a plan happen."""

    def __init__(self, plan):
        self.clock = ManualClock(START)
        self.sim = Simulator(
            shape=plan.shape, clock=self.clock, visibility_delay=DELAY if plan.is_hidden else 0, next_page="opaque"
        )
        self.deployments = [self.sim.add_deployment() for _ in plan.deployments]
        for deployment, (count, spacing, ago, late) in zip(self.deployments, plan.deployments, strict=True):
            newest = START - timedelta(seconds=ago)
            self.sim.add_runs(deployment, count, newest=newest, spacing=spacing, created_after=late)
        self.initial = self.sim.run_ids()
        self.inserted = []
        self._acts = iter(plan.acts)

    async def before(self, _request):
        failure = None
        for act, number, detail in next(self._acts, []):
            if act == "insert" and self.deployments:
                deployment = self.deployments[number % len(self.deployments)]
                self.inserted.append(self.sim.insert_run(deployment, created_after=detail))
            elif act == "flip" and self.initial:
                self.sim.set_run(self.initial[number % len(self.initial)], status=detail)
            elif act == "time":
                self.clock.advance(number)
            elif act == "wait":
                for _ in range(number):
                    await asyncio.sleep(0)
            elif act == "fail":
                failure = APIConnectionError("the line is dead")
        if failure is not None:
            raise failure


async def _walk(plan, world):
    direct = Direct(world.sim, world.before)
    given = world.deployments
    if plan.source != "ids":
        given = direct.deployments.list(page_size=2, prefetch=int(plan.source == "prefetch"))
    async with direct.runs.fan_out(given, **plan.walk) as walk:
        runs = [run async for run in walk]
    return direct, walk, runs


@settings(max_examples=120)
@given(plans)
def test_what_was_there_all_along_comes_once(plan):
    world = World(plan)
    direct, walk, runs = asyncio.run(_walk(plan, world), debug=False)
    found = Counter(run.id for run in runs)
    assert set(found.values()) <= {1}
    assert set(world.initial) <= set(found)
    assert set(found) <= {*world.initial, *world.inserted}
    assert dict(walk.failures) == {}
    assert walk.progress.requests == len(direct.requests)
    assert walk.progress.runs == len(runs)
    assert walk.progress.deployments_done == len(world.deployments)
    # One more than the workers: the pager that fetches ahead.
    assert direct.most_at_once <= plan.walk["max_concurrency"] + (plan.source == "prefetch")
    if plan.walk["order"] == "newest":
        assert_newest_first(runs)


@settings(max_examples=60)
@given(plans, st.data())
def test_what_is_given_up_goes_on_from_its_cursor(plan, data):
    """Runs that cannot be decoded end their deployments; each is taken up again until nothing is left."""
    world = World(plan)
    bad = data.draw(st.sets(st.sampled_from(world.initial), max_size=6)) if world.initial else set()
    for run_id in sorted(bad):
        world.sim.replace_record(run_id, b'{"id":"%s"}' % run_id.encode())
    direct, walk, runs = asyncio.run(_walk(plan, world), debug=False)
    if plan.walk["order"] == "newest":
        assert_newest_first(runs)
    found = Counter(run.id for run in runs)
    failures = dict(walk.failures)

    async def go_on():
        later = Direct(world.sim)
        for deployment, first in failures.items():
            broke = first
            while broke is not None:
                pager = later.runs.list(deployment, cursor=broke.cursor, page_size=3)
                broke = None
                try:
                    async for run in pager:
                        found[run.id] += 1
                except ResponseDecodeError as error:
                    broke = error

    asyncio.run(go_on(), debug=False)
    assert set(found.values()) <= {1}
    assert set(found) - set(world.inserted) == set(world.initial) - bad
    assert direct.at_once == 0
