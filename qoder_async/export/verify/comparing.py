"""Windows of a file, compared with what the service has of them."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from qoder_async._paging.run_lists import TIME_SLACK, runs_of, shifted
from qoder_async._paging.settings import patient
from qoder_async._wire.decode import NotJSONError, WrongShapeError
from qoder_async._wire.envelope import REFUSALS
from qoder_async.export.read.seen import see_line
from qoder_async.export.verify.plan import BEGINNING, WINDOW, Window, window_at
from qoder_async.models.record import Timestamp  # noqa: TC001  msgspec reads the annotations
from qoder_async.paging import make_pager

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection, Sequence
    from datetime import datetime

    from qoder_async._http.transport import Transport
    from qoder_async.export.read.seen import SeenRun

_PAGE_SIZE = 1000
_FAR = 2 * TIME_SLACK
"""How far outside of a window the times of runs may be that were asked for as those around it."""


class Comparing:
    """Compares windows of a file with the service.

    Args:
        transport: What sends the requests.
        oddities: The ids of runs in the file that tell no deployment or no time.

    Attributes:
        requests: How many requests were sent.
    """

    def __init__(self, transport: Transport, oddities: Collection[str]) -> None:
        self._transport = transport
        self._oddities = oddities
        self.requests: int = 0

    def note_request(self) -> None:
        """Count a request."""
        self.requests += 1

    async def compare(self, windows: Sequence[Window]) -> None:
        """Compare windows of one deployment.

        Args:
            windows: The windows, the oldest first. What they hold of the file is there already.

        Raises:
            QoderError: The service could not be read.
        """
        for window in reversed(windows):
            if not window.is_compared:
                await self._compare_one(window, windows)

    async def _compare_one(self, window: Window, windows: Sequence[Window]) -> None:
        """Compare one window; where the service does not heed its bounds, all that are left."""
        heeds_bounds = True
        oldest = window.start
        async with aclosing(self._runs(window.deployment_id, window.start, window.end)) as runs:
            async for run, is_trigger in runs:
                if run.time is None or run.id is None:
                    _forgive(run, windows)
                    continue
                if _lies_after(run.time, window.end):
                    heeds_bounds, oldest = False, windows[0].start
                elif _lies_after(oldest, run.time):
                    break  # the newest come first
                found = window_at(windows, run.time)
                if found is None or found.is_compared or (heeds_bounds and found is not window):
                    continue
                if run.id not in self._oddities:
                    found.compare(run.id, run.time, is_trigger=is_trigger)
        window.is_compared = True
        if not heeds_bounds:  # the whole list was walked, past all of them
            for each in windows:
                each.is_compared = True

    async def find_absent(self, deployment_id: str, start: datetime, end: datetime) -> Window:
        """Look for runs of a deployment of which the file has none.

        Args:
            deployment_id: The deployment.
            start: Only runs at or after this time.
            end: Only runs before this time.

        Returns:
            The window with what is missing, which is 500 runs at most.

        Raises:
            QoderError: The service could not be read.
        """
        window = Window(deployment_id, start, end, floor=start)
        async with aclosing(self._runs(deployment_id, start, end)) as runs:
            async for run, is_trigger in runs:
                if run.id is None or run.time is None or run.id in self._oddities:
                    continue
                if _lies_after(start, run.time) or len(window.missing) >= WINDOW:
                    break
                if window.holds(run.time):
                    window.compare(run.id, run.time, is_trigger=is_trigger)
        return window

    async def _runs(
        self, deployment_id: str, start: datetime, end: datetime
    ) -> AsyncGenerator[tuple[SeenRun, bool], None]:
        """Walk the runs around a window, the newest first, each record read as those of the file are.

        With each comes whether its time is that of its trigger.
        """
        after = None if start <= BEGINNING else start - TIME_SLACK
        listing = runs_of(self._transport, deployment_id, after=after, before=shifted(end, TIME_SLACK))
        pager = make_pager(listing, _PAGE_SIZE, None, None, 0, "raise")
        async with aclosing(patient(pager, self.note_request).raw()) as records:
            async for record in records:
                try:
                    run = see_line(record)
                except (NotJSONError, WrongShapeError):
                    continue  # no run at all
                yield run, _says_trigger(record)


class _Trigger(msgspec.Struct, gc=False):
    triggered_at: Timestamp | None = None


_triggers = msgspec.json.Decoder(_Trigger)


def _says_trigger(record: bytes) -> bool:
    try:
        return _triggers.decode(record).triggered_at is not None
    except REFUSALS:
        return False


def _forgive(run: SeenRun, windows: Sequence[Window]) -> None:
    """Do not miss at the service what it has in a form that nobody can read."""
    if run.id is not None:
        for window in windows:
            window.left.discard(run.id)


def _lies_after(moment: datetime, end: datetime) -> bool:
    """Tell whether a time lies so far after another that no inaccuracy explains it."""
    return moment > end and moment - end >= _FAR
