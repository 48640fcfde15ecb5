"""How the demonstration speaks: numbered steps, the code it runs, what came of it, and whether it is true."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qoder_async.cli.show.terminal import is_terminal
from qoder_async.cli.show.text import clean

if TYPE_CHECKING:
    from qoder_async.cli.demo.voice import Voice

_INDENT = 3
_PAUSE = 0.5


class ClaimError(Exception):
    """Something the demonstration says does not hold."""


class Stage:
    """Where the demonstration plays.

    Args:
        voice: Says its lines.
    """

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._steps = 0

    async def step(self, title: str, why: str) -> None:
        """Begin a step, with time to read the last one where somebody reads along.

        Args:
            title: What it does.
            why: Why that matters.
        """
        await self.breathe()
        self._steps += 1
        self._voice.say()
        self._voice.say(f"{self._steps}. {title}", style="title")
        self._voice.say(why, style="why", indent=_INDENT)

    async def breathe(self) -> None:
        """Leave a little time to read, on a terminal."""
        if is_terminal():
            await asyncio.sleep(_PAUSE)

    def code(self, *lines: str) -> None:
        """Show the code that is run."""
        for line in lines:
            self._voice.say(line, style="code", indent=_INDENT + 2)

    def shows(self, text: str) -> None:
        """Show what came of it."""
        self._voice.say(clean(text), style="result", indent=_INDENT)

    def says(self, text: str = "", *, indent: int = 0) -> None:
        """Say something beside the steps."""
        self._voice.say(text, indent=indent)

    def claim(self, holds: object, text: str) -> None:
        """Say what that proves.

        Args:
            holds: Whether it does.
            text: What.

        Raises:
            ClaimError: It does not.
        """
        if not holds:
            raise ClaimError(text)
        self._voice.say(f"ok: {text}", style="good", indent=_INDENT)

    def fail(self, error: ClaimError) -> None:
        """Say that a claim does not hold."""
        self._voice.say(f"does not hold: {error}", style="bad", indent=_INDENT)
