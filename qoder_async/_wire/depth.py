"""How deeply a record may be nested.

Decoders differ: some versions of Python refuse a thousand brackets within each other, some take a hundred thousand,
after which nothing else can. One bound holds everywhere.
"""

import re

DEEPEST = 500
"""Brackets within each other; a record has some ten."""

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A string that is torn ends with the text: else each quote in it would be taken for the start of another."""


def is_too_deep(text: bytes) -> bool:
    """Whether a JSON text is nested more deeply than is accepted."""
    if len(text) <= 2 * DEEPEST or text.count(b"[") + text.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in {b"[", b"{"}:
            depth += 1
            if depth > DEEPEST:
                return True
        elif mark in {b"]", b"}"}:
            depth -= 1
    return False


def any_too_deep(texts: list[bytes]) -> bool:
    """Whether one of many JSON texts is; at next to no cost where all are short."""
    return max(map(len, texts), default=0) > 2 * DEEPEST and any(map(is_too_deep, texts))
