"""The file that a command reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.failures import usage
from qoder_async.errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path


async def check_file(path: Path) -> None:
    """Refuse a file that cannot be meant.

    Args:
        path: What was typed.

    Raises:
        Stop: There is none, or it is something else than an export.
        ConfigurationError: The extra that its format takes is not installed.
    """
    from qoder_async.export.read.recognition import find_format  # noqa: PLC0415  only commands with a file pay for these
    from qoder_async.export.threads import in_thread  # noqa: PLC0415

    found, message = None, ""
    try:
        found = await in_thread(find_format, path)
    except ExportError as error:
        message = str(error)
    if message:
        is_missing = await in_thread(_is_missing, path)
        raise usage(message, *(_how_to_make(path) if is_missing else ()))
    if found is None:
        raise usage(f"{path} was made neither by: runs export, nor by: runs sync")


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError)
    return False


def _how_to_make(path: Path) -> tuple[str, ...]:
    """Give the command that makes a file, if its name says the format."""
    from qoder_async.export.formats import format_by_name  # noqa: PLC0415  only commands with a file pay for it

    found = format_by_name(path)
    if found is None:
        return ()
    return (f"make it: {command('runs', 'sync' if found == 'sqlite' else 'export', str(path))}",)
