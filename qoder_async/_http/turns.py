"""Turns at work that keeps the event loop busy for milliseconds."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Gives one turn in every other pass of the event loop, so that what came at once is not worked off at once.

    The pass between two turns belongs to what the first of them brought about.
    """

    def __init__(self) -> None:
        self._is_given = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for a turn; those who wait get theirs in the order in which they came."""
        loop = asyncio.get_running_loop()
        if self._is_given:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
        else:
            self._is_given = True
            self._leave_a_pass(loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # whoever was cancelled waits no more
                turn.set_result(None)
                self._leave_a_pass(loop)
                return
        self._is_given = False

    def _leave_a_pass(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_soon(loop.call_soon, self._next, loop)
