"""One walk over a list: what of each page is delivered, and where the walk goes on; no I/O."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar, cast

import attrs
import msgspec

from qoder_async._paging.delivered_ids import DeliveredIds, Identified
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

OnInvalid = Literal["raise", "skip"]

_MOST_EMPTY_PAGES = 100
_PART = 100
"""How many records are decoded at a time: few enough to stay in the processor's caches and to die young."""

log = logging.getLogger("qoder_async")


T = TypeVar("T", bound=Identified)
T_co = TypeVar("T_co", bound=Identified, covariant=True)
E = TypeVar("E", bound=QoderError)


class Records(Protocol[T_co]):
    """The records of an answer, decoded as late as can be: what dies young costs least."""

    def __len__(self) -> int:
        """Tell how many there are."""
        ...

    def part(self, start: int, stop: int) -> Sequence[T_co | InvalidRecord]:
        """Give some of them, an ``InvalidRecord`` in place of each that cannot be decoded."""
        ...

    def id_at(self, index: int) -> str | None:
        """Give the id of one of them."""
        ...


@attrs.frozen
class Ready(Generic[T_co]):
    """Records that are decoded already.

    Attributes:
        records: The records.
    """

    records: Sequence[T_co | InvalidRecord] = attrs.field(repr=False)

    def __len__(self) -> int:
        return len(self.records)

    def part(self, start: int, stop: int) -> Sequence[T_co | InvalidRecord]:
        """Give some of them."""
        return self.records[start:stop]

    def id_at(self, index: int) -> str | None:
        """Give the id of one of them."""
        return self.records[index].id


