"""Text that is safe to show: nothing that steers a terminal, and no token."""

from __future__ import annotations

import os
import re

from qoder_async.options import TOKEN_VARIABLES

_UNREACHABLE = re.compile(r"(?:\w+Error: )?Cannot connect to host (\S+) ssl:\S+ \[(.*?)\](?=$| )")
_SHORTEST_TOKEN = 8
"""What is shorter is no token but a stand-in of a trial, and may be part of any word."""
_TOKEN = re.compile(r"\bpt-[A-Za-z0-9_.~+/=-]{6,}")


def clean(text: str) -> str:
    """Make text from outside printable on one line.

    Names and messages come from the service; one that holds escape sequences must not steer the terminal, and one
    that holds a tab or a line break must not look like two fields or two records.

    Args:
        text: The text.

    Returns:
        The text with whatever is not printable written as an escape, and line breaks and tabs as spaces.
    """
    if text.isprintable():
        return text
    flat = " ".join(text.split("\r\n")) if "\r\n" in text else text
    return "".join(
        character if character.isprintable() else " " if character in "\t\n\r" else ascii(character)[1:-1]
        for character in flat
    )


def clean_lines(text: str) -> str:
    """Make text from outside printable, line by line.

    Args:
        text: The text.

    Returns:
        The text with whatever is not printable in a line written as an escape.
    """
    return "\n".join(map(clean, text.split("\n")))


def plainly(text: str) -> str:
    """Put what is said of a connection into plain words.

    Args:
        text: A message of the library.

    Returns:
        The message without names of classes.
    """
    return _UNREACHABLE.sub(_unreachable, text)


def _unreachable(found: re.Match[str]) -> str:
    address, reason = found.groups()
    return f"cannot connect to {address}" + ("" if reason.startswith("Connect call failed") else f" ({reason})")


def hide_token(text: str) -> str:
    """Take the token of the environment out of a text, such as a record that repeats it.

    Args:
        text: The text.

    Returns:
        The text without the token. What only looks like one stays: a name may.
    """
    for name in TOKEN_VARIABLES:
        token = os.environ.get(name, "").strip()
        if len(token) >= _SHORTEST_TOKEN:
            text = text.replace(token, "[redacted]")
    return text


def redact(text: str) -> str:
    """Take tokens out of a message, such as one that was passed on the command line by mistake.

    Args:
        text: The message.

    Returns:
        The message without anything that is, or looks like, a token.
    """
    return _TOKEN.sub("pt-[redacted]", hide_token(text))
