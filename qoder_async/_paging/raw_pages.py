"""Walks over a list that leave its records as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from qoder_async._paging.walk import Walk, whole
from qoder_async.errors import QoderError
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from qoder_async._paging.delivered_ids import DeliveredIds
    from qoder_async._wire.cursors import Cursor
    from qoder_async._wire.decode import RawRecord
    from qoder_async.paging import Pager

M = TypeVar("M", bound=Record)


@attrs.frozen
class RawPage:
    """The records of a page as they came.

    Attributes:
        records: The records, without those that this walk has delivered before.
        next_cursor: Where the list goes on, ``None`` at its end.
    """

    records: list[RawRecord] = attrs.field(repr=False)
    next_cursor: Cursor | None


def filter_of(pager: Pager[M]) -> Callable[[M], bool] | None:
    """Give the filter that a list applies to its models.

    Args:
        pager: The list.

    Returns:
        What tells whether a record is wanted, ``None`` where all are.
    """
    return pager._listing.keeps  # noqa: SLF001


async def raw_pages(
    pager: Pager[Any], delivered: DeliveredIds, *, keeps: Callable[[RawRecord], bool] | None = None
) -> AsyncGenerator[RawPage, None]:
    """Walk a list page by page without making models of its records; what cannot be decoded comes like the others.

    Args:
        pager: The list; of its settings for the client, neither filters nor ``max_items`` and ``prefetch`` count.
        delivered: What earlier walks have delivered; it is kept up to date.
        keeps: Tells whether a record is wanted.

    Yields:
        Each page.

    Raises:
        QoderError: The walk broke, also where a page does not say how it goes on.
    """
    listing, size = pager._listing, pager._page_size  # noqa: SLF001  a pager's own business, which this is
    walk: Walk[RawRecord] = Walk(
        pager._cursor,  # noqa: SLF001
        style=listing.style,
        keeps=keeps,
        max_items=None,
        on_invalid="raise",
        delivered=delivered,
    )
    while not walk.is_over:
        try:
            fetched = await listing.fetch_raw(walk.cursor, size)
        except QoderError as error:
            error.cursor = walk.cursor
            raise
        step = whole(walk.take(fetched))
        del fetched
        if step.error is not None:
            raise step.error
        yield RawPage(step.items, step.next_cursor)
        del step
