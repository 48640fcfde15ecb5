"""What belongs to an event loop, made anew for each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One value for each event loop, so that a client survives several ``asyncio.run``.

    Args:
        make: Makes the value when a loop first asks for it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[asyncio.AbstractEventLoop, T] = {}

    def get(self) -> T:
        """Give the running loop's value.

        Returns:
            The same value every time.
        """
        loop = asyncio.get_running_loop()
        value = self._values.get(loop)
        if value is None:
            # Weak keys would not do: the values hold their loop.
            for other in [key for key in list(self._values) if key.is_closed()]:
                self._values.pop(other, None)
            value = self._values.setdefault(loop, self._make())
        return value
