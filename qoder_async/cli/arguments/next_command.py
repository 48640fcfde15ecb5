"""Commands to copy: what a message tells people to run next."""

from __future__ import annotations

import shlex
from datetime import datetime

from qoder_async._wire.query import format_time


def command(*words: str, **options: object) -> str:
    """Write a command as it is typed into a shell.

    Args:
        words: What follows the program's name.
        options: By their Python names; true is a flag, a tuple repeats the option, ``None`` and false leave one out.

    Returns:
        The command, quoted where a shell needs it.
    """
    parts = ["qoder-async", *words]
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, tuple) else (value,):
            parts += _option(flag, each)
    return shlex.join(parts)


def _option(flag: str, value: object) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        return [flag]
    text = format_time(value) if isinstance(value, datetime) else str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]
