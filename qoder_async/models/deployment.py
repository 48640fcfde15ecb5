"""A deployment: an agent, what it is told, and perhaps a schedule."""

from typing import Any

import msgspec

from qoder_async.models.agent import AgentRef
from qoder_async.models.enums import DeploymentStatus
from qoder_async.models.model import Model
from qoder_async.models.record import Record, Timestamp


class Schedule(Model, frozen=True, kw_only=True):
    """When a deployment runs by itself.

    Attributes:
        expression: Five cron fields.
        timezone: The IANA name of the zone the expression is read in.
        type: Always `"cron"`.
        upcoming_runs_at: The next times, five in all samples; none once archived, still there while paused.
        last_run_at: When it ran last; absent before the first run, set by manual runs too.
    """

    _shown = ("expression", "timezone", "type")

    expression: str
    timezone: str | None = None
    type: str = "cron"
    upcoming_runs_at: list[Timestamp] = msgspec.field(default_factory=list)
    last_run_at: Timestamp | None = None

    def __hash__(self) -> int:
        return hash((self.expression, self.timezone))


class PausedReasonError(Model, frozen=True, kw_only=True):
    """The error that made the service pause a deployment.

    Attributes:
        type: A word for programs, of the same family as `RunError.type`.
        message: A text for people; never seen in a sample.
    """

    type: str
    message: str | None = None


class PausedReason(Model, frozen=True, kw_only=True):
    """Why a deployment is paused.

    Attributes:
        type: `"manual"`, or `"error"` when the service paused it.
        error: The error, when the service paused it.
    """

    type: str
    error: PausedReasonError | None = None


class Budget(Model, frozen=True, kw_only=True):
    """What may be spent.

    Attributes:
        type: Always `"limit"`.
        max_credit_cost: Credits, as a decimal text.
        max_list_cost: An object with `amount` and `currency`, which SDKs before 0.8 had in its place.
    """

    type: str = "limit"
    max_credit_cost: str | None = None
    max_list_cost: dict[str, Any] | None = None

    def __hash__(self) -> int:
        return hash((self.type, self.max_credit_cost))


class Deployment(Record, frozen=True, kw_only=True):
    """An agent that can be triggered, by hand or by a schedule.

    Attributes:
        id: The deployment's id (`dep_…`).
        name: Its name; archiving appends `_archived_<unix seconds>`.
        agent: The agent and version it runs.
        environment_id: The environment it runs in.
        status: `active` or `paused`; an archived one still says `active`: ask `is_archived`.
        created_at: When it was made.
        updated_at: When it was changed last.
        type: Always `"deployment"`.
        description: What it is for.
        environment_variables: Lines of `KEY=value`, or a mapping; absent in the documents of June 2026; not
            shown in `repr`.
        initial_events: What the agent is told; their `content` is a text (June 2026) or a list of blocks; not shown
            in `repr`.
        resources: Files, repositories and memories it works with; not shown in `repr`.
        vault_ids: The vaults it may read.
        metadata: The caller's own values: texts, but for the nested object `cas_config` (June 2026); not shown in
            `repr`.
        schedule: When it runs by itself; `None` when it only runs by hand.
        paused_reason: Why it is paused, when it is.
        archived_at: When it was archived, if it was.
        budget: What it may spend, if that is limited.
    """

    _shown = ("id", "name", "status", "schedule", "paused_reason", "archived_at")

    id: str
    name: str
    agent: AgentRef
    environment_id: str
    status: DeploymentStatus
    created_at: Timestamp
    updated_at: Timestamp
    type: str = "deployment"
    description: str | None = None
    environment_variables: str | dict[str, Any] | None = None
    initial_events: list[dict[str, Any]] = msgspec.field(default_factory=list)
    resources: list[dict[str, Any]] = msgspec.field(default_factory=list)
    vault_ids: list[str] = msgspec.field(default_factory=list)
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    schedule: Schedule | None = None
    paused_reason: PausedReason | None = None
    archived_at: Timestamp | None = None
    budget: Budget | None = None

    @property
    def is_archived(self) -> bool:
        """Whether it has been archived, which `status` does not tell."""
        return self.archived_at is not None
