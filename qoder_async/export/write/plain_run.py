"""A run of which the columns say all: most are, and read so they cost a third of what others cost.

It has the fields of :class:`~qoder_async.DeploymentRun`, and refuses what no column has a place for.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qoder_async._wire.envelope import REFUSALS
from qoder_async.export.write.columns import HIGHEST, LOWEST
from qoder_async.models.record import Timestamp  # noqa: TC001 - msgspec reads it

Number = Annotated[int, msgspec.Meta(ge=LOWEST, le=HIGHEST)]


class _Plain(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What is read strictly: a field that is not known makes it no plain run."""


class PlainAgent(_Plain):
    """The agent of a plain run."""

    id: str
    version: Number
    type: Literal["agent"] = "agent"


class PlainTrigger(_Plain):
    """What started a plain run."""

    type: str
    scheduled_at: Timestamp | None = None


class PlainError(_Plain):
    """Why a plain run failed."""

    type: str | None = None
    message: str | None = None


class PlainExtras(_Plain):
    """What only the extended shape says of a plain run."""

    attempt: Number | None = None
    turn_id: str | None = None
    started_at: Timestamp | None = None


class PlainRun(_Plain):
    """A plain run."""

    id: str
    deployment_id: str
    agent: PlainAgent
    trigger_context: PlainTrigger
    created_at: Timestamp
    type: Literal["deployment_run"] = "deployment_run"
    session_id: str | None = None
    error: PlainError | None = None
    status: str | None = None
    triggered_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    duration_ms: Number | None = None
    cas_run_extras: PlainExtras | None = None


_decode = msgspec.json.Decoder(list[PlainRun]).decode


def read_plain(lines: list[bytes]) -> list[PlainRun] | None:
    """Read runs of which the columns say all.

    Args:
        lines: Their JSON.

    Returns:
        The runs, ``None`` where one of them is not of this kind.
    """
    try:
        runs = _decode(b"[%b]" % b",".join(lines))
    except REFUSALS:
        return None
    # A line with a comma of its own outside of its run would be two.
    return runs if len(runs) == len(lines) else None
