"""The exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line's exit code says; the numbers are part of its contract.

    4 is kept for waits that run out of time.
    """

    FINE = 0
    RUN_FAILED = 1
    USAGE = 2
    RUN_SKIPPED = 3
    API = 5
    BUG = 70
    INTERRUPTED = 130
