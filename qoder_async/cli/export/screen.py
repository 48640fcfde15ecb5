"""A progress bar with some lines below it, at the bottom of a terminal."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.control import Control
from rich.progress_bar import ProgressBar
from rich.segment import ControlType, Segment, Segments
from rich.text import Text

from qoder_async.cli.export.words import Bar, bar_of, figures, in_work
from qoder_async.cli.show.live_line import redrawn
from qoder_async.cli.show.render import ERASE_LINE, Terminal, make_console
from qoder_async.cli.show.text import clean, hide_token
from qoder_async.cli.show.words import whole_duration
from qoder_async.export.progress import ExportProgress

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


_UP = Control((ControlType.CURSOR_UP, 1))
_SHORTEST = 8


class Bars:
    """Shows a bar, the figures and the deployments whose runs are being fetched.

    Args:
        path: The target.
        now: Gives the seconds of a clock that never jumps.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._started = now()
        self._progress = ExportProgress()
        self._board = Board()

    def shown(self) -> AbstractAsyncContextManager[None]:
        """Show it as long as the block lasts, and take it away at its end."""
        return redrawn(self._board, self._redraw)

    def saw(self, progress: ExportProgress) -> None:
        """Show how far it is."""
        self._progress = progress
        with contextlib.suppress(OSError):  # the terminal is gone, which is no reason to stop
            self._redraw()

    def end(self, told: tuple[str, ...]) -> None:
        """Show what came of it."""
        Terminal().remark("\n  ".join(hide_token(clean(line)) for line in told))

    def _redraw(self) -> None:
        progress = self._progress
        told = [*figures(progress), whole_duration(self._now() - self._started)]
        if progress.phase == "fetching":
            lines = [", ".join(told), in_work(progress.current_deployments, self._board.width)]
        else:
            lines = [", ".join(told[1:])]  # the bar has the first of them
        self._board.bar = bar_of(progress, self._path)
        self._board.show("\n".join(lines))


class Board:
    """A bar and the lines below it, which are written anew in place.

    The cursor stays visible, so that a process that is killed leaves a terminal that can be used.

    Attributes:
        bar: The bar.
    """

    def __init__(self) -> None:
        self.bar: Bar = Bar(label="", done=0, total=None)
        self._console = make_console()
        self._height = 0

    @property
    def width(self) -> int:
        """How long a line may be."""
        return self._console.width - 1

    def show(self, text: str) -> None:
        """Write the bar anew, and a text below it.

        Args:
            text: One line or more, each of which is cut to the terminal's width.
        """
        lines = text.splitlines()
        with self._console:  # written at once, so that it does not flicker
            self._erase()
            self._draw()
            for line in lines:
                styled = Text(hide_token(clean(line)), style="dim")
                styled.truncate(self.width, overflow="ellipsis")
                self._console.print()
                self._print(styled)
        self._height = 1 + len(lines)

    def hide(self) -> None:
        """Take it away, as before every other line."""
        with self._console:
            self._erase()

    def _erase(self) -> None:
        for number in range(self._height):
            if number:
                self._console.control(_UP)
            self._console.control(ERASE_LINE)
        self._height = 0

    def _draw(self) -> None:
        bar, label = self.bar, hide_token(clean(self.bar.label))
        room = self.width - cell_len(label) - cell_len(bar.tail) - 2
        if bar.total is None or room < _SHORTEST:
            self._print(Text(set_cell_size(f"{label} {bar.tail}", self.width).rstrip()))
            return
        self._print(Text(f"{label} "))
        self._print(Segments(self._bar(bar.total, bar.done, room)))
        self._print(Text(f" {bar.tail}"))

    def _bar(self, total: int, done: int, width: int) -> list[Segment]:
        """Draw the bar itself, of which there is only the done part where there are no colours."""
        drawn = ProgressBar(
            total=total or 1, completed=done if total else 1, complete_style="cyan", finished_style="green"
        )
        (line,) = self._console.render_lines(drawn, self._console.options.update_width(width), pad=True)
        return line

    def _print(self, part: Text | Segments) -> None:
        self._console.print(part, end="", soft_wrap=True)
