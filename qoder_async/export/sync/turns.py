"""The open file of a sync, for tasks: one at a time, in a thread."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from qoder_async.export.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec

    from qoder_async.export.sync.store import SyncStore

    P = ParamSpec("P")

T = TypeVar("T")


class FileInTurns:
    """The open file.

    Args:
        store: The file.

    Attributes:
        store: The same.
    """

    def __init__(self, store: SyncStore) -> None:
        self.store = store
        self._turn = asyncio.Lock()

    async def __call__(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with it, when it is this task's turn.

        Args:
            do: A method of :attr:`store`.
            args: Its arguments.
            kwargs: More of them.

        Returns:
            What it returned.

        Raises:
            ExportError: The file cannot be read or written.
        """
        async with self._turn:
            return await in_thread(partial(do, *args, **kwargs))
