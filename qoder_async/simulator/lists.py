"""One page of a list, from its cursor to its envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async.simulator.cutting import Cut, cut
from qoder_async.simulator.pages import NextPage, next_page_field, page_body
from qoder_async.simulator.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qoder_async.simulator.book import Book
    from qoder_async.simulator.queries import Between, Cursor


@attrs.frozen
class Listing:
    """A list that can be paged through.

    Args:
        book: Its records.
        cursor_place: Finds time and number of the record a cursor names, or None where there is none.
        make_id: Makes the identifier of a record.
        records: Renders the records of a page.
    """

    book: Book
    cursor_place: Callable[[str], tuple[int, int] | None]
    make_id: Callable[[int], str]
    records: Callable[[Sequence[int]], Sequence[bytes]]


def list_page(
    listing: Listing,
    *,
    limit: int,
    cursor: Cursor | None,
    between: Between,
    tests: list[Callable[[int], bool]],
    next_page: NextPage,
    descending: bool = True,
) -> bytes:
    """Serve one page of a list.

    Args:
        listing: The list.
        limit: The longest page.
        cursor: Where the page lies, or None for the first.
        between: What part of time it is about, microseconds.
        tests: Which records are in the list, by number.
        next_page: How the forward cursor is written.
        descending: Whether the list is newest first.

    Returns:
        The JSON of the page.

    Raises:
        ProblemError: If the cursor names nothing.
    """
    place = None
    if cursor is not None and (place := listing.cursor_place(cursor.id)) is None:
        raise invalid(f"Invalid {cursor.name} cursor", cursor.name)
    wanted = Cut(
        since=between.since,
        until=between.until,
        cursor=place,
        backward=cursor is not None and cursor.backward,
        descending=descending,
        limit=limit,
        keep=_all_of(tests),
    )
    found = cut(listing.book, wanted)
    numbers = found.numbers
    if not numbers:
        return page_body((), None, has_more=False, next_page=next_page_field(next_page, None))
    ids = listing.make_id(numbers[0]), listing.make_id(numbers[-1])
    onward = found.has_more
    if wanted.backward:
        # Even the last page before the cursor points forward, to the cursor's own record.
        beyond = attrs.evolve(wanted, backward=False, cursor=listing.cursor_place(ids[1]), limit=1)
        onward = bool(cut(listing.book, beyond).numbers)
    field = next_page_field(next_page, ids[1] if onward else None)
    return page_body(listing.records(numbers), ids, has_more=found.has_more, next_page=field)


def _all_of(tests: list[Callable[[int], bool]]) -> Callable[[int], bool] | None:
    """Join tests into one; None where there is nothing to test."""
    if len(tests) < 2:
        return tests[0] if tests else None
    return lambda number: all(test(number) for test in tests)
