"""A client that neither retries nor waits, and a look at what it sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from qoder_async.simulator import RecordedRequest, Simulator

RUNS = "GET /deployments/{id}/runs"
ALL_RUNS = "GET /deployment_runs"
ALWAYS = float("inf")


def last(sim: Simulator) -> RecordedRequest:
    return sim.requests[-1]


def query_of(request: RecordedRequest) -> dict[str, Any]:
    """The query; a parameter that comes several times is a list."""
    query = request.query
    return {
        name: query.getall(name) if len(query.getall(name)) > 1 else query[name] for name in query if name != "limit"
    }


def edit_records(edit: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    """Rewrite the records of a page, or the one record of an answer."""

    def rewrite(body: bytes) -> bytes:
        answer = json.loads(body)
        if "data" in answer:
            for record in answer["data"]:
                edit(record)
        else:
            edit(answer)
        return json.dumps(answer).encode()

    return rewrite
