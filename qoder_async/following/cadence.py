"""How long to wait between two looks at a run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qoder_async.options import Poll

_JITTER = 0.2
"""The share by which a wait may be shorter, so that the clients of a fleet do not come all at once."""
_FIRST_CHECK = 240.0


def next_wait(poll: Poll, elapsed: float, jitter: float) -> float:
    """Give the wait until the next look.

    Waits that grow by a factor are a straight line over the time that has passed: ``initial`` at its beginning, and
    ``factor - 1`` more for every second.

    Args:
        poll: The bounds.
        elapsed: Seconds since somebody began to wait.
        jitter: A random number from 0 to 1.

    Returns:
        Seconds.
    """
    wait = min(poll.maximum, poll.initial + elapsed * (poll.factor - 1))
    return wait * (1 - _JITTER * jitter)


def next_check(elapsed: float) -> float:
    """Give the time of the next look at what a session did, where the session itself says that it is at work.

    It may be at work for a later run already; this is rare, so that the looks become rarer with time.

    Args:
        elapsed: Seconds since somebody began to wait.

    Returns:
        Seconds since then.
    """
    return max(_FIRST_CHECK, 2 * elapsed)
