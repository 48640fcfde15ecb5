"""The commands that a text shows, and what the program makes of them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from qoder_async.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cyclopts import App

_COMMAND = re.compile(r"qoder-async ((?:\"[^\"]*\"|'[^']*'|2>&1|[^|;&>\n\"'])*)")


def all_commands() -> list[tuple[str, ...]]:
    """The words of every command that does something, such as ``("runs", "list")``."""
    return sorted(_below((), app))


def _below(words: tuple[str, ...], of: App) -> Iterator[tuple[str, ...]]:
    for name in of:
        if name in ("--help", "-h", "--version"):
            continue
        deeper = list(_below((*words, name), of[name]))
        yield from deeper or [(*words, name)]


def commands_in(text: str) -> list[str]:
    """What follows the program's name wherever a text of a shell calls it."""
    return [found[1].strip() for found in _COMMAND.finditer(text)]


def understand(line: str) -> None:
    """Have the program read a command line without running it; what it does not understand raises."""
    app.parse_args(shlex.split(line), exit_on_error=False, print_error=False)
