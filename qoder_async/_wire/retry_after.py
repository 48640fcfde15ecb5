"""How long the service asks to wait, in every spelling it may use."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from multidict import CIMultiDictProxy


def retry_after(headers: CIMultiDictProxy[str], *, now: datetime) -> float | None:
    """Read ``Retry-After-Ms``, then ``Retry-After``.

    Args:
        headers: The answer's headers.
        now: The time here, for a date in an answer that does not say when it was written.

    Returns:
        Seconds of 0 or more; the longest where a header is repeated; ``None`` where nothing readable is asked.
    """
    milliseconds = _longest(_number(text) for text in headers.getall("Retry-After-Ms", ()))
    if milliseconds is not None:
        return milliseconds / 1000
    written = read_date(headers.get("Date", "")) or now
    return _longest(_wait(text, written) for text in headers.getall("Retry-After", ()))


def _wait(text: str, written: datetime) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    date = read_date(text)
    # A date that has passed asks for no wait.
    return None if date is None else max(0.0, (date - written).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text.strip())
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def read_date(text: str) -> datetime | None:
    """Read a date as headers have it.

    Args:
        text: The header.

    Returns:
        An aware datetime, ``None`` where it is no date.
    """
    try:
        date = parsedate_to_datetime(text.strip())
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _longest(waits: Iterable[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)
