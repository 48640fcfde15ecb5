"""The command line, ``qoder-async``; it needs the extra ``cli``."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_NEEDED = ("cyclopts", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the program's name; absent, what the process was started with.

    Returns:
        The exit code.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"qoder-async: the command line needs {' and '.join(missing)}: pip install 'qoder-async[cli]'\n"
        )
        return 2
    try:
        from qoder_async.cli.program import run_program  # noqa: PLC0415  it needs what may be missing
    except KeyboardInterrupt:
        sys.stderr.write("qoder-async: interrupted\n")
        return 130
    return run_program(sys.argv[1:] if arguments is None else list(arguments))
