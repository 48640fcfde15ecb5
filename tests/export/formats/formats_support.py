"""Runs as they may come, and what their columns should hold, worked out from the JSON alone."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from support.payloads import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SCOPE = '{"deployments": ["dep_é"], "triggered_after": null, "triggered_before": "2026-11-22T14:01:25Z"}'

TEXTS = ("id", "session_id", "error_message", "turn_id", "extra")
WORDS = ("deployment_id", "status", "trigger_type", "agent_id", "error_type")
TIMES = ("time", "triggered_at", "completed_at", "created_at", "scheduled_at", "started_at")
NUMBERS = ("duration_ms", "agent_version", "attempt")
NAMES = [
    "id",
    "deployment_id",
    "time",
    "status",
    "trigger_type",
    "triggered_at",
    "completed_at",
    "created_at",
    "duration_ms",
    "session_id",
    "agent_id",
    "agent_version",
    "error_type",
    "error_message",
    "scheduled_at",
    "attempt",
    "turn_id",
    "started_at",
    "extra",
]


# Runs


def line_of(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _read_fixtures() -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(FIXTURES.glob("run*.json")):
        payload = json.loads(path.read_bytes())
        found |= {f"{path.stem}[{i}]": record for i, record in enumerate(payload.get("data", [payload]))}
    return found


DOCUMENTED = _read_fixtures()
"""Every run of the documentation, in both shapes, by where it stands."""
LEAN = DOCUMENTED["run_current_manual[0]"]
EXTENDED = DOCUMENTED["run_extended_completed[0]"]


def run(number: int = 0, base: dict[str, Any] = EXTENDED, **fields: Any) -> dict[str, Any]:
    """A run with an id of its own."""
    return base | {"id": f"drun_{number:032x}"} | fields


def history(count: int) -> Iterator[list[bytes]]:
    """A long history in both shapes, 500 runs at a time, each somewhat different from the others."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(0, count, 500):
        batch = []
        for number in range(first, min(first + 500, count)):
            made = (start + timedelta(seconds=number, microseconds=number)).isoformat().replace("+00:00", "Z")
            times = {"created_at": made} if number % 2 else {"created_at": made, "triggered_at": made}
            batch.append(line_of(run(number, LEAN if number % 2 else EXTENDED, session_id=f"sess_{number}", **times)))
        yield batch


UNDECODABLE = {
    "broken time": line_of(run(1, created_at="yesterday")),
    "lone surrogate": line_of(run(2)).replace(b"sess_", rb"\ud800sess_"),
    "lone surrogate in an unknown field": rb'{"note":"\udc00",' + line_of(run(3))[1:],
    "NaN": line_of(run(4)).replace(b"17268", b"NaN"),
    "no UTF-8": line_of(run(5)).replace(b"sess_", b"caf\xe9 \\u00e9 \xff"),
    "no UTF-8 in a name": b'{"\xe9":1,' + line_of(run(6))[1:],
    "missing field": line_of({key: value for key, value in run(7).items() if key != "agent"}),
    "wrong type": line_of(run(8, deployment_id=7)),
    "time before the year 1": line_of(run(9, created_at="0001-01-01T00:00:00+05:00")),
    "time after the year 9999": line_of(run(10, completed_at="9999-12-31T23:59:59-05:00")),
    "nested too deeply": line_of(run(11, deep=json.loads("[" * 700 + "]" * 700))),
    "control character": line_of(run(12)).replace(b"sess_", b"\x01sess_"),
}
"""By what is wrong; their ids can be read."""
WITHOUT_ID = {
    "missing id": line_of({key: value for key, value in run().items() if key != "id"}),
    "id that is no text": line_of(run() | {"id": 7}),
    "id with a lone surrogate": line_of(run()).replace(b"drun_", rb"\ud800"),
    "array": b"[1,2]",
    "text": '"=é"'.encode(),
    "number": b"-5",
    "null": b"null",
    "no JSON": b'{"id":',
    "empty": b"",
}


def id_of(line: bytes) -> str:
    found = re.search(rb'"id":"(drun_[0-9a-f]{32})"', line)
    assert found is not None
    return found[1].decode()


_odd_text = st.sampled_from(
    [
        "",
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "'=1",
        "a,b",
        'say "x"',
        '"',
        "a\r\nb",
        "a\nb",
        "\0",
        "é€😀",
        ",",
    ]
)
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | _odd_text
_digits = st.integers(0, 9).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n))
_time = st.builds(
    lambda year, day, second, digits, zone: (
        f"{year:04}-06-{day:02}T08:54:{second:02}{'.' * bool(digits)}{digits}{zone}"
    ),
    st.sampled_from([2026, 2026, 1, 800, 1969, 9999]),
    st.integers(1, 30),
    st.integers(0, 59),
    _digits,
    st.sampled_from(["Z", "Z", "Z", "", "+05:30", "-11:00", "+00:00"]),
)
_number = st.integers(0, 100_000) | st.integers(-(2**70), 2**70) | st.sampled_from([2**63 - 1, -(2**63), 2**63, 0])
_any = st.recursive(
    st.none() | st.booleans() | _number | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=4,
)
_status = st.sampled_from(["pending", "running", "completed", "failed", "skipped", "brand_new"])


