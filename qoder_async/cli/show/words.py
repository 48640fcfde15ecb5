"""How numbers, times, durations and sizes are written for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async._wire.timestamps import in_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NOTHING = "-"
"""What stands where there is no value."""
_UNITS = ("kB", "MB", "GB", "TB")
_MOST_TOLD = 10


def counted(number: int, noun: str) -> str:
    """Write how many there are: ``1 run``, ``2,000 runs``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def size(count: int) -> str:
    """Write a number of bytes, for people."""
    if count < 1000:
        return f"{count} B"
    power = 0
    while count / 1000 ** (power + 1) >= 999.95 and power < len(_UNITS) - 1:
        power += 1
    return f"{count / 1000 ** (power + 1):,.1f} {_UNITS[power]}"


def short(moment: datetime) -> str:
    """Write a point in time, for people."""
    return in_utc(moment).replace(tzinfo=None).isoformat(" ", "seconds")


def duration(milliseconds: int | None) -> str:
    """Write how long a run took, for people."""
    if milliseconds is None:
        return NOTHING
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else whole_duration(seconds)


def whole_duration(seconds: float) -> str:
    """Write a duration in whole seconds, for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} m"
    return f"{minutes} m {rest:02} s" if minutes else f"{rest} s"


def some(told: Mapping[str, str]) -> tuple[str, ...]:
    """Name the first of many things.

    Args:
        told: What is said of each.

    Returns:
        A line for each of the first ones, and one that counts the others.
    """
    lines = [f"{name}: {text}" for name, text in told.items()]
    more = len(lines) - _MOST_TOLD
    return (*lines[:_MOST_TOLD], f"and {more:,} more") if more > 0 else tuple(lines)
