"""Walks over a list whose pages are decoded only when they are read: what dies young costs least."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from qoder_async._paging.settings import settings_of
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from qoder_async._paging.walk import Step
    from qoder_async.errors import QoderError
    from qoder_async.paging import Pager

M = TypeVar("M", bound=Record)


class Unread(Generic[M]):
    """A page that is decoded when it is read.

    Args:
        steps: What a walk makes of the answer.

    Attributes:
        error: What ends the walk, known once the page was read.
    """

    def __init__(self, steps: Iterator[Step[M]]) -> None:
        self._steps = steps
        self.error: QoderError | None = None

    def read(self) -> list[M]:
        """Decode the page, once.

        Returns:
            Its records, after filtering.
        """
        items: list[M] = []
        for step in self._steps:
            items = items + step.items if items else step.items
            self.error = step.error
        return items


async def unread_pages(pager: Pager[M]) -> AsyncGenerator[Unread[M], None]:
    """Walk a list page by page.

    Args:
        pager: The list.

    Yields:
        Its pages; each has to be read before the next is asked for.

    Raises:
        QoderError: The walk broke.
    """
    settings = settings_of(pager)
    listing = settings.listing
    walk = settings.walk(listing.keeps)
    size = settings.request_size(filters=listing.keeps is not None)
    while not walk.is_over:
        fetched = await listing.fetch(walk.cursor, size)
        page = Unread(walk.take(fetched))
        del fetched
        yield page
        if page.error is not None:
            raise page.error
        del page
