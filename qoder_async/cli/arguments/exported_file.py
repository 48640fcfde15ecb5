"""The file that a command reads."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.failures import usage
from qoder_async.errors import ConfigurationError, ExportError

if TYPE_CHECKING:
    from pathlib import Path

_IS_NONE = " exists and is no export of runs"


async def check_file(path: Path) -> None:
    """Refuse a file that cannot be meant.

    Args:
        path: What was typed.

    Raises:
        Stop: There is none, or it is something else than an export.
        ConfigurationError: The extra that its format takes is not installed.
    """
    from qoder_async.export.read.recognition import recognise  # noqa: PLC0415  only commands with a file pay for these
    from qoder_async.export.threads import in_thread  # noqa: PLC0415

    message = ""
    try:
        await in_thread(recognise, path)
    except ExportError as error:
        message = str(error)
    if message:
        name, is_none, _ = message.partition(_IS_NONE)
        if is_none:
            raise usage(f"{name} was made neither by: runs export, nor by: runs sync")
        raise usage(message, *_how_to_make(path, message))


def _how_to_make(path: Path, message: str) -> tuple[str, ...]:
    """Give the command that makes a file that is not there, if its name says the format."""
    from qoder_async.export.formats import choose_format  # noqa: PLC0415  only commands with a file pay for it

    if os.strerror(errno.ENOENT) not in message:
        return ()
    try:
        makes = "sync" if choose_format(path, None) == "sqlite" else "export"
    except ConfigurationError:
        return ()
    return (f"make it: {command('runs', makes, str(path))}",)
