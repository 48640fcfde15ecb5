"""Time as the library sees it, in one object that tests can replace."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    """The machine's own time."""

    def now(self) -> float:
        """Give the seconds of a clock that never jumps.

        Returns:
            Seconds since a moment without meaning.
        """
        return time.monotonic()

    def wall(self) -> datetime:
        """Give the time of day.

        Returns:
            An aware datetime.
        """
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: How long.
        """
        await asyncio.sleep(seconds)
