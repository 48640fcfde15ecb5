"""All fields of a record, by their names on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qoder_async.cli.show.words import NOTHING
from qoder_async.models.record import read_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qoder_async.models import Record

_SECRET = re.compile(r"environment_variables|(?:^|_)(?:token|secret|password|authorization|api_key)$")


def all_fields(record: Record) -> list[tuple[str, str]]:
    """List all that the service sent of a record, also what the library does not know.

    Args:
        record: The record.

    Returns:
        Names such as ``trigger_context.type`` and their values, in the service's order; secrets are left out.
    """
    return list(_flatten("", read_raw(record.raw)))


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if value and _SECRET.search(name.rpartition(".")[2]):
        yield name, "(hidden)"
    elif isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _flatten(f"{name}.{key}" if name else str(key), part)
    elif isinstance(value, list) and any(isinstance(part, Mapping | list) for part in value):
        for index, part in enumerate(value):
            yield from _flatten(f"{name}[{index}]", part)
    else:
        yield name, _write(value)


def _write(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, list):
        return ", ".join(_write(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
