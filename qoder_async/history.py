"""One deployment's long history, in windows of time that are fetched at once."""

from __future__ import annotations

import logging
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

from qoder_async._reading import reading
from qoder_async._run_lists import runs_of, time_of
from qoder_async._window_walks import FiltersIgnoredError, WindowWalks
from qoder_async._windows import Window, Windows
from qoder_async._wire.cursors import Cursor
from qoder_async.errors import ConfigurationError, QoderError
from qoder_async.models import Deployment, DeploymentRun
from qoder_async.options import whole_number
from qoder_async.paging import Page, Pager, make_pager, patient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from qoder_async._listing import Listing
    from qoder_async._walk import OnInvalid

__all__ = ["RunHistory"]

log = logging.getLogger("qoder_async")


class RunHistory:
    """The runs of a deployment, the newest first: ``async with`` begins to fetch them, ``async for`` gives each."""

    def __init__(
        self,
        listing: Listing[DeploymentRun],
        deployment_id: str,
        after: datetime | None,
        before: datetime | None,
        slices: int,
        *,
        page_size: int,
        on_invalid: OnInvalid,
    ) -> None:
        whole_number(slices, "slices", minimum=1)
        self._listing = listing
        self._deployment_id = deployment_id
        self._page_size = page_size
        self._on_invalid: OnInvalid = on_invalid
        self._pager(listing)  # so that what cannot be meant is refused here
        self._walks = WindowWalks(
            Windows(after, before, at_once=slices, page_size=page_size),
            self._pager_of,
            self._read_floor if after is None and slices > 1 else None,
            slices,
        )
        self._plain: AsyncGenerator[Page[DeploymentRun], None] | None = None
        self._seam = _Seam()
        self._has_begun = False
        self._has_left = False
        self._last: DeploymentRun | None = None
        self._runs: list[DeploymentRun] = []
        """What comes next, the first last."""

    def __repr__(self) -> str:
        return f"<RunHistory of {self._deployment_id}>"

    async def __aenter__(self) -> Self:
        if self._has_begun or self._has_left:
            raise ConfigurationError("history can be entered only once; call it anew")
        self._has_begun = True
        self._walks.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it before the block is left, also for another task that iterates; doing so again does nothing."""
        self._has_left = True
        self._runs.clear()
        if self._has_begun:
            await self._walks.aclose()
        if self._plain is not None:
            await self._plain.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DeploymentRun:
        if not self._runs:
            self._runs = await self._next_runs()
        return self._runs.pop()

    async def _next_runs(self) -> list[DeploymentRun]:
        if not self._has_begun:
            raise ConfigurationError("history must be entered before it is iterated: async with … as history")
        keeps = self._listing.keeps
        while not self._has_left:
            runs = await self._next_page()
            if runs is None:
                break
            if runs:
                self._last = runs[0]
            if wanted := runs if keeps is None else [run for run in runs if keeps(run)]:
                return wanted
        raise StopAsyncIteration

    async def _next_page(self) -> list[DeploymentRun] | None:
        """Wait for the next runs, the newest last; none at the end."""
        if self._plain is None:
            try:
                came = await self._walks.next_page()
            except FiltersIgnoredError:
                self._plain = patient(self._pager(self._listing, self._place())).pages()
            except QoderError as error:
                error.cursor = self._place(error.cursor)
                raise
            else:
                return None if came is None else self._seam.take_new(*came)
            log.info(
                "The service ignores triggered_after and triggered_before: the history of %s is read page by page",
                self._deployment_id,
            )
            await self._walks.aclose()
        page = await anext(self._plain, None)
        return None if page is None else page.items[::-1]

    def _place(self, cursor: Cursor | None = None) -> Cursor | None:
        """Find where ``runs.list`` goes on, given where the walk of a window does."""
        if self._last is None or (cursor is not None and cursor.parameter == "after_id"):
            return cursor
        # A window's first page has no cursor, and opaque ones count in that window only.
        return Cursor("after_id", self._last.id, 0 if cursor is None else cursor.skip)

    def _pager_of(self, window: Window) -> Pager[DeploymentRun]:
        transport = self._listing.transport
        listing = runs_of(transport, self._deployment_id, after=window.asked_after, before=window.before)
        return patient(self._pager(listing))

    def _pager(self, listing: Listing[DeploymentRun], cursor: Cursor | None = None) -> Pager[DeploymentRun]:
        return make_pager(
            listing,
            page_size=self._page_size,
            max_items=None,
            cursor=cursor,
            prefetch=0,
            on_invalid=self._on_invalid,
        )

    async def _read_floor(self) -> datetime:
        deployment = await self._listing.transport.send(reading(f"/deployments/{self._deployment_id}", Deployment))
        return deployment.created_at


class _Seam:
    """The runs at the end of a window that the next ones may bring once more, because windows overlap."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._by_time: deque[tuple[datetime, str]] = deque()

    def take_new(self, window: Window, runs: list[DeploymentRun]) -> list[DeploymentRun]:
        """Leave out what came before.

        Args:
            window: The window that brings the runs.
            runs: The runs, the newest last.

        Returns:
            Those that are new.
        """
        while self._by_time and window.before is not None and self._by_time[0][0] > window.before + _REACH:
            self._ids.discard(self._by_time.popleft()[1])
        new = [run for run in runs if run.id not in self._ids] if self._ids else runs
        if window.after is not None:
            end = window.after + _REACH
            for run in reversed(new):
                if (time := time_of(run)) <= end:
                    self._ids.add(run.id)
                    self._by_time.append((time, run.id))
        return new


_REACH = timedelta(seconds=120)
"""How far above its end a window may bring runs; what lies below it is remembered whole."""
