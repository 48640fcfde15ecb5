"""The async Python SDK for deployments and runs of the Qoder Cloud Agents API.

from qoder_async import AsyncQoder

async with AsyncQoder() as qoder:
    async for run in qoder.runs.list("dep_…"):
        print(run.id)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from qoder_async._http.attempt import Attempt, AttemptHook
from qoder_async._http.response import Response
from qoder_async._http.tokens import TokenProvider
from qoder_async._version import __version__
from qoder_async._wire.query import Moment
from qoder_async._wire.unset import UNSET
from qoder_async.client import AsyncQoder
from qoder_async.concurrency import ConcurrentMap, Outcome, map_concurrently
from qoder_async.errors import (
    AmbiguousTriggerError,
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    ConflictError,
    ExportError,
    FeatureNotAvailableError,
    NotFoundError,
    PaginationError,
    PaginationLoopError,
    PermissionDeniedError,
    QoderError,
    RateLimitError,
    ResponseDecodeError,
    RunFailedError,
    RunTimeoutError,
    ServerError,
    UnsupportedFilterError,
)
from qoder_async.fanout import FanOut, FanOutProgress
from qoder_async.following.change import ChangeKind, RunChange
from qoder_async.following.finished import FinishedRun, RunState
from qoder_async.following.waiting import EndingRuns, OnUpdate
from qoder_async.following.watching import RunChanges
from qoder_async.history import RunHistory
from qoder_async.models import (
    AgentRef,
    Budget,
    Deployment,
    DeploymentRun,
    DeploymentStatus,
    OpenEnum,
    PausedReason,
    PausedReasonError,
    Record,
    RunError,
    RunExtras,
    RunStatus,
    Schedule,
    Session,
    SessionAgent,
    SessionError,
    SessionEvent,
    SessionStats,
    SessionStatus,
    SessionUsage,
    StopReason,
    TriggerContext,
    TriggerType,
)
from qoder_async.options import Pace, Poll, RetryPolicy
from qoder_async.paging import Cursor, Page, Pager

if TYPE_CHECKING:
    from cattrs import Converter

    from qoder_async.export.exporting import export_runs
    from qoder_async.export.progress import (
        ExportProgress,
        ExportReport,
        OnProgress,
        SyncReport,
        VerifiedWindow,
        VerifyReport,
    )
    from qoder_async.export.sync.syncing import sync_runs
    from qoder_async.export.verify.verifying import verify_export

    converter: Converter

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AgentRef",
    "AmbiguousTriggerError",
    "AsyncQoder",
    "Attempt",
    "AttemptHook",
    "AuthenticationError",
    "BadRequestError",
    "Budget",
    "ChangeKind",
    "ClientClosedError",
    "ConcurrentMap",
    "ConfigurationError",
    "ConflictError",
    "Cursor",
    "Deployment",
    "DeploymentRun",
    "DeploymentStatus",
    "EndingRuns",
    "ExportError",
    "ExportProgress",
    "ExportReport",
    "FanOut",
    "FanOutProgress",
    "FeatureNotAvailableError",
    "FinishedRun",
    "Moment",
    "NotFoundError",
    "OnProgress",
    "OnUpdate",
    "OpenEnum",
    "Outcome",
    "Pace",
    "Page",
    "Pager",
    "PaginationError",
    "PaginationLoopError",
    "PausedReason",
    "PausedReasonError",
    "PermissionDeniedError",
    "Poll",
    "QoderError",
    "RateLimitError",
    "Record",
    "Response",
    "ResponseDecodeError",
    "RetryPolicy",
    "RunChange",
    "RunChanges",
    "RunError",
    "RunExtras",
    "RunFailedError",
    "RunHistory",
    "RunState",
    "RunStatus",
    "RunTimeoutError",
    "Schedule",
    "ServerError",
    "Session",
    "SessionAgent",
    "SessionError",
    "SessionEvent",
    "SessionStats",
    "SessionStatus",
    "SessionUsage",
    "StopReason",
    "SyncReport",
    "TokenProvider",
    "TriggerContext",
    "TriggerType",
    "UNSET",
    "UnsupportedFilterError",
    "VerifiedWindow",
    "VerifyReport",
    "__version__",
    "converter",
    "export_runs",
    "map_concurrently",
    "sync_runs",
    "verify_export",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# What takes long to import and few programs need comes when it is asked for.
_LATE = {
    "ExportProgress": "qoder_async.export.progress",
    "ExportReport": "qoder_async.export.progress",
    "OnProgress": "qoder_async.export.progress",
    "SyncReport": "qoder_async.export.progress",
    "VerifiedWindow": "qoder_async.export.progress",
    "VerifyReport": "qoder_async.export.progress",
    "export_runs": "qoder_async.export.exporting",
    "sync_runs": "qoder_async.export.sync.syncing",
    "verify_export": "qoder_async.export.verify.verifying",
}


if not TYPE_CHECKING:  # which would take any name for one that this gives

    def __getattr__(name: str) -> Any:
        if name in _LATE:
            value = getattr(import_module(_LATE[name]), name)
        elif name == "converter":
            from qoder_async._wire.converter import get_converter  # noqa: PLC0415

            value = get_converter()
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value
