"""What is done once the event loop has nothing else to do, as while an answer is waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class WhenIdle:
    """Does something that would be slow after each line, and too late at the end.

    Args:
        action: What is done; it raises nothing.
    """

    def __init__(self, action: Callable[[], None]) -> None:
        self._action = action
        self._is_due = False

    def soon(self) -> None:
        """Do it at the next chance."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._act)

    def _act(self) -> None:
        self._is_due = False
        self._action()
