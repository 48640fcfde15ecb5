"""What chance decides about a run: when it begins, how long it works, and how it ends."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from qoder_async.simulator.instants import from_seconds
from qoder_async.simulator.run_states import ENDINGS
from qoder_async.simulator.run_table import Outcome, Trigger

if TYPE_CHECKING:
    from qoder_async.simulator.behaviour import Behaviour
    from qoder_async.simulator.ids import Mint
    from qoder_async.simulator.run_states import RunState

_OUTCOME_SALT, _DURATION_SALT, _DELAY_SALT = 1, 2, 3
_SOON = (0.05, 0.5)


def draw_course(mint: Mint, behaviour: Behaviour, number: int, planned: RunState | None) -> tuple[Outcome, float]:
    """Draw how a run goes that finds a place.

    Args:
        mint: Draws.
        behaviour: How the runs of its deployment go.
        number: The run.
        planned: How it shall end, or ``running``; None leaves it to chance.

    Returns:
        How it ends, and after how many seconds of work, infinity for never.
    """
    if planned == "running":
        return Outcome.COMPLETED, inf
    outcome = draw_outcome(mint, behaviour, number) if planned is None else ENDINGS[planned]
    duration = draw_duration(mint, behaviour, number)
    if planned is None and outcome.starts_session and duration > behaviour.timeout:
        outcome = Outcome.TIMED_OUT
    return outcome, behaviour.timeout if outcome is Outcome.TIMED_OUT else min(duration, behaviour.timeout)


def draw_outcome(mint: Mint, behaviour: Behaviour, number: int) -> Outcome:
    """Draw how a run ends that finds a place.

    Args:
        mint: Draws.
        behaviour: How the runs of its deployment go.
        number: The run.

    Returns:
        How it ends, if it is given time to.
    """
    chance = mint.unit(number, _OUTCOME_SALT)
    shares = (
        (behaviour.no_session_rate, Outcome.NO_SESSION),
        (behaviour.failure_rate, Outcome.FAILED),
        (behaviour.stop_rate, Outcome.STOPPED),
    )
    for share, outcome in shares:
        if chance < share:
            return outcome
        chance -= share
    return Outcome.COMPLETED


def draw_duration(mint: Mint, behaviour: Behaviour, number: int) -> float:
    """Draw how long a run would work, in seconds."""
    return mint.between(*behaviour.run_duration, number, _DURATION_SALT)


def draw_delay(mint: Mint, behaviour: Behaviour, trigger: Trigger, number: int) -> int:
    """Draw how long a run is pending, in microseconds."""
    if behaviour.start_delay is None and trigger is Trigger.MANUAL:
        return 0
    return from_seconds(mint.between(*(behaviour.start_delay or _SOON), number, _DELAY_SALT))
