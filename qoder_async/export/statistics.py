"""What runs were like, for each deployment: how they ended, how long they took, how many there were a day. Pure."""

from __future__ import annotations

from array import array
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import attrs

from qoder_async.export.read.seen import FAILED, STARTED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from qoder_async.export.read.seen import SeenRun

COMPLETED = "completed"
STOPPED = "stopped"
UNKNOWN = "unknown"
_LONGEST = 2**63 - 1
"""What an array holds; no run takes 300 million years."""


@attrs.frozen(kw_only=True)
class DeploymentStatistics:
    """What the runs of a deployment were like.

    Attributes:
        deployment_id: The deployment.
        runs: How many there were.
        states: How many of them stand so, by their states, the most frequent one first.
        success_rate: The share of the completed ones, from 0 to 1, among those that completed, failed or were stopped;
            ``None`` where there are none of these, and where the others do not tell how they went.
        median_ms: How long completed runs took, in milliseconds: half of them took longer.
        p95_ms: The same: one in 20 took longer.
        first_at: When the first was triggered, ``None`` where there was none.
        last_at: When the last was triggered.
        per_day: How many there were on each day (UTC) on which there were any, the first day first.
    """

    deployment_id: str
    runs: int
    states: Mapping[str, int]
    success_rate: float | None
    median_ms: float | None
    p95_ms: float | None
    first_at: datetime | None
    last_at: datetime | None
    per_day: Mapping[date, int]


class _Tally:
    """What is counted of one deployment: 8 bytes for each completed run, and no more for the others."""

    __slots__ = ("days", "durations", "first_at", "last_at", "states")

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.days: Counter[int] = Counter()
        self.durations = array("q")
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None

    def add(self, moment: datetime, state: str, duration_ms: int | None) -> None:
        self.states[state] += 1
        self.days[moment.toordinal()] += 1
        if self.first_at is None or moment < self.first_at:
            self.first_at = moment
        if self.last_at is None or moment > self.last_at:
            self.last_at = moment
        if duration_ms is not None and state == COMPLETED and 0 <= duration_ms <= _LONGEST:
            self.durations.append(duration_ms)

    def result(self, deployment_id: str) -> DeploymentStatistics:
        durations = sorted(self.durations)
        return DeploymentStatistics(
            deployment_id=deployment_id,
            runs=self.states.total(),
            states=dict(sorted(self.states.items(), key=lambda item: (-item[1], item[0]))),
            success_rate=success_rate(self.states),
            median_ms=quantile(durations, 1, 2),
            p95_ms=quantile(durations, 19, 20),
            first_at=self.first_at,
            last_at=self.last_at,
            per_day={date.fromordinal(day): self.days[day] for day in sorted(self.days)},
        )


class Statistics:
    """Statistics that are being made.

    Args:
        only: The ids of the deployments that count, also those without runs; none for all that have runs.
        after: Only runs at or after this time count.
        before: Only runs before this time count.

    Attributes:
        seen: How many runs came, also those that do not count.
        unreadable: How many of them do not tell their deployment or their time, and count nowhere.
    """

    def __init__(
        self, *, only: Collection[str] = (), after: datetime | None = None, before: datetime | None = None
    ) -> None:
        self._after = after
        self._before = before
        self._tallies = {deployment_id: _Tally() for deployment_id in only}
        self._is_open = not only
        self.seen: int = 0
        self.unreadable: int = 0

    def add_deployment(self, deployment_id: str) -> None:
        """Count a deployment, also if it has no runs.

        Args:
            deployment_id: The deployment.
        """
        self._tallies.setdefault(deployment_id, _Tally())

    def add(self, runs: Iterable[SeenRun]) -> None:
        """Count some runs.

        Args:
            runs: The runs, with their times in UTC.
        """
        tallies, after, before = self._tallies, self._after, self._before
        for _, deployment_id, moment, state, duration_ms in runs:
            self.seen += 1
            if deployment_id is None or moment is None:
                self.unreadable += 1
                continue
            if (after is not None and moment < after) or (before is not None and moment >= before):
                continue
            tally = tallies.get(deployment_id)
            if tally is None:
                if not self._is_open:
                    continue
                tally = tallies[deployment_id] = _Tally()
            tally.add(moment, UNKNOWN if state is None else state, duration_ms)

    def results(self) -> list[DeploymentStatistics]:
        """Give what was counted.

        Returns:
            The deployments, that with the most runs first.
        """
        results = [tally.result(deployment_id) for deployment_id, tally in self._tallies.items()]
        return sorted(results, key=lambda result: (-result.runs, result.deployment_id))


def success_rate(states: Mapping[str, int]) -> float | None:
    """Give the share of runs that went well, among those of which it is known.

    Args:
        states: How many runs stand so, by their states.

    Returns:
        From 0 to 1; ``None`` where it is not known of any. Where runs that have started do not tell how they went on,
        those that failed to start say nothing about the others.
    """
    completed, failed, stopped = (states.get(state, 0) for state in (COMPLETED, FAILED, STOPPED))
    if not completed + stopped and states.get(STARTED, 0):
        return None
    ended = completed + failed + stopped
    return completed / ended if ended else None


def quantile(ordered: Sequence[int], part: int, parts: int) -> float | None:
    """Find the value below which so many parts of some values lie.

    Args:
        ordered: The values, in order.
        part: How many parts.
        parts: Of how many.

    Returns:
        The value, between two of them if need be; ``None`` where there are no values.
    """
    if not ordered:
        return None
    index, rest = divmod(part * (len(ordered) - 1), parts)
    if not rest:
        return float(ordered[index])
    return (ordered[index] * (parts - rest) + ordered[index + 1] * rest) / parts
