"""All runs of the simulated service, as columns: one entry a run, in the order in which they were made.

Columns keep a million runs small. What a run looks like on the wire is rendered from them when it is first
asked for (``run_wire``) and kept until the run changes.
"""

from __future__ import annotations

from array import array
from enum import IntEnum
from typing import Any

NEVER = -1
"""An instant that has not come: an open end, or a start that will not be."""


class Status(IntEnum):
    """Where a run stands now."""

    PENDING = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    SKIPPED = 4

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self >= Status.COMPLETED


class Trigger(IntEnum):
    """What started a run."""

    MANUAL = 0
    SCHEDULE = 1
    RETRY = 2


class Outcome(IntEnum):
    """How a run ends, known to the simulator from the beginning."""

    COMPLETED = 0
    STOPPED = 1
    FAILED = 2
    TIMED_OUT = 3
    CANCELLED = 4
    NO_SESSION = 5
    SKIPPED = 6

    @property
    def status(self) -> Status:
        """The status of a run that ended so."""
        if self is Outcome.SKIPPED:
            return Status.SKIPPED
        return Status.COMPLETED if self <= Outcome.STOPPED else Status.FAILED

    @property
    def starts_session(self) -> bool:
        """Whether a run that ends so ever gets a session."""
        return self < Outcome.NO_SESSION


class RunTable:
    """The columns; ``table.started[n]`` is when run ``n`` began to work, in microseconds.

    Attributes:
        triggered: When the run was asked for.
        created: When its record was made.
        started: When the work began or will begin, or NEVER.
        completed: When the run ends or is going to end, or NEVER.
        deployment: The number of its deployment.
        agent: The number of its agent reference.
        session: The number of its session (that of the run that opened it), or NEVER.
        status: Where it stands.
        trigger: What started it.
        attempt: 1, and one more with every retry.
        outcome: How it ends.
        raw: The record on the wire, where it has been rendered.
        errors: Errors that are not the usual one of the outcome, by run.
        stop_reasons: Stop reasons that are not the usual one, by run.
        patches: Fields laid over the record by hand, by run; Ellipsis leaves a field out.
        replaced: Runs whose record was replaced by hand and is never rendered.
        shared_turns: Runs of each session that several runs share, by session.
        going_on: Runs that are pending or running.
        hidden_until: When a new run becomes visible, by run.
        deleted: Runs that are gone.
    """

    def __init__(self) -> None:
        self.triggered: array[int] = array("q")
        self.created: array[int] = array("q")
        self.started: array[int] = array("q")
        self.completed: array[int] = array("q")
        self.deployment: array[int] = array("l")
        self.agent: array[int] = array("l")
        self.session: array[int] = array("q")
        self.status: bytearray = bytearray()
        self.trigger: bytearray = bytearray()
        self.attempt: array[int] = array("l")
        self.outcome: bytearray = bytearray()
        self.raw: list[bytes | None] = []
        self.errors: dict[int, dict[str, Any]] = {}
        self.stop_reasons: dict[int, str] = {}
        self.patches: dict[int, dict[str, Any]] = {}
        self.replaced: set[int] = set()
        self.shared_turns: dict[int, list[int]] = {}
        self.going_on: set[int] = set()
        self.hidden_until: dict[int, int] = {}
        self.deleted: set[int] = set()

    def __len__(self) -> int:
        return len(self.raw)

    def append(
        self,
        *,
        triggered: int,
        created: int,
        started: int,
        completed: int,
        deployment: int,
        agent: int,
        session: int,
        status: Status,
        trigger: Trigger,
        attempt: int,
        outcome: Outcome,
    ) -> None:
        """Enter one run; the arguments are the columns."""
        self.triggered.append(triggered)
        self.created.append(created)
        self.started.append(started)
        self.completed.append(completed)
        self.deployment.append(deployment)
        self.agent.append(agent)
        self.session.append(session)
        self.status.append(status)
        self.trigger.append(trigger)
        self.attempt.append(attempt)
        self.outcome.append(outcome)
        self.raw.append(None)

    def changed(self, number: int) -> None:
        """Have the record of a run rendered anew when it is next asked for."""
        if number not in self.replaced:
            self.raw[number] = None

    def has_session(self, number: int) -> bool:
        """Whether a run has, or will have, a session."""
        return self.session[number] != NEVER

    def session_born(self, number: int) -> int:
        """When the session that a run opened came to be, in microseconds."""
        return max(self.triggered[number], self.created[number])
