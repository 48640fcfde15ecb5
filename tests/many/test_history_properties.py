"""Whatever happens to the service meanwhile, what was there all along comes once and in order."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from itertools import pairwise

import attrs
from history_support import Service, reads_bounds, warped
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import ago

from qoder_async import APIConnectionError, PermissionDeniedError, QoderError, ServerError

DAY = 86400

acts = st.one_of(
    st.tuples(st.just("head"), st.sampled_from([0, 0.5, 30])),
    st.tuples(st.just("past"), st.integers(0, 999)),
    st.tuples(st.just("delete"), st.integers(0, 999)),
    st.tuples(st.just("flip"), st.integers(0, 999)),
    st.tuples(st.just("time"), st.sampled_from([0.01, 1, 19, 40])),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 1, 30])),
)


@attrs.frozen
class Plan:
    """A deployment, how its history is walked, and what happens before each request."""

    shape: str
    parts: list
    late: int
    next_page: str
    reads: str | None
    walk: dict
    acts: list
    failing: float
    seed: int


plans = st.builds(
    Plan,
    shape=st.sampled_from(["extended", "lean"]),
    parts=st.lists(
        st.tuples(
            st.sampled_from([0, 0.4, 1, 60, 3600, 30 * DAY]),
            st.sampled_from([1, 5, 20, 60]),
            st.sampled_from([0, 0.01, 0.5, 1, 7, 60, 3600]),
        ),
        min_size=1,
        max_size=8,
    ),
    late=st.sampled_from([0, 1, 50]),
    next_page=st.sampled_from(["last_id", "opaque", "absent"]),
    reads=st.sampled_from([None, "exclusive after", "inclusive before", "whole seconds", "neither", "only after"]),
    walk=st.fixed_dictionaries({"page_size": st.integers(1, 9), "slices": st.sampled_from([8, 3, 2, 1])}),
    acts=st.lists(st.lists(acts, max_size=3), max_size=30),
    failing=st.sampled_from([0, 0.3]),
    seed=st.integers(0, 2**32),
)


class World:
    """A service to which the acts of a plan happen."""

    def __init__(self, plan):
        self.rng = random.Random(plan.seed)
        self.plan = plan
        times, age = [], 0.0
        for gap, count, spacing in plan.parts:
            age += gap
            times += [ago(age + spacing * number) for number in range(count)]
            age += spacing * (count - 1)
        self.service = Service(
            times,
            plan.shape,
            late=lambda _: self.rng.uniform(0, plan.late),
            next_page=plan.next_page,
            visibility_delay=20,
            before=self.happens,
        )
        self.times = times
        self.initial = self.service.ids
        self.deleted, self.inserted = set(), []
        self.reads = reads_bounds(plan.reads) if plan.reads else None
        self.acts = iter(plan.acts)

    @property
    def lasting(self):
        return [run_id for run_id in self.initial if run_id not in self.deleted]

    async def happens(self, request):
        sim, dep = self.service.sim, self.service.dep
        await asyncio.sleep(self.rng.random())
        for act, detail in next(self.acts, []):
            if act == "head":
                self.inserted.append(sim.insert_run(dep, created_after=detail))
            elif act == "past" and self.times:
                moment = self.times[detail % len(self.times)] - timedelta(seconds=self.rng.choice([0, 0.1, 20]))
                self.inserted.append(sim.insert_run(dep, triggered_at=moment))
            elif act == "delete" and self.lasting:
                self.deleted.add(gone := self.lasting[detail % len(self.lasting)])
                sim.delete_run(gone)
            elif act == "flip" and self.lasting:
                sim.set_run(self.lasting[detail % len(self.lasting)], status=self.rng.choice(["failed", "running"]))
            elif act == "time":
                sim.clock.advance(detail)
            elif act == "wait":
                await asyncio.sleep(detail)
        if self.rng.random() < self.plan.failing:
            raise self.rng.choice([APIConnectionError("the line is dead"), ServerError("no", status=503)])
        if self.reads is not None:
            await self.reads(request)


@settings(max_examples=60)
@given(plans)
def test_what_was_there_all_along_comes_once(plan):
    world = World(plan)
    found = warped(world.service.walked(**plan.walk))
    assert len(set(found)) == len(found)
    assert set(world.lasting) <= set(found) <= {*world.initial, *world.inserted}
    lasting = set(world.lasting)
    assert [run_id for run_id in found if run_id in lasting] == world.lasting
    assert world.service.most_at_once <= plan.walk["slices"]


@settings(max_examples=60)
@given(plans, st.data())
def test_it_goes_on_from_the_cursor_of_what_broke_it(plan, data):
    """Records that cannot be decoded, with or without an id, and pages that are refused for good."""
    world = World(attrs.evolve(plan, acts=[]))
    bad = data.draw(st.sets(st.sampled_from(world.initial), max_size=4)) if world.initial else set()
    for run_id in sorted(bad):
        with_id = data.draw(st.booleans())
        world.service.sim.replace_record(run_id, b'{"id":"%s"}' % run_id.encode() if with_id else b'{"x":1}')
    refused = data.draw(st.none() | st.integers(0, 30))

    async def refuse(request):
        if refused is not None and request.path.endswith("/runs") and len(world.service.asked) > refused:
            raise PermissionDeniedError("no", status=403)
        await world.happens(request)

    async def go_on():
        found, broke = [], []
        world.service._then = refuse
        async with world.service.history(**plan.walk) as history:
            try:
                async for run in history:
                    found.append(run.id)  # noqa: PERF401  what came before counts
            except QoderError as error:
                broke.append(error)
        world.service._then = None
        while broke:
            pager = world.service.runs.list(world.service.dep, cursor=broke.pop().cursor, page_size=3)
            try:
                async for run in pager:
                    found.append(run.id)  # noqa: PERF401  what came before counts
            except QoderError as error:
                broke.append(error)
        return found

    assert warped(go_on()) == [run_id for run_id in world.initial if run_id not in bad]


@settings(max_examples=25)
@given(plans, st.lists(st.sampled_from([0, 0.001, 0.05, 0.3, 2]), min_size=1, max_size=20))
def test_whoever_waits_for_a_run_with_short_patience_loses_nothing(plan, waits):
    """Each wait is cancelled after a while, and the next goes on where it was."""
    world = World(attrs.evolve(plan, acts=[]))

    async def walk():
        found, tried = [], 0
        async with world.service.history(**plan.walk) as history:
            while True:
                reader = asyncio.ensure_future(anext(history, None))
                tried += 1
                # In the end nobody is cancelled: a page whose every request is cancelled would never come.
                await asyncio.wait({reader}, timeout=waits[tried % len(waits)] if tried < 200 else None)
                if reader.cancel():
                    await asyncio.wait({reader})
                if not reader.cancelled():
                    if reader.result() is None:
                        return found
                    found.append(reader.result().id)

    assert warped(walk()) == world.initial


@settings(max_examples=25)
@given(plans)
def test_runs_that_are_visible_from_the_beginning_come_in_order(plan):
    kept = [[act for act in each if act[0] not in ("past", "delete")] for each in plan.acts]
    world = World(attrs.evolve(plan, acts=kept))

    async def walk():
        async with world.service.history(**plan.walk) as history:
            return [run async for run in history]

    runs = warped(walk())
    assert [run.id for run in runs if run.id in set(world.initial)] == world.initial
    for newer, older in pairwise(runs):
        if newer.triggered_at is not None:
            assert newer.triggered_at >= older.triggered_at