def _object(required: dict[str, Any], optional: dict[str, Any], unknown: tuple[str, ...]) -> st.SearchStrategy[Any]:
    plain = st.fixed_dictionaries(
        required, optional={name: kind | st.none() if name != "type" else kind for name, kind in optional.items()}
    )
    more = st.fixed_dictionaries({}, optional=dict.fromkeys(unknown, _any))
    return plain | st.builds(lambda a, b: a | b, plain, more)


RUNS = _object(
    {
        "deployment_id": _text,
        "agent": _object({"id": _text, "version": _number}, {"type": st.just("agent") | _text}, ("name",)),
        "trigger_context": _object({"type": _text}, {"scheduled_at": _time}, ("by",)),
        "created_at": _time,
    },
    {
        "type": st.just("deployment_run") | _text,
        "session_id": _text,
        "error": _object({}, {"code": _text, "message": _text}, ("details", "retry")).map(
            lambda error: {"type" if name == "code" else name: value for name, value in error.items()}
        ),
        "status": _status | _text,
        "triggered_at": _time,
        "completed_at": _time,
        "duration_ms": _number,
        "cas_run_extras": _object({}, {"attempt": _number, "turn_id": _text, "started_at": _time}, ("worker",)),
    },
    ("colour", "raw", "extra", "données"),
)
"""Runs that can be decoded, without ids."""


# What their columns should hold


def expected(record: dict[str, Any]) -> dict[str, Any]:
    """The columns of a run that can be decoded, times as times, ``extra`` as an object."""
    agent, trigger = record["agent"], record["trigger_context"]
    error, more = record.get("error") or {}, record.get("cas_run_extras") or {}
    return {
        "id": record["id"],
        "deployment_id": record["deployment_id"],
        "time": moment(record.get("triggered_at") or record["created_at"]),
        "status": record.get("status"),
        "trigger_type": trigger["type"],
        "triggered_at": moment(record.get("triggered_at")),
        "completed_at": moment(record.get("completed_at")),
        "created_at": moment(record["created_at"]),
        "duration_ms": fitting(record.get("duration_ms")),
        "session_id": record.get("session_id"),
        "agent_id": agent["id"],
        "agent_version": fitting(agent["version"]),
        "error_type": error.get("type"),
        "error_message": error.get("message"),
        "scheduled_at": moment(trigger.get("scheduled_at")),
        "attempt": fitting(more.get("attempt")),
        "turn_id": more.get("turn_id"),
        "started_at": moment(more.get("started_at")),
        "extra": _extra(record),
    }


def moment(text: str | None) -> datetime | None:
    """A time in UTC, rounded to microseconds."""
    if text is None:
        return None
    found = re.fullmatch(r"(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d|)", text)
    assert found is not None
    seconds, fraction, zone = found.groups()
    micros = int((Decimal(fraction or 0) * 10**6).quantize(Decimal(1), ROUND_HALF_UP))
    offset = timedelta(0)
    if zone not in ("", "Z"):
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    return datetime.fromisoformat(seconds).replace(tzinfo=UTC) - offset + timedelta(microseconds=micros)


def fitting(number: int | None) -> int | None:
    return number if number is not None and -(2**63) <= number < 2**63 else None


_FIELDS: dict[str, Any] = {
    "type": "deployment_run",
    "agent": {"type": "agent", "id": str, "version": int},
    "trigger_context": {"type": str, "scheduled_at": str},
    "error": {"type": str, "message": str},
    "cas_run_extras": {"attempt": int, "turn_id": str, "started_at": str},
    "duration_ms": int,
} | dict.fromkeys(("id", "deployment_id", "created_at", "session_id", "status", "triggered_at", "completed_at"), str)


def _extra(record: dict[str, Any], fields: Any = _FIELDS) -> dict[str, Any] | None:
    rest = {}
    for name, value in record.items():
        if name not in fields:
            rest[name] = value
        elif isinstance(value, dict):
            if (inner := _extra(value, fields[name])) is not None:
                rest[name] = inner
        elif isinstance(fields[name], str):
            if value not in (fields[name], None):
                rest[name] = value
        elif fields[name] is int and fitting(value) != value:
            rest[name] = value
    return rest or None


def as_text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def texts(values: dict[str, Any]) -> dict[str, Any]:
    """The columns with times as CSV and SQLite have them."""
    return values | {name: as_text(values[name]) for name in TIMES}


# What is in a file


def with_extra_read(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"extra": json.loads(row["extra"]) if row["extra"] else None} for row in rows]


def read_csv(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(2**27)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def read_sqlite(path: Path, query: str = "SELECT * FROM runs ORDER BY rowid") -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]
