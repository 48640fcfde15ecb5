"""The memory of idempotency keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async.simulator.instants import DAY
from qoder_async.simulator.problems import conflict

if TYPE_CHECKING:
    from qoder_async.simulator.answers import Answer

_Key = tuple[str, str, str]


class IdempotencyKeys:
    """First answers by token, path and key, kept for 24 hours of simulated time."""

    def __init__(self) -> None:
        self._answers: dict[_Key, tuple[int, bytes, Answer]] = {}

    def recall(self, key: _Key, body: bytes, now: int) -> Answer | None:
        """Find the first answer to a key.

        Args:
            key: Token, path and idempotency key.
            body: The body of the request.
            now: Microseconds since 1970.

        Returns:
            The answer, or None where the key is new.

        Raises:
            ProblemError: If the key came with another body.
        """
        self._forget(now)
        known = self._answers.get(key)
        if known is None:
            return None
        _, first_body, answer = known
        if first_body != body:
            raise conflict("Idempotency key reused with a different request body.")
        return answer

    def remember(self, key: _Key, body: bytes, now: int, answer: Answer) -> None:
        """Keep the first answer to a key."""
        self._answers[key] = (now, body, answer)

    def _forget(self, now: int) -> None:
        while self._answers:
            oldest = next(iter(self._answers))
            if now - self._answers[oldest][0] < DAY:
                return
            del self._answers[oldest]
