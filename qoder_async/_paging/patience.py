"""Reads that outlast a service that is down for a while."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, TypeVar

from qoder_async._http.consequences import is_passing_error
from qoder_async.errors import APIStatusError, QoderError, ResponseDecodeError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from qoder_async._http.transport import Transport

T = TypeVar("T")

PATIENCE = 300.0
"""How long a read that fails for a passing reason is tried after its first failure, in seconds."""
_LONGEST_WAIT = 30.0
SAT_OUT = "A read failed for now, again in %.0f s: %s"
"""What is logged of a failure that is sat out."""

_log = logging.getLogger("qoder_async")


async def patiently(
    read: Callable[[], Coroutine[Any, Any, T]],
    transport: Transport,
    is_passing: Callable[[QoderError], bool] = is_passing_error,
) -> T:
    """Read something; where that fails for a passing reason, try again for 5 minutes.

    The wait that the service asks for is not undercut; one that leads past the 5 minutes ends it at once.

    Args:
        read: Reads it.
        transport: What sends it.
        is_passing: Tells what is a passing reason.

    Returns:
        What was read.

    Raises:
        QoderError: It failed for good.
    """
    failures, failing_since = 0, 0.0
    while True:
        try:
            return await read()
        except QoderError as error:
            reason = " ".join(str(error).split())
            failing_since = failing_since if failures else transport.clock.now()
            tried, asked = transport.clock.now() - failing_since, asked_wait(error)
            if not is_passing(error) or tried >= PATIENCE or tried + asked > PATIENCE:
                raise
        failures += 1
        wait = min(_LONGEST_WAIT, 2.0 ** min(failures, 10))
        wait *= random.uniform(0.5, 1)  # noqa: S311  spreads retries, guards nothing
        wait = max(wait, asked)
        _log.warning(SAT_OUT, wait, reason)
        await transport.sleep(wait)


def asked_wait(error: Exception) -> float:
    """Tell how long the service asks to be left alone.

    Args:
        error: What a read raised.

    Returns:
        Seconds, 0 where it asks nothing.
    """
    return (error.retry_after or 0.0) if isinstance(error, APIStatusError) else 0.0


def is_passing_unless_understood(error: QoderError) -> bool:
    """Tell whether a read that failed may succeed a while later, and take JSON of the wrong shape as said for good.

    Args:
        error: What the read raised.

    Returns:
        Whether it may.
    """
    return is_passing_error(error) and not (isinstance(error, ResponseDecodeError) and not error.is_passing)
