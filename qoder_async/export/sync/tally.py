"""What has happened in a sync so far, and telling a caller of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async.export.progress import ExportProgress, tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from qoder_async._http.clock import Clock
    from qoder_async._http.transport import Transport
    from qoder_async.errors import QoderError
    from qoder_async.export.progress import OnProgress
    from qoder_async.export.sync.store import Written

_SELDOM = 0.5


@attrs.define
class Tally:
    """What has happened so far.

    Attributes:
        done: Deployments that are up to date.
        gone: Deployments that the service does not know, with what it said.
        failures: Why deployments were given up.
        current: Deployments that are being read.
        deployments_total: How many deployments there are, ``None`` as long as they were not all listed.
        rows: Runs that came.
        size: Bytes of their JSON.
        new: Runs that were not in the file.
        updated: Runs that were, and have changed.
        requests: Requests that were sent.
        outcomes_done: Runs of which it was asked how they went.
        outcomes_total: Of how many it is asked, 0 as long as that has not begun.
        ignores_status: Whether the service is known not to filter runs by their status.
    """

    done: dict[str, None] = attrs.field(factory=dict)
    gone: dict[str, str] = attrs.field(factory=dict)
    failures: dict[str, QoderError] = attrs.field(factory=dict)
    current: dict[str, None] = attrs.field(factory=dict)
    deployments_total: int | None = None
    rows: int = 0
    size: int = 0
    new: int = 0
    updated: int = 0
    requests: int = 0
    outcomes_done: int = 0
    outcomes_total: int = 0
    ignores_status: bool = False

    def note_request(self) -> None:
        """Count a request."""
        self.requests += 1

    def note_total(self, total: int) -> None:
        """Note how many deployments there are."""
        self.deployments_total = total

    def note_lines(self, lines: Sequence[bytes]) -> None:
        """Count runs that came."""
        self.rows += len(lines)
        self.size += sum(map(len, lines))

    def note_written(self, written: Written) -> None:
        """Count what came of writing."""
        self.new += written.new
        self.updated += written.updated


class Telling:
    """Tells how far a sync is, and not too often.

    Args:
        tally: What has happened so far.
        on_progress: What is told, if anybody wants to know.
        clock: Where time comes from.
    """

    def __init__(self, tally: Tally, on_progress: OnProgress | None, clock: Clock) -> None:
        self._tally = tally
        self._on_progress = on_progress
        self._clock = clock
        self._began = clock.now()
        self._told_at = float("-inf")

    def begin_outcomes(self, total: int) -> None:
        """Note that the runs have come, and that it is asked of some of them how they went.

        Args:
            total: Of how many.
        """
        if total:
            self._tally.outcomes_total = total
            self._began = self._clock.now()

    async def __call__(self, *, at_once: bool = False) -> None:
        """Tell it, if that was not done just now.

        Args:
            at_once: Tell it in any case.
        """
        now = self._clock.now()
        if self._on_progress is None or not (at_once or now - self._told_at >= _SELDOM):
            return
        self._told_at = now
        tally, seconds = self._tally, now - self._began
        asks = tally.outcomes_total > 0
        done = tally.outcomes_done if asks else tally.rows
        progress = ExportProgress(
            phase="outcomes" if asks else "fetching",
            deployments_done=len(tally.done) + len(tally.failures),
            deployments_total=tally.deployments_total,
            rows=tally.rows,
            bytes=tally.size,
            requests=tally.requests,
            rows_per_second=done / seconds if seconds > 0 else 0.0,
            rows_written=tally.new + tally.updated,
            current_deployments=tuple(tally.current),
            outcomes_done=tally.outcomes_done,
            outcomes_total=tally.outcomes_total,
        )
        await tell(self._on_progress, progress)


def service_time(transport: Transport) -> datetime | None:
    """Tell what time it is for the service.

    Args:
        transport: What has had answers from it.

    Returns:
        The time, or a little less; ``None`` where no answer said.
    """
    ahead = transport.traits.clock_ahead()
    return None if ahead is None else transport.clock.wall() + ahead
