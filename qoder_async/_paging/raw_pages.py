"""Walks over a list that leave its records as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from qoder_async._paging.settings import settings_of
from qoder_async._paging.walk import Walk, whole
from qoder_async.errors import APIStatusError, QoderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from qoder_async._paging.delivered_ids import DeliveredIds
    from qoder_async._wire.cursors import Cursor
    from qoder_async._wire.decode import RawRecord
    from qoder_async.paging import Pager

_REFUSED_PLACE = frozenset({400, 404, 410, 422})


@attrs.frozen
class RawPage:
    """The records of a page as they came.

    Attributes:
        records: The records, without those that this walk has delivered before.
        next_cursor: Where the list goes on, ``None`` at its end.
    """

    records: list[RawRecord] = attrs.field(repr=False)
    next_cursor: Cursor | None


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
    settings = settings_of(pager)
    listing = settings.listing
    walk: Walk[RawRecord] = Walk(
        settings.cursor,
        style=listing.style,
        keeps=keeps,
        max_items=None,
        on_invalid="raise",
        delivered=delivered,
    )
    while not walk.is_over:
        fetched = await listing.fetch_raw(walk.cursor, settings.page_size)
        step = whole(walk.take(fetched))
        del fetched
        if step.error is not None:
            raise step.error
        yield RawPage(step.items, step.next_cursor)
        del step


def refuses_place(error: QoderError) -> bool:
    """Tell whether a service may answer so where it does not know the place any more at which a walk goes on.

    Args:
        error: What the walk raised.

    Returns:
        Whether it may: the place is a cursor, or the id of a run.
    """
    return isinstance(error, APIStatusError) and error.status in _REFUSED_PLACE
