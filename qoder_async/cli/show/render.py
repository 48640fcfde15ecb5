"""Records on a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.control import Control
from rich.padding import Padding
from rich.segment import ControlType
from rich.text import Text

from qoder_async.cli.show.layout import GAP, lay_out
from qoder_async.cli.show.text import clean, clean_lines, hide_token
from qoder_async.cli.show.words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.cli.show.columns import Column, T
    from qoder_async.models import Record

_STATES = {
    "completed": "green",
    "active": "green",
    "running": "cyan",
    "pending": "cyan",
    "failed": "red",
    "skipped": "yellow",
    "stopped": "yellow",
    "unknown": "red",
    "created": "cyan",
    "finished": "bold",
    "paused": "yellow",
    "archived": "dim",
}


_TO_COPY = re.compile(r"qoder-async |\b(?:dep|drun|sess)_\w")
ERASE_LINE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))


def make_console() -> Console:
    """Make a console on standard output that adds no colours and emphasis of its own."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


class Terminal:
    """Lists as aligned lines, printed as they come, and records as aligned fields.

    The columns are laid out for the first rows and stay as they are. Ids are never cut: they are there to be copied.
    """

    def __init__(self) -> None:
        self._console = make_console()
        self._layout: tuple[tuple[int, int], ...] | None = None

    def rows(self, columns: Sequence[Column[T]], records: Sequence[T]) -> None:
        """Show a line for each record, under headings before the first one."""
        if not records:
            return
        table = [[hide_token(clean(column.brief(record))) for column in columns] for record in records]
        if self._layout is None:
            self._layout = lay_out(columns, table, self._console.width)
            self._line([(columns[index].heading, "bold", width) for index, width in self._layout])
        for values in table:
            cells = []
            for index, width in self._layout:
                value = values[index]
                if columns[index].can_shrink and cell_len(value) > width:
                    value = "" if columns[index].is_prose else set_cell_size(value, width - 1) + "…"
                cells.append((value, _STATES.get(value, "") if columns[index].is_state else "", width))
            self._line(cells)
            self._below(columns, values, dict(self._layout))

    def _below(self, columns: Sequence[Column[T]], values: list[str], shown: dict[int, int]) -> None:
        """Show prose that did not fit beside the others, and where only ids do, as much more as fits."""
        told = [index for index, value in enumerate(values) if index not in shown and value != NOTHING]
        if len(shown) == 1:
            text, room = Text(), self._console.width - GAP
            for index in sorted(told, key=lambda index: columns[index].rank):
                if not columns[index].is_prose and cell_len(values[index]) <= room:
                    text.append(" " * GAP)
                    text.append(values[index], _STATES.get(values[index], "") if columns[index].is_state else "")
                    room -= cell_len(values[index]) + GAP
            if text:
                self._console.print(text, soft_wrap=True)
        for index, column in enumerate(columns):
            if column.is_prose and values[index] != NOTHING and cell_len(values[index]) > shown.get(index, 0):
                self._console.print(Padding(Text(values[index], overflow="fold"), (0, 0, 0, GAP), expand=False))

    def _line(self, cells: list[tuple[str, str, int]]) -> None:
        line = Text(no_wrap=True, overflow="ignore")
        for value, style, width in cells[:-1]:
            line.append(value, style)
            line.append(" " * (max(0, width - cell_len(value)) + GAP))
        line.append(cells[-1][0], cells[-1][1])
        self._console.print(line, soft_wrap=True)

    def record(self, record: Record, fields: Sequence[tuple[str, str]]) -> None:
        """Show a line for each field, wrapped where it is long."""
        del record
        if not fields:
            return
        most = self._console.width // 2
        width = max((cell_len(name) for name, _ in fields if cell_len(name) <= most), default=0)
        for name, value in fields:
            text = Text(hide_token(clean(value)), style=_STATES.get(value, ""), overflow="fold")
            label = Text(f"{hide_token(clean(name)):<{width}}", style="bold")
            if max(width, cell_len(name)) + GAP + cell_len(value) > self._console.width:
                self._console.print(label)
                self._console.print(Padding(text, (0, 0, 0, 4), expand=False))
            else:
                self._console.print(Text.assemble(label, " " * GAP, text), soft_wrap=True)

    def remark(self, text: str) -> None:
        """Show it dimly, wrapped between words; only commands and ids stay whole, so that they can be copied."""
        for line in hide_token(clean_lines(text)).split("\n"):
            self._console.print(Text(line, style="dim", overflow="fold"), soft_wrap=_TO_COPY.search(line) is not None)


class LiveLine:
    """A line at the bottom of the terminal that is written anew in place; nothing on one that cannot do so."""

    def __init__(self) -> None:
        self._console = make_console()
        self._is_shown = False

    def show(self, text: str) -> None:
        """Write it anew, cut to the terminal's width."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            return
        line = Text(hide_token(clean(text)), style="dim")
        line.truncate(self._console.width - 1, overflow="ellipsis")
        with self._console:  # written at once, so that it does not flicker
            self._console.control(ERASE_LINE)
            self._console.print(line, end="", soft_wrap=True)
        self._is_shown = True

    def hide(self) -> None:
        """Take it away, as before every other line."""
        if self._is_shown:
            self._is_shown = False
            self._console.control(ERASE_LINE)
