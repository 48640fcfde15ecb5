"""One walk over a list: what of each page is delivered, and where the walk goes on; no I/O."""

from __future__ import annotations

import contextlib
import logging
from itertools import islice
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, cast

import attrs

from qoder_async._wire.cursors import Cursor, CursorParameter, CursorStyle, Envelope, NoWayOnError, next_cursor
from qoder_async._wire.decode import InvalidRecord
from qoder_async.errors import (
    PaginationError,
    PaginationLoopError,
    QoderError,
    ResponseDecodeError,
    UnsupportedFilterError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OnInvalid = Literal["raise", "skip"]

_WINDOW = 10_000
"""How many of the last ids are remembered."""
_MOST_EMPTY_PAGES = 100

log = logging.getLogger("qoder_async")


class Identified(Protocol):
    """A record of a list."""

    @property
    def id(self) -> str | None:
        """Its id, ``None`` where it has none that can be read."""


T = TypeVar("T", bound=Identified)
E = TypeVar("E", bound=QoderError)


@attrs.frozen(kw_only=True)
class Fetched(Generic[T]):
    """An answer of a list, decoded.

    Attributes:
        records: What came, an ``InvalidRecord`` in place of each record that cannot be decoded.
        has_invalid: Whether there is any of them.
        envelope: What it says about where the list goes on.
        request_id: The service's id of the request.
        body: The whole answer.
    """

    records: Sequence[T | InvalidRecord] = attrs.field(repr=False)
    has_invalid: bool
    envelope: Envelope
    request_id: str | None
    body: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Step(Generic[T]):
    """What a walk makes of an answer.

    Attributes:
        items: What is delivered.
        next_cursor: Where the list goes on after them.
        problems: What was left out because it cannot be decoded, a line for each record.
        error: What ends the walk, once the items are delivered.
        is_page: Whether there is a page to deliver; false where the answer breaks at its first record.
    """

    items: list[T] = attrs.field(repr=False)
    next_cursor: Cursor | None
    problems: tuple[str, ...] = ()
    error: QoderError | None = None
    is_page: bool = True


class Walk(Generic[T]):
    """The state of one walk.

    Args:
        start: Where it begins, ``None`` for the beginning of the list.
        style: Which cursors the list takes.
        keeps: Tells whether a record is wanted.
        max_items: How many are delivered at most.
        on_invalid: What to do about records that cannot be decoded.
    """

    def __init__(
        self,
        start: Cursor | None,
        *,
        style: CursorStyle,
        keeps: Callable[[T], bool] | None,
        max_items: int | None,
        on_invalid: OnInvalid,
    ) -> None:
        self.cursor = start
        self.is_over = max_items == 0
        self._style: CursorStyle = style
        self._keeps = keeps
        self._left = max_items
        self._on_invalid = on_invalid
        self._used = {_place(start)} if start is not None else set()
        self._came = _Window()
        self._delivered = _Window() if keeps is not None else self._came
        self._empty_pages = 0

    def take(self, fetched: Fetched[T]) -> Step[T]:
        """Take an answer to the request for :attr:`cursor`, and move on.

        Args:
            fetched: The answer.

        Returns:
            What to deliver, and what to raise after it.
        """
        if self._goes_back:
            # Towards newer records a page is used from its near end: each record in it is a place to go on from.
            fetched = attrs.evolve(fetched, records=fetched.records[::-1])
        records = fetched.records
        first = self.cursor.skip if self.cursor is not None else 0
        end = self._end(fetched, first)
        valid = _valid(fetched, first, end)
        try:
            wanted = valid if self._keeps is None else [record for record in valid if self._keeps(record)]
        except UnsupportedFilterError as error:
            self.is_over = True
            return Step(items=[], next_cursor=None, error=_at(error, self.cursor), is_page=False)
        self._delivered.add([record for record in records[:first] if not isinstance(record, InvalidRecord)])
        brings_new = self._came.lacks_any(valid)
        # Runs that appear at the head push others onto the next page, where they come a second time.
        items = self._delivered.take(wanted)
        if self._delivered is not self._came:
            self._came.add(valid)
        breaks = end < len(records)
        if self._left is not None:
            if len(items) > self._left or (breaks and len(items) == self._left):
                return self._cut_short(fetched, items[: self._left], first)
            self._left -= len(items)
        if breaks:
            return self._broken(fetched, end, items)
        problems = self._problems(fetched, first, end)
        return self._whole(fetched, items, problems, is_empty=not (brings_new or problems or records[:first]))

    def _whole(self, fetched: Fetched[T], items: list[T], problems: tuple[str, ...], *, is_empty: bool) -> Step[T]:
        self._empty_pages = self._empty_pages + 1 if is_empty else 0
        here = self.cursor
        error: PaginationError | None = None
        following: Cursor | None = None
        try:
            following = next_cursor(fetched.envelope, current=here, style=self._style)
        except NoWayOnError:
            text = "The list has more, but the answer has neither next_page nor an id to go on from"
            error = _at(PaginationError(text, request_id=fetched.request_id), here)
        if following is not None and _place(following) in self._used:
            text = f"The list leads in a circle: {following} was asked for before"
            error = _at(PaginationLoopError(text, request_id=fetched.request_id), following)
        elif following is not None and self._empty_pages > _MOST_EMPTY_PAGES:
            text = f"{self._empty_pages} pages in a row brought nothing new"
            error = _at(PaginationError(text, request_id=fetched.request_id), following)
        if following is not None:
            self._used.add(_place(following))
            # A page may be shorter than what is to be passed over.
            passed_over = len(fetched.records)
            if here is not None and here.skip > passed_over:
                following = attrs.evolve(following, skip=here.skip - passed_over)
        self.cursor = following
        if self._left == 0:
            error = None  # enough was delivered, so that it does not matter where the list would lead
        self.is_over = following is None or error is not None or self._left == 0
        return Step(items=items, next_cursor=following, problems=problems, error=error)

    def _cut_short(self, fetched: Fetched[T], items: list[T], first: int) -> Step[T]:
        """End in the middle of a page, because enough was delivered."""
        self.is_over = True
        last = next(index for index, record in enumerate(fetched.records) if record is items[-1])
        problems = self._problems(fetched, first, last)
        return Step(items=items, next_cursor=self._after(fetched.records, last), problems=problems)

    def _broken(self, fetched: Fetched[T], index: int, items: list[T]) -> Step[T]:
        """End at a record that cannot be decoded, with a cursor that goes on after it."""
        self.is_over = True
        records = fetched.records
        invalid = records[index]
        assert isinstance(invalid, InvalidRecord)  # noqa: S101  the index was found by this very test
        error = ResponseDecodeError(
            f"A record{f' ({invalid.id})' if invalid.id else ''} cannot be decoded: {'; '.join(invalid.problems)}",
            problems=invalid.problems,
            body=invalid.raw,
            request_id=fetched.request_id,
        )
        is_last = index == len(records) - 1
        error.cursor = self._after_page(fetched) if is_last else self._after(records, index)
        before = self._after(records, index - 1) if index else self.cursor
        return Step(items=items, next_cursor=before, error=error, is_page=bool(items))

    @property
    def _goes_back(self) -> bool:
        return self.cursor is not None and self.cursor.parameter == "before_id"

    def _after_page(self, fetched: Fetched[T]) -> Cursor:
        """Find the cursor that goes on after the last record of the current page."""
        after = self._after(fetched.records, len(fetched.records) - 1)
        if not after.skip:
            return after
        with contextlib.suppress(NoWayOnError):
            return next_cursor(fetched.envelope, current=self.cursor, style=self._style) or after
        return after

    def _after(self, records: Sequence[T | InvalidRecord], index: int) -> Cursor:
        """Find the cursor that goes on after one record of the current page."""
        if self._style == "ids":
            parameter: CursorParameter = "before_id" if self._goes_back else "after_id"
            for back in range(index, -1, -1):
                if identifier := records[back].id:
                    return Cursor(parameter, identifier, index - back)
        # The page cannot be entered in its middle: ask for it again and pass over what was delivered.
        if self.cursor is None:
            return Cursor("page", "", index + 1)
        return attrs.evolve(self.cursor, skip=index + 1)

    def _end(self, fetched: Fetched[T], first: int) -> int:
        """Find the place where the page breaks, or its end."""
        records = fetched.records
        if fetched.has_invalid and self._on_invalid == "raise":
            for index in range(first, len(records)):
                if isinstance(records[index], InvalidRecord):
                    return index
        return len(records)

    def _problems(self, fetched: Fetched[T], first: int, end: int) -> tuple[str, ...]:
        """Say what was left out between two places of a page."""
        invalid = [record for record in fetched.records[first:end] if isinstance(record, InvalidRecord)]
        problems = tuple("; ".join(record.problems) for record in invalid)
        for problem in problems:
            log.warning("A record was left out: %s (request %s)", problem, fetched.request_id)
        return problems


class _Window:
    """The last ids of a walk; records without an id are not among them."""

    def __init__(self) -> None:
        self._ids: dict[str | None, None] = {}

    def add(self, records: Sequence[Identified]) -> None:
        """Remember ids."""
        self._add(dict.fromkeys([record.id for record in records]))

    def lacks_any(self, records: Sequence[Identified]) -> bool:
        """Tell whether there is a record that is not in the window."""
        return any(record.id not in self._ids for record in records)

    def take(self, records: Sequence[T]) -> list[T]:
        """Leave out what is in the window and what comes twice, and remember the rest."""
        distinct = dict.fromkeys([record.id for record in records])
        fresh = list(records)
        if len(distinct) < len(fresh) or not self._ids.keys().isdisjoint(distinct):
            fresh, taken = [], set[str | None]()
            for record in records:
                if not record.id or not (record.id in taken or record.id in self._ids):
                    fresh.append(record)
                    taken.add(record.id)
        self._add(distinct)
        return fresh

    def _add(self, distinct: dict[str | None, None]) -> None:
        self._ids.update(distinct)
        for nothing in (None, ""):
            self._ids.pop(nothing, None)
        for identifier in list(islice(self._ids, max(0, len(self._ids) - _WINDOW))):
            del self._ids[identifier]


def _valid(fetched: Fetched[T], first: int, end: int) -> Sequence[T]:
    records = fetched.records[first:end]
    if not fetched.has_invalid:
        return cast("Sequence[T]", records)
    return [record for record in records if not isinstance(record, InvalidRecord)]


def _at(error: E, cursor: Cursor | None) -> E:
    error.cursor = cursor
    return error


def _place(cursor: Cursor) -> tuple[str, str]:
    return cursor.parameter, cursor.value
