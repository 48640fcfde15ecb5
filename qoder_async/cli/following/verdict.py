"""The exit code of a wait for several runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qoder_async import RunState
from qoder_async.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

_CODES = {
    RunState.COMPLETED: ExitCode.FINE,
    RunState.FAILED: ExitCode.RUN_FAILED,
    RunState.SKIPPED: ExitCode.RUN_SKIPPED,
    RunState.STOPPED: ExitCode.RUN_SKIPPED,
}
_WORST_FIRST = (ExitCode.API, ExitCode.TIMEOUT, ExitCode.RUN_FAILED, ExitCode.RUN_SKIPPED)


def verdict(states: Iterable[RunState], *, has_unfollowed: bool = False, has_run_out: bool = False) -> ExitCode:
    """Choose the exit code of a wait.

    What is not known outweighs what is: as long as a run may still go either way, nobody should take the answer for
    the whole of it. So 5 comes before 4, then 1, then 3.

    Args:
        states: How the runs that have ended did so. A word that is not known, such as ``unknown``, counts as a run of
            which nobody can tell how it ended.
        has_unfollowed: Whether a run could not be followed.
        has_run_out: Whether the time ran out.

    Returns:
        The code of the worst of it.
    """
    codes = {_CODES.get(state, ExitCode.API) for state in states}
    if has_unfollowed:
        codes.add(ExitCode.API)
    if has_run_out:
        codes.add(ExitCode.TIMEOUT)
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.FINE)
