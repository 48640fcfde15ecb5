"""The one parser and the one printer of times."""

import datetime as dt
import re

import msgspec

from qoder_async._wire.json_types import UnexpectedValueError

_OFFSET = re.compile(r"(?:[Zz]|[+-]\d\d:?\d\d)$")


def parse_timestamp(text: str) -> dt.datetime:
    """Read an RFC 3339 text with any number of fraction digits; one without an offset is taken as UTC.

    Raises:
        ValueError: The text is no such time.
    """
    try:
        moment = msgspec.convert(text, dt.datetime)
    except msgspec.ValidationError:
        moment = None
    if moment is None:
        raise UnexpectedValueError("RFC 3339 time", text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def has_offset(text: str) -> bool:
    """Whether the text of a time says how far it is from UTC."""
    return _OFFSET.search(text) is not None


def in_utc(moment: dt.datetime) -> dt.datetime:
    """Give an aware time in UTC; one that has no place in the calendar there stays as it is."""
    if moment.tzinfo is dt.UTC:
        return moment
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError:
        return moment


def format_timestamp(moment: dt.datetime) -> str:
    """Write a time as the service does: `Z` for UTC, and no zeros at the end of the fraction.

    Raises:
        ValueError: The time has no offset.
    """
    if moment.tzinfo is None:
        message = f"a time needs an offset: {moment}"
        raise ValueError(message)
    text = moment.isoformat()
    text, offset = (text[:-6], "Z") if text.endswith("+00:00") else (text[:-6], text[-6:])
    return (text.rstrip("0") if "." in text else text) + offset
