"""Points in time and durations, as people type them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from qoder_async._wire.timestamps import parse_timestamp
from qoder_async.cli.failures import usage

_AGO = re.compile(r"(?:\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MINUTE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SECONDS = re.compile(r"\d+(?:\.\d+)?")


def read_moment(text: str | None, option: str, *, now: datetime | None = None) -> datetime | None:
    """Read a point in time.

    Args:
        text: So long ago (``90s``, ``2h``, ``3d``, ``1w``, ``1d12h``), a day (``2026-11-01``, its beginning in UTC), or
            RFC 3339; a time without an offset is UTC.
        option: What the error calls it.
        now: What ``2h`` counts back from; absent, the present.

    Returns:
        An aware datetime, ``None`` for nothing.

    Raises:
        Stop: It is none of these.
    """
    if text is None:
        return None
    try:
        return _parse(text.strip(), datetime.now(UTC) if now is None else now)
    except (ValueError, OverflowError):
        raise usage(
            f"{option} must be a time such as 2h, 3d, 2026-11-01 or 2026-11-01T08:30:00Z, got {text!r}"
        ) from None


def read_duration(text: str, option: str) -> float | None:
    """Read a duration.

    Args:
        text: Seconds (``90``, ``0.5``), or with units (``90s``, ``10m``, ``1h30m``, ``2d``); ``none`` and 0 are for
            ever.
        option: What the error calls it.

    Returns:
        Seconds, ``None`` for ever.

    Raises:
        Stop: It is none of these.
    """
    typed = text.strip().lower()
    try:
        if typed == "none":
            return None
        if _SECONDS.fullmatch(typed):
            return _finite(float(typed)) or None
        if _AGO.fullmatch(typed):
            return _span(typed).total_seconds() or None
    except (ValueError, OverflowError):  # more than there is
        pass
    raise usage(f"{option} must be a duration such as 90, 90s, 10m, 1h30m or none, got {text!r}")


def _finite(number: float) -> float:
    if math.isinf(number):
        raise OverflowError
    return number


def _span(text: str) -> timedelta:
    parts: dict[str, int] = {}
    for number, unit in _PART.findall(text):
        parts[_UNITS[unit]] = parts.get(_UNITS[unit], 0) + int(number)
    return timedelta(**parts)


def _parse(text: str, now: datetime) -> datetime:
    if _AGO.fullmatch(text):
        return now - _span(text)
    if _DAY.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    return parse_timestamp(f"{text}:00" if _MINUTE.fullmatch(text) else text).astimezone(UTC)
