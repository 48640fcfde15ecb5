"""Runs as structs of msgspec: what decoding costs when nothing is forgiven and nothing kept."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (msgspec reads the annotations)

import msgspec


class Agent(msgspec.Struct, gc=False):
    id: str
    type: str
    version: int


class TriggerContext(msgspec.Struct, gc=False):
    type: str
    scheduled_at: datetime | None = None


class RunError(msgspec.Struct, gc=False):
    type: str | None = None
    message: str | None = None


class Extras(msgspec.Struct, gc=False):
    attempt: int | None = None
    turn_id: str | None = None
    started_at: datetime | None = None


class Run(msgspec.Struct, gc=False):
    id: str
    type: str
    deployment_id: str
    agent: Agent
    trigger_context: TriggerContext
    created_at: datetime
    session_id: str | None = None
    error: RunError | None = None
    status: str | None = None
    triggered_at: datetime | None = None
    completed_at: datetime | None = None
    duration_ms: int | None = None
    cas_run_extras: Extras | None = None


class Page(msgspec.Struct, gc=False):
    data: list[Run]
    has_more: bool
    first_id: str | None = None
    last_id: str | None = None
    next_page: str | None = None


PAGES = msgspec.json.Decoder(Page)
