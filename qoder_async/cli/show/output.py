"""Where records go: lines of JSON, lines of fields with tabs between them, or a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from qoder_async.cli.show.json_lines import JsonLines
from qoder_async.cli.show.terminal import is_terminal
from qoder_async.cli.show.text import clean, hide_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qoder_async.cli.show.columns import Column, R, T
    from qoder_async.models import Record


class Output(Protocol):
    """A way to show records."""

    def rows(self, columns: Sequence[Column[R]], records: Sequence[R]) -> None:
        """Show some records of a list, a line each."""

    def record(self, record: Record, fields: Sequence[tuple[str, str]]) -> None:
        """Show one record whole."""

    def remark(self, text: str) -> None:
        """Say something that is for people only."""


class Table(Output, Protocol):
    """A way to show anything that has columns."""

    def rows(self, columns: Sequence[Column[T]], records: Sequence[T]) -> None:
        """Show some things of a list, a line each."""


class TabSeparated:
    """Fields with tabs between them, without a heading, for pipes and logs."""

    def rows(self, columns: Sequence[Column[T]], records: Sequence[T]) -> None:
        """Write a line of all columns for each record."""
        for record in records:
            _write_line(column.read(record) for column in columns)
        sys.stdout.flush()

    def record(self, record: Record, fields: Sequence[tuple[str, str]]) -> None:
        """Write a line for each field."""
        del record
        for field in fields:
            _write_line(field)

    def remark(self, text: str) -> None:
        """Say nothing."""


def _write_line(values: Iterable[str]) -> None:
    sys.stdout.write(hide_token("\t".join(map(clean, values))) + "\n")


def make_output(*, as_json: bool) -> Output:
    """Choose where records go.

    Args:
        as_json: Whether JSON was asked for.

    Returns:
        The way to show them that suits standard output.
    """
    return JsonLines() if as_json else make_table()


def make_table() -> Table:
    """Choose how things that have columns are shown.

    Returns:
        The way to show them that suits standard output.
    """
    if not is_terminal():
        return TabSeparated()
    from qoder_async.cli.show.render import Terminal  # noqa: PLC0415  only terminals pay for its import

    return Terminal()
