"""How long the passes of an event loop are: for so long nothing else of the program runs."""

from __future__ import annotations

import asyncio
import selectors
from time import thread_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectors import SelectorKey


class TimedLoop(asyncio.SelectorEventLoop):
    """A loop of asyncio's own kind that times its passes."""

    def __init__(self) -> None:
        self.timed = TimedSelector()
        super().__init__(self.timed)


class TimedSelector(selectors.DefaultSelector):
    """Times what the loop does from the end of one look at its sockets to the next.

    Thread time: what other processes take away in the meantime is not the program's doing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._looked = thread_time()
        self.longest = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        self.longest = max(self.longest, thread_time() - self._looked)
        found = super().select(timeout)
        self._looked = thread_time()
        return found