class Fetched(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """An answer of a list.

    Attributes:
        records: What came.
        envelope: What it says about where the list goes on.
        request_id: The service's id of the request.
        body: The whole answer.
    """

    records: Records[T]
    envelope: Envelope
    request_id: str | None
    body: bytes

    def __repr__(self) -> str:
        return f"<{len(self.records)} records, request {self.request_id}>"


class Step(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What a walk makes of an answer, or of a part of it.

    Attributes:
        items: What is delivered.
        next_cursor: Where the list goes on after them.
        problems: What was left out because it cannot be decoded, a line for each record.
        error: What ends the walk, once the items are delivered.
        is_page: Whether there is a page to deliver; false where the answer breaks at its first record.
    """

    items: list[T]
    next_cursor: Cursor | None
    problems: tuple[str, ...] = ()
    error: QoderError | None = None
    is_page: bool = True

    def __repr__(self) -> str:
        return f"<{len(self.items)} records, then {self.error or self.next_cursor}>"


class Walk(Generic[T]):
    """The state of one walk.

    Args:
        start: Where it begins, ``None`` for the beginning of the list.
        style: Which cursors the list takes.
        keeps: Tells whether a record is wanted.
        max_items: How many are delivered at most.
        on_invalid: What to do about records that cannot be decoded.
        delivered: What earlier walks have delivered.
    """

    def __init__(
        self,
        start: Cursor | None,
        *,
        style: CursorStyle,
        keeps: Callable[[T], bool] | None,
        max_items: int | None,
        on_invalid: OnInvalid,
        delivered: DeliveredIds | None = None,
    ) -> None:
        self.cursor = start
        self.is_over = max_items == 0
        self._style: CursorStyle = style
        self._keeps = keeps
        self._left = max_items
        self._on_invalid = on_invalid
        self._used = {_place(start)} if start is not None else set()
        self._delivered = delivered or DeliveredIds()
        self._came = DeliveredIds() if keeps is not None else self._delivered
        self._empty_pages = 0

    def take(self, fetched: Fetched[T]) -> Iterator[Step[T]]:
        """Take an answer to the request for :attr:`cursor`, and move on once all of it is taken.

        Args:
            fetched: The answer.

        Yields:
            What to deliver, part by part, and what to raise after it; the last part moves the walk on.
        """
        records = self._in_order(fetched.records)
        first = min(self.cursor.skip, len(records)) if self.cursor is not None else 0
        if first:
            passed_over = records.part(0, first)
            self._delivered.add([record.id for record in passed_over if not isinstance(record, InvalidRecord)])
        brings_new = first > 0
        start = first
        while True:
            part = records.part(start, start + _PART)
            end, valid = self._valid(part)
            try:
                wanted = valid if self._keeps is None else [record for record in valid if self._keeps(record)]
            except UnsupportedFilterError as error:
                self.is_over = True
                here = self._after(records, start - 1) if start > first else self.cursor
                yield Step(items=[], next_cursor=here, error=_at(error, here), is_page=False)
                return
            is_sound = len(valid) == len(part)
            # Runs that appear at the head push others onto the next page, where they come a second time.
            new = self._came.take(valid)
            items = new if self._keeps is None else self._delivered.take(wanted)
            brings_new = brings_new or not is_sound or bool(new)
            is_rest = start + len(part) >= len(records)
            breaks = end < len(part)
            if self._left is not None:
                if len(items) > self._left or (len(items) == self._left and (breaks or not is_rest)):
                    yield self._cut_short(fetched, records, items[: self._left], part, start)
                    return
                self._left -= len(items)
            if breaks:
                yield self._broken(fetched, records, items, part[end], start + end)
                return
            problems = () if is_sound else self._problems(part, fetched)
            start += len(part)
            if is_rest:
                yield self._whole(fetched, items, problems, is_empty=not brings_new)
                return
            yield Step(items=items, next_cursor=self.cursor, problems=problems)
            # Two parts at once would set the garbage collector going, and it stalls everything.
            del part, valid, wanted, new, items

    def _in_order(self, records: Records[T]) -> Records[T]:
        """Towards newer records a page is used from its near end: each record in it is a place to go on from."""
        return Ready(records.part(0, len(records))[::-1]) if self._goes_back else records

    def _valid(self, part: Sequence[T | InvalidRecord]) -> tuple[int, list[T]]:
        """Find where a part breaks, or its end, and what can be delivered of it until then."""
        end = len(part)
        if InvalidRecord not in set(map(type, part)):
            return end, cast("list[T]", part)
        valid = [record for record in part if not isinstance(record, InvalidRecord)]
        if self._on_invalid == "raise":
            end = next(index for index, record in enumerate(part) if isinstance(record, InvalidRecord))
            del valid[end:]
        return end, valid

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

    def _cut_short(
        self, fetched: Fetched[T], records: Records[T], items: list[T], part: Sequence[T | InvalidRecord], start: int
    ) -> Step[T]:
        """End in the middle of a page, because enough was delivered."""
        self.is_over = True
        last = next(index for index, record in enumerate(part) if record is items[-1])
        problems = self._problems(part[:last], fetched)
        return Step(items=items, next_cursor=self._after(records, start + last), problems=problems)

    def _broken(
        self, fetched: Fetched[T], records: Records[T], items: list[T], invalid: T | InvalidRecord, index: int
    ) -> Step[T]:
        """End at a record that cannot be decoded, with a cursor that goes on after it."""
        self.is_over = True
        assert isinstance(invalid, InvalidRecord)  # noqa: S101  the place was found by this very test
        error = ResponseDecodeError(
            f"A record{f' ({invalid.id})' if invalid.id else ''} cannot be decoded: {'; '.join(invalid.problems)}",
            problems=invalid.problems,
            body=invalid.raw,
            request_id=fetched.request_id,
        )
        is_last = index == len(records) - 1
        error.cursor = self._after_page(fetched, records) if is_last else self._after(records, index)
        before = self._after(records, index - 1) if index else self.cursor
        return Step(items=items, next_cursor=before, error=error, is_page=bool(items))

    @property
    def _goes_back(self) -> bool:
        return self.cursor is not None and self.cursor.parameter == "before_id"

    def _after_page(self, fetched: Fetched[T], records: Records[T]) -> Cursor:
        """Find the cursor that goes on after the last record of the current page."""
        after = self._after(records, len(records) - 1)
        if not after.skip:
            return after
        with contextlib.suppress(NoWayOnError):
            return next_cursor(fetched.envelope, current=self.cursor, style=self._style) or after
        return after

    def _after(self, records: Records[T], index: int) -> Cursor:
        """Find the cursor that goes on after one record of the current page."""
        if self._style == "ids":
            parameter: CursorParameter = "before_id" if self._goes_back else "after_id"
            for back in range(index, -1, -1):
                if identifier := records.id_at(back):
                    return Cursor(parameter, identifier, index - back)
        # The page cannot be entered in its middle: ask for it again and pass over what was delivered.
        if self.cursor is None:
            return Cursor("page", "", index + 1)
        return attrs.evolve(self.cursor, skip=index + 1)

    def _problems(self, part: Sequence[T | InvalidRecord], fetched: Fetched[T]) -> tuple[str, ...]:
        """Say what was left out of a part."""
        problems = tuple("; ".join(record.problems) for record in part if isinstance(record, InvalidRecord))
        for problem in problems:
            log.warning("A record was left out: %s (request %s)", problem, fetched.request_id)
        return problems


def whole(steps: Iterable[Step[T]]) -> Step[T]:
    """Put the parts of an answer together.

    Args:
        steps: What a walk made of the parts.

    Returns:
        What it makes of the answer.
    """
    parts = list(steps)
    items = [item for part in parts for item in part.items]
    problems = tuple(problem for part in parts for problem in part.problems)
    return msgspec.structs.replace(parts[-1], items=items, problems=problems, is_page=parts[-1].is_page or bool(items))


def _at(error: E, cursor: Cursor | None) -> E:
    error.cursor = cursor
    return error


def _place(cursor: Cursor) -> tuple[str, str]:
    return cursor.parameter, cursor.value
