"""A run of a deployment, in both of its shapes."""

from qoder_async.models.agent import AgentRef
from qoder_async.models.enums import RunStatus, TriggerType
from qoder_async.models.model import Model
from qoder_async.models.record import Record, Timestamp


class TriggerContext(Model, frozen=True, kw_only=True, gc=False):
    """What started a run.

    Attributes:
        type: `manual`, `schedule`, `retry`, or a word not known yet.
        scheduled_at: The time of the schedule that fired (absent when triggered by hand).
    """

    type: TriggerType
    scheduled_at: Timestamp | None = None


class RunError(Model, frozen=True, kw_only=True, gc=False):
    """Why a run failed, or why it never got a session.

    Attributes:
        type: A word for programs; the list of words is open.
        message: A text for people.
    """

    type: str | None = None
    message: str | None = None


class RunExtras(Model, frozen=True, kw_only=True, gc=False):
    """What only the extended shape says about a run's work (`cas_run_extras` in the documents of June 2026).

    Attributes:
        attempt: Which attempt this is, from 1.
        turn_id: The turn of the session that does the work.
        started_at: When the work began.
    """

    attempt: int | None = None
    turn_id: str | None = None
    started_at: Timestamp | None = None


class DeploymentRun(Record, frozen=True, kw_only=True, gc=False):
    """One run of a deployment.

    The extended shape (June 2026) has `status`, `triggered_at`, `completed_at`, `duration_ms` and
    `cas_run_extras`. The lean shape (July 2026 on) has none of these and never changes: how the work went is
    read from the session.

    Attributes:
        id: The run's id (`drun_…`).
        deployment_id: The deployment it belongs to.
        agent: The agent and version that ran.
        trigger_context: What started it.
        created_at: When the record was made; whole seconds in the lean shape.
        type: Always `"deployment_run"`.
        session_id: The session that does the work; absent as long as there is none.
        error: Why it failed (extended), or why no session was made (lean).
        status: How it stands; extended shape only.
        triggered_at: When it was triggered; extended shape only.
        completed_at: When it ended; extended shape, once it has ended.
        duration_ms: How long it took, in milliseconds; extended shape, once completed.
        cas_run_extras: More about the work; extended shape only.
    """

    _shown = ("id", "status", "deployment_id", "session_id", "error", "created_at")

    id: str
    deployment_id: str
    agent: AgentRef
    trigger_context: TriggerContext
    created_at: Timestamp
    type: str = "deployment_run"
    session_id: str | None = None
    error: RunError | None = None
    status: RunStatus | None = None
    triggered_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    duration_ms: int | None = None
    cas_run_extras: RunExtras | None = None

    @property
    def is_terminal(self) -> bool | None:
        """Whether the run has ended: true, false, or `None` where only its session can tell."""
        return has_ended(
            self.status,
            is_completed=self.completed_at is not None,
            has_error=self.error is not None,
            has_session=self.session_id is not None,
        )


GOING_ON = (RunStatus.PENDING, RunStatus.RUNNING)
ENDED = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.SKIPPED)


def has_ended(
    status: object, *, is_completed: bool = False, has_error: bool = False, has_session: bool = False
) -> bool | None:
    """Say whether a run has ended by its own record: the one rule for models, lines and rows.

    Args:
        status: Its status, also as a plain text; `None` where it has none.
        is_completed: Whether it says when it ended, which counts where nobody knows the word of its status.
        has_error: Whether it has an error, which counts where it has no status.
        has_session: Whether it has a session; the same.

    Returns:
        True, false, or `None` where only its session can tell.
    """
    if status is None:
        return True if has_error and not has_session else None
    return status in ENDED or (status not in GOING_ON and is_completed)
