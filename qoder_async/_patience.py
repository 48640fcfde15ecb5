"""Walks that outlast a service that is down for a while."""

from __future__ import annotations

import random
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import attrs

from qoder_async._http.retry import is_passing_error
from qoder_async.errors import QoderError
from qoder_async.models import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qoder_async._http.clock import Clock
    from qoder_async.paging import Page, Pager

M = TypeVar("M", bound=Record)

_PATIENCE = 300.0
_LONGEST_WAIT = 30.0


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
    good, failures = clock.now(), 0
    while True:
        try:
            async with aclosing(pager.pages()) as pages:
                async for page in pages:
                    good, failures = clock.now(), 0
                    yield page
                    good = clock.now()  # whoever uses the pages may take their time
        except QoderError as error:
            if not is_passing_error(error) or clock.now() - good >= _PATIENCE:
                raise
            pager = attrs.evolve(pager, cursor=error.cursor)
        else:
            return
        failures += 1
        wait = min(_LONGEST_WAIT, 2.0 ** min(failures, 10))
        await clock.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  spreads retries, guards nothing
