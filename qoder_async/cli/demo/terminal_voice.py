"""The demonstration's lines on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from qoder_async.cli.show.render import make_console

if TYPE_CHECKING:
    from qoder_async.cli.demo.voice import Style

_STYLES: dict[Style, str] = {
    "plain": "",
    "title": "bold",
    "why": "dim italic",
    "code": "cyan",
    "result": "",
    "good": "green",
    "bad": "bold red",
}


class TerminalVoice:
    """Says lines in colour, wrapped to the terminal's width."""

    def __init__(self) -> None:
        self._console = make_console()

    def say(self, text: str = "", *, style: Style = "plain", indent: int = 0) -> None:
        """Say a line, at once."""
        styled = Text(text, style=_STYLES[style])
        if style == "code":
            self._console.print(Text(" " * indent) + styled, soft_wrap=True)
        else:
            self._console.print(Padding(styled, (0, 0, 0, indent)))
