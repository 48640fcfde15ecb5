"""Run histories as the service would send them, prepared once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson

Shape = Literal["extended", "lean"]
SHAPES: tuple[Shape, ...] = ("extended", "lean")

_NEWEST = datetime(2026, 11, 21, 10, 12, 13, 133340, tzinfo=UTC)
_SPACING = timedelta(minutes=7)

READS = "dep_bench_reads"
"""The deployment whose runs are read one at a time."""


def walk_id(runs: int) -> str:
    """Name the deployment whose history has so many runs."""
    return f"dep_bench_{runs}"


def run_id(number: int) -> str:
    """Name a run by its place in a history."""
    return f"drun_{0x0199 << 112 | number:032x}"


def build_runs(shape: Shape, count: int) -> dict[str, bytes]:
    """Make the runs that are read one at a time, by id."""
    return {run_id(number): orjson.dumps(_record(shape, READS, number)) for number in range(count)}


def build_pages(shape: Shape, runs: int, page_size: int, base: int = 0) -> dict[str, bytes]:
    """Make one deployment's history, newest first: the cursor that asks for a page, and the page.

    The numbers of the runs count from ``base``, their times do not.
    """
    deployment_id = walk_id(runs)
    pages: dict[str, bytes] = {}
    cursor = ""
    for start in range(0, runs, page_size):
        numbers = range(start, min(start + page_size, runs))
        records = [_record(shape, deployment_id, number, base) for number in numbers]
        last_id = records[-1]["id"]
        has_more = numbers.stop < runs
        envelope = {
            "data": records,
            "first_id": records[0]["id"],
            "last_id": last_id,
            "has_more": has_more,
            "next_page": last_id if has_more else None,
        }
        pages[cursor] = orjson.dumps(envelope)
        cursor = last_id
    return pages


def _record(shape: Shape, deployment_id: str, number: int, base: int = 0) -> dict[str, Any]:
    """Make one run with the fields, and about the bytes, of the documented examples."""
    created = _NEWEST - number * _SPACING
    extended = shape == "extended"
    head = {
        "id": run_id(base | number),
        "type": "deployment_run",
        "deployment_id": deployment_id,
        "agent": {"id": f"agent_{0x0199 << 112 | 0xA1:032x}", "type": "agent", "version": 3},
    }
    tail = {
        "session_id": f"sess_{0x0199 << 112 | base | number:032x}",
        "error": None,
        "trigger_context": {"type": "manual"}
        if number % 2
        else {"type": "schedule", "scheduled_at": _rfc3339(created, "seconds")},
    }
    if not extended:
        return head | tail | {"created_at": _rfc3339(created, "seconds")}
    duration_ms = 9_021 + number % 8_247
    return (
        head
        | {"status": "failed" if number % 50 == 49 else "completed"}
        | tail
        | {
            "triggered_at": _rfc3339(created),
            "created_at": _rfc3339(created),
            "cas_run_extras": {
                "attempt": 1,
                "turn_id": f"turn_{0x0199 << 112 | base | number:032x}",
                "started_at": _rfc3339(created + timedelta(microseconds=32_248)),
            },
            "completed_at": _rfc3339(created + timedelta(milliseconds=duration_ms)),
            "duration_ms": duration_ms,
        }
    )


def _rfc3339(moment: datetime, timespec: str = "microseconds") -> str:
    return moment.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
