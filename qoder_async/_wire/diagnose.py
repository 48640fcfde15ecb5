"""Says what is wrong with JSON text that a decoder refuses, and where in it.

The text is read token by token in a loop, so that no nesting is too deep for it.
"""

import json
import math
import re
import sys

_TOKEN = re.compile(
    rb"""
    (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")
    |(?P<torn>"[^"\\]*+(?:\\.[^"\\]*+)*+\\?\Z)
    |(?P<mark>[\[\]{},])
    |(?P<word>NaN|-?Infinity)
    |(?P<number>-?[0-9][0-9.eE+-]*+)
    """,
    re.DOTALL | re.VERBOSE,
)
_CONTROL = re.compile(rb"[\x00-\x1f]")


def find_fault(text: bytes, path: str, *, deepest: int = sys.maxsize) -> str | None:
    """Find the first thing in the text that JSON does not allow or Python cannot hold.

    Args:
        text: A JSON value whose brackets and strings are balanced.
        path: The path of that value.
        deepest: How many brackets may be open at a time.

    Returns:
        A line such as `data[17].error.message: lone surrogate`, or `None` where there is no such fault.
    """
    place = _Place(path)
    for token in _TOKEN.finditer(text):
        kind, piece = token.lastgroup, token.group()
        if kind == "torn":  # the end is missing, and each quote in it would be taken for the start of another
            return None
        if kind == "mark":
            place.move(piece)
            if len(place.steps) > deepest:
                del place.steps[1:]
                return f"{place}: nested too deeply"
            continue
        fault = _fault_in_string(piece) if kind == "string" else _fault_in_number(piece)
        if fault is not None:
            return f"{place}: {fault}"
        if kind == "string" and place.key_is_next:
            place.enter(json.loads(piece))
    return None


class _Place:
    """Where in a JSON text one is: a key or an index for each open bracket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.steps: list[str | int] = []
        self.key_is_next = False

    def move(self, mark: bytes) -> None:
        """Go past a bracket or a comma."""
        if mark in {b"{", b"["}:
            self.steps.append("" if mark == b"{" else 0)
        elif mark in {b"}", b"]"}:
            del self.steps[-1:]
        elif self.steps and isinstance(self.steps[-1], int):
            self.steps[-1] += 1
        self.key_is_next = mark in {b"{", b","} and bool(self.steps) and isinstance(self.steps[-1], str)

    def enter(self, key: str) -> None:
        """Go past a key."""
        self.steps[-1] = key
        self.key_is_next = False

    def __str__(self) -> str:
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps if step != "")
        return (self.path + "".join(steps)).lstrip(".") or "body"


def _fault_in_string(piece: bytes) -> str | None:
    if _CONTROL.search(piece):
        return "control character"
    try:
        json.loads(piece.decode()).encode()
    except UnicodeDecodeError:
        return "invalid UTF-8"
    except UnicodeEncodeError:
        return "lone surrogate"
    except ValueError:
        return "invalid escape"
    return None


def _fault_in_number(piece: bytes) -> str | None:
    if piece in {b"NaN", b"Infinity", b"-Infinity"}:
        return f"{piece.decode()} is no JSON"
    try:
        number = json.loads(piece)
    except json.JSONDecodeError:  # a matter of grammar, which is not looked at here
        return None
    except ValueError:  # more digits than Python converts
        return "number out of range"
    return "number out of range" if isinstance(number, float) and math.isinf(number) else None
