"""What of a file is compared with the service: stretches of time drawn by lot, and the runs in them. No I/O."""

from __future__ import annotations

import random
import zlib
from array import array
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from qoder_async._paging.run_lists import TIME_SLACK, shifted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qoder_async.export.read.seen import SeenRun

WINDOW = 500
"""How many runs of the file a window has at most, unless many are of one moment."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Where a window begins that has no bound."""
_TICK = timedelta(microseconds=1)


@attrs.define(eq=False)
class Window:
    """A stretch of one deployment's history.

    Attributes:
        deployment_id: The deployment.
        start: Its inclusive start.
        end: Its exclusive end.
        newest: The time of the newest run of the deployment in the file, if that is in this window: of what the
            service has from there on nobody can tell whether it is younger than the file.
        floor: When the oldest runs were triggered that the file was to have, where that is known: of those that do not
            say when they were, and that were made up to a minute later, nobody can tell on which side they belong.
        left: The ids of the runs that the file has of it, without those that were found at the service.
        in_file: How many runs the file has of it.
        at_service: How many of the service's runs in it were compared.
        missing: The ids of those that the file has not.
        is_compared: Whether that is all.
    """

    deployment_id: str
    start: datetime
    end: datetime
    newest: datetime | None = None
    floor: datetime | None = None
    left: set[str] = attrs.field(factory=set, repr=False)
    in_file: int = 0
    at_service: int = 0
    missing: list[str] = attrs.field(factory=list)
    is_compared: bool = False

    def holds(self, moment: datetime) -> bool:
        """Tell whether a time lies in it."""
        return self.start <= moment < self.end

    def compare(self, run_id: str, moment: datetime, *, is_trigger: bool) -> None:
        """Compare a run of the service.

        Args:
            run_id: Its id.
            moment: Its time, which lies in the window.
            is_trigger: Whether that is when it was triggered, and not when its record was made.
        """
        if run_id in self.left:
            self.left.remove(run_id)
        elif self._may_be_outside(moment, is_trigger=is_trigger):
            return
        else:
            self.missing.append(run_id)
        self.at_service += 1

    def _may_be_outside(self, moment: datetime, *, is_trigger: bool) -> bool:
        if self.newest is not None and moment >= self.newest:
            return True
        return not is_trigger and self.floor is not None and moment < shifted(self.floor, TIME_SLACK)


class FirstLook:
    """How many runs a file has, and when they were: 8 bytes for each.

    Attributes:
        rows: How many runs there are.
        oddities: The ids of those that tell no deployment or no time.
    """

    def __init__(self) -> None:
        self.rows: int = 0
        self.oddities: set[str] = set()
        self._times: dict[str, array[int]] = {}

    @property
    def deployments(self) -> list[str]:
        """The deployments whose runs are in the file."""
        return list(self._times)

    @property
    def newest(self) -> datetime | None:
        """The time of the newest run, ``None`` where there is none."""
        return _moment(max(map(max, self._times.values()))) if self._times else None

    def take(self, runs: Iterable[SeenRun]) -> None:
        """Look at some runs.

        Args:
            runs: The runs.
        """
        for run_id, deployment_id, moment, _, _ in runs:
            self.rows += 1
            if deployment_id is None or moment is None:
                if run_id is not None:
                    self.oddities.add(run_id)
                continue
            times = self._times.get(deployment_id)
            if times is None:
                times = self._times[deployment_id] = array("q")
            times.append((moment - BEGINNING) // _TICK)

    def draw(self, windows: int, floor: datetime | None) -> list[Window]:
        """Draw windows by lot; the same file gives the same ones.

        Its runs are divided into windows of about equally many runs, a deployment with few runs being one window.

        Args:
            windows: How many; if there are no more than that, all of them.
            floor: When the oldest runs were triggered that the file was to have, where that is known. Otherwise what
                is older than a deployment's oldest run in the file is not looked at.

        Returns:
            The windows, those of a deployment together and the oldest first.
        """
        pieces = {deployment_id: -(-len(times) // WINDOW) for deployment_id, times in self._times.items()}
        total = sum(pieces.values())
        # Guards nothing: it only has to be the same for the same file.
        lots = sorted(random.Random(self._seed()).sample(range(total), min(windows, total)))  # noqa: S311
        drawn: list[Window] = []
        passed = taken = 0
        for deployment_id, count in pieces.items():
            until = bisect_left(lots, passed + count, taken)
            if taken < until:
                drawn += self._windows(deployment_id, [lot - passed for lot in lots[taken:until]], count, floor)
            passed, taken = passed + count, until
        return drawn

    def _seed(self) -> int:
        seed = self.rows
        for deployment_id, times in self._times.items():
            seed = zlib.crc32(times, zlib.crc32(deployment_id.encode("utf-8", "replace"), seed))
        return seed

    def _windows(self, deployment_id: str, places: Sequence[int], count: int, floor: datetime | None) -> list[Window]:
        times = sorted(self._times[deployment_id])
        # Each begins with a run. Where many are of one moment, several would be the same.
        starts = sorted({times[place * len(times) // count] for place in range(count)})
        wanted = {bisect_right(starts, times[place * len(times) // count]) - 1 for place in places}
        newest = _moment(times[-1])
        windows = []
        for place in sorted(wanted):
            is_last = place == len(starts) - 1
            start = _moment(starts[place])
            windows.append(
                Window(
                    deployment_id,
                    start=start if place or floor is None else min(start, floor),
                    end=shifted(newest, _TICK) if is_last else _moment(starts[place + 1]),
                    newest=newest if is_last else None,
                    floor=floor,
                )
            )
        return windows


class SecondLook:
    """Which runs a file has in some windows.

    Args:
        windows: The windows, those of a deployment in their order.

    Attributes:
        doubles: The ids of runs that are in the file more than once.
    """

    def __init__(self, windows: Iterable[Window]) -> None:
        self._windows: dict[str, list[Window]] = {}
        for window in windows:
            self._windows.setdefault(window.deployment_id, []).append(window)
        self.doubles: set[str] = set()

    def take(self, runs: Iterable[SeenRun]) -> None:
        """Look at some runs.

        Args:
            runs: The runs.
        """
        for run_id, deployment_id, moment, _, _ in runs:
            if deployment_id not in self._windows or moment is None or run_id is None:
                continue
            window = window_at(self._windows[deployment_id], moment)
            if window is None:
                continue
            if run_id in window.left:
                self.doubles.add(run_id)
            else:
                window.left.add(run_id)
                window.in_file += 1


def window_at(windows: Sequence[Window], moment: datetime) -> Window | None:
    """Find the window in which a time lies.

    Args:
        windows: Windows of one deployment in their order.
        moment: The time.

    Returns:
        The window, ``None`` where it lies in none.
    """
    place = bisect_right(windows, moment, key=lambda window: window.start) - 1
    return windows[place] if place >= 0 and windows[place].holds(moment) else None


def _moment(microseconds: int) -> datetime:
    return BEGINNING + microseconds * _TICK
