"""The fenced blocks of a page in Markdown, and what may stand in them."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pathlib import Path

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,}|:{3,})(?P<info>[^`\n]*)$")
RUN = {"python", "sql"}
SHOWN = {"json", "sh", "text", "toml"}
"""Languages that are shown and not run; a `toml` block with pytest's settings counts for the tests of its page."""
HOLDS_PROSE = {"admonition", "dropdown", "important", "note", "seealso", "tab-item", "tab-set", "tip", "warning"}
"""Directives whose content is a page again, blocks included."""
HOLDS_NO_CODE = {"code-cell", "figure", "image", "include", "literalinclude", "raw", "toctree"}
"""Directives in which nothing stands that should run here; the cells of a notebook have a test of their own."""


@attrs.frozen
class Block:
    """A fenced block.

    Attributes:
        page: The file.
        line: The number of the line its first fence stands in.
        end: The number of the line its last fence stands in.
        language: What the fence names: a language, or a directive in braces.
        body: What stands in it, without the block's own indentation.
    """

    page: Path
    line: int
    end: int
    language: str
    body: str

    @property
    def place(self) -> str:
        return f"{self.page.name}, line {self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Read the blocks of a page; those that stand in a note count like the others."""
    return _read(page, page.read_text("utf-8").splitlines(), 0)


def odd_blocks(page: Path) -> list[str]:
    """Name the blocks of which nobody could say whether they run."""
    return [
        f"{block.place}: {block.language or 'no language'}"
        for block in blocks_of(page)
        if not (block.language in RUN | SHOWN or block.language.strip("{}") in HOLDS_PROSE | HOLDS_NO_CODE)
        and not (block.language == "{eval-rst}" and "code-block" not in block.body)
    ]


def prose_of(page: Path) -> str:
    """Read a page without its blocks; what stands in a note counts."""
    lines = page.read_text("utf-8").splitlines()
    for block in blocks_of(page):
        if block.language.strip("{}") not in HOLDS_PROSE:
            lines[block.line - 1 : block.end] = [""] * (block.end - block.line + 1)
    return "\n".join(lines)


def _read(page: Path, lines: list[str], before: int) -> list[Block]:
    found: list[Block] = []
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        start = number
        while number < len(lines) and not _closes(lines[number], opening["fence"]):
            number += 1
        assert number < len(lines), f"{page.name}, line {before + start}: the block never ends"
        body = lines[start:number]
        number += 1
        language = (opening["info"].split() or [""])[0]
        found.append(Block(page, before + start, before + number, language, textwrap.dedent("\n".join(body)) + "\n"))
        if language.strip("{}") in HOLDS_PROSE:
            found += _read(page, body, before + start)
    return found


def _closes(line: str, fence: str) -> bool:
    text = line.strip()
    return len(text) >= len(fence) and set(text) == {fence[0]}
