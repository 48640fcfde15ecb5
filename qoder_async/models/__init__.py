"""What the API speaks: frozen attrs classes with the wire's field names."""

from .agent import AgentRef, SessionAgent
from .deployment import Budget, Deployment, PausedReason, PausedReasonError, Schedule
from .enums import DeploymentStatus, RunStatus, SessionStatus, TriggerType
from .event import SessionError, SessionEvent, StopReason
from .open_enum import OpenEnum
from .record import Record
from .run import DeploymentRun, RunError, RunExtras, TriggerContext
from .session import Session, SessionStats, SessionUsage

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
