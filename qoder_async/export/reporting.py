"""Telling a caller how far an export is, and not too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async.export.progress import ExportProgress, tell

if TYPE_CHECKING:
    from qoder_async._http.clock import Clock
    from qoder_async.export.fetching import Fetched
    from qoder_async.export.progress import OnProgress, Phase

_SELDOM = 0.25


class Reporting:
    """Tells how far an export is.

    Args:
        fetched: What has come so far.
        on_progress: What is told, if anybody wants to know.
        clock: Where time comes from.
    """

    def __init__(self, fetched: Fetched, on_progress: OnProgress | None, clock: Clock) -> None:
        self._fetched = fetched
        self._on_progress = on_progress
        self._clock = clock
        self._phase_began = clock.now()
        self._told_at = float("-inf")
        self.rows_before: int = fetched.rows

    async def fetching(self, size: int, *, at_once: bool = False) -> None:
        """Tell how far the fetching is, if that was not told just now.

        Args:
            size: Bytes of the spool.
            at_once: Tell it in any case.
        """
        if self._is_due(at_once=at_once):
            rate = self._rate(self._fetched.rows - self.rows_before)
            await tell(self._on_progress, self._progress("fetching", size, rate, 0))

    def begin_writing(self) -> None:
        """Note that the fetching has ended."""
        self._phase_began = self._clock.now()

    async def writing(self, size: int, rows_written: int, *, at_once: bool = False) -> None:
        """Tell how far the writing is, if that was not told just now.

        Args:
            size: Bytes of the spool.
            rows_written: Runs that were written.
            at_once: Tell it in any case.
        """
        if self._is_due(at_once=at_once):
            await tell(self._on_progress, self._progress("writing", size, self._rate(rows_written), rows_written))

    def _is_due(self, *, at_once: bool) -> bool:
        now = self._clock.now()
        if self._on_progress is None or not (at_once or now - self._told_at >= _SELDOM):
            return False
        self._told_at = now
        return True

    def _rate(self, rows: int) -> float:
        return rows / seconds if (seconds := self._clock.now() - self._phase_began) > 0 else 0.0

    def _progress(self, phase: Phase, size: int, rate: float, rows_written: int) -> ExportProgress:
        fetched = self._fetched
        return ExportProgress(
            phase=phase,
            deployments_done=fetched.deployments_done,
            deployments_total=fetched.deployments_total,
            rows=fetched.rows,
            bytes=size,
            requests=fetched.requests,
            rows_per_second=rate,
            rows_written=rows_written,
            current_deployments=tuple(fetched.current),
        )
