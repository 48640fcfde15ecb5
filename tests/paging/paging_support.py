"""Lists without sockets: scripted answers, a list whose pages can be odd, and records that cannot be decoded."""

from __future__ import annotations

import inspect
import json
from contextlib import aclosing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import attrs

from qoder_async import QoderError, RetryPolicy
from qoder_async._http.per_loop import PerLoop
from qoder_async._http.traits import Traits
from qoder_async.following.tracker import Tracker
from qoder_async.resources import Deployments, Runs, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async import Page, Pager
    from qoder_async.simulator import Simulator

DEP = "dep_019900000000000000000000000000d1"
RUNS = "GET /deployments/{id}/runs"
OPAQUE = "opaque +/=? &%#é"
ONCE = RetryPolicy(attempts=1)


# Records


def run_record(identifier: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "type": "deployment_run",
        "deployment_id": DEP,
        "agent": {"id": "agent_1", "type": "agent", "version": 3},
        "session_id": "sess_1",
        "error": None,
        "trigger_context": {"type": "manual"},
        "created_at": "2026-11-21T10:12:13Z",
        **fields,
    }


def session_record(identifier: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "type": "session",
        "status": "idle",
        "agent": {"id": "agent_1", "type": "agent", "version": 3},
        "created_at": "2026-11-21T10:12:13Z",
        **fields,
    }


def event_record(identifier: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "type": "agent.message",
        "agent": {"version": 3},
        "content": [{"type": "text", "text": "Done."}],
        "processed_at": "2026-11-21T10:12:13.165588Z",
        **fields,
    }


def to_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def as_records(*ids: str) -> list[bytes]:
    return [to_json(run_record(identifier)) for identifier in ids]


def answer(records: list[bytes], **envelope: Any) -> bytes:
    """An answer of a list with these fields beside its records, and no others."""
    rest = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in envelope.items())
    return b'{"data":[' + b",".join(records) + b"]" + rest.encode() + b"}"


# Records that cannot be decoded


def _replaced(record: dict[str, Any], old: bytes, new: bytes) -> bytes:
    text = to_json(record)
    assert old in text
    return text.replace(old, new, 1)


def _without(record: dict[str, Any], name: str) -> bytes:
    return to_json({key: value for key, value in record.items() if key != name})


def nested(record: dict[str, Any], depth: int) -> bytes:
    return _replaced(record, b'"type":"', b'"note":' + b"[" * depth + b"]" * depth + b',"type":"')


BAD: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "lone surrogate": lambda record: _replaced(record, b'"type":"', b'"note":"\\ud800","type":"'),
    "NaN": lambda record: _replaced(record, b'"type":"', b'"note":NaN,"type":"'),
    "control character": lambda record: _replaced(record, b'"type":"', b'"note":"\x01","type":"'),
    "deep nesting": lambda record: nested(record, 2_000),
    "wrong type": lambda record: to_json({**record, "type": 5, "agent": "x", "status": 7}),
    "field missing": lambda record: to_json({"id": record["id"], "session_id": None}),
    "not an object": lambda _record: b"17",
    "null": lambda _record: b"null",
    "id unreadable": lambda record: to_json({**record, "id": 17}),
    "id missing": lambda record: _without(record, "id"),
}
"""Ways to spoil a record of any kind."""
HAS_ID = {kind for kind in BAD if kind not in {"not an object", "null", "id unreadable", "id missing"}}


# A list on a server


@attrs.define
class Book:
    """A list on a server: its records by the ids under which the server knows them."""

    records: dict[str, bytes]
    next_page: str = "opaque"
    """How the forward cursor is written: ``opaque``, ``last_id``, or not at all (``absent``)."""
    requests: list[dict[str, str]] = attrs.field(factory=list)

    def __call__(self, query: dict[str, str]) -> bytes:
        self.requests.append(query)
        ids, limit = list(self.records), int(query["limit"])
        if "before_id" in query:
            end = ids.index(query["before_id"])
            start = max(0, end - limit)
            return self._write(ids[start:end], has_more=start > 0, following=None)
        cursor = query.get("page", "").removeprefix(OPAQUE) or query.get("after_id")
        start = ids.index(cursor) + 1 if cursor else 0
        end = start + limit
        return self._write(
            ids[start:end], has_more=end < len(ids), following=ids[min(end, len(ids)) - 1] if ids else None
        )

    def _write(self, ids: list[str], *, has_more: bool, following: str | None) -> bytes:
        envelope: dict[str, Any] = {
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
            "has_more": has_more,
        }
        if self.next_page != "absent":
            mark = OPAQUE if self.next_page == "opaque" else ""
            envelope["next_page"] = f"{mark}{following}" if has_more and following else None
        return answer([self.records[identifier] for identifier in ids], **envelope)


class ScriptedTransport:
    """Sends nothing: the answer to a call is a function of its query.

    The function gives a body, raises, or gives an awaitable of a body.
    """

    def __init__(self, script: Callable[[dict[str, str]], Any]) -> None:
        self.traits = Traits()
        self.queries: list[dict[str, str]] = []
        self._script = script
        self._trackers = PerLoop(lambda: Tracker(self))  # type: ignore[arg-type]

    async def send(self, call: Any) -> Any:
        query = dict(parse_qsl(call.query, keep_blank_values=True))
        self.queries.append(query)
        body = self._script(query)
        if inspect.isawaitable(body):
            body = await body
        headers = {"x-request-id": f"req_{len(self.queries)}"}
        return call.parse(SimpleNamespace(status=200, body=body, headers=headers, token="pt-x", is_whole=True))

    @property
    def runs(self) -> Runs:
        return Runs(self, self._trackers)  # type: ignore[arg-type]

    @property
    def sessions(self) -> Sessions:
        return Sessions(self)  # type: ignore[arg-type]

    @property
    def deployments(self) -> Deployments:
        return Deployments(self, self._trackers)  # type: ignore[arg-type]


def in_turn(*bodies: bytes) -> Callable[[dict[str, str]], bytes]:
    """Answers that come one after the other, whatever is asked."""
    rest = iter(bodies)
    return lambda _query: next(rest)


def cursor_of(query: Any) -> tuple[str, str] | None:
    """The one cursor of a request."""
    found = [(name, query[name]) for name in ("after_id", "before_id", "page") if name in query]
    assert len(found) <= 1, f"a request with {len(found)} cursors"
    return found[0] if found else None


# Walks


@attrs.define
class Walked:
    """What a walk brought, and what ended it."""

    pages: list[Page[Any]] = attrs.field(factory=list)
    error: QoderError | None = None

    @property
    def items(self) -> list[Any]:
        return [item for page in self.pages for item in page.items]

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.items]

    @property
    def problems(self) -> list[str]:
        return [problem for page in self.pages for problem in page.problems]


async def walk(pager: Pager[Any]) -> Walked:
    """Walk to the end, or to the first error."""
    walked = Walked()
    async with aclosing(pager.pages()) as pages:
        try:
            async for page in pages:
                walked.pages.append(page)
        except QoderError as error:
            walked.error = error
    return walked


async def walk_raw(pager: Pager[Any]) -> tuple[list[bytes], QoderError | None]:
    """Walk over raw records to the end, or to the first error."""
    raws: list[bytes] = []
    async with aclosing(pager.raw()) as records:
        try:
            async for raw in records:
                raws.append(raw)  # noqa: PERF401  what came before an error counts
        except QoderError as error:
            return raws, error
    return raws, None


def limits_of(sim: Simulator) -> list[str]:
    """The page sizes that were asked for."""
    return [request.query["limit"] for request in sim.requests]
