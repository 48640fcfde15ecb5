"""The words that say how things stand."""

from qoder_async.models.open_enum import OpenEnum


class RunStatus(OpenEnum):
    """How a run stands; only the extended shape (June 2026) says it."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class TriggerType(OpenEnum):
    """What started a run (`retry` is documented for the extended shape only)."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    RETRY = "retry"


class DeploymentStatus(OpenEnum):
    """How a deployment stands; an archived one still says `active`: see `Deployment.archived_at`."""

    ACTIVE = "active"
    PAUSED = "paused"


class SessionStatus(OpenEnum):
    """How a session stands; the words differ between the generations of the documentation."""

    IDLE = "idle"
    RUNNING = "running"
    RESCHEDULING = "rescheduling"
    TERMINATED = "terminated"
    QUEUED = "queued"
    PROCESSING = "processing"
    CANCELING = "canceling"
    CANCELLED = "cancelled"
