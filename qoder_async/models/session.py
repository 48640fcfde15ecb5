"""A session: where the work of a run takes place."""

from typing import Any

import msgspec

from qoder_async.models.agent import SessionAgent
from qoder_async.models.deployment import Budget
from qoder_async.models.enums import SessionStatus
from qoder_async.models.model import Model
from qoder_async.models.record import Record, Timestamp


class SessionStats(Model, frozen=True, kw_only=True):
    """How long a session has been at work.

    Attributes:
        active_seconds: Seconds spent working.
        duration_seconds: Seconds from its start.
    """

    active_seconds: float | None = None
    duration_seconds: float | None = None


class SessionUsage(Model, frozen=True, kw_only=True):
    """What a session has cost so far; each number is a running total.

    Attributes:
        total_credits: Credits in all.
        model_credits: Credits for the model.
        sandbox_runtime_credits: Credits for the sandbox.
        input_tokens: Tokens read by the model.
        output_tokens: Tokens written by the model.
        active_seconds: Seconds spent working.
    """

    total_credits: float | None = None
    model_credits: float | None = None
    sandbox_runtime_credits: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    active_seconds: float | None = None


class Session(Record, frozen=True, kw_only=True):
    """A conversation with an agent, in which runs do their work.

    Only `id` and `status` are always there: the answer to a cancellation has no more.

    Attributes:
        id: The session's id (`sess_…`).
        status: How it stands. `idle` alone does not mean success; `terminated` is final.
        type: Always `"session"`.
        agent: The agent as it was when the session started.
        agent_id: The agent's id (June 2026).
        environment_id: The environment it works in.
        deployment_id: The deployment that started it, if one did.
        title: Its title.
        turn_status: How the turn stands (June 2026: `idle`, `running`, `canceling`).
        metadata: The caller's own values; not shown in `repr`.
        environment_variables: A mapping, or lines of `KEY=value`; not shown in `repr`.
        resources: Files, repositories and memories it works with; not shown in `repr`.
        vault_ids: The vaults it may read.
        memory_store_ids: The memory stores it may use (June 2026).
        outcome_evaluations: Judgements of its outcome.
        stats: How long it has been at work.
        usage: What it has cost.
        budget: What it may spend, if that is limited.
        created_at: When it was made.
        updated_at: When it was changed last.
        archived_at: When it was archived, if it was.
    """

    _shown = ("id", "status", "deployment_id", "title", "created_at", "archived_at")

    id: str
    status: SessionStatus
    type: str = "session"
    agent: SessionAgent | None = None
    agent_id: str | None = None
    environment_id: str | None = None
    deployment_id: str | None = None
    title: str | None = None
    turn_status: str | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    environment_variables: str | dict[str, Any] | None = None
    resources: list[dict[str, Any]] = msgspec.field(default_factory=list)
    vault_ids: list[str] = msgspec.field(default_factory=list)
    memory_store_ids: list[str] = msgspec.field(default_factory=list)
    outcome_evaluations: list[Any] = msgspec.field(default_factory=list)
    stats: SessionStats | None = None
    usage: SessionUsage | None = None
    budget: Budget | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    archived_at: Timestamp | None = None
