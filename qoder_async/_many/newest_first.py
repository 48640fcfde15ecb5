"""Merging lists that come page by page, newest first; no I/O."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

import attrs

from qoder_async._paging.run_lists import TIME_SLACK, time_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.models import DeploymentRun

_UNKNOWN = float("inf")
_NOTHING = float("-inf")


@attrs.define(eq=False)
class Branch:
    """One of the lists that are merged.

    Attributes:
        name: What it is a list of.
        horizon: The time of the newest run that pages to come may hold, in seconds since 1970.
    """

    name: str
    horizon: float = _UNKNOWN
    _left: list[tuple[float, DeploymentRun]] = attrs.field(factory=list, init=False, repr=False)
    """What is there, the newest last."""
    _last_came: int = attrs.field(default=0, init=False)
    """How many runs the last page had."""

    @property
    def is_over(self) -> bool:
        """Whether no page will come any more."""
        return self.horizon == _NOTHING

    @property
    def has_runs(self) -> bool:
        """Whether something is there that was not taken."""
        return bool(self._left)

    @property
    def newest(self) -> float:
        """The time of the newest run that is there."""
        return self._left[-1][0] if self._left else _NOTHING

    @property
    def is_in_last_page(self) -> bool:
        """Whether something of the last page was taken, so that it is time to fetch the next."""
        return len(self._left) < self._last_came

    def add(self, runs: Sequence[DeploymentRun]) -> None:
        """Add a page.

        Args:
            runs: The runs on it.
        """
        if not runs:
            return
        timed = [(time_of(run).timestamp(), run) for run in reversed(runs)]
        timed += self._left
        self._last_came = len(runs)
        # In a list that is sorted already this is one comparison a run; equal times stay in the order of the list.
        timed.sort(key=_time)
        self._left = timed
        oldest, run = timed[0]
        # Where runs do not say when they were triggered, the next page may hold some that belong before these.
        slack = TIME_SLACK.total_seconds() if run.triggered_at is None else 0.0
        self.horizon = min(self.horizon, oldest + slack)

    def end(self) -> None:
        """Note that no page will come any more."""
        self.horizon = _NOTHING

    def take(self, until: float) -> list[DeploymentRun]:
        """Take the runs down to a time, the newest first.

        Args:
            until: The time.

        Returns:
            The runs.
        """
        taken = []
        while self._left and self._left[-1][0] >= until:
            taken.append(self._left.pop()[1])
        return taken


class NewestFirst:
    """Several lists as one."""

    def __init__(self) -> None:
        # A branch moves down the heap only when its turn comes: what it holds can but have become older since.
        self._heap: list[tuple[float, int, Branch]] = []
        self._order = count()

    def add(self, branch: Branch) -> None:
        """Add a list.

        Args:
            branch: The list.
        """
        place = max(branch.newest, branch.horizon)
        if place > _NOTHING:
            heapq.heappush(self._heap, (-place, next(self._order), branch))

    def take(self) -> tuple[Branch | None, list[DeploymentRun]]:
        """Take what comes next.

        Returns:
            A list and some of its runs, the newest first; no runs where its next page has to come before anything
            else. No list where nothing is left.
        """
        while self._heap:
            _, _, branch = heapq.heappop(self._heap)
            rest = -self._heap[0][0] if self._heap else _NOTHING
            is_next = max(branch.newest, branch.horizon) >= rest
            taken = branch.take(max(rest, branch.horizon)) if is_next else []
            self.add(branch)
            if is_next and (taken or not branch.is_over):
                return branch, taken
        return None, []


def _time(timed: tuple[float, DeploymentRun]) -> float:
    return timed[0]
