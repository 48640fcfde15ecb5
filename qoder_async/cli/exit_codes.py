"""The exit codes."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command line's exit code says; the numbers are part of its contract.

    Attributes:
        FINE: All went well; of a wait, that every run completed.
        RUN_FAILED: A run failed.
        USAGE: What was typed cannot be meant.
        RUN_SKIPPED: A run was skipped, or stopped before its work was done.
        TIMEOUT: The time to wait ran out; the runs that were seen go on.
        API: The service or the network failed, or nobody can tell how a run ended.
        BUG: The command line broke down.
        INTERRUPTED: Ctrl-C.
    """

    FINE = 0
    RUN_FAILED = 1
    USAGE = 2
    RUN_SKIPPED = 3
    TIMEOUT = 4
    API = 5
    BUG = 70
    INTERRUPTED = 130
