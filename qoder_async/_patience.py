"""Reads that outlast a service that is down for a while."""

from __future__ import annotations

import random
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import attrs

from qoder_async._http.retry import is_passing_error
from qoder_async.errors import QoderError
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from typing import Any

    from qoder_async._http.clock import Clock
    from qoder_async.paging import Page, Pager

M = TypeVar("M", bound=Record)
T = TypeVar("T")

_PATIENCE = 300.0
_LONGEST_WAIT = 30.0


async def patiently(read: Callable[[], Coroutine[Any, Any, T]], clock: Clock) -> T:
    """Read something; where that fails for a passing reason, try again for 5 minutes.

    Args:
        read: Reads it.
        clock: Where time comes from.

    Returns:
        What was read.

    Raises:
        QoderError: It failed for good.
    """
    patience = _Patience(clock)
    while True:
        try:
            return await read()
        except QoderError as error:
            if patience.is_at_its_end(error):
                raise
        await patience.rest()


async def patient_pages(pager: Pager[M], clock: Clock) -> AsyncGenerator[Page[M], None]:
    """Walk a list page by page; a page that fails for a passing reason is tried again for 5 minutes.

    Args:
        pager: The list; one that skips records that cannot be decoded.
        clock: Where time comes from.

    Yields:
        Each page.

    Raises:
        QoderError: The walk broke for good.
    """
    patience = _Patience(clock)
    while True:
        try:
            async with aclosing(pager.pages()) as pages:
                async for page in pages:
                    yield page
                    patience.renew()  # whoever uses the pages may take their time
        except QoderError as error:
            if patience.is_at_its_end(error):
                raise
            pager = attrs.evolve(pager, cursor=error.cursor)
        else:
            return
        await patience.rest()


class _Patience:
    """How long one goes on trying."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.renew()

    def renew(self) -> None:
        """Begin anew, after something good."""
        self._good = self._clock.now()
        self._failures = 0

    def is_at_its_end(self, error: QoderError) -> bool:
        """Say whether a failure is final."""
        return not is_passing_error(error) or self._clock.now() - self._good >= _PATIENCE

    async def rest(self) -> None:
        """Wait for the next try, longer each time."""
        self._failures += 1
        wait = min(_LONGEST_WAIT, 2.0 ** min(self._failures, 10))
        await self._clock.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  spreads retries, guards nothing
