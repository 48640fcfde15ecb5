"""When a failed request is sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qoder_async.options import RetryPolicy


def wait_before_next(
    policy: RetryPolicy, *, attempt: int, asked: float | None, elapsed: float, jitter: float
) -> float | None:
    """Decide whether a request that failed for a passing reason is sent again.

    Args:
        policy: The bounds.
        attempt: How often it was sent, 1 after the first time.
        asked: How long the service asks to wait, in seconds.
        elapsed: How long the call has taken so far, in seconds.
        jitter: A random number from 0 to 1.

    Returns:
        Seconds to wait, or ``None`` to give up.
    """
    if policy.attempts is not None and attempt >= policy.attempts:
        return None
    if asked is not None and asked > policy.max_retry_after:
        return None
    # An exponent without a bound would overflow under attempts=None.
    backoff = min(policy.maximum, policy.initial * 2.0 ** min(attempt - 1, 60)) * (0.5 + jitter / 2)
    wait = asked or backoff
    if policy.deadline is not None and elapsed + wait >= policy.deadline:
        return None
    return wait
