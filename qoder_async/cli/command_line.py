"""Commands to copy: what a message tells people to run next."""

from __future__ import annotations

import shlex
from datetime import datetime

from qoder_async._wire.query import format_time


def command(*words: str, **options: object) -> str:
    """Write a command as it is typed into a shell.

    Args:
        words: What follows the program's name.
        options: By their Python names; true is a flag, ``None`` and false leave one out.

    Returns:
        The command, quoted where a shell needs it.
    """
    parts = ["qoder-async", *words]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            parts.append(flag)
        elif value is not None and value is not False:
            text = format_time(value) if isinstance(value, datetime) else str(value)
            parts += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return shlex.join(parts)
