"""What is done once the event loop has nothing else to do, as while an answer is waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_MOST_HELD = 100


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


class Together(Generic[T]):
    """Hands on what comes without a pause as one.

    Args:
        give: Takes some things, the first of them first.
    """

    def __init__(self, give: Callable[[list[T]], None]) -> None:
        self._give = give
        self._held: list[T] = []
        self._giving = WhenIdle(self._try_to_give)
        self._failure: Exception | None = None

    def add(self, thing: T) -> None:
        """Take one thing more.

        Args:
            thing: The thing.

        Raises:
            Exception: What came of handing on earlier ones.
        """
        self._check()
        self._held.append(thing)
        if len(self._held) < _MOST_HELD:
            self._giving.soon()
        else:
            self.give()

    def give(self) -> None:
        """Hand on what is there.

        Raises:
            Exception: What came of it, also earlier.
        """
        self._check()
        held, self._held = self._held, []
        if held:
            self._give(held)

    def _try_to_give(self) -> None:
        try:
            self.give()
        except Exception as error:  # noqa: BLE001  the loop would only log it; the next call raises it
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
