"""One deployment's long history, in windows of time that are fetched at once."""

from __future__ import annotations

import logging
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from qoder_async._many.runs_block import RunsBlock
from qoder_async._many.window_walks import FiltersIgnoredError, WindowWalks
from qoder_async._many.windows import Window, Windows
from qoder_async._paging.reading import reading
from qoder_async._paging.run_lists import runs_of, time_of
from qoder_async._paging.settings import patient
from qoder_async._wire.cursors import Cursor
from qoder_async.errors import QoderError
from qoder_async.models import Deployment, DeploymentRun
from qoder_async.options import whole_number
from qoder_async.paging import Pager, make_pager

if TYPE_CHECKING:
    from datetime import datetime

    from qoder_async._paging.listing import Listing
    from qoder_async._paging.walk import OnInvalid

__all__ = ["RunHistory"]

log: logging.Logger = logging.getLogger("qoder_async")


class RunHistory(RunsBlock):
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
        self._deployment_id = deployment_id
        pages = _Pages(listing, deployment_id, page_size, on_invalid)
        pages.pager(listing)  # so that what cannot be meant is refused here
        super().__init__("history", _InWindows(pages, after, before, slices))

    def __repr__(self) -> str:
        return f"<RunHistory of {self._deployment_id}>"


@attrs.frozen
class _Pages:
    """The lists in which a history is read.

    Attributes:
        listing: All of it.
        deployment_id: Whose history it is.
        page_size: How many runs are asked for at a time.
        on_invalid: What to do about records that cannot be decoded.
    """

    listing: Listing[DeploymentRun]
    deployment_id: str
    page_size: int
    on_invalid: OnInvalid

    def pager(self, listing: Listing[DeploymentRun], cursor: Cursor | None = None) -> Pager[DeploymentRun]:
        """Give a list."""
        pager = make_pager(
            listing,
            page_size=self.page_size,
            max_items=None,
            cursor=cursor,
            prefetch=0,
            on_invalid=self.on_invalid,
        )
        return patient(pager)

    def of_window(self, window: Window) -> Pager[DeploymentRun]:
        """Give the list of a window, from which the client takes nothing away."""
        transport = self.listing.transport
        return self.pager(runs_of(transport, self.deployment_id, after=window.asked_after, before=window.before))

    async def read_floor(self) -> datetime:
        """Read when the deployment was made."""
        deployment = await self.listing.transport.send(reading(f"/deployments/{self.deployment_id}", Deployment))
        return deployment.created_at


class _InWindows:
    """A history in windows; page by page where the service does not heed their bounds."""

    def __init__(self, pages: _Pages, after: datetime | None, before: datetime | None, slices: int) -> None:
        self._pages = pages
        self._walks = WindowWalks(
            Windows(after, before, at_once=slices, page_size=pages.page_size),
            pages.of_window,
            pages.read_floor if after is None and slices > 1 else None,
            slices,
        )
        self._seam = _Seam()
        self._last: DeploymentRun | None = None

    def start(self) -> None:
        """Begin."""
        self._walks.start()

    def release(self) -> None:
        """Do nothing: nobody waits for it, since what is fetched ahead has bounds of its own."""

    async def aclose(self) -> None:
        """End what is under way."""
        await self._walks.aclose()

    async def next_runs(self) -> list[DeploymentRun]:
        """Wait for the next runs."""
        keeps = self._pages.listing.keeps
        while (runs := await self._next_page()) is not None:
            if runs:
                self._last = runs[0]
            if wanted := runs if keeps is None else [run for run in runs if keeps(run)]:
                return wanted
        return []

    async def _next_page(self) -> list[DeploymentRun] | None:
        """Wait for the next runs, the newest last; none at the end."""
        while True:
            try:
                came = await self._walks.next_page()
            except FiltersIgnoredError:
                await self._do_without_windows()
            except QoderError as error:
                error.cursor = self._place(error.cursor)
                raise
            else:
                return None if came is None else self._seam.take_new(*came)

    async def _do_without_windows(self) -> None:
        """Go on with one window for all that was not delivered yet."""
        log.info(
            "The service ignores triggered_after and triggered_before: the history of %s is read page by page",
            self._pages.deployment_id,
        )
        pager = self._pages.pager(self._pages.listing, self._place())
        windows = Windows(None, None, at_once=1, page_size=self._pages.page_size)
        before, self._walks = self._walks, WindowWalks(windows, lambda _: pager, None, 1)
        self._walks.start()
        await before.aclose()

    def _place(self, cursor: Cursor | None = None) -> Cursor | None:
        """Find where ``runs.list`` goes on: after what was delivered, or after the record that a cursor passes over."""
        if self._last is None or (cursor is not None and cursor.parameter == "after_id"):
            return cursor
        return Cursor("after_id", self._last.id, 0 if cursor is None else cursor.skip)


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
        while self._by_time and window.before is not None and self._by_time[0][0] - window.before > _REACH:
            self._ids.discard(self._by_time.popleft()[1])
        new = [run for run in runs if run.id not in self._ids] if self._ids else runs
        if window.after is not None:
            for run in reversed(new):
                if (time := time_of(run)) - window.after <= _REACH:
                    self._ids.add(run.id)
                    self._by_time.append((time, run.id))
        return new


_REACH = timedelta(seconds=120)
"""How far above its end a window may bring runs; what lies below it is remembered whole."""
