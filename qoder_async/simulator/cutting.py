"""One page, cut out of a book."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qoder_async.simulator.book import Book


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
