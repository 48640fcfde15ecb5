"""Lists of any length: cursors, pages, and the pager that walks them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from qoder_async._http.retry import is_passing_error
from qoder_async._paging.delivered_ids import Identified
from qoder_async._paging.patience import is_passing_unless_understood
from qoder_async._paging.walk import OnInvalid, Walk, whole
from qoder_async._wire.cursors import Cursor, read_cursor
from qoder_async.concurrency import end
from qoder_async.errors import ConfigurationError, QoderError
from qoder_async.models import Record
from qoder_async.options import whole_number

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator

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

    _listing: Listing[M] = attrs.field(alias="listing")
    _page_size: int = attrs.field(alias="page_size")
    _max_items: int | None = attrs.field(alias="max_items")
    _cursor: Cursor | None = attrs.field(alias="cursor")
    _prefetch: int = attrs.field(alias="prefetch")
    _on_invalid: OnInvalid = attrs.field(alias="on_invalid")

    def __repr__(self) -> str:
        start = f" from {self._cursor}" if self._cursor else ""
        return f"<Pager of {self._listing.path}{start}>"

    async def __aiter__(self) -> AsyncGenerator[M, None]:
        async with aclosing(self._steps(self._listing.fetch, self._listing.keeps, by_page=False)) as steps:
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
        async with aclosing(self._steps(self._listing.fetch, self._listing.keeps, by_page=True)) as steps:
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
        async with aclosing(attrs.evolve(self, prefetch=0).pages()) as pages:
            async for page in pages:
                return page
        return Page(items=[], next_cursor=self._cursor, request_id=None, raw=b"")

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
        most = max_items if self._max_items is None else min(max_items, self._max_items)
        return [item async for item in attrs.evolve(self, max_items=most)]

    async def raw(self) -> AsyncGenerator[bytes, None]:
        """Walk the list without making models of its records.

        Records that cannot be decoded are delivered like the others, unless a filter has to read them.

        Yields:
            The exact JSON bytes the service sent for each record.

        Raises:
            QoderError: The walk broke.
        """
        if self._listing.keeps is not None:
            async with aclosing(aiter(self)) as items:
                async for item in items:
                    yield item.raw
            return
        async with aclosing(self._steps(self._listing.fetch_raw, None, by_page=False)) as steps:
            async for step, _ in steps:
                for record in step.items:
                    yield record.raw

    async def _unread(self) -> AsyncGenerator[Unread[M], None]:
        walk = self._walk(self._listing.keeps)
        size = self._request_size(filters=self._listing.keeps is not None)
        while not walk.is_over:
            try:
                fetched = await self._listing.fetch(walk.cursor, size)
            except QoderError as error:
                error.cursor = walk.cursor
                raise
            page = Unread(walk.take(fetched))
            del fetched
            yield page
            if page.error is not None:
                raise page.error
            del page

    def _walk(self, keeps: Callable[[R], bool] | None) -> Walk[R]:
        return Walk(
            self._cursor,
            style=self._listing.style,
            keeps=keeps,
            max_items=self._max_items,
            on_invalid=self._on_invalid,
        )

    async def _steps(
        self,
        fetch: Callable[[Cursor | None, int], Coroutine[Any, Any, Fetched[R]]],
        keeps: Callable[[R], bool] | None,
        *,
        by_page: bool,
    ) -> AsyncGenerator[tuple[Step[R], Fetched[R]], None]:
        """Walk the list, a page or a part of one at a time; raise what is wrong at its place."""
        walk = self._walk(keeps)
        size = self._request_size(filters=keeps is not None)
        ahead: asyncio.Task[Fetched[R]] | None = None
        try:
            while not walk.is_over:
                try:
                    fetched = await (ahead or fetch(walk.cursor, size))
                except QoderError as error:
                    error.cursor = walk.cursor
                    raise
                ahead = None
                steps = walk.take(fetched)
                if by_page or self._prefetch:
                    # Whatever is wrong with the page is found before another is asked for.
                    steps = iter((whole(steps),))
                in_a_row = 0
                for step in steps:
                    in_a_row += 1  # noqa: SIM113  enumerate would hold on to the last step
                    if in_a_row % _PARTS_IN_A_ROW == 0:
                        await asyncio.sleep(0)  # a page of 1,000 would keep the event loop from others for milliseconds
                    if self._prefetch and not walk.is_over:
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

    def _request_size(self, *, filters: bool) -> int:
        """Ask for no more than is wanted, where every record that comes is delivered."""
        resumes_within = self._cursor is not None and self._cursor.skip
        if self._max_items is None or filters or resumes_within:
            return self._page_size
        return max(1, min(self._page_size, self._max_items))


def unread_pages(pager: Pager[M]) -> AsyncGenerator[Unread[M], None]:
    """Walk a list page by page, and decode each page only when it is read: what dies young costs least.

    Args:
        pager: The list.

    Returns:
        Its pages; each has to be read before the next is asked for.

    Raises:
        QoderError: The walk broke.
    """
    return pager._unread()  # noqa: SLF001


def counted(pager: Pager[M], on_request: Callable[[], None]) -> Pager[M]:
    """Give a list whose requests are counted.

    Args:
        pager: The list.
        on_request: Is told of every request.

    Returns:
        The same list.
    """
    return attrs.evolve(pager, listing=attrs.evolve(pager._listing, on_request=on_request))  # noqa: SLF001


def patient(pager: Pager[M], on_request: Callable[[], None] | None = None) -> Pager[M]:
    """Give a list whose pages are tried for 5 minutes, where they fail for a passing reason.

    An answer that is JSON and no list of such records is a passing reason only where the pager skips what cannot be
    decoded.

    Args:
        pager: The list.
        on_request: Is told of every request.

    Returns:
        The same list, with patience.
    """
    waits_out = is_passing_error if pager._on_invalid == "skip" else is_passing_unless_understood  # noqa: SLF001
    listing = attrs.evolve(pager._listing, waits_out=waits_out, on_request=on_request)  # noqa: SLF001
    return attrs.evolve(pager, listing=listing)


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
    return Pager(
        listing=listing,
        page_size=page_size,
        max_items=max_items,
        cursor=start,
        prefetch=prefetch,
        on_invalid=on_invalid,
    )
