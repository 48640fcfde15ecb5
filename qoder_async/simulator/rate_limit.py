"""A gateway that refuses bursts: a strict sliding window over real time."""

from __future__ import annotations

from collections import deque
from typing import Literal, get_args

import attrs

from qoder_async.simulator.choices import check_choice

Refusal = Literal["reset", "429", "503"]


@attrs.frozen
class RateLimit:
    """How many requests are let through.

    Args:
        requests: How many within a window.
        per: Length of the window, seconds of real time.
        refusal: What happens to a request too many: the connection is reset, or it is answered with 429 or
            503.
        retry_after: Value of the ``Retry-After`` header of a refusal, seconds; None: no header.

    Raises:
        ValueError: If a request too many is to be refused in any other way.
    """

    requests: int = 20
    per: float = 1.0
    refusal: Refusal = "reset"
    retry_after: float | None = None

    def __attrs_post_init__(self) -> None:
        check_choice("refusal", self.refusal, get_args(Refusal))


class Gate:
    """Lets requests through as a rate limit says; refused ones do not count.

    Args:
        limit: The rate limit.
    """

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._passed: deque[float] = deque()

    def admits(self, at: float) -> bool:
        """Whether a request may pass.

        Args:
            at: Seconds of the monotonic clock, never going backwards.

        Returns:
            Whether it passes; if so it counts.
        """
        while self._passed and self._passed[0] <= at - self.limit.per:
            self._passed.popleft()
        if len(self._passed) >= self.limit.requests:
            return False
        self._passed.append(at)
        return True
