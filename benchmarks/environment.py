"""What the figures were measured with."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata

from qoder_async import __version__

_LIBRARIES = ("aiohttp", "msgspec", "orjson", "uvloop", "qca-sdk", "anthropic", "httpx", "httpx2")


def environment(*more: str) -> str:
    """Say it in one line.

    Args:
        more: Distributions that matter to one case only.
    """
    found = [f"qoder-async {__version__}"]
    for name in (*_LIBRARIES, *more):
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {sys.platform} {platform.machine()}, {os.cpu_count()} cores; {', '.join(found)}"
