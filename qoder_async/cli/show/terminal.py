"""Whether somebody reads along."""

from __future__ import annotations

import sys


def is_terminal() -> bool:
    """Tell whether standard output is a terminal."""
    return sys.stdout.isatty()
