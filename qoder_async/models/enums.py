"""The words that say how things stand."""

from .open_enum import Known, OpenEnum


class RunStatus(OpenEnum):
    """How a run stands; only the extended shape (June 2026) says it (source: D1-run, D1-runs)."""

    __slots__ = ()

    PENDING = Known("pending")
    RUNNING = Known("running")
    COMPLETED = Known("completed")
    FAILED = Known("failed")
    SKIPPED = Known("skipped")


class TriggerType(OpenEnum):
    """What started a run (source: D1-all; `retry` is documented for the extended shape only)."""

    __slots__ = ()

    MANUAL = Known("manual")
    SCHEDULE = Known("schedule")
    RETRY = Known("retry")


class DeploymentStatus(OpenEnum):
    """How a deployment stands; an archived one still says `active`: see `Deployment.archived_at`."""

    __slots__ = ()

    ACTIVE = Known("active")
    PAUSED = Known("paused")


class SessionStatus(OpenEnum):
    """How a session stands; the words differ between the generations of the documentation (SES0 to SES3)."""

    __slots__ = ()

    IDLE = Known("idle")
    RUNNING = Known("running")
    RESCHEDULING = Known("rescheduling")
    TERMINATED = Known("terminated")
    QUEUED = Known("queued")
    PROCESSING = Known("processing")
    CANCELING = Known("canceling")
    CANCELLED = Known("cancelled")
