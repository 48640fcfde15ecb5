"""Running text for people: headed steps, remarks, lines of code."""

from __future__ import annotations

import sys
from typing import Literal, Protocol

Style = Literal["plain", "title", "why", "code", "result", "good", "bad"]


class Voice(Protocol):
    """Says lines on standard output."""

    def say(self, text: str = "", *, style: Style = "plain", indent: int = 0) -> None:
        """Say a line, at once."""


class PlainVoice:
    """Says lines as they are."""

    def say(self, text: str = "", *, style: Style = "plain", indent: int = 0) -> None:
        """Write a line, at once."""
        del style
        sys.stdout.write(f"{' ' * indent}{text}".rstrip() + "\n")
        sys.stdout.flush()
