"""A service over a raw socket that answers well, except where it is told to spoil an answer."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from support.clock import START
from support.payloads import fixture
from support.raw_server import RawServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.raw_server import Line, Seen
    from support.reliability_matrix_faults import Play

PAGE = 2
"""How many records a page has."""
COUNT = 4
"""How many records a list has."""
DEPLOYMENT_ID = "dep_1"
SESSION_ID = "sess_1"
_LONG_AGO = START - timedelta(days=400)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _deployment(number: int) -> dict[str, Any]:
    return fixture("deployment_current") | {"id": f"dep_{number}", "created_at": _time(_LONG_AGO)}


def _run(number: int, deployment_id: str = DEPLOYMENT_ID) -> dict[str, Any]:
    """A run that has ended; the higher its number, the older it is."""
    at = START - timedelta(hours=number)
    name = f"drun_{number}" if deployment_id == DEPLOYMENT_ID else f"drun_{deployment_id[4:]}{number}"
    times = {"triggered_at": _time(at), "created_at": _time(at), "completed_at": _time(at + timedelta(minutes=1))}
    ids = {"id": name, "deployment_id": deployment_id, "session_id": SESSION_ID}
    return fixture("run_extended_completed") | ids | times


def lean_run() -> dict[str, Any]:
    """A run of which only its session knows how it went."""
    return fixture("run_current_manual") | {"id": "drun_lean", "deployment_id": DEPLOYMENT_ID, "session_id": SESSION_ID}


def _session(number: int) -> dict[str, Any]:
    return fixture("session_current_idle") | {"id": f"sess_{number}", "deployment_id": DEPLOYMENT_ID}


def _events() -> list[dict[str, Any]]:
    picked = [fixture("events_list_success")["data"][index] for index in (0, 1, 4, 5)]
    return [event | {"id": f"evt_{number}"} for number, event in enumerate(picked, 1)]


def _page(records: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """Cut a page out of a list, as its cursor says."""
    start = 0
    ids = [record["id"] for record in records]
    if "page" in query:
        start = int(query["page"].removeprefix("p"))
    elif "after_id" in query:
        start = ids.index(query["after_id"]) + 1
    data = records[start : start + min(PAGE, int(query["limit"]))]
    has_more = start + len(data) < len(records)
    return {
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
        "next_page": f"p{start + len(data)}" if has_more else None,
    }


def _runs(query: dict[str, str], deployment_id: str) -> list[dict[str, Any]]:
    runs = [_run(number, deployment_id) for number in range(1, COUNT + 1)]
    after, before = query.get("triggered_after", "0"), query.get("triggered_before", "9")
    wanted = query.get("status", "completed")
    return [run for run in runs if after <= run["triggered_at"] < before and run["status"] == wanted]


def good_answer(request: Seen) -> Any:  # noqa: C901  a table of routes
    """What a healthy service says."""
    url = urlsplit(request.target)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    match url.path.removeprefix("/api/v1/cloud").strip("/").split("/"), request.method:
        case ["deployments"], "GET":
            return _page([_deployment(number) for number in range(1, COUNT + 1)], query)
        case ["deployments", identifier, "runs"], "GET":
            return _page(_runs(query, identifier), query)
        case ["deployment_runs"], "GET":
            return _page(_runs(query, DEPLOYMENT_ID), query)
        case ["deployments", _, "runs", identifier] | ["deployment_runs", identifier], "GET":
            return lean_run() if identifier == "drun_lean" else _run(int(identifier.removeprefix("drun_")))
        case ["deployments", "dep_lean", "run"], "POST":
            return lean_run()
        case ["deployments", _, "run"], "POST":
            return _run(1)
        case ["deployments", *_], _:
            return _deployment(1)
        case ["sessions"], "GET":
            return _page([_session(number) for number in range(1, COUNT + 1)], query)
        case ["sessions", _, "events"], "GET":
            return _page(_events(), query)
        case ["sessions", *_], _:
            return _session(1)
        case _:
            raise AssertionError(f"nobody should ask for {request.method} {request.target}")


class FaultyService(RawServer):
    """Answers well, and plays a fault in place of some answers.

    Args:
        play: The fault.
        spoils: Tells which requests it may be played for.

    Attributes:
        play: The fault, ``None`` for none.
        passes_over: How many of the requests it may be played for are answered well first.
        times: How often it is played at most.
        spoilt: The requests it was played for.
        answered: The requests that were answered well since :meth:`begin`.
    """

    def __init__(self, play: Play | None, spoils: Callable[[Seen], bool]) -> None:
        super().__init__(self._dispatch)
        self.play = play
        self._spoils = spoils
        self.passes_over = 0
        self.times = float("inf")
        self.spoilt: list[Seen] = []
        self.is_on = False

    def begin(self, *, passes_over: int, times: float) -> None:
        """Spoil from now on."""
        self.is_on, self.passes_over, self.times = True, passes_over, times

    def heal(self) -> None:
        """Spoil nothing from now on."""
        self.is_on = False

    async def _dispatch(self, line: Line) -> bool:
        request = line.request
        assert request is not None
        good = json.dumps(good_answer(request)).encode()
        if self.is_on and self.play is not None and self._spoils(request) and len(self.spoilt) < self.times:
            if self.passes_over == 0:
                self.spoilt.append(request)
                return await self.play(line, good)
            self.passes_over -= 1
        return await answer(body=good, Content_Type="application/json")(line)
