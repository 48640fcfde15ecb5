"""Lists of any length: cursors, pages, and the pager that walks them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from qoder_async._concurrency.ending import end
from qoder_async._misuse import refuse
from qoder_async._paging.delivered_ids import Identified
from qoder_async._paging.settings import WalkSettings
from qoder_async._paging.walk import OnInvalid, whole
from qoder_async._wire.cursors import Cursor, read_cursor
from qoder_async.errors import ConfigurationError
from qoder_async.models import Record
from qoder_async.options import whole_number

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from qoder_async._paging.listing import Listing
    from qoder_async._paging.walk import Fetched, Step

__all__ = ["Cursor", "Page", "Pager"]

T = TypeVar("T")
R = TypeVar("R", bound=Identified)
M = TypeVar("M", bound=Record)

_PARTS_IN_A_ROW = 2
"""How many parts of an answer are decoded before other tasks get their turn."""


@attrs.frozen(kw_only=True, eq=False)
class Page(Generic[T]):
    """One page of a list, after filtering.

    Attributes:
        items: The records, without those that this walk has delivered before.
        next_cursor: Where the list goes on, ``None`` at its end.
        request_id: The service's id of the request.
        raw: The answer as it came.
        problems: What was left out because it cannot be decoded, a line for each record.
    """

    items: list[T]
    next_cursor: Cursor | None
    request_id: str | None
    raw: bytes = attrs.field(repr=False)
    problems: tuple[str, ...] = ()

    @property
    def has_more(self) -> bool:
        """Whether the list goes on."""
        return self.next_cursor is not None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Pager(Generic[M]):
    """A list that is fetched page by page as it is walked.

    Making a pager sends nothing; each iteration is a new walk from its start. Every error raised in a walk carries a
    ``cursor``: the same call with ``cursor=error.cursor`` goes on where the walk broke.

    Example:
        ```python
        async for run in qoder.runs.list("dep_…"):
            print(run.id)
        ```
    """

    _settings: WalkSettings[M] = attrs.field(alias="settings")

    def __repr__(self) -> str:
        start = f" from {self._settings.cursor}" if self._settings.cursor else ""
        return f"<Pager of {self._settings.listing.path}{start}>"

    if not TYPE_CHECKING:
        __getitem__ = refuse("is walked with async for; await ….collect() gives a list")

    async def __aiter__(self) -> AsyncGenerator[M, None]:
        listing = self._settings.listing
        async with aclosing(self._steps(listing.fetch, listing.keeps, by_page=False)) as steps:
            async for step, _ in steps:
                for item in step.items:
                    yield item
                del step  # before the next part is made

    async def pages(self) -> AsyncGenerator[Page[M], None]:
        """Walk the list page by page.

        Yields:
            Each page, also one on which nothing is left after filtering.

        Raises:
            QoderError: The walk broke; ``error.cursor`` goes on from there.
        """
        listing = self._settings.listing
        async with aclosing(self._steps(listing.fetch, listing.keeps, by_page=True)) as steps:
            async for step, fetched in steps:
                page = Page(
                    items=step.items,
                    next_cursor=step.next_cursor,
                    request_id=fetched.request_id,
                    raw=fetched.body,
                    problems=step.problems,
                )
                # One page at a time is enough to hold, apart from the one ahead.
                del step, fetched
                yield page
                del page

    async def first_page(self) -> Page[M]:
        """Fetch one page.

        Returns:
            The page at the pager's start.

        Raises:
            QoderError: The request failed, or the first record cannot be decoded.
        """
        async with aclosing(self._with(prefetch=0).pages()) as pages:
            async for page in pages:
                return page
        return Page(items=[], next_cursor=self._settings.cursor, request_id=None, raw=b"")

    async def collect(self, max_items: int | None = None) -> list[M]:
        """Walk the list to its end and keep everything.

        Args:
            max_items: How many records are wanted at most; the pager's own ``max_items`` holds as well.

        Returns:
            The records.

        Raises:
            QoderError: The walk broke.
        """
        if max_items is None:
            return [item async for item in self]
        whole_number(max_items, "max_items", minimum=0)
        own = self._settings.max_items
        most = max_items if own is None else min(max_items, own)
        return [item async for item in self._with(max_items=most)]

    async def raw(self) -> AsyncGenerator[bytes, None]:
        """Walk the list without making models of its records.

        Records that cannot be decoded are delivered like the others, unless a filter has to read them.

        Yields:
            The exact JSON bytes the service sent for each record.

        Raises:
            QoderError: The walk broke.
        """
        listing = self._settings.listing
        if listing.keeps is not None:
            async with aclosing(aiter(self)) as items:
                async for item in items:
                    yield item.raw
            return
        async with aclosing(self._steps(listing.fetch_raw, None, by_page=False)) as steps:
            async for step, _ in steps:
                for record in step.items:
                    yield record.raw

    def _with(self, **changes: Any) -> Pager[M]:
        return attrs.evolve(self, settings=attrs.evolve(self._settings, **changes))

    async def _steps(
        self,
        fetch: Callable[[Cursor | None, int], Coroutine[Any, Any, Fetched[R]]],
        keeps: Callable[[R], bool] | None,
        *,
        by_page: bool,
    ) -> AsyncGenerator[tuple[Step[R], Fetched[R]], None]:
        """Walk the list, a page or a part of one at a time; raise what is wrong at its place."""
        settings = self._settings
        walk = settings.walk(keeps)
        size = settings.request_size(filters=keeps is not None)
        ahead: asyncio.Task[Fetched[R]] | None = None
        try:
            while not walk.is_over:
                fetched = await (ahead or fetch(walk.cursor, size))
                ahead = None
                steps = walk.take(fetched)
                if by_page or settings.prefetch:
                    # Whatever is wrong with the page is found before another is asked for.
                    steps = iter((whole(steps),))
                in_a_row = 0
                for step in steps:
                    in_a_row += 1  # noqa: SIM113  enumerate would hold on to the last step
                    if in_a_row % _PARTS_IN_A_ROW == 0:
                        await asyncio.sleep(0)  # a page of 1,000 would keep the event loop from others for milliseconds
                    if settings.prefetch and not walk.is_over:
                        ahead = asyncio.create_task(fetch(walk.cursor, size))
                    broken = step.error
                    if step.is_page:
                        yield step, fetched
                    del step
                    if broken is not None:
                        raise broken
                del fetched, steps
        finally:
            if ahead is not None:
                await end(ahead)


def make_pager(
    listing: Listing[M],
    page_size: int,
    max_items: int | None,
    cursor: Cursor | str | None,
    prefetch: int,
    on_invalid: OnInvalid,
) -> Pager[M]:
    """Check how a list is to be walked.

    Args:
        listing: The list.
        page_size: How many records are asked for at a time.
        max_items: How many are delivered at most, ``None`` for all.
        cursor: Where to begin, ``None`` for the beginning.
        prefetch: 1 to fetch the next page while one is used, 0 not to.
        on_invalid: ``"raise"`` or ``"skip"`` records that cannot be decoded.

    Returns:
        The pager.

    Raises:
        ConfigurationError: One of them cannot be meant.
    """
    whole_number(page_size, "page_size", minimum=1)
    if max_items is not None:
        whole_number(max_items, "max_items", minimum=0)
    if isinstance(prefetch, bool) or prefetch not in (0, 1):
        raise ConfigurationError(f"prefetch must be 0 or 1, got {prefetch!r}")
    if on_invalid not in ("raise", "skip"):
        raise ConfigurationError(f"on_invalid must be 'raise' or 'skip', got {on_invalid!r}")
    start = read_cursor(cursor)
    if listing.style == "pages only" and start is not None and start.parameter != "page":
        raise ConfigurationError(
            f"cursor must be one that a page or an error of this list gave, since it takes no ids; got {start!r}"
        )
    settings = WalkSettings(
        listing=listing,
        page_size=page_size,
        max_items=max_items,
        cursor=start,
        prefetch=prefetch,
        on_invalid=on_invalid,
    )
    return Pager(settings=settings)
