"""How a run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async.errors import RunFailedError
from qoder_async.models import OpenEnum

if TYPE_CHECKING:
    from datetime import datetime

    from qoder_async.models import DeploymentRun, RunError, Session


class RunState(OpenEnum):
    """How a run ended, in either shape of the API; a word of the service's that is not known survives as it came."""

    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class FinishedRun:
    """A run that has ended; ``str`` says in a sentence how.

    Attributes:
        run: The run, as last seen.
        state: How it ended: ``completed``; ``failed``; ``skipped``, where it was never started because too many were
            running; ``stopped``, where its session came to rest before the work was done (``stop_reason`` says why);
            ``unknown``, where its session is gone or may not be read.
        error: Why it failed, if that is known.
        stop_reason: The word with which its session came to rest, such as ``end_turn`` or ``requires_action``; only
            where the session was read (the lean shape).
        session: The session in which it worked, as last seen, with what it has cost; only where it was read.
        ended_at: When it ended, if that is known.
    """

    run: DeploymentRun
    state: RunState
    error: RunError | None = None
    stop_reason: str | None = None
    session: Session | None = attrs.field(default=None, repr=False)
    ended_at: datetime | None = None

    def __hash__(self) -> int:
        return hash(self.run.id)

    @property
    def ok(self) -> bool:
        """Whether it completed."""
        return self.state == RunState.COMPLETED

    def raise_for_failure(self) -> None:
        """Do nothing if the run completed, and raise otherwise.

        Raises:
            RunFailedError: It failed, was skipped or stopped, or nobody can tell how it ended; ``error.finished`` is
                this object.
        """
        if not self.ok:
            raise RunFailedError(str(self), finished=self)

    def __str__(self) -> str:
        verb = _VERBS.get(self.state, f"ended as {self.state!s}")
        words = (self.error.type, self.error.message) if self.error is not None else ()
        why = ": ".join(word for word in words if word) or (None if self.ok else self.stop_reason)
        return f"{self.run.id} {verb}: {why}" if why else f"{self.run.id} {verb}"


_VERBS = {
    RunState.COMPLETED: "completed",
    RunState.FAILED: "failed",
    RunState.SKIPPED: "was skipped",
    RunState.STOPPED: "stopped before its work was done",
    RunState.UNKNOWN: "ended, but its session is gone or may not be read, so nobody can tell how",
}
