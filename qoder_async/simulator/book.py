"""Records in order of time, found by bisection, and one page of them.

A book holds two sorted columns, the time and the number of each record, oldest first. Lists are served
newest first, so walking forward through a list mostly means walking down the columns.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Book:
    """Numbers of records, sorted by time and then by number."""

    def __init__(self) -> None:
        self._times = array("q")
        self._numbers = array("q")
        self._sorted = True

    def __len__(self) -> int:
        return len(self._times)

    def add(self, time: int, number: int) -> None:
        """Enter one record.

        Args:
            time: Microseconds since 1970.
            number: The number of the record.
        """
        if self._sorted and self._times and (time, number) < (self._times[-1], self._numbers[-1]):
            place = self.position(time, number)
            self._times.insert(place, time)
            self._numbers.insert(place, number)
        else:
            self._times.append(time)
            self._numbers.append(number)

    def extend(self, times: array[int], numbers: Iterable[int]) -> None:
        """Enter many records, in any order; they are sorted when the book is next read.

        Args:
            times: Microseconds since 1970, one for each record.
            numbers: The numbers of the records.
        """
        self._times.extend(times)
        self._numbers.extend(numbers)
        self._sorted = False

    def remove(self, time: int, number: int) -> bool:
        """Strike one record out; tells whether it was there."""
        place = self.position(time, number)
        if not self._stands_at(place, time, number):
            return False
        del self._times[place]
        del self._numbers[place]
        return True

    def position(self, time: int, number: int) -> int:
        """Find the place where a record stands, or would stand if it had not been removed."""
        low = self.lower(time)
        high = bisect_left(self._times, time + 1, low)
        return bisect_left(self._numbers, number, low, high)

    def after(self, time: int, number: int) -> int:
        """Find the place right after the one where a record stands, or would stand."""
        place = self.position(time, number)
        return place + self._stands_at(place, time, number)

    def lower(self, time: int) -> int:
        """Find the first place whose time is not before the given one."""
        self._sort()
        return bisect_left(self._times, time)

    def numbers(self, low: int = 0, high: int | None = None) -> Sequence[int]:
        """Copy the numbers between two places, oldest first."""
        self._sort()
        return self._numbers[low:high]

    def _stands_at(self, place: int, time: int, number: int) -> bool:
        return place < len(self._times) and (self._times[place], self._numbers[place]) == (time, number)

    def _sort(self) -> None:
        if self._sorted:
            return
        pairs = sorted(zip(self._times, self._numbers, strict=True))
        self._times = array("q", (time for time, _ in pairs))
        self._numbers = array("q", (number for _, number in pairs))
        self._sorted = True


@attrs.frozen
class Cut:
    """What part of a book a request asks for.

    Args:
        since: Only records at this time or later, microseconds.
        until: Only records before this time, microseconds.
        cursor: Time and number of the record the page lies beside.
        backward: Whether the page lies before the cursor in list order, not after it.
        descending: Whether the list is newest first.
        limit: The longest page.
        keep: Which records (by number) are in the list at all; None for every one.
    """

    since: int | None = None
    until: int | None = None
    cursor: tuple[int, int] | None = None
    backward: bool = False
    descending: bool = True
    limit: int = 20
    keep: Callable[[int], bool] | None = None


@attrs.frozen
class Cutting:
    """One page: the numbers of its records in list order.

    Args:
        numbers: The numbers.
        has_more: Whether the list goes on beyond the page, in the direction asked for.
    """

    numbers: Sequence[int]
    has_more: bool


def cut(book: Book, wanted: Cut) -> Cutting:
    """Take one page out of a book.

    Args:
        book: The records.
        wanted: Which part of them.

    Returns:
        The page.
    """
    low = 0 if wanted.since is None else book.lower(wanted.since)
    high = len(book) if wanted.until is None else book.lower(wanted.until)
    downward = wanted.descending != wanted.backward
    if wanted.cursor is not None and downward:
        high = min(high, book.position(*wanted.cursor))
    elif wanted.cursor is not None:
        low = max(low, book.after(*wanted.cursor))
    found = _walk(book, low, max(low, high), wanted, downward=downward)
    page = found[: wanted.limit]
    return Cutting(page[::-1] if wanted.backward else page, len(found) > wanted.limit)


def _walk(book: Book, low: int, high: int, wanted: Cut, *, downward: bool) -> Sequence[int]:
    """Collect the page and one record more, walking away from the cursor."""
    more = wanted.limit + 1
    if wanted.keep is None:
        edge = book.numbers(max(low, high - more), high) if downward else book.numbers(low, min(high, low + more))
        return edge[::-1] if downward else edge
    return list(islice(filter(wanted.keep, _steps(book, low, high, downward=downward)), more))


def _steps(book: Book, low: int, high: int, *, downward: bool) -> Iterable[int]:
    """Go through places in chunks, so that a filter over a long book copies only what it looks at."""
    chunk = 256
    while low < high:
        if downward:
            start = max(low, high - chunk)
            yield from reversed(book.numbers(start, high))
            high = start
        else:
            end = min(high, low + chunk)
            yield from book.numbers(low, end)
            low = end
        chunk = min(chunk * 2, 8192)
