"""Tables, as text and as markdown: what every case hands over to be printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(kw_only=True)
class Table:
    """Figures in rows.

    Attributes:
        title: What they are of.
        rows: The cells; the first row is the head, the first column says whose figures they are.
        notes: What must be known to read them, a sentence each.
    """

    title: str
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(kw_only=True)
class Document:
    """What one case found.

    Attributes:
        title: What was measured, and how.
        tables: The figures.
        notes: What holds for all of them.
        environment: What they were measured with.
        command: What measures them again.
    """

    title: str
    tables: Sequence[Table]
    environment: str
    command: str
    notes: Sequence[str] = field(default=())


def text(document: Document) -> str:
    """Lay a document out for a terminal."""
    lines = [document.title]
    for table in document.tables:
        lines += ["", *([table.title, ""] if table.title else []), *aligned(table.rows), *table.notes]
    return "\n".join([*lines, "", *document.notes, document.environment, f"by: {document.command}"])


def markdown(document: Document) -> str:
    """Lay a document out for a README."""
    parts = [_sentence(document.title)]
    for table in document.tables:
        parts += [_sentence(table.title)] if table.title else []
        parts += ["\n".join(_marked_rows(table.rows)), *map(_sentence, table.notes)]
    parts += map(_sentence, document.notes)
    return "\n\n".join([*parts, f"By `{document.command}`: {document.environment}."])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad the cells: the first column to the left, figures to the right; a rule under the first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _marked_rows(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *others = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return [head, f"|---|{'---:|' * (len(rows[0]) - 1)}", *others]


def _sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}" + ("" if line.endswith((".", ":")) else ".")
