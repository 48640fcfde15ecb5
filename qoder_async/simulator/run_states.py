"""The words for how a run stands, as tests set it by hand."""

from __future__ import annotations

from typing import Literal, get_args

from qoder_async.simulator.choices import check_choice
from qoder_async.simulator.run_table import Outcome, Status

RunState = Literal["pending", "running", "completed", "failed", "skipped", "stopped", "timed_out", "no_session"]
"""How a run stands, by hand: the five statuses, and the outcomes that stand behind them."""
TriggerName = Literal["manual", "schedule", "retry"]

ENDINGS = {
    "completed": Outcome.COMPLETED,
    "failed": Outcome.FAILED,
    "skipped": Outcome.SKIPPED,
    "stopped": Outcome.STOPPED,
    "timed_out": Outcome.TIMED_OUT,
    "no_session": Outcome.NO_SESSION,
}
GOING_ON = {"pending": Status.PENDING, "running": Status.RUNNING}
STATES: tuple[RunState, ...] = get_args(RunState)


def check_plan(states: tuple[RunState, ...]) -> tuple[RunState, ...]:
    """Check how runs are planned to go.

    Args:
        states: The words.

    Returns:
        The words.

    Raises:
        ValueError: If one of them is neither an ending nor ``running``.
    """
    for state in states:
        check_choice("states", state, (*ENDINGS, "running"))
    return states
