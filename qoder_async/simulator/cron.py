"""Cron schedules: five POSIX fields, matched against the wall clock of a time zone.

Day of month and day of week are alternatives where both are restricted. On the days when clocks change, a
wall time that does not exist is left out, and one that comes twice counts the first time only; a schedule
for every hour goes on through both.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import attrs

_MONTH_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: Final = {name: index for index, name in enumerate(_MONTH_NAMES, start=1)}
_DAYS: Final = {name: index for index, name in enumerate(_DAY_NAMES)}
_NO_NAMES: Final[dict[str, int]] = {}
_FIELDS: Final = (
    ("minute", 0, 59, _NO_NAMES),
    ("hour", 0, 23, _NO_NAMES),
    ("day of month", 1, 31, _NO_NAMES),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_MINUTE: Final = timedelta(minutes=1)
# 29 February on one weekday comes back after 40 years at most (across 2100); a schedule silent for longer
# never fires.
_HORIZON: Final = timedelta(days=366 * 41)


class CronError(ValueError):
    """A cron expression or time zone that cannot be used.

    Args:
        field: What is wrong: ``expression`` or ``timezone``.
        message: Why.

    Attributes:
        field: What is wrong, as it was given.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@attrs.frozen
class Cron:
    """A parsed schedule.

    Args:
        minutes: The minutes that match, ascending.
        hours: The hours that match.
        days: The days of the month that match.
        months: The months that match.
        weekdays: The days of the week that match, 0 for Sunday to 6.
        either_day: Whether one of day of month and day of week is enough.
        zone: The time zone of the wall clock.
    """

    minutes: tuple[int, ...]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: tzinfo

    def matches_day(self, moment: datetime) -> bool:
        """Whether the schedule fires at all on the date of a local time.

        Args:
            moment: The local time.

        Returns:
            True where the date fits, at whatever time of the day.
        """
        if moment.month not in self.months:
            return False
        in_month = moment.day in self.days
        in_week = moment.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def next_after(self, moment: datetime) -> datetime | None:
        """Find the next time the schedule fires.

        Args:
            moment: An aware datetime; the answer lies after it.

        Returns:
            A whole minute in UTC, or None where the schedule never fires again.
        """
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        last = at + _HORIZON
        while at < last:
            local = at.astimezone(self.zone)
            step = self._step(local)
            if not step:
                return at
            at += step
        return None

    def _step(self, local: datetime) -> timedelta:
        """How far to the next time worth a look; nothing where this one matches."""
        if not self.matches_day(local):
            return self._to_midnight(local)
        if local.fold and len(self.hours) < 24:
            return _MINUTE
        if local.hour not in self.hours:
            return self._within_offset(local, 60 - local.minute)
        following = bisect_right(self.minutes, local.minute - 1)
        if following == len(self.minutes):
            return self._within_offset(local, 60 - local.minute)
        wait = self.minutes[following] - local.minute
        return self._within_offset(local, wait) if wait else timedelta(0)

    def _to_midnight(self, local: datetime) -> timedelta:
        midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), self.zone)
        # Where clocks go back over midnight, the first midnight lies behind the second evening.
        return max(midnight.astimezone(UTC) - local.astimezone(UTC), _MINUTE)

    def _within_offset(self, local: datetime, minutes: int) -> timedelta:
        """Jump, but only minute by minute where the clocks change on the way."""
        step = timedelta(minutes=minutes)
        there = (local.astimezone(UTC) + step).astimezone(self.zone)
        return step if there.utcoffset() == local.utcoffset() else _MINUTE

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """List the next times the schedule fires.

        Args:
            moment: An aware datetime; all answers lie after it.
            count: How many.

        Returns:
            Whole minutes in UTC, ascending; fewer where the schedule ends.
        """
        found: list[datetime] = []
        while len(found) < count:
            at = self.next_after(found[-1] if found else moment)
            if at is None:
                break
            found.append(at)
        return found


def parse_cron(expression: str, timezone: str) -> Cron:
    """Read a cron expression.

    Args:
        expression: Five fields: minute, hour, day of month, month, day of week.
        timezone: An IANA name such as ``Europe/Paris``.

    Returns:
        The schedule.

    Raises:
        CronError: If either cannot be read.
    """
    return _parse(expression, timezone)


@lru_cache(maxsize=1024)
def _parse(expression: str, timezone: str) -> Cron:
    fields = expression.split()
    if len(fields) != 5:
        raise CronError("expression", f"a cron expression has 5 fields, got {len(fields)}")
    minutes, hours, days, months, weekdays = (
        _field(text, name, low, high, names) for text, (name, low, high, names) in zip(fields, _FIELDS, strict=True)
    )
    return Cron(
        minutes=tuple(sorted(minutes)),
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
        zone=_zone(timezone),
    )


def knows_zone(name: str) -> bool:
    """Tell whether this machine knows a time zone."""
    try:
        _zone(name)
    except CronError:
        return False
    return True


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # Windows has no time zone database by itself
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = "" if _has_database() else "; this machine knows none: install the package tzdata"
        raise CronError("timezone", f"unknown time zone: {name}{hint}") from None


def _has_database() -> bool:
    try:
        ZoneInfo("UTC")
    except KeyError:
        return False
    return True


def _field(text: str, name: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        values.update(_range(part, name, low, high, names))
    return frozenset(values)


def _range(part: str, name: str, low: int, high: int, names: dict[str, int]) -> range:
    span, slash, step_text = part.partition("/")
    step = _number(step_text, name, 1, high, _NO_NAMES) if slash else 1
    if span == "*":
        return range(low, high + 1, step)
    first_text, dash, last_text = span.partition("-")
    first = _number(first_text, name, low, high, names)
    # "5/15" runs from 5 to the end.
    last_text = last_text if dash else str(high) if slash else first_text
    last = _number(last_text, name, low, high, names)
    if last < first:
        raise CronError("expression", f"{name}: {span} runs backwards")
    return range(first, last + 1, step)


def _number(text: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
    number = names.get(text.lower())
    if number is None and text.isascii() and text.isdigit() and len(text) < 10:
        number = int(text)
    if number is None or not low <= number <= high:
        raise CronError("expression", f"{name}: {text!r} is not between {low} and {high}")
    return number
