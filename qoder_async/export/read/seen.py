"""What reading a file needs of a run, and how that is read from the run's JSON."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  msgspec reads the annotations
from typing import Any, NamedTuple, TypeVar

import msgspec

from qoder_async._paging.run_lists import time_of
from qoder_async._wire.decode import NotJSONError, WrongShapeError, decode_record
from qoder_async._wire.envelope import REFUSALS, read_members
from qoder_async._wire.record_id import read_id
from qoder_async._wire.timestamps import in_utc, parse_timestamp
from qoder_async.models import DeploymentRun
from qoder_async.models.record import Timestamp  # noqa: TC001  msgspec reads the annotations
from qoder_async.models.run import has_ended

T = TypeVar("T")

FAILED = "failed"
STARTED = "started"
"""The state of a lean run that has a session: only the session knows how it went."""


class SeenRun(NamedTuple):
    """What is read of a run.

    Attributes:
        id: Its id; this and what follows is ``None`` where a record is so odd that nobody can read it.
        deployment_id: The deployment it belongs to.
        time: When it was triggered, or its record was made, in UTC.
        state: Its status; ``failed`` or ``started`` where it has none.
        duration_ms: How long it took, where that is known.
    """

    id: str | None
    deployment_id: str | None
    time: datetime | None
    state: str | None
    duration_ms: int | None


class _Error(msgspec.Struct, gc=False):
    """That there is an error is all that counts."""


class _Line(msgspec.Struct, gc=False):
    id: str
    deployment_id: str
    created_at: Timestamp
    triggered_at: Timestamp | None = None
    status: str | None = None
    session_id: str | None = None
    error: _Error | None = None
    duration_ms: int | None = None


_decoder = msgspec.json.Decoder(_Line)


def state_of(status: str | None, *, has_error: bool, has_session: bool) -> str:
    """Say how a run stands, as far as the run itself tells.

    Args:
        status: Its status.
        has_error: Whether it has an error.
        has_session: Whether it has a session.

    Returns:
        The status; where there is none, ``failed`` for a run that never got a session, otherwise ``started``.
    """
    if status is not None:
        return status
    return FAILED if has_ended(None, has_error=has_error, has_session=has_session) else STARTED


def seen_run(run: DeploymentRun) -> SeenRun:
    """Take from a run what reading a file would give of it.

    Args:
        run: The run.

    Returns:
        The same in short.
    """
    status = None if run.status is None else str(run.status)
    state = state_of(status, has_error=run.error is not None, has_session=run.session_id is not None)
    return SeenRun(run.id, run.deployment_id, in_utc(time_of(run)), state, run.duration_ms)


def see_lines(lines: list[bytes]) -> list[SeenRun]:
    """Read runs from their JSON.

    Args:
        lines: The JSON of a run each.

    Returns:
        The runs, in the same order.

    Raises:
        NotJSONError: One of them is no whole JSON object.
        WrongShapeError: One of them is something else.
    """
    try:
        found = _decoder.decode_lines(b"\n".join(lines))
    except REFUSALS:
        found = []
    if len(found) != len(lines):  # one of them is odd
        return [see_line(line) for line in lines]
    return [_seen(line) for line in found]


def see_line(line: bytes) -> SeenRun:
    """Read a run from its JSON, as much of it as can be read.

    Args:
        line: The JSON.

    Returns:
        The run.

    Raises:
        NotJSONError: It is no whole JSON object.
        WrongShapeError: It is something else.
    """
    try:
        return _seen(_decoder.decode(line))
    except REFUSALS:
        pass
    try:
        return seen_run(decode_record(line, DeploymentRun))
    except (NotJSONError, WrongShapeError):
        pass
    members = read_members(line)
    moment = _time(members.get("triggered_at")) or _time(members.get("created_at"))
    return SeenRun(
        read_id(line),
        _value(members.get("deployment_id"), str),
        moment,
        _value(members.get("status"), str),
        _value(members.get("duration_ms"), int),
    )


def see_row(
    run_id: str | None,
    deployment_id: str | None,
    moment: datetime | None,
    state: str,
    duration_ms: int | None,
    whole: str | bytes | None,
) -> SeenRun:
    """Read a run from the columns of a table.

    Args:
        run_id: Its id.
        deployment_id: Its deployment.
        moment: Its time, in UTC.
        state: How it stands.
        duration_ms: How long it took.
        whole: Its JSON, which tables keep of a run that they could not decode.

    Returns:
        The run.

    Raises:
        ValueError: The time does not say its offset.
    """
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"a time without an offset: {moment}")
    if deployment_id is not None and moment is not None:
        return SeenRun(run_id, deployment_id, moment, state, duration_ms)
    json = whole.encode("utf-8", "replace") if isinstance(whole, str) else whole or b""
    try:
        return see_line(json)
    except (NotJSONError, WrongShapeError):
        return SeenRun(run_id, deployment_id, moment, None, None)


def _seen(line: _Line) -> SeenRun:
    state = line.status
    if state is None:
        state = state_of(None, has_error=line.error is not None, has_session=line.session_id is not None)
    moment = line.triggered_at or line.created_at  # as ``time_of`` takes it from a model
    return SeenRun(line.id, line.deployment_id, in_utc(moment), state, line.duration_ms)


def _value(member: bytes | None, kind: type[T]) -> T | None:
    if member is None:
        return None
    try:
        return msgspec.json.decode(member, type=kind)
    except REFUSALS:
        return None


def _time(member: bytes | None) -> datetime | None:
    text: Any = _value(member, str)
    try:
        return None if text is None else in_utc(parse_timestamp(text))
    except ValueError:
        return None
