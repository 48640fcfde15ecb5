"""How a long history is divided into windows of time that are walked at once; no I/O."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from qoder_async._paging.run_lists import TIME_SLACK, time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.models import DeploymentRun

MOST_PAGES = 16
"""How many pages a window is planned to have at most: what is fetched ahead is held until its turn comes."""
_SPARE = 0.05
"""How much of its last page a window is planned to leave empty, so that it does not need another for a few runs."""
_WORTH_A_WINDOW = 1.5
"""How many pages must be left of a window before a part of it is given to somebody who has nothing to do."""
_BURST = 4.0
"""How much denser than before a window must become to count as a burst, of which nobody knows how long it is."""
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_OVERLAP = timedelta(seconds=1)
"""How much of the next older window is asked for as well: bounds may be compared in whole seconds, and whether they
are inclusive is not documented."""
_ROUNDING = timedelta(seconds=1)
"""How far times may be off where runs say when they were triggered."""


def slack_of(run: DeploymentRun) -> timedelta:
    """Tell how far from its known time a run may have been triggered.

    Args:
        run: The run.

    Returns:
        A minute where it does not say when it was triggered, otherwise a second.
    """
    return _ROUNDING if run.triggered_at is not None else TIME_SLACK


@attrs.define(eq=False)
class Window:
    """A part of the time of a history.

    Attributes:
        after: Its oldest moment, ``None`` where it has no bound.
        before: The moment at which it ends, ``None`` where it has no bound.
        asked_after: The oldest moment that the service is asked for. It stays as it is when a part of the window is
            given to another.
        density: How many pages there are in a second, as far as one can tell.
        density_here: How many there are in a second where the walk has come to.
        is_begun: Whether it is being walked, or was.
        is_over: Whether nothing more is to be fetched for it.
        is_past_gap: Whether what lies right above it was empty, so that nobody knows where its runs begin.
        pages: How many pages came, in full pages.
        newest: The time of the newest run that came.
        reached: The time of the oldest run that came.
    """

    after: datetime | None
    before: datetime | None
    asked_after: datetime | None
    density: float | None = None
    density_here: float = 0.0
    is_begun: bool = False
    is_over: bool = False
    is_past_gap: bool = False
    pages: float = 0.0
    newest: datetime | None = None
    reached: datetime | None = None

    def is_violated_by(self, runs: Sequence[DeploymentRun]) -> bool:
        """Tell whether a page proves that the service does not heed the bounds.

        Args:
            runs: The runs of the page, at least one.

        Returns:
            Whether a run lies outside of what was asked for, farther than its time may be off.
        """
        first, last = runs[0], runs[-1]
        # Bounds may lie at the ends of time, where nothing can be added to them.
        is_too_new = self.before is not None and time_of(first) - self.before >= slack_of(first)
        return is_too_new or (self.asked_after is not None and self.asked_after - time_of(last) > slack_of(last))


class Windows:
    """The windows of a history, the newest first: together they cover all of its time, and no two the same.

    Args:
        after: The history's oldest moment, ``None`` where it has no bound.
        before: The moment at which it ends, ``None`` where it has no bound.
        at_once: How many windows are walked at once.
        page_size: How many runs a full page has.
    """

    def __init__(self, after: datetime | None, before: datetime | None, *, at_once: int, page_size: int) -> None:
        self._at_once = at_once
        self._page_size = page_size
        self._floor = after
        self._floor_is_settled = after is not None
        self._grain = 2 * _ROUNDING
        self._windows = [Window(after=after, before=before, asked_after=after)]

    @property
    def head(self) -> Window | None:
        """The newest window, ``None`` where none is left."""
        return self._windows[0] if self._windows else None

    def drop_head(self) -> None:
        """Forget the newest window, which is over."""
        del self._windows[0]

    def set_floor(self, moment: datetime | None) -> None:
        """Note when the history may have begun; that serves to plan, and bounds nothing.

        Args:
            moment: The moment, ``None`` where nobody knows.
        """
        self._floor, self._floor_is_settled = moment, True
        for window in self._windows[:]:
            self._share(window)

    def begin_next(self) -> Window | None:
        """Begin the newest window that has not begun, or the newest part of it.

        Returns:
            The window, ``None`` where there is none or enough are being walked.
        """
        waiting = self._waiting()
        if not waiting or self._running() >= self._at_once:
            return None
        window = waiting[0]
        share = self._fair_share()
        # A list without lower bound leads over a gap at once; a part of it would have to guess how wide the gap is.
        if window.before and window.density and not window.is_past_gap and self._pages_left(window) > 1.25 * share:
            self._cut(window, window.before, share, window.density)
        window.is_begun = True
        return window

    def note_page(self, window: Window, runs: Sequence[DeploymentRun], *, has_more: bool) -> None:
        """Learn from a page, and plan anew.

        Args:
            window: The window it is of.
            runs: The runs on it, at least one.
            has_more: Whether more pages follow.
        """
        newest, oldest, slack = time_of(runs[0]), time_of(runs[-1]), slack_of(runs[-1])
        self._grain = max(self._grain, 2 * slack)
        window.newest = window.newest or newest
        window.reached = oldest if window.reached is None else min(oldest, window.reached)
        window.pages += len(runs) / self._page_size
        window.density_here = _density(len(runs) / self._page_size, newest - oldest)
        window.density = _density(window.pages, (window.before or window.newest) - window.reached)
        # What lies below its own part was asked for before the rest was given away.
        has_passed = window.after is not None and window.after - oldest > (slack if slack > _ROUNDING else timedelta())
        if has_passed or not has_more:
            self.note_end(window)
        else:
            self._share(window)

    def note_end(self, window: Window) -> None:
        """Note that nothing more is to be fetched for a window, and learn from how much there was.

        Args:
            window: The window.
        """
        if window.is_over:
            return
        window.is_over = True
        start, older = window.before or window.newest, self._next_waiting(window)
        if older is None or older.density is None or start is None or window.after is None:
            return
        older.density = (older.density + _density(window.pages, start - window.after)) / 2
        if not window.pages:
            older.is_past_gap = True

    def _share(self, window: Window) -> None:
        """Give the older part of a window away, if there is more in it than one should walk alone."""
        if window.reached is None or not window.density or not self._floor_is_settled or self._at_once == 1:
            return
        left, idle = self._pages_left(window), self._at_once - self._running()
        if idle == 0 or self._waiting():
            if left >= 1.5 * MOST_PAGES:
                self._cut(window, window.reached, MOST_PAGES, window.density)
            return
        is_burst = window.density_here > _BURST * window.density
        density = window.density_here if is_burst else window.density
        if left * density / window.density >= _WORTH_A_WINDOW:
            share = max(1, min(MOST_PAGES, math.ceil(left / (idle + 1))))
            self._cut(window, window.reached, share, density)

    def _cut(self, window: Window, start: datetime, pages: float, density: float) -> None:
        """Leave a window so many pages from a moment on, and make another window of what is older."""
        oldest = self._end_of(window, start)
        width = max(self._grain.total_seconds(), (pages - _SPARE) / density)
        if (start - oldest).total_seconds() < width + self._grain.total_seconds():
            return
        cut = (start - timedelta(seconds=width)).replace(microsecond=0)
        asked_after = window.asked_after
        if window.after is not None and (asked_after is None or window.after - asked_after > _OVERLAP):
            asked_after = window.after - _OVERLAP  # what lies below was given to another window before
        rest = Window(after=window.after, before=cut, asked_after=asked_after, density=window.density)
        self._windows.insert(self._windows.index(window) + 1, rest)
        window.after = cut
        if not window.is_begun:
            window.asked_after = cut - _OVERLAP

    def _pages_left(self, window: Window) -> float:
        """Estimate how much is still to be fetched for a window."""
        start = window.reached or window.before
        if window.is_over or start is None or window.density is None:
            return 0.0
        return max(0.0, window.density * (start - self._end_of(window, start)).total_seconds())

    def _end_of(self, window: Window, start: datetime) -> datetime:
        """Give the moment down to which a window may have runs."""
        if window.after is not None:
            return window.after
        return self._floor if self._floor is not None and self._floor < start else _LONG_AGO

    def _fair_share(self) -> int:
        """Give how many pages a window is to have, so that all are done at about the same time."""
        left = sum(self._pages_left(window) for window in self._windows)
        return max(1, min(MOST_PAGES, math.ceil(left / self._at_once)))

    def _running(self) -> int:
        return sum(window.is_begun and not window.is_over for window in self._windows)

    def _next_waiting(self, window: Window) -> Window | None:
        older = self._windows[self._windows.index(window) + 1 :]
        return next((each for each in older if not each.is_begun), None)

    def _waiting(self) -> list[Window]:
        return [window for window in self._windows if not window.is_begun]


def _density(pages: float, span: timedelta) -> float:
    """Give the pages in a second; within one second nothing can be told apart."""
    return pages / max(1.0, span.total_seconds())
