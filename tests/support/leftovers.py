"""What the library may leave behind: tasks, async generators, open descriptors."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qoder_async

if TYPE_CHECKING:
    from types import CodeType

_LIBRARY = Path(qoder_async.__file__).parent
_OF_TESTS = {"simulator", "resources", "waiting.py"}
"""Where the coroutines come from of which tests make tasks: services, and what a client's methods give."""


def client_tasks() -> list[asyncio.Task[Any]]:
    """The tasks that the library works with in the background."""
    return [task for task in asyncio.all_tasks() if (inside := _inside(_code_of(task))) and not _OF_TESTS & set(inside)]


def is_the_librarys(task: asyncio.Task[Any]) -> bool:
    """Whether a task runs a coroutine of the library, the simulator among it."""
    return bool(_inside(_code_of(task)))


def open_generators() -> list[Any]:
    """The library's async generators that have begun and not ended: the collector would end each in a new task."""
    begun = list(asyncio.get_running_loop()._asyncgens)  # type: ignore[attr-defined]
    return [one for one in begun if one.ag_frame is not None and _inside(one.ag_code)]


def open_descriptors() -> list[str]:
    """What the open descriptors of this process lead to; nothing where the system does not say."""
    folder = Path("/proc/self/fd")
    found = []
    for name in os.listdir(folder) if folder.exists() else ():  # noqa: PTH208  the names are enough
        try:
            found.append(str((folder / name).readlink()))
        except OSError:  # the one that lists
            continue
    return found


def open_sockets() -> int:
    """How many sockets this process has open."""
    return sum(leads_to.startswith("socket:") for leads_to in open_descriptors())


def open_files(folder: Path) -> list[str]:
    """The files in a folder that this process has open."""
    return [leads_to for leads_to in open_descriptors() if Path(leads_to).is_relative_to(folder)]


def _code_of(task: asyncio.Task[Any]) -> CodeType | None:
    return getattr(task.get_coro(), "cr_code", None)


def _inside(code: CodeType | None) -> tuple[str, ...]:
    """The way to a piece of code inside the library, empty for that of others."""
    path = _LIBRARY if code is None else Path(code.co_filename)
    return path.relative_to(_LIBRARY).parts if path.is_relative_to(_LIBRARY) else ()


def names_in(folder: Path) -> list[str]:
    """The names of what is in a folder."""
    return sorted(path.name for path in folder.iterdir())
