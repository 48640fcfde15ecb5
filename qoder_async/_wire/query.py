"""Query strings: what a caller asks for, in the service's spelling."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, overload
from urllib.parse import quote

import msgspec

from qoder_async._wire.timestamps import format_timestamp, in_utc
from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
_EXAMPLE = "an aware datetime or an RFC 3339 text such as '2026-11-22T08:30:00Z'"

Moment = datetime | str
"""A point in time as callers give it: an aware datetime, or an RFC 3339 text."""


@overload
def read_time(value: Moment, argument: str) -> datetime: ...
@overload
def read_time(value: Moment | None, argument: str) -> datetime | None: ...
def read_time(value: Moment | None, argument: str) -> datetime | None:
    """Take a point in time as a caller gives it.

    Args:
        value: An aware datetime, an RFC 3339 text, or nothing.
        argument: What the error calls it.

    Returns:
        An aware datetime in UTC.

    Raises:
        ConfigurationError: It is something else, or has no offset.
    """
    if value is None:
        return None
    moment = _parse(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise ConfigurationError(f"{argument} must be {_EXAMPLE}, got {value!r}")
    if moment.utcoffset() is None:
        raise ConfigurationError(
            f"{argument} must say its offset, got {value!r}: "
            "write datetime(…, tzinfo=timezone.utc) or end the text with Z"
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        pass
    raise ConfigurationError(f"{argument} is no time in UTC: {value!r}")


def _parse(text: str) -> datetime | None:
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None


def check_window(after: datetime | None, before: datetime | None, names: tuple[str, str]) -> None:
    """Refuse a window of time that ends before it starts.

    Args:
        after: Its inclusive start.
        before: Its exclusive end.
        names: What the error calls them.

    Raises:
        ConfigurationError: It ends before it starts.
    """
    if after is not None and before is not None and before < after:
        raise ConfigurationError(f"{names[1]} ({before.isoformat()}) is before {names[0]} ({after.isoformat()})")


def format_time(moment: datetime) -> str:
    """Write a point in time as the service does.

    Args:
        moment: An aware datetime.

    Returns:
        RFC 3339 with as many fraction digits as are needed; in UTC, unless the calendar ends before it there.
    """
    return format_timestamp(in_utc(moment))


def just_before(moment: datetime | None) -> datetime | None:
    """Ask for a little more than is wanted.

    The documentation does not say whether ``triggered_after`` includes its bound; a microsecond more makes sure of
    the bound, and the client compares again.

    Args:
        moment: An inclusive lower bound.

    Returns:
        One microsecond less.
    """
    if moment is None or moment == datetime.min.replace(tzinfo=UTC):
        return moment
    return moment - timedelta(microseconds=1)


def encode_query(pairs: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> str:
    """Write a query string.

    Args:
        pairs: Names and values; ``None`` leaves a parameter out, a list repeats it, booleans become ``true`` and
            ``false``, datetimes RFC 3339.

    Returns:
        The query string without its question mark, percent-encoded.

    Raises:
        ConfigurationError: A value is of no kind that has a spelling in a query.
    """
    return "&".join(
        encode_parameter(name, value)
        for name, values in _items(pairs)
        if values is not None
        for value in (values if isinstance(values, list | tuple) else (values,))
    )


def encode_parameter(name: str, value: object) -> str:
    """Write one parameter of a query string.

    Args:
        name: Its name.
        value: A text, a number, a boolean or a datetime.

    Returns:
        Name and value, percent-encoded.

    Raises:
        ConfigurationError: The value is of no kind that has a spelling in a query.
    """
    return f"{_quote(name, name, safe='[]')}={_quote(name, _spell(name, value))}"


def _items(pairs: object) -> Iterable[tuple[str, Any]]:
    items = list(pairs.items()) if isinstance(pairs, Mapping) else pairs
    if not isinstance(items, list | tuple):
        raise ConfigurationError(f"query must be a mapping of names to values, got {pairs!r}")
    for item in items:
        if not isinstance(item, tuple) or len(item) != 2 or not isinstance(item[0], str):
            raise ConfigurationError(f"query must map names, which are texts, to values, got {item!r}")
    return items


def _quote(name: str, text: str, *, safe: str = "") -> str:
    if plain := _PLAIN.fullmatch(text):
        return plain[0]
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        pass
    raise ConfigurationError(f"The query parameter {name!r} holds what is no Unicode text: {text!r}")


def _spell(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    # The plain spelling, not the one that an enumeration of numbers has.
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)
    if isinstance(value, datetime):
        return format_time(read_time(value, name))
    raise ConfigurationError(
        f"The query parameter {name!r} must be a text, a finite number, a boolean or a datetime, got {value!r}"
    )
