"""The same fault for this library and for the official SDK: what became of it, and how a page says so."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import attrs
import httpx
import qca

from qoder_async import QoderError
from support.raw_server import RawServer

DEPLOYMENT_ID = "dep_1"
THERE_ARE = 4
"""Runs of the deployment, two a page."""
CANCELLED_TIMES = 3


@attrs.frozen(kw_only=True)
class Came:
    """What came of a fault.

    Attributes:
        runs: How many runs came; None where no runs were asked for.
        doubles: How many of them came before.
        strangers: How many of them are not what their types say: no run, or a time that is no time.
        error: The class of the exception; None if there was none.
        is_own: Whether it belongs to the library's own exceptions.
        requests: How many requests were sent.
        waits: The seconds that were waited, or would have been.
        rest: How many more runs come from where the error says to go on; None where it says nothing.
        keyed: Whether a trigger carried an idempotency key.
        answer: What a call gave, or a later one that is not disturbed.
    """

    runs: int | None = None
    doubles: int = 0
    strangers: int = 0
    error: str | None = None
    is_own: bool = True
    requests: int
    waits: tuple[float, ...] = ()
    rest: int | None = None
    keyed: bool | None = None
    answer: str | None = None

    def __str__(self) -> str:
        parts = [self._runs(), self._error(), self._requests()]
        parts += [f"waits {seconds:g} s" for seconds in self.waits]
        if self.rest is not None:
            parts.append(f"`error.cursor` gives {self.rest} more")
        if self.answer is not None:
            parts.append(self.answer)
        return "; ".join(filter(None, parts))

    def _runs(self) -> str:
        if self.runs is None:
            return ""
        if self.runs - self.doubles == THERE_ARE and not self.strangers:
            return f"all {THERE_ARE} runs" + (f", **{self.doubles} of them twice**" if self.doubles else "")
        silent = ", **and no error**" if self.error is None else ""
        stranger = f", {self.strangers} of them not what its type says" if self.strangers else ""
        return f"{self.runs} of {THERE_ARE} runs{stranger}{silent}"

    def _error(self) -> str:
        return "" if self.error is None else f"`{self.error}`{'' if self.is_own else ' (not one of its own)'}"

    def _requests(self) -> str:
        what = "request" if self.keyed is None else "trigger"
        key = {None: "", True: ", with a key", False: ", without a key"}[self.keyed]
        return f"{self.requests} {what}{'' if self.requests == 1 else 's'}{key}"


@attrs.frozen(kw_only=True)
class Fault:
    """A fault, and what came of it.

    Attributes:
        name: What it is, for people.
        does: The name of what is asked for, in ``ASKED``.
        parts: What the server plays, request by request.
        heals: What the server answers to a walk that goes on from ``error.cursor``; None: nobody goes on.
        ours: What came of it here.
        theirs: What came of it in the official SDK.
        rotates_tokens: Whether each client is given something that gives another token each time.
        shows_waits: Whether the waits belong to the result: a backoff is drawn by chance.
    """

    name: str
    does: str
    parts: list[Any]
    ours: Came
    theirs: Came
    heals: Any = None
    rotates_tokens: bool = False
    shows_waits: bool = False


# What the server plays


def record(number: int) -> dict[str, Any]:
    return {
        "id": f"drun_{number}",
        "type": "deployment_run",
        "deployment_id": DEPLOYMENT_ID,
        "agent": {"id": "agent_1", "type": "agent", "version": 1},
        "session_id": f"sess_{number}",
        "error": None,
        "trigger_context": {"type": "manual"},
        "created_at": "2026-11-21T10:12:13Z",
    }


def page(*records: Any, has_more: bool = False, **fields: Any) -> dict[str, Any]:
    ids = [one["id"] for one in records if isinstance(one, dict)] or [None]
    return {"data": list(records), "first_id": ids[0], "last_id": ids[-1], "has_more": has_more, **fields}


FIRST = page(record(1), record(2), has_more=True, next_page="drun_2")
LAST = page(record(3), record(4), next_page=None)


async def reset_in_the_body(line):
    body = json.dumps(LAST).encode()
    await line.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body[:100]))
    await asyncio.sleep(0.02)  # what was sent arrives before the reset does
    line.reset()
    return False


# What is asked for


async def ours_lists(client, server, fault):
    runs: list[Any] = []
    try:
        async for run in client.runs.list(DEPLOYMENT_ID, page_size=2):
            runs.append(run)  # noqa: PERF401  what came before the error counts
    except Exception as error:  # noqa: BLE001  whatever comes is the result
        requests = len(server.requests)
        rest = None if fault.heals is None else await _rest(client, server, fault, error)
        return _failed(error, requests=requests, runs=len(runs), doubles=_doubles(runs), rest=rest)
    return Came(runs=len(runs), doubles=_doubles(runs), requests=len(server.requests))


async def _rest(client, server, fault, error):
    """Count what comes from where the error says to go on, once the service is well again."""
    server.parts = [fault.heals]
    return len(await client.runs.list(DEPLOYMENT_ID, page_size=2, cursor=error.cursor).collect())


async def theirs_lists(client, server, fault):
    runs: list[Any] = []
    try:
        async for run in client.deployments.runs.list(DEPLOYMENT_ID, limit=2):
            runs.append(run)  # noqa: PERF401  what came before the error counts
    except Exception as error:  # noqa: BLE001  whatever comes is the result
        return _failed(error, requests=len(server.requests), runs=len(runs), doubles=_doubles(runs))
    strangers = sum(not isinstance(getattr(run, "created_at", None), datetime) for run in runs)
    requests = len(server.requests)
    return Came(runs=len(runs), doubles=_doubles(runs), strangers=strangers, requests=requests)


def _doubles(runs) -> int:
    ids = [run.id for run in runs if hasattr(run, "id")]
    return len(ids) - len(set(ids))


async def trigger(client, server, fault):
    """Trigger a run; both libraries call it the same."""
    try:
        given = await client.deployments.run(DEPLOYMENT_ID)
    except Exception as error:  # noqa: BLE001  whatever comes is the result
        return _failed(error, requests=len(server.requests), keyed=_keyed(server))
    text = "gives the run" if getattr(given, "id", None) == "drun_9" else f"gives `{given!r}`"
    return Came(requests=len(server.requests), keyed=_keyed(server), answer=text)


def _keyed(server) -> bool:
    keys = [seen.headers.get("Idempotency-Key") for seen in server.requests]
    return None not in keys and len(set(keys)) == 1


async def ours_reads(client, server, fault):
    return await _read(client.runs.get("drun_9", deployment_id=DEPLOYMENT_ID), server)


async def theirs_reads(client, server, fault):
    return await _read(client.deployments.runs.retrieve("drun_9", deployment_id=DEPLOYMENT_ID), server)


async def _read(call, server):
    try:
        given = await call
    except Exception as error:  # noqa: BLE001  whatever comes is the result
        return _failed(error, requests=len(server.requests))
    text = "gives the run" if getattr(given, "id", None) == "drun_9" else f"gives `{given!r}`"
    return Came(requests=len(server.requests), answer=text)


async def ours_cancelled(client, server, fault):
    return await _cancel(lambda: client.runs.get("drun_9", deployment_id=DEPLOYMENT_ID), server)


async def theirs_cancelled(client, server, fault):
    return await _cancel(lambda: client.deployments.runs.retrieve("drun_9", deployment_id=DEPLOYMENT_ID), server)


async def _cancel(call, server):
    """Cancel calls whose answer does not come, then call once more over the only connection."""
    names = set()
    for number in range(1, CANCELLED_TIMES + 1):
        task = asyncio.ensure_future(call())
        await server.arrived(number)
        task.cancel()
        await asyncio.wait([task])
        names.add("CancelledError" if task.cancelled() else type(task.exception()).__name__)
    async with asyncio.timeout(5):
        given = await call()
    (name,) = names
    return Came(error=name, requests=len(server.requests), answer=f"the next call gives `{given.id}`")


def _failed(error, **figures):
    own = isinstance(error, QoderError | qca.APIError)
    return Came(error=type(error).__name__, is_own=own, **figures)


ASKED = {
    "list": (ours_lists, theirs_lists),
    "trigger": (trigger, trigger),
    "read": (ours_reads, theirs_reads),
    "cancel": (ours_cancelled, theirs_cancelled),
}


# Who asks


@asynccontextmanager
async def official(url: str, **options: Any):
    """The official SDK with its defaults, over one connection."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1), timeout=60) as http:
        yield qca.AsyncManaged(base_url=url, http_client=http, **options)


class Credential:
    """Gives another token each time it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def get_token(self) -> str:
        self.asked += 1
        return f"pt-test-{self.asked}"


async def play(fault: Fault, ask: Any, open_client: Any) -> Came:
    """Play a fault to one library.

    Args:
        fault: The fault.
        ask: Asks, and says what came of it.
        open_client: Makes the client for an address, as an async context manager.
    """
    async with RawServer(*fault.parts) as server, open_client(server.url) as client:
        return await ask(client, server, fault)
