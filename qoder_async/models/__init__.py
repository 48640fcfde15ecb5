"""What the API speaks: frozen classes with the wire's field names."""

from qoder_async.models.agent import AgentRef, SessionAgent
from qoder_async.models.deployment import Budget, Deployment, PausedReason, PausedReasonError, Schedule
from qoder_async.models.enums import DeploymentStatus, RunStatus, SessionStatus, TriggerType
from qoder_async.models.event import SessionError, SessionEvent, StopReason
from qoder_async.models.open_enum import OpenEnum
from qoder_async.models.record import Record
from qoder_async.models.run import DeploymentRun, RunError, RunExtras, TriggerContext
from qoder_async.models.session import Session, SessionStats, SessionUsage

__all__ = [
    "AgentRef",
    "Budget",
    "Deployment",
    "DeploymentRun",
    "DeploymentStatus",
    "OpenEnum",
    "PausedReason",
    "PausedReasonError",
    "Record",
    "RunError",
    "RunExtras",
    "RunStatus",
    "Schedule",
    "Session",
    "SessionAgent",
    "SessionError",
    "SessionEvent",
    "SessionStats",
    "SessionStatus",
    "SessionUsage",
    "StopReason",
    "TriggerContext",
    "TriggerType",
]
