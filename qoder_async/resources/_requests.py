"""Changes: the requests that write, and their bodies."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs
import msgspec

from qoder_async._http.call import Call
from qoder_async._paging.reading import parser
from qoder_async._wire.headers import check_header_value
from qoder_async._wire.query import format_time, read_time
from qoder_async._wire.unset import UNSET, Unset
from qoder_async.errors import ConfigurationError
from qoder_async.models import Record

M = TypeVar("M", bound=Record)
_READ_ONLY = frozenset({"upcoming_runs_at", "last_run_at"})
"""What the service tells of a schedule and does not take."""


def writing(
    path: str,
    model: type[M],
    fields: Mapping[str, Any],
    *,
    idempotency_key: str | None = None,
    triggers: str | None = None,
) -> Call[M]:
    """Describe a change that answers with one record.

    Args:
        path: The path below the base URL.
        model: What the record is.
        fields: The body; what is ``UNSET`` is left out.
        idempotency_key: The caller's key, ``None`` to mint one.
        triggers: The id of the deployment of which it starts a run.

    Returns:
        The call, with the key that all its attempts carry.

    Raises:
        ConfigurationError: The key cannot stand in a header, or a field has no JSON form.
    """
    return Call(
        method="POST",
        path=path,
        parse=parser(model),
        body=write_json({name: value for name, value in fields.items() if value is not UNSET}),
        idempotency_key=settle_key(idempotency_key),
        triggers=triggers,
    )


def settle_key(given: str | None) -> str:
    """Settle the idempotency key of a write.

    Args:
        given: The caller's key, ``None`` to mint one.

    Returns:
        The key.

    Raises:
        ConfigurationError: It cannot stand in a header.
    """
    return str(uuid.uuid4()) if given is None else check_header_value(given, "idempotency_key")


def write_json(value: Any) -> bytes:
    """Write a body.

    Args:
        value: JSON values, models and aware datetimes.

    Returns:
        The JSON text.

    Raises:
        ConfigurationError: Something in it has no JSON form.
    """
    try:
        return msgspec.json.encode(_plain(value))
    except ConfigurationError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    raise ConfigurationError(f"The body cannot be written as JSON: {reason}")


def _plain(value: Any) -> Any:
    """Turn models into the JSON they stand for; msgspec would write their absent fields as null."""
    if attrs.has(type(value)):
        # Only models need the converter, which is slow to import.
        from qoder_async._wire.converter import get_converter  # noqa: PLC0415

        wire = get_converter().unstructure(value)
        if isinstance(value, Record):
            return wire
        return {name: part for name, part in wire.items() if part is not None and name not in _READ_ONLY}
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime):
        return format_time(read_time(value, "a time in the body"))
    # JSON has no such numbers, and msgspec would write null, which deletes.
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"The body cannot be written as JSON: {value} is no number there")
    if isinstance(value, Unset):
        raise ConfigurationError("The body cannot be written as JSON: UNSET stands within a value; leave the key out")
    return value
