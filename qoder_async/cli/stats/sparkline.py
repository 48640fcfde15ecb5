"""Numbers a day as a line of blocks. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

MOST_DAYS = 30
_NONE = "·"
_BLOCKS = "▁▂▃▄▅▆▇█"


def choose_days(
    days: Iterable[date], after: datetime | None, before: datetime | None, *, today: date, most: int = MOST_DAYS
) -> list[date]:
    """Choose the days that are shown: those of a window, or up to the last one on which there was anything.

    Args:
        days: The days on which there was anything.
        after: The window's inclusive start in UTC.
        before: Its exclusive end.
        today: The present day in UTC: later ones are shown only up to the last one on which there was anything.
        most: How many days are shown at most, the last ones.

    Returns:
        Days without a gap; none where there is nothing to show.
    """
    known = sorted(days)
    if not known:
        return []
    first = known[0] if after is None else after.date()
    last = known[-1]
    if before is not None:
        last = min((before - timedelta(microseconds=1)).date(), max(last, today))
    count = min(most, (last - first).days + 1)
    return [date.fromordinal(last.toordinal() - back) for back in reversed(range(count))]


def sparkline(per_day: Mapping[date, int], days: Sequence[date]) -> str:
    """Draw numbers.

    Args:
        per_day: The number of each day, where it is not 0.
        days: The days that are shown.

    Returns:
        A character for each day: a dot for 0, the highest block for the largest number that is shown.
    """
    numbers = [per_day.get(day, 0) for day in days]
    most = max(numbers, default=0)
    return "".join(_BLOCKS[-(-number * len(_BLOCKS) // most) - 1] if number else _NONE for number in numbers)
