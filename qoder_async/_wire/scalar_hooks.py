"""How the converter reads single values: strictly by their JSON type."""

import datetime as dt
import math
from typing import Any

from qoder_async._wire.json_types import UnexpectedTypeError, UnexpectedValueError
from qoder_async._wire.timestamps import parse_timestamp
from qoder_async.models import OpenEnum


def structure_str(value: Any, _: Any) -> str:
    """Take a text, and nothing that could be made one."""
    if not isinstance(value, str):
        raise UnexpectedTypeError("str", value)
    return value


def structure_int(value: Any, _: Any) -> int:
    """Take a whole number, also one written as 12.0: JSON has one type for both."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _unexpected_number("int", value)


def structure_float(value: Any, _: Any) -> float:
    """Take a finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
        message = "number out of range"
        raise ValueError(message)
    raise _unexpected_number("float", value)


def structure_bool(value: Any, _: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise UnexpectedTypeError("bool", value)
    return value


def structure_timestamp(value: Any, _: Any) -> dt.datetime:
    """Take an RFC 3339 text."""
    return parse_timestamp(structure_str(value, str))


def structure_open_enum(value: Any, kind: type[OpenEnum]) -> OpenEnum:
    """Take any word."""
    return kind(structure_str(value, str))


def _unexpected_number(expected: str, value: Any) -> Exception:
    if isinstance(value, str | float):
        return UnexpectedValueError(expected, value)
    return UnexpectedTypeError(expected, value)
