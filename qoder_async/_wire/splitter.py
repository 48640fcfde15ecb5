"""Cuts JSON text into its members without decoding it, however odd or deep the members are.

This is for bodies that a decoder refuses as a whole for what one record holds. Only brackets, strings and the
punctuation between members are looked at, in a loop and not by recursion.
"""

import re
from collections.abc import Iterator

_BLANK = re.compile(rb"[ \t\n\r]*+")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN|-?Infinity")
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([\[\]{}])', re.DOTALL)
_CLOSER = {b"{": b"}", b"[": b"]"}


class SplitError(ValueError):
    """The text is not a JSON object or array, or it ends too early."""


def split_object(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give the members of the object that is the whole body: each key, as it stands, and its value.

    Members before a fault are given before it is raised.

    Raises:
        SplitError: The body is not one whole object.
    """
    position = _expect(body, _skip_blank(body, 0), b"{")
    position = _skip_blank(body, position)
    if body[position : position + 1] != b"}":
        while True:
            key_start = position
            position = _end_of_string(body, position)
            key = body[key_start:position]
            position = _skip_blank(body, _expect(body, _skip_blank(body, position), b":"))
            value_start = position
            position = _end_of_value(body, position)
            yield key, body[value_start:position]
            position = _skip_blank(body, position)
            if body[position : position + 1] != b",":
                break
            position = _skip_blank(body, position + 1)
    _end_of_text(body, _expect(body, position, b"}"))


def split_array(body: bytes) -> list[bytes]:
    """Give the elements of the array that is the whole body.

    Raises:
        SplitError: The body is not one whole array.
    """
    elements: list[bytes] = []
    position = _expect(body, _skip_blank(body, 0), b"[")
    position = _skip_blank(body, position)
    if body[position : position + 1] != b"]":
        while True:
            start = position
            position = _end_of_value(body, position)
            elements.append(body[start:position])
            position = _skip_blank(body, position)
            if body[position : position + 1] != b",":
                break
            position = _skip_blank(body, position + 1)
    _end_of_text(body, _expect(body, position, b"]"))
    return elements


def _skip_blank(body: bytes, position: int) -> int:
    blank = _BLANK.match(body, position)
    return blank.end() if blank else position


def _expect(body: bytes, position: int, byte: bytes) -> int:
    if body[position : position + 1] != byte:
        found = body[position : position + 1].decode("latin-1") or "the end"
        message = f"expected {byte.decode()!r} at byte {position}, found {found!r}"
        raise SplitError(message)
    return position + 1


def _end_of_text(body: bytes, position: int) -> None:
    position = _skip_blank(body, position)
    if position != len(body):
        message = f"more text after the end at byte {position}"
        raise SplitError(message)


def _end_of_string(body: bytes, position: int) -> int:
    string = _STRING.match(body, position)
    if string is None:
        message = f"expected a whole string at byte {position}"
        raise SplitError(message)
    return string.end()


def _end_of_value(body: bytes, position: int) -> int:
    first = body[position : position + 1]
    if first == b'"':
        return _end_of_string(body, position)
    if first in _CLOSER:
        return _end_of_container(body, position, _CLOSER[first])
    scalar = _SCALAR.match(body, position)
    if scalar is None:
        message = f"expected a value at byte {position}"
        raise SplitError(message)
    return scalar.end()


def _end_of_container(body: bytes, position: int, closer: bytes) -> int:
    start, depth = position, 0
    while bracket := _TO_BRACKET.match(body, position):
        position = bracket.end()
        if bracket[1] in _CLOSER:
            depth += 1
            continue
        depth -= 1
        if depth == 0:
            if bracket[1] == closer:
                return position
            break
    message = f"what opens at byte {start} is not closed"
    raise SplitError(message)
