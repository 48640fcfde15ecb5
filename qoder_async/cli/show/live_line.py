"""A line that tells how far a wait is, below everything else on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from qoder_async._concurrency.ending import end
from qoder_async.cli.show.terminal import is_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_TICK = 1.0


class Line(Protocol):
    """A line that is written anew in place."""

    def show(self, text: str) -> None:
        """Write it anew."""

    def hide(self) -> None:
        """Take it away, as before every other line."""


class NoLine:
    """The line where nobody reads along."""

    def show(self, text: str) -> None:
        """Say nothing."""

    def hide(self) -> None:
        """Say nothing."""


def make_line(*, as_json: bool) -> Line:
    """Choose how it is told how far a wait is.

    Args:
        as_json: Whether JSON was asked for: then a program reads along.

    Returns:
        The line that suits standard output.
    """
    if as_json or not is_terminal():
        return NoLine()
    from qoder_async.cli.show.render import LiveLine  # noqa: PLC0415  only terminals pay for its import

    return LiveLine()


@contextlib.contextmanager
def errors_above(line: Line) -> Iterator[None]:
    """Take the line away before anything is written to standard error, and at the end of the block.

    Args:
        line: The line.
    """
    with contextlib.redirect_stderr(cast("TextIO", _Above(line, sys.stderr))):
        try:
            yield
        finally:
            line.hide()


@contextlib.asynccontextmanager
async def redrawn(line: Line, redraw: Callable[[], None]) -> AsyncIterator[None]:
    """Write the line anew every second as long as the block lasts, and take it away at its end.

    Args:
        line: The line.
        redraw: Writes it anew.

    Raises:
        BaseException: What the block raised, else what ``redraw`` raised, unless the terminal was gone.
    """
    with errors_above(line):
        ticking = asyncio.create_task(_tick(redraw))
        try:
            yield
        finally:
            await end(ticking)
    if not ticking.cancelled():
        ticking.result()


async def _tick(redraw: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):  # the next line meets it, too, where it can be told
        while True:
            redraw()
            await asyncio.sleep(_TICK)


class _Above:
    def __init__(self, line: Line, stream: TextIO) -> None:
        self._line = line
        self._stream = stream

    def write(self, text: str) -> int:
        """Write where the line was."""
        self._line.hide()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
