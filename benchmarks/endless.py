"""Histories of any length, whose pages are made as they are asked for: one page, with its number put in everywhere."""

from __future__ import annotations

import re

from .data import Shape, build_pages, walk_id

_MARK = 0xFEDCBA98
"""Stands in the ids for the number of the page."""
_PREFIX = "dep_endless_"
_CURSOR = re.compile(rb"drun_[0-9a-f]{16}([0-9a-f]{8})[0-9a-f]{8}")


def endless_id(runs: int) -> str:
    """Name the deployment whose history is made on the way."""
    return f"{_PREFIX}{runs}"


class Endless:
    """A history of so many whole pages; every id in it is different.

    Args:
        shape: The generation of the records.
        runs: How many there are; a multiple of the page size.
        page_size: Runs a page.
    """

    def __init__(self, shape: Shape, runs: int, page_size: int) -> None:
        self._pages = runs // page_size
        # A second page is asked for, so that the first names its successor.
        first = build_pages(shape, page_size + 1, page_size, _MARK << 32)[""]
        page = first.replace(walk_id(page_size + 1).encode(), endless_id(runs).encode())
        self._pieces = page.split(b"%08x" % _MARK)

    def body(self, cursor: bytes) -> bytes | None:
        """Give the page that a cursor asks for, or nothing."""
        found = _CURSOR.fullmatch(cursor)
        number = int(found[1], 16) + 1 if found else 0
        if number >= self._pages or (cursor and not found):
            return None
        page = (b"%08x" % number).join(self._pieces)
        if number < self._pages - 1:
            return page
        return page[: page.rindex(b'"has_more"')] + b'"has_more":false,"next_page":null}'
