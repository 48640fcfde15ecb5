"""Simulated instants: whole microseconds since 1970 (UTC), and their RFC 3339 texts.

The service writes times with zero, five or six, or nine digits of a second, depending on where they stand.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Count the microseconds from 1970 to a moment.

    Args:
        moment: An aware datetime.

    Returns:
        Whole microseconds since 1970, UTC.

    Raises:
        ValueError: If the datetime has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a datetime needs a time zone, got {moment!r}")
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(us: int) -> datetime:
    """Turn microseconds since 1970 into an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def from_seconds(seconds: float) -> int:
    """Turn seconds into whole microseconds."""
    return round(seconds * SECOND)


def whole_second(us: int) -> int:
    """Cut an instant down to its second."""
    return us - us % SECOND


@lru_cache(maxsize=4096)
def _minute_text(minute: int) -> str:
    day, rest = divmod(minute, 1440)
    return f"{_EPOCH_DAY + timedelta(days=day)}T{rest // 60:02}:{rest % 60:02}:"


def _clock_text(us: int) -> str:
    minute, second = divmod(us // SECOND, 60)
    return f"{_minute_text(minute)}{second:02}"


def seconds_text(us: int) -> str:
    """Write an instant with whole seconds, as deployments and lean runs do."""
    return _clock_text(us) + "Z"


def micros_text(us: int) -> str:
    """Write an instant with up to six digits of a second and no trailing zeros."""
    fraction = us % SECOND
    if not fraction:
        return _clock_text(us) + "Z"
    return f"{_clock_text(us)}.{fraction:06}".rstrip("0") + "Z"


def nanos_text(us: int, nanos: int) -> str:
    """Write an instant with nine digits of a second.

    Args:
        us: Microseconds since 1970.
        nanos: The three digits below the microsecond, 0 to 999.

    Returns:
        An RFC 3339 text.
    """
    return f"{_clock_text(us)}.{us % SECOND:06}{nanos:03}Z"


def parse_instant(text: str) -> int | None:
    """Read an ISO 8601 time; one without an offset is UTC.

    Args:
        text: For example ``2026-11-20T09:30:11.5Z`` or ``2026-11-20``.

    Returns:
        Microseconds since 1970, or None where the text is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
        return to_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
