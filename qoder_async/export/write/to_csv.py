"""Writes runs as CSV: RFC 4180 in UTF-8, with a header line, and with nothing that a spreadsheet would run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qoder_async.export.write.columns import NAMES, as_text
from qoder_async.export.write.rows import Rows, in_parts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from qoder_async.export.write.columns import Row

_COMMAS = len(NAMES) - 1
_QUOTED = re.compile(r'[",\r\n]')
FORMULA = tuple("=+-@\t\r＝＋－＠")  # noqa: RUF001  spreadsheets take the full-width ones for the others
"""How a text begins that a spreadsheet would take for a formula."""
_FORMULA_IN_LINE = re.compile(f",[{re.escape(''.join(FORMULA))}]")


def write(batches: Iterable[list[bytes]], target: Path, *, scope: str) -> int:
    """Write runs into a CSV file.

    An empty cell is a value that the run does not have. Times are in UTC with 6 digits. A text that a spreadsheet
    would run as a formula, since it begins with ``=``, ``+``, ``-``, ``@``, one of these in full width, a tab or a
    carriage return, gets an apostrophe before it.

    Args:
        batches: Their JSON.
        target: The file; what is there is overwritten.
        scope: What was exported: has no place in such a file.

    Returns:
        How many of them could not be decoded.

    Raises:
        OSError: The file cannot be written.
    """
    del scope
    rows = Rows(as_text)
    with target.open("wb") as file:
        file.write(_line(NAMES).encode())
        for lines in in_parts(batches):
            file.write("".join(map(_line, rows.of(lines))).encode())
    return rows.undecodable


def _line(row: Row) -> str:
    line = ",".join(["" if cell is None else cell if isinstance(cell, str) else str(cell) for cell in row])
    if line.count(",") > _COMMAS or '"' in line or "\r" in line or "\n" in line or _FORMULA_IN_LINE.search("," + line):
        line = ",".join(map(_cell, row))
    return line + "\r\n"


def _cell(value: object) -> str:
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = "'" + value if value.startswith(FORMULA) else value
    return text if _QUOTED.search(text) is None else '"' + text.replace('"', '""') + '"'
