"""The documented payloads, by the model they belong to, and records generated from the documented fields."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from qoder_async._wire import decode
from qoder_async._wire.headers import Redacted
from qoder_async.models import Deployment, DeploymentRun, Record, Session, SessionEvent

FIXTURES = Path(__file__).parent.parent / "fixtures"
_MODELS: dict[str, type[Record]] = {
    "deployment_": Deployment,
    "run_": DeploymentRun,
    "runs_": DeploymentRun,
    "session_": Session,
    "events_": SessionEvent,
}


def _read() -> tuple[list[tuple[str, type[Record], dict[str, Any]]], list[tuple[str, type[Record], dict[str, Any]]]]:
    records, pages = [], []
    for path in sorted(FIXTURES.glob("*.json")):
        model = next((model for prefix, model in _MODELS.items() if path.name.startswith(prefix)), None)
        if model is None or "_request." in path.name or "_request_" in path.name:
            continue
        payload = json.loads(path.read_bytes())
        (pages if "data" in payload else records).append((path.stem, model, payload))
        if "data" in payload:
            records += [(f"{path.stem}[{i}]", model, record) for i, record in enumerate(payload["data"])]
    return records, pages


RECORDS, PAGES = _read()


def load(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_bytes())
    return payload


def to_bytes(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def page_of(*records: bytes, **envelope: Any) -> bytes:
    rest = to_bytes({"has_more": False, "next_page": None, **envelope})
    return b'{"data":[' + b",".join(records) + b"]," + rest[1:]


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_word = st.sampled_from(["manual", "schedule", "retry", "completed", "running", "active", "idle", "brand_new"])
_digits = st.integers(0, 9).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n))
_time = st.builds(
    lambda day, digits, zone: f"2026-06-{day:02}T08:54:06{'.' * bool(digits)}{digits}{zone}",
    st.integers(1, 30),
    _digits,
    st.sampled_from(["Z", "Z", "Z", "", "+05:30", "-00:00"]),
)
_number = st.integers(-(2**70), 2**70)
_any = st.recursive(
    st.none() | st.booleans() | _number | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
_object = st.dictionaries(_text, _any, max_size=3)
_agent = st.fixed_dictionaries({"id": _text, "version": _number}, optional={"type": _text, "colour": _any})
_error = st.fixed_dictionaries({"type": _text}, optional={"message": _text | st.none(), "more": _any})


def _mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what the documents say, now and then null or anything."""
    return st.integers(0, 15).flatmap(lambda n: st.none() if n == 0 else _any if n == 1 else good)


def _record(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: _mostly(part) for name, part in required.items()},
        optional={name: _mostly(part) for name, part in optional.items()} | {"raw": _any, "extra": _any, "new": _any},
    )


GENERATED: dict[type[Record], st.SearchStrategy[dict[str, Any]]] = {
    DeploymentRun: _record(
        {
            "id": _text,
            "deployment_id": _text,
            "agent": _agent,
            "trigger_context": st.fixed_dictionaries({"type": _word}, optional={"scheduled_at": _time}),
            "created_at": _time,
        },
        {
            "type": _text,
            "session_id": _text,
            "error": _error,
            "status": _word,
            "triggered_at": _time,
            "completed_at": _time,
            "duration_ms": _number,
            "cas_run_extras": st.fixed_dictionaries({}, optional={"attempt": _number, "started_at": _time}),
        },
    ),
    Deployment: _record(
        {
            "id": _text,
            "name": _text,
            "agent": _agent,
            "environment_id": _text,
            "status": _word,
            "created_at": _time,
            "updated_at": _time,
        },
        {
            "description": _text,
            "environment_variables": _text | _object,
            "initial_events": st.lists(_object, max_size=2),
            "resources": st.lists(_object, max_size=2),
            "vault_ids": st.lists(_text, max_size=2),
            "metadata": _object,
            "schedule": st.fixed_dictionaries(
                {"expression": _text},
                optional={
                    "timezone": _text,
                    "upcoming_runs_at": st.lists(_time, max_size=3),
                    "last_run_at": _time,
                },
            ),
            "paused_reason": st.fixed_dictionaries({"type": _text}, optional={"error": _error}),
            "archived_at": _time,
            "budget": st.fixed_dictionaries({}, optional={"type": _text, "max_credit_cost": _text}),
        },
    ),
    Session: _record(
        {"id": _text, "status": _word},
        {
            "agent": st.fixed_dictionaries(
                {"id": _text},
                optional={"version": _number, "model": _text | _object, "tools": st.lists(_any)},
            ),
            "deployment_id": _text,
            "metadata": _object,
            "environment_variables": _text | _object,
            "stats": st.fixed_dictionaries({}, optional={"active_seconds": _number | st.floats(0, 10)}),
            "usage": st.fixed_dictionaries({}, optional={"total_credits": st.floats(0, 10), "cache": _any}),
            "created_at": _time,
        },
    ),
    SessionEvent: _record(
        {"id": _text, "type": _word},
        {
            "processed_at": _time,
            "content": _text | st.lists(_any, max_size=2),
            "stop_reason": _text | st.fixed_dictionaries({}, optional={"type": _text}),
            "error": _text | st.fixed_dictionaries({}, optional={"type": _text, "retry_status": _text | _object}),
        },
    ),
}


def decode_page(body: bytes, model: type, token: str = "pt-x") -> SimpleNamespace:
    """Open a page and decode all of it."""
    page = decode.open_page(body, model, Redacted(token))
    records = page.part(0, len(page))
    return SimpleNamespace(
        records=records,
        invalid=[record for record in records if isinstance(record, decode.InvalidRecord)],
        envelope=page.envelope,
    )


def said(page: SimpleNamespace) -> tuple[bool | None, str | None, str | None, str | None]:
    """Give what a page says about where its list goes on."""
    envelope = page.envelope
    return envelope.has_more, envelope.next_page, envelope.first_id, envelope.last_id
