"""How far an export or a sync is, told while it goes on: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Protocol

from qoder_async.cli.export.words import whole_line
from qoder_async.cli.show.terminal import is_terminal
from qoder_async.cli.show.text import clean, redact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from qoder_async.export.progress import ExportProgress

SECONDS_APART = 5.0
"""The time between two lines of a log, at least."""


class Teller(Protocol):
    """Tells how far it is."""

    def shown(self) -> AbstractAsyncContextManager[None]:
        """Keep whoever reads along informed as long as the block lasts."""
        ...

    def saw(self, progress: ExportProgress) -> None:
        """Take note of how far it is."""

    def end(self, told: tuple[str, ...]) -> None:
        """Say what came of it."""


def make_teller(path: Path, *, as_json: bool) -> Teller:
    """Choose how it is told.

    Args:
        path: The target.
        as_json: Whether JSON was asked for: then a program reads along.

    Returns:
        What suits standard output.
    """
    if as_json:
        return Silence()
    if is_terminal() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown"):
        from qoder_async.cli.export.screen import Bars  # noqa: PLC0415  only terminals pay for its import

        return Bars(path)
    return Lines(path)


class Silence:
    """Says nothing."""

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Do nothing."""
        yield

    def saw(self, progress: ExportProgress) -> None:
        """Do nothing."""

    def end(self, told: tuple[str, ...]) -> None:
        """Do nothing."""


class Lines:
    """Writes a line to standard error every few seconds, and what came of it at the end.

    Args:
        path: The target.
        now: Gives the seconds of a clock that never jumps.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._next = math.inf

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Begin to count the seconds."""
        self._next = self._now() + SECONDS_APART
        yield

    def saw(self, progress: ExportProgress) -> None:
        """Write a line, if the last one was long enough ago."""
        if (now := self._now()) >= self._next:
            self._next = now + SECONDS_APART
            _write(whole_line(progress, self._path))

    def end(self, told: tuple[str, ...]) -> None:
        """Write what came of it."""
        _write(*told)


def _write(first: str, *others: str) -> None:
    lines = (f"qoder-async: {first}", *(f"  {line}" for line in others))
    with contextlib.suppress(OSError):  # nobody reads along any more, which is no reason to stop
        sys.stderr.write("".join(f"{redact(clean(line))}\n" for line in lines))
        sys.stderr.flush()
