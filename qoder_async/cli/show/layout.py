"""Which columns fit a terminal, and how wide they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.cli.show.columns import Column, T

GAP = 2
"""The space between two columns."""
_NARROWEST = 10
_NAMES_AT_MOST = 34


def lay_out(columns: Sequence[Column[T]], table: list[list[str]], width: int) -> tuple[tuple[int, int], ...]:
    """Choose the columns that fit, and their widths.

    Args:
        columns: All columns.
        table: The values of the first rows.
        width: The terminal's.

    Returns:
        The place of each chosen column and its width.
    """
    widths = [
        max(column.at_least, cell_len(column.heading), *(cell_len(row[index]) for row in table))
        for index, column in enumerate(columns)
    ]
    least = [min(wide, _NARROWEST) if column.can_shrink else wide for column, wide in zip(columns, widths, strict=True)]
    chosen = sorted(range(len(columns)), key=lambda index: columns[index].rank)
    while len(chosen) > 1 and sum(least[index] + GAP for index in chosen) - GAP > width:
        chosen.pop()
    chosen.sort()
    room = width - sum(least[index] + GAP for index in chosen) + GAP
    fitted = []
    for index in chosen:
        wanted = width if columns[index].is_prose else min(widths[index], _NAMES_AT_MOST)
        more = max(0, min(wanted - least[index], room))
        room -= more
        fitted.append((index, least[index] + more))
    return tuple(fitted)
