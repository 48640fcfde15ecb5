"""Walks over a list that is changed and fails meanwhile: what lasts comes once and in order, wherever they resume."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from support.clock import START
from support.reliability_models import GARBLED_ACTS, GARBLED_MEANWHILE, NUMBERS, SHAPES, Machine, World, explore
from support.virtual_time import VirtualTime

from qoder_async import (
    APIConnectionError,
    Cursor,
    QoderError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from support.reliability_models_book import Fact, Moment

_PASSING = (APIConnectionError, RateLimitError, ResponseDecodeError, ServerError)
_LISTS = ("runs", "runs", "runs", "newer", "window", "failed", "all runs", "deployments", "active", "sessions")
_BY_ID = frozenset(_LISTS) - {"sessions"}
_WAYS = ("items", "items", "pages", "raw")


@attrs.define
class Walk:
    """One walk over one list, from its beginning to its end, in as many parts as it takes.

    Attributes:
        on: The world.
        of: Which list.
        deployment: Whose runs.
        how: What the pager takes.
        way: Which of the pager's methods is used.
        since: When it began.
        anchor: For newer runs, where it begins.
        is_unfiltered: Whether neither the service nor the client can tell when runs were triggered.
    """

    on: World
    of: str
    deployment: str
    how: dict[str, Any]
    way: str
    since: Moment
    anchor: Fact | None
    is_unfiltered: bool
    found: list[str] = attrs.field(factory=list)
    cursor: str | None = None
    skipped: int = 0
    is_over: bool = False
    _gen: AsyncGenerator[Any, None] | None = None
    _last: Any = None

    def __attrs_post_init__(self) -> None:
        if self.anchor is not None:
            self.cursor = f"before_id:{self.anchor.id}"

    @property
    def deployments(self) -> list[str]:
        """Whose runs are in the list."""
        return list(self.on.book.deployments) if self.of in ("all runs", "sessions") else [self.deployment]

    def _pager(self) -> Any:
        qoder, how = self.on.qoder, self.how | {"cursor": self.cursor}
        match self.of:
            case "all runs":
                return qoder.runs.list_all(**how)
            case "deployments" | "active":
                return qoder.deployments.list(include_archived=self.of == "deployments", **how)
            case "sessions":
                return qoder.sessions.list(**how)
            case "window":
                before = START + timedelta(seconds=20)
                return qoder.runs.list(self.deployment, triggered_before=before, **how)
            case "failed":
                return qoder.runs.list(self.deployment, status="failed", **how)
        return qoder.runs.list(self.deployment, **how)

    def _begin(self) -> AsyncGenerator[Any, None]:
        pager = self._pager()
        return {"items": pager.__aiter__, "pages": pager.pages, "raw": pager.raw}[self.way]()

    async def read(self, count: float) -> int:
        """Read so many items or pages, going on after every error; how often it had to in the midst of the list."""
        breaks, most = 0, 0
        while count > 0 and not self.is_over:
            most += 1
            assert most < 2000, "no end"
            self._gen = self._gen or self._begin()
            try:
                self._take(await anext(self._gen))
                count -= 1
            except StopAsyncIteration:
                self.is_over, self._gen = True, None
            except _PASSING as error:
                breaks += bool(self.found)
                self._resume(error)
        return breaks

    def _resume(self, error: QoderError) -> None:
        """Go on from where an error came out, by way of a text."""
        assert error.cursor is not None or not self.found
        self.skipped += is_garbled(error)
        self._gen, self._last = None, None
        self.cursor = None if error.cursor is None else str(Cursor.parse(str(error.cursor)))

    def _take(self, item: Any) -> None:
        self._last = item
        if self.way == "pages":
            self.skipped += len(item.problems)
            self.found += [each.id for each in item.items]
        else:
            self.found.append(json.loads(item)["id"] if self.way == "raw" else item.id)

    async def leave(self) -> bool:
        """Leave it where it is, to go on later from what came last; whether there was anything to leave."""
        if self._gen is None:
            return False
        gen, self._gen = self._gen, None
        await gen.aclose()
        last, self._last = self._last, None
        if last is None:
            return False
        if self.way == "pages":
            self.cursor = None if last.next_cursor is None else str(last.next_cursor)
            self.is_over = last.next_cursor is None
        elif self.of == "newer" or self.way == "raw":
            self.cursor = str(Cursor("before_id" if self.of == "newer" else "after_id", self.found[-1]))
        else:
            self.cursor = str(Cursor.after(last))
        return True

    # What must have come

    def check(self) -> None:
        """Compare with the book."""
        assert len(set(self.found)) == len(self.found), "something came twice"
        lasting = self._lasting()
        missing = set(lasting) - set(self.found)
        assert not missing, f"never came: {missing}"
        surplus = set(self.found) - self._possible()
        assert not surplus, f"came, though it was not there any more: {surplus}"
        order = self._order()
        if order is not None:
            assert all(order[one] > order[other] for one, other in pairwise(self.found))

    def _lasting(self) -> list[str]:
        book, since = self.on.book, self.since
        if self.of in ("deployments", "active"):
            return [
                made
                for made, step in book.deployments.items()
                if step <= since.step and (self.of == "deployments" or made not in book.archived)
            ]
        lasting = book.lasting(since, self.deployments)
        if self.of == "sessions":
            return [fact.versions[0][1]["session_id"] for fact in lasting]
        return [fact.id for fact in lasting if self._is_wanted(fact) and self._has_stayed(fact)]

    def _has_stayed(self, fact: Fact) -> bool:
        return self.of != "failed" or (fact.state == "failed" and fact.changed <= self.since.step)

    def _is_wanted(self, fact: Fact) -> bool:
        if self.of == "newer":
            assert self.anchor is not None
            return fact.order > self.anchor.order
        if self.of != "window" or self.is_unfiltered:
            return True
        return fact.order[0] < START + timedelta(seconds=20)

    def _possible(self) -> set[str]:
        book = self.on.book
        if self.of in ("deployments", "active"):
            gone = {made for made, step in book.archived.items() if step <= self.since.step and self.of == "active"}
            return set(book.deployments) - gone
        there = [fact for fact in book.of(self.deployments) if fact.removed is None or fact.removed > self.since.step]
        if self.of == "sessions":
            # A session outlives its run.
            return {fact.versions[0][1]["session_id"] for fact in book.runs.values()}
        return {fact.id for fact in there if self._is_wanted(fact)}

    def _order(self) -> dict[str, Any] | None:
        if self.of == "sessions":
            return None
        if self.of in ("deployments", "active"):
            return dict(self.on.book.deployments)
        if self.of == "newer":
            # Page by page towards newer ones: each is placed after the one before it, seen from the anchor.
            return {run: _Backward(fact.order) for run, fact in self.on.book.runs.items()}
        return {run: fact.order for run, fact in self.on.book.runs.items()}


def is_garbled(error: QoderError) -> bool:
    """Tell whether it is a single record that cannot be decoded."""
    return isinstance(error, ResponseDecodeError) and bool(error.problems)


@attrs.frozen
class _Backward:
    order: Any

    def __gt__(self, other: _Backward) -> bool:
        return bool(self.order < other.order)


class Paging(Machine):
    """Several walks over lists of one client, while the lists change and the service fails now and then."""

    @initialize(
        shape=SHAPES,
        next_page=st.sampled_from(["last_id", "opaque", "absent"]),
        sizes=st.lists(st.integers(0, 25), min_size=2, max_size=3),
        spacing=st.sampled_from([0, 0.3, 60]),
        delay=st.sampled_from([0, 0, 20]),
        ignores=st.booleans(),
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
        self.shape, self.has_pages = shape, next_page != "absent"
        self.world = World(shape, VirtualTime(), sim, retry=RetryPolicy(attempts=attempts))
        self.is_unfiltered = ignores and shape == "lean"
        self.walks: list[Walk] = []
        for size in sizes:
            self.world.add_runs(self.world.add_deployment(), size, spacing=spacing)

    @rule(act=GARBLED_ACTS)
    def happen(self, act: Any) -> None:
        self.world.do(act)

    @rule(seconds=st.sampled_from([0.5, 15, 30]))
    def pass_time(self, seconds: float) -> None:
        self.world.advance(seconds)

    @precondition(lambda self: len(self.walks) < 3)
    @rule(
        of=st.sampled_from(_LISTS),
        place=NUMBERS,
        way=st.sampled_from(_WAYS),
        how=st.fixed_dictionaries(
            {
                "page_size": st.integers(1, 7),
                "prefetch": st.sampled_from([0, 1]),
                "on_invalid": st.sampled_from(["raise", "skip"]),
            }
        ),
    )
    def set_out(self, of: str, place: int, way: str, how: dict[str, Any]) -> None:
        deployment, anchor = self.world.pick_deployment(place), None
        there = [fact for fact in self.world.book.of([deployment]) if fact.shows_at <= self.world.moment().time]
        if of == "newer" and there:
            anchor = there[place % len(there)]
        # Lean runs have no status to filter by, and a list of sessions cannot be gone on with without next_page.
        is_not = {"newer": anchor is None, "failed": self.shape == "lean", "sessions": not self.has_pages}
        of = "runs" if is_not.get(of) else of
        self.walks.append(Walk(self.world, of, deployment, how, way, self.world.moment(), anchor, self.is_unfiltered))
        self.note(f"walked over {of}")

    @precondition(lambda self: self.walks)
    @rule(place=NUMBERS, count=st.integers(1, 9), meanwhile=GARBLED_MEANWHILE)
    def read(self, place: int, count: int, meanwhile: Any) -> None:
        self.stir(meanwhile)
        self._read(self.walks[place % len(self.walks)], count)

    @precondition(lambda self: self.walks)
    @rule(place=NUMBERS)
    def leave_and_go_on(self, place: int) -> None:
        walk = self.walks[place % len(self.walks)]
        if walk.of in _BY_ID and self.world.run(walk.leave()):
            self.note("left, to go on from the last item")

    @precondition(lambda self: self.walks)
    @rule(place=NUMBERS, meanwhile=GARBLED_MEANWHILE)
    def read_to_the_end(self, place: int, meanwhile: Any) -> None:
        self.stir(meanwhile)
        self._read(self.walks[place % len(self.walks)], float("inf"))

    def _read(self, walk: Walk, count: float) -> None:
        if self.world.run(walk.read(count)):
            self.note("resumed after an error")
        if walk.is_over:
            self.walks.remove(walk)
            walk.check()
            self.note("walked to the end")
            if walk.skipped:
                self.note("went on after a record that cannot be decoded")
            if any(fact.born > walk.since.step for fact in self.world.book.of(walk.deployments)):
                self.note("inserted meanwhile")
            if any((fact.removed or 0) > walk.since.step for fact in self.world.book.of(walk.deployments)):
                self.note("deleted meanwhile")

    def finish(self) -> None:
        for walk in self.walks[:]:
            self._read(walk, float("inf"))

    def leave(self) -> None:
        for walk in self.walks:
            with suppress(*_PASSING):
                self.world.run(walk.leave())


def test_whatever_lasts_comes_once_and_in_order() -> None:
    explore(
        Paging,
        examples=100,
        steps=30,
        reaches={
            "changed within a request",
            "resumed after an error",
            "went on after a record that cannot be decoded",
            "left, to go on from the last item",
            "inserted meanwhile",
            "deleted meanwhile",
            *(f"walked over {of}" for of in _LISTS),
        },
    )
