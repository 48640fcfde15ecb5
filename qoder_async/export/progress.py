"""How far an export or a sync is, and what came of it."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


Phase = Literal["fetching", "outcomes", "writing"]


@attrs.frozen(kw_only=True)
class ExportProgress:
    """How far an export or a sync is.

    Attributes:
        phase: ``"fetching"`` runs from the service; then, of an export, ``"writing"`` what was fetched to the target,
            and of a sync ``"outcomes"``, where it asks how runs without a status went.
        deployments_done: Deployments of which nothing more will be asked.
        deployments_total: How many deployments there are, ``None`` as long as they were not all listed.
        rows: Runs that were fetched; where an export goes on, with those that it had already.
        bytes: Bytes of these runs' JSON.
        requests: Requests that were sent, also those that were sent again.
        rows_per_second: Runs that were fetched, asked for or written a second, on average since this phase began.
        rows_written: Runs that were written to the target.
        current_deployments: The ids of the deployments whose runs are being fetched.
        outcomes_done: In the phase ``"outcomes"``, of how many runs it was asked how they went.
        outcomes_total: Of how many runs it is asked in all; 0 before that phase.
    """

    phase: Phase = "fetching"
    deployments_done: int = 0
    deployments_total: int | None = None
    rows: int = 0
    bytes: int = 0
    requests: int = 0
    rows_per_second: float = 0.0
    rows_written: int = 0
    current_deployments: tuple[str, ...] = ()
    outcomes_done: int = 0
    outcomes_total: int = 0


@attrs.frozen(kw_only=True)
class ExportReport:
    """What an export has made.

    Attributes:
        path: The file.
        format: ``jsonl``, ``jsonl.gz``, ``jsonl.zst``, ``csv``, ``parquet`` or ``sqlite``.
        rows: Runs in the file.
        bytes: The size of the file.
        deployments: Deployments whose runs were fetched.
        gone: Deployments that disappeared meanwhile, with what the service said: what had come of them is in the file.
        undecodable: Runs of which CSV, Parquet and SQLite have only what could be read, beside their JSON. JSONL
            keeps every run as it came, and nothing counts here.
        requests: Requests that were sent by this call.
        seconds: How long this call took.
        resumed_rows: Runs that an earlier call had fetched already.
    """

    path: str
    format: str
    rows: int
    bytes: int
    deployments: int
    gone: Mapping[str, str]
    undecodable: int
    requests: int
    seconds: float
    resumed_rows: int


@attrs.frozen(kw_only=True)
class SyncReport:
    """What a sync has done.

    Attributes:
        path: The file.
        rows: Runs in the file.
        new: Runs that were not in it before.
        updated: Runs that were in it and have changed.
        unfinished: Runs in it that have not ended, as far as is known: they are read again by the next sync.
            Those of deployments that are gone do not count, and runs without a status only with ``outcomes=True``.
        missing: Runs in it that had not ended when last seen, and that the service does not know any more: they stay
            in the file as they were, and are not read again.
        deployments: Deployments that were looked at.
        gone: Deployments that the service does not know (any more), with what it said; their runs stay in the file.
        requests: Requests that were sent.
        seconds: How long it took.
    """

    path: str
    rows: int
    new: int
    updated: int
    unfinished: int
    missing: int
    deployments: int
    gone: Mapping[str, str]
    requests: int
    seconds: float


@attrs.frozen(kw_only=True)
class VerifiedWindow:
    """A stretch of one deployment's history, in the file and at the service.

    Attributes:
        deployment_id: The deployment.
        start: Its inclusive start.
        end: Its exclusive end.
        in_file: Runs that the file has of it.
        at_service: Runs that the service has of it.
        missing: Ids of runs that the service has and the file has not.
        unknown: Ids of runs that the file has and the service has not.
    """

    deployment_id: str
    start: datetime
    end: datetime
    in_file: int
    at_service: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@attrs.frozen(kw_only=True)
class VerifyReport:
    """What a comparison of a file with the service has shown.

    Attributes:
        path: The file.
        rows: Runs in the file.
        doubles: Runs that are in it more than once, among those that were compared.
        deployments: Deployments in the file.
        windows: What was compared.
        failures: Deployments that could not be read, with what the service said.
        requests: Requests that were sent.
    """

    path: str
    rows: int
    doubles: int
    deployments: int
    windows: tuple[VerifiedWindow, ...]
    failures: Mapping[str, str]
    requests: int

    @property
    def missing(self) -> tuple[str, ...]:
        """Ids of all runs that are missing from the file, among those that were compared."""
        return tuple(run_id for window in self.windows for run_id in window.missing)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, nothing is double and everything could be compared."""
        return not self.missing and not self.doubles and not self.failures


OnProgress = Callable[[ExportProgress], Awaitable[None] | None]
"""A plain or async function that is told how far an export or a sync is."""


async def tell(on_progress: OnProgress | None, progress: ExportProgress) -> None:
    """Call a caller's function, be it sync or async.

    Args:
        on_progress: The function, if there is one.
        progress: What it is told.
    """
    if on_progress is not None and inspect.isawaitable(said := on_progress(progress)):
        await said
