"""A token that must turn up nowhere, and how to look for it."""

from __future__ import annotations

import pickle
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "pt-canary/canary+canary"
"""With a slash, which some servers escape.

The frames of the tests hold it too, so only those of the library and of aiohttp are looked at.
"""


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it leads to."""
    todo, seen = [error], set()
    while todo:
        each = todo.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            todo += [other for other in (each.__cause__, each.__context__) if other is not None]
            todo += getattr(each, "exceptions", ())


def find_leaks(error: BaseException, token: str = TOKEN) -> list[str]:
    """Say where an exception shows the token."""
    found = []
    for each in chain(error):
        name = type(each).__name__
        shown = {"str": str(each), "repr": repr(each), "args": repr(each.args), "attributes": repr(vars(each))}
        found += [f"{name}: {place}" for place, text in shown.items() if token in text]
        found += [f"{name}.{attribute}" for attribute, value in vars(each).items() if token in _as_text(value)]
        found += _in_frames(each, token)
    return found + _in_pickle(error, token)


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _in_frames(error: BaseException, token: str) -> list[str]:
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return [
        f"{type(error).__name__}: {name} in {frame.name}, {frame.filename}:{frame.lineno}"
        for frame in told.stack
        if "/qoder_async/" in frame.filename or "/aiohttp/" in frame.filename
        for name, text in (frame.locals or {}).items()
        if token in text
    ]


def _in_pickle(error: BaseException, token: str) -> list[str]:
    try:
        data = pickle.dumps(error)
    except Exception as trouble:  # noqa: BLE001  an error that does not pickle is a finding too
        return [f"{type(error).__name__} does not pickle: {trouble!r}"]
    return [f"{type(error).__name__}: pickle"] if token.encode() in data else []
