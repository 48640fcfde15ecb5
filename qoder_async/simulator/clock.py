"""Where simulated time comes from: the machine, the machine sped up, or the test by hand."""

from __future__ import annotations

import time
import weakref
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from qoder_async.simulator.choices import check_not_negative

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock(Protocol):
    """Anything that tells the simulated time."""

    def now(self) -> datetime:
        """Tell the simulated time.

        Returns:
            An aware datetime, which never goes backwards.
        """
        ...


class RealClock:
    """Simulated time is real time."""

    def now(self) -> datetime:
        """Tell the time.

        Returns:
            The time in UTC.
        """
        return datetime.now(UTC)


class AcceleratedClock:
    """Simulated time that runs faster (or slower) than real time.

    Args:
        factor: Simulated seconds per real second, above 0.
        start: Where simulated time begins, aware; by default now.

    Raises:
        ValueError: If the factor is not above 0 or the start has no time zone.
    """

    def __init__(self, factor: float = 60.0, *, start: datetime | None = None) -> None:
        if factor <= 0:
            raise ValueError(f"factor must be above 0, got {factor}")
        self._factor = factor
        self._start = _aware(start)
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """Tell the simulated time.

        Returns:
            The time in UTC.
        """
        return self._start + timedelta(seconds=(time.monotonic() - self._origin) * self._factor)


class ManualClock:
    """Simulated time that stands still until it is advanced.

    Args:
        start: Where simulated time begins, aware; by default now.

    Raises:
        ValueError: If the start has no time zone.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._now = _aware(start)
        self._listeners: list[weakref.WeakMethod[Callable[[], object]]] = []

    def now(self) -> datetime:
        """Tell the simulated time.

        Returns:
            The time in UTC, the same until it is advanced.
        """
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Move time on; everything that falls due happens in here, in order of time.

        Args:
            seconds: How far, 0 or more.

        Returns:
            The new time.

        Raises:
            ValueError: If the seconds are negative.
        """
        check_not_negative("seconds", seconds, ": time does not go backwards")
        self._now += timedelta(seconds=seconds)
        for listener in list(self._listeners):
            work_off = listener()
            if work_off is None:
                self._listeners.remove(listener)
            else:
                work_off()
        return self._now

    def subscribe(self, work_off: Callable[[], object]) -> None:
        """Have a bound method called after every advance, for as long as its object lives.

        Args:
            work_off: A bound method without arguments.
        """
        self._listeners.append(weakref.WeakMethod(work_off))


def _aware(start: datetime | None) -> datetime:
    if start is None:
        return datetime.now(UTC)
    if start.tzinfo is None:
        raise ValueError(f"start needs a time zone, got {start!r}")
    return start.astimezone(UTC)
