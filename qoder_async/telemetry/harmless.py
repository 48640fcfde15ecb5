"""Keeps what others hang into OpenTelemetry from breaking a request."""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")

_log = logging.getLogger("qoder_async")


def harmless(function: Callable[P, None]) -> Callable[P, None]:
    """Log what a function raises: samplers, processors and readers are the caller's code.

    A run that was started must not be lost because a span could not be ended.

    Args:
        function: The function.

    Returns:
        One that raises nothing.
    """

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception:  # noqa: BLE001  whatever it is, and it is logged
            _log.exception("OpenTelemetry raised")

    return guarded
