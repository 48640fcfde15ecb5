"""Many deployments at once and long histories of one, changed and failing meanwhile: exactly what lasts, each once."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from support.clock import START
from support.reliability_models import (
    ALWAYS,
    GARBLED_ACTS,
    GARBLED_MEANWHILE,
    NUMBERS,
    SHAPES,
    Machine,
    World,
    explore,
)
from support.virtual_time import VirtualTime

from qoder_async import NotFoundError, QoderError, ResponseDecodeError, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.reliability_models_book import Moment

    from qoder_async import DeploymentRun

_HOW = st.fixed_dictionaries({"page_size": st.integers(1, 6), "width": st.integers(1, 5)})


@attrs.define
class Block:
    """A walk that works in the background, and whatever goes on from where it broke.

    Attributes:
        on: The world.
        open: Makes the walk.
        deployments: Whose runs.
        since: When it was entered.
        is_in_order: Whether the newest run of all comes first.
        is_of_all: Whether runs of deployments that are added later may come, too.
        runs: What the walk itself gave.
        rest: What was read by plain lists, from the cursors of the walk's errors.
        failures: The deployments that were given up.
    """

    on: World
    open: Callable[[], Any]
    deployments: list[str]
    since: Moment
    is_in_order: bool = False
    is_of_all: bool = False
    runs: list[DeploymentRun] = attrs.field(factory=list)
    rest: list[str] = attrs.field(factory=list)
    failures: dict[str, QoderError] = attrs.field(factory=dict)
    is_over: bool = False
    walk: Any = None

    async def enter(self) -> None:
        """Let it begin."""
        self.walk = self.open()
        await self.walk.__aenter__()

    async def read(self, count: float) -> None:
        """Read so many runs."""
        while count > 0 and not self.is_over:
            try:
                self.runs.append(await anext(self.walk))
            except StopAsyncIteration:
                self.failures = dict(self.walk.failures) if hasattr(self.walk, "failures") else {}
                await self.leave()
            except QoderError as error:
                if len(self.deployments) > 1:
                    raise  # one failure stops nobody
                self.failures = {self.deployments[0]: error}
                await self.leave()
            count -= 1

    async def leave(self) -> None:
        """Let it end."""
        self.is_over = True
        await self.walk.__aexit__(None, None, None)

    async def go_on(self) -> None:
        """Read on where it broke."""
        for deployment, failure in self.failures.items():
            broke: QoderError | None = failure
            while broke is not None:
                pager = self.on.qoder.runs.list(deployment, cursor=broke.cursor, page_size=4)
                broke = None
                try:
                    async for run in pager:
                        self.rest.append(run.id)
                except ResponseDecodeError as error:
                    broke = error

    def check(self) -> None:
        """Compare with the book."""
        found = [*(run.id for run in self.runs), *self.rest]
        assert len(set(found)) == len(found), "something came twice"
        missing = {fact.id for fact in self.on.book.lasting(self.since, self.deployments)} - set(found)
        assert not missing, f"never came: {missing}"
        for deployment in self.deployments:
            in_order = [fact.id for fact in self.on.book.lasting(self.since, [deployment])]
            lasting = set(in_order)
            assert [run for run in found if run in lasting] == in_order, "the newest is not the first"
        there = self.on.book.of(list(self.on.book.deployments) if self.is_of_all else self.deployments)
        assert set(found) <= {fact.id for fact in there if fact.removed is None or fact.removed > self.since.step}
        if self.is_in_order:
            assert all(
                (one.triggered_at or one.created_at) >= (two.triggered_at or two.created_at)
                for one, two in pairwise(self.runs)
            )


class Many(Machine):
    """Walks of all kinds side by side on one client; some deployments cannot be read for longer than anybody tries."""

    @initialize(
        shape=SHAPES,
        next_page=st.sampled_from(["last_id", "opaque", "absent"]),
        sizes=st.lists(st.integers(0, 30), min_size=2, max_size=4),
        spacing=st.sampled_from([0, 0.3, 60, 86400]),
        delay=st.sampled_from([0, 0, 20]),
        ignores=st.sampled_from([False, False, True]),
        attempts=st.sampled_from([1, 4]),
    )
    def begin(
        self,
        shape: str,
        next_page: str,
        sizes: list[int],
        spacing: float,
        delay: float,
        ignores: bool,
        attempts: int,
    ) -> None:
        sim = {"next_page": next_page, "visibility_delay": delay, "ignore_filters": ignores}
        self.world = World(shape, VirtualTime(), sim, retry=RetryPolicy(attempts=attempts))
        self.blocks: list[Block] = []
        self.unreadable: set[str] = set()
        """Deployments that could not be read at some time."""
        for size in sizes:
            self.world.add_runs(self.world.add_deployment(), size, spacing=spacing)

    # What happens

    @rule(act=GARBLED_ACTS)
    def happen(self, act: Any) -> None:
        self.world.do(act)

    @rule(kind=st.sampled_from(["404", "404", "403", "503", "reset"]), place=NUMBERS, after=st.integers(1, 4))
    def break_one(self, kind: str, place: int, after: int) -> None:
        """Make a deployment unreadable, for good or until everything is healed."""
        deployment = self.world.pick_deployment(place)
        path = f"/deployments/{deployment}/runs"
        where: dict[str, Any] = {"nth": after, "when": lambda request: request.path == path}
        if kind.isdigit():
            self.world.spoil("status", ALWAYS, status=int(kind), **where)
        else:
            self.world.fault(kind, ALWAYS, **where)
        self.unreadable.add(deployment)

    @rule()
    def heal(self) -> None:
        self.world.heal()

    @rule(seconds=st.sampled_from([0.5, 15, 400]))
    def pass_time(self, seconds: float) -> None:
        self.world.advance(seconds)

    # Walks

    @precondition(lambda self: len(self.blocks) < 3)
    @rule(
        order=st.sampled_from(["arrival", "newest"]),
        source=st.sampled_from(["ids", "pager", "ahead"]),
        how=_HOW,
        meanwhile=GARBLED_MEANWHILE,
    )
    def fan_out(self, order: str, source: str, how: dict[str, int], meanwhile: Any) -> None:
        self.stir(meanwhile)
        qoder, deployments = self.world.qoder, list(self.world.book.deployments)
        if source == "ids":
            given: Any = deployments
        else:
            given = qoder.deployments.list(page_size=2, prefetch=int(source == "ahead"), include_archived=True)
        self._enter(
            lambda: qoder.runs.fan_out(given, order=order, page_size=how["page_size"], max_concurrency=how["width"]),
            deployments,
            is_in_order=order == "newest",
            is_of_all=source != "ids",
        )
        self.note(f"fanned out, {order}, {source}")

    @precondition(lambda self: len(self.blocks) < 3)
    @rule(place=NUMBERS, how=_HOW, meanwhile=GARBLED_MEANWHILE)
    def walk_history(self, place: int, how: dict[str, int], meanwhile: Any) -> None:
        self.stir(meanwhile)
        qoder, deployment = self.world.qoder, self.world.pick_deployment(place)
        self._enter(
            lambda: qoder.runs.history(deployment, page_size=how["page_size"], slices=how["width"]),
            [deployment],
        )
        self.note("walked a history")

    @precondition(lambda self: self.blocks)
    @rule(place=NUMBERS, count=st.integers(1, 20), meanwhile=GARBLED_MEANWHILE)
    def read(self, place: int, count: int, meanwhile: Any) -> None:
        self.stir(meanwhile)
        self._read(self.blocks[place % len(self.blocks)], count)

    @precondition(lambda self: self.blocks)
    @rule(place=NUMBERS, meanwhile=GARBLED_MEANWHILE)
    def read_to_the_end(self, place: int, meanwhile: Any) -> None:
        self.stir(meanwhile)
        self._read(self.blocks[place % len(self.blocks)], ALWAYS)

    @precondition(lambda self: self.blocks)
    @rule(place=NUMBERS)
    def leave_early(self, place: int) -> None:
        self.world.run(self.blocks.pop(place % len(self.blocks)).leave())
        self.note("left early")

    def _enter(self, make: Callable[[], Any], deployments: list[str], **traits: bool) -> None:
        block = Block(self.world, make, deployments, self.world.moment(), **traits)
        self.world.run(block.enter())
        self.blocks.append(block)

    def _read(self, block: Block, count: float) -> None:
        self.world.run(block.read(count))
        if not block.is_over:
            return
        self.blocks.remove(block)
        garbled = {fact.deployment for fact in self.world.book.runs.values() if fact.is_garbled}
        assert set(block.failures) <= self.unreadable | garbled, "given up, though it could be read"
        if block.failures:
            self.note("went on where it was given up")
            if any(isinstance(error, NotFoundError) for error in block.failures.values()):
                self.note("not there any more")
            if any(isinstance(error, ResponseDecodeError) for error in block.failures.values()):
                self.note("cannot be decoded")
            self.world.heal()
            self.world.run(block.go_on())
        block.check()
        self.note("walked to the end")
        if any(fact.born > block.since.step for fact in self.world.book.of(block.deployments)):
            self.note("inserted meanwhile")
        if any((fact.removed or 0) > block.since.step for fact in self.world.book.of(block.deployments)):
            self.note("deleted meanwhile")

    def finish(self) -> None:
        while self.blocks:
            self._read(self.blocks[0], ALWAYS)

    def leave(self) -> None:
        for block in self.blocks:
            with suppress(QoderError):
                self.world.run(block.leave())


def test_whatever_lasts_comes_once_however_many_walk() -> None:
    explore(
        Many,
        examples=60,
        steps=30,
        reaches={
            "changed within a request",
            "went on where it was given up",
            "not there any more",
            "cannot be decoded",
            "left early",
            "inserted meanwhile",
            "deleted meanwhile",
            "walked a history",
            *(
                f"fanned out, {order}, {source}"
                for order in ("arrival", "newest")
                for source in ("ids", "pager", "ahead")
            ),
        },
    )


@pytest.mark.parametrize("shape", ["extended", "lean"])
@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("before", [None, START])
def test_a_history_without_filters_is_not_begun_anew_at_a_record_that_is_garbled_meanwhile(
    shape: str, at: int, before: datetime | None
) -> None:
    world = World(shape, VirtualTime(), {"ignore_filters": True})
    try:
        deployment = world.add_deployment(created_at=START - timedelta(days=1))
        world.add_runs(deployment, 25, age=1)
        newest = max(world.book.runs.values(), key=lambda fact: fact.order)
        since = world.moment()
        block = Block(
            world,
            lambda: world.qoder.runs.history(deployment, triggered_before=before, page_size=6, slices=5),
            [deployment],
            since,
        )
        world.plan(at, lambda: world.do(("garble", list(world.book.runs).index(newest.id))))
        world.run(block.enter())
        world.run(block.read(ALWAYS))
        world.run(block.go_on())
        block.check()
    finally:
        world.close()
