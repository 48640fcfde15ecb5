"""Query parameters, read and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from qoder_async.simulator.instants import parse_instant
from qoder_async.simulator.problems import invalid

if TYPE_CHECKING:
    from collections.abc import Collection

    from multidict import MultiMapping

CursorName = Literal["after_id", "before_id", "page"]
DEFAULT_LIMIT = 20
_OPAQUE = "next +/=? &%#é:"
"""Starts every opaque cursor; each of its characters has to be quoted in a URL."""
_BOUNDS = ("gt", "gte", "lt", "lte")


@attrs.frozen
class Cursor:
    """Where a page lies.

    Args:
        name: The parameter it came in.
        id: The identifier of the record it lies beside.
    """

    name: CursorName
    id: str

    @property
    def backward(self) -> bool:
        """Whether the page lies before the record in list order."""
        return self.name == "before_id"


@attrs.frozen
class Between:
    """A span of time, microseconds since 1970.

    Args:
        since: The first instant in it, or None for an open end.
        until: The first instant behind it, or None for an open end.
    """

    since: int | None = None
    until: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it holds all of time."""
        return self.since is None and self.until is None

    def holds(self, at: int) -> bool:
        """Whether an instant lies in the span."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


def opaque(record_id: str) -> str:
    """Wrap an identifier into an opaque cursor."""
    return _OPAQUE + record_id


def read_limit(query: MultiMapping[str], maximum: int) -> int:
    """Read ``limit``: 20 where it is missing, refused out of bounds."""
    text = query.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= limit <= maximum:
        raise invalid(f"limit must be between 1 and {maximum}", "limit")
    return limit


def read_cursor(query: MultiMapping[str], *, knows_page: bool, knows_ids: bool = True) -> Cursor | None:
    """Read the cursor, of which there may be one only.

    Args:
        query: The query parameters.
        knows_page: Whether ``page`` is understood; otherwise it is ignored, unless it is opaque and so
            surely ours.
        knows_ids: Whether ``after_id`` and ``before_id`` are understood.

    Returns:
        The cursor, or None.
    """
    names: tuple[CursorName, ...] = ("after_id", "before_id") if knows_ids else ()
    found = [Cursor(name, value) for name in names if (value := query.get(name))]
    page = query.get("page")
    if page and (knows_page or page.startswith(_OPAQUE)):
        found.append(Cursor("page", page.removeprefix(_OPAQUE)))
    if len(found) > 1:
        names_found = ", ".join(cursor.name for cursor in found)
        raise invalid(f"{names_found} are mutually exclusive", found[-1].name)
    return found[0] if found else None


def read_choice(query: MultiMapping[str], name: str, choices: Collection[str]) -> str | None:
    """Read a parameter that takes one of several words."""
    word = query.get(name) or None
    if word is not None and word not in choices:
        raise invalid(f"{name} must be one of {', '.join(choices)}", name)
    return word


def read_flag(query: MultiMapping[str], name: str) -> bool | None:
    """Read a boolean parameter."""
    word = read_choice(query, name, ("true", "false"))
    return None if word is None else word == "true"


def read_words(query: MultiMapping[str], name: str) -> frozenset[str]:
    """Read a parameter that may come several times, with brackets or without, and with commas."""
    texts = [*query.getall(name, []), *query.getall(f"{name}[]", [])]
    return frozenset(word for text in texts for word in text.split(",") if word)


def read_between(query: MultiMapping[str], after: str, before: str) -> Between:
    """Read a half-open span from two parameters."""
    return Between(_instant(query, after), _instant(query, before))


def read_created(query: MultiMapping[str]) -> Between:
    """Read the span of ``created_at[gt]``, ``[gte]``, ``[lt]`` and ``[lte]``."""
    gt, gte, lt, lte = (_instant(query, f"created_at[{bound}]") for bound in _BOUNDS)
    since = [at for at in (None if gt is None else gt + 1, gte) if at is not None]
    until = [at for at in (lt, None if lte is None else lte + 1) if at is not None]
    return Between(max(since, default=None), min(until, default=None))


def _instant(query: MultiMapping[str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    at = parse_instant(text)
    if at is None:
        raise invalid(f"{name} must be an ISO 8601 time", name)
    return at
