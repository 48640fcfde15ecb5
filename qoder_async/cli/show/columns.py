"""The columns of lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from qoder_async._paging.run_lists import time_of
from qoder_async._wire.query import format_time
from qoder_async.cli.show.words import NOTHING, duration, short
from qoder_async.models import Deployment, DeploymentRun, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

T = TypeVar("T")
R = TypeVar("R", bound=Record)


@attrs.frozen(kw_only=True)
class Column(Generic[T]):
    """A column of a list.

    Attributes:
        heading: What stands above it.
        rank: The lower, the longer it stays where a terminal is narrow; 0 always stays.
        read: Gives a value in full.
        show: Gives it as a terminal shows it, if otherwise.
        can_shrink: Whether a terminal may cut its values.
        is_prose: Whether a terminal shows a value below that does not fit beside the others, instead of cutting it.
        is_state: Whether its values have colours.
        at_least: How wide it is at least, for what comes later.
    """

    heading: str
    rank: int
    read: Callable[[T], str]
    show: Callable[[T], str] | None = None
    can_shrink: bool = False
    is_prose: bool = False
    is_state: bool = False
    at_least: int = 0

    def brief(self, thing: T) -> str:
        """Give a value as a terminal shows it."""
        return (self.show or self.read)(thing)


def run_state(run: DeploymentRun) -> str:
    """Say how a run stands, as far as the run itself tells."""
    if run.status is not None:
        return str(run.status)
    return "failed" if run.is_terminal else NOTHING


def deployment_state(deployment: Deployment) -> str:
    """Say how a deployment stands: an archived one still counts as active with the service."""
    return "archived" if deployment.is_archived else str(deployment.status)


def _schedule(deployment: Deployment) -> str:
    return deployment.schedule.expression if deployment.schedule else NOTHING


def _zone(deployment: Deployment) -> str:
    return (deployment.schedule.timezone if deployment.schedule else None) or NOTHING


def _next(deployment: Deployment, write: Callable[[datetime], str]) -> str:
    upcoming = deployment.schedule.upcoming_runs_at if deployment.schedule else []
    stands_still = deployment.is_archived or deployment.status == "paused"
    return write(upcoming[0]) if upcoming and not stands_still else NOTHING


RUN_COLUMNS: tuple[Column[DeploymentRun], ...] = (
    Column(heading="RUN", rank=0, read=lambda run: run.id),
    Column(heading="STATUS", rank=1, read=run_state, is_state=True),
    Column(heading="TRIGGER", rank=3, read=lambda run: str(run.trigger_context.type)),
    Column(
        heading="TRIGGERED (UTC)",
        rank=2,
        read=lambda run: format_time(time_of(run)),
        show=lambda run: short(time_of(run)),
    ),
    Column(
        heading="TOOK",
        rank=5,
        read=lambda run: NOTHING if run.duration_ms is None else str(run.duration_ms),
        show=lambda run: duration(run.duration_ms),
    ),
    Column(heading="DEPLOYMENT", rank=4, read=lambda run: run.deployment_id),
    Column(heading="SESSION", rank=7, read=lambda run: run.session_id or NOTHING),
    Column(heading="ERROR", rank=6, read=lambda run: (run.error.type or "error") if run.error else NOTHING),
)
_LONGEST_OF_RUNS = {"STATUS": 9, "TRIGGER": 8, "TOOK": 9, "SESSION": 37, "ERROR": 20}
FAN_OUT_COLUMNS = tuple(
    attrs.evolve(column, at_least=_LONGEST_OF_RUNS.get(column.heading, 0)) for column in RUN_COLUMNS
)
"""The same, with room for what comes later: the first page may hold a single run."""
DEPLOYMENT_COLUMNS: tuple[Column[Deployment], ...] = (
    Column(heading="DEPLOYMENT", rank=0, read=lambda deployment: deployment.id),
    Column(heading="NAME", rank=1, read=lambda deployment: deployment.name, can_shrink=True),
    Column(heading="STATUS", rank=2, read=deployment_state, is_state=True),
    Column(heading="SCHEDULE", rank=3, read=_schedule),
    Column(heading="ZONE", rank=5, read=_zone),
    Column(
        heading="NEXT (UTC)",
        rank=4,
        read=lambda deployment: _next(deployment, format_time),
        show=lambda deployment: _next(deployment, short),
    ),
    Column(heading="AGENT", rank=6, read=lambda deployment: deployment.agent.id),
)
