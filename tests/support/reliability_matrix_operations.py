"""Every public operation of the client, each with what it gives where nothing goes wrong."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import attrs

from qoder_async import (
    AmbiguousTriggerError,
    DeploymentRun,
    Poll,
    converter,
    export_runs,
    sync_runs,
    verify_export,
)
from support.clock import START
from support.reliability_matrix_service import DEPLOYMENT_ID, SESSION_ID, lean_run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from qoder_async import AsyncQoder
    from support.raw_server import Seen

RUN_IDS = ["drun_1", "drun_2", "drun_3", "drun_4"]
DEPLOYMENT_IDS = ["dep_1", "dep_2", "dep_3", "dep_4"]
SESSION_IDS = ["sess_1", "sess_2", "sess_3", "sess_4"]
EVENT_IDS = ["evt_1", "evt_2", "evt_3", "evt_4"]
TWO = ["dep_1", "dep_2"]
RUNS_OF_TWO = sorted([*RUN_IDS, "drun_21", "drun_22", "drun_23", "drun_24"])
POLL = Poll(initial=0.5, factor=3.0, maximum=20.0)
LIMIT = 300.0
"""Seconds of the client's clock after which what waits is ended."""


@attrs.frozen
class Told:
    """A failure that is told of in a report, where others would raise it.

    Attributes:
        text: What the report says.
    """

    text: str


@attrs.frozen
class Operation:
    """A public operation.

    Attributes:
        kind: The column of the table that says what becomes of it.
        call: Does it, and gives ids or the like; a failure that the library collects is raised.
        gives: What it gives where nothing goes wrong.
        spoils: Which of its requests go wrong.
        pages: How many requests it needs at least.
        on: What it works in: virtual time, or a clock that jumps (where threads work along).
    """

    kind: str
    call: Callable[[AsyncQoder, Path], Awaitable[Any]]
    gives: Any
    spoils: Callable[[Seen], bool] = lambda request: True
    pages: int = 1
    on: str = "virtual time"


def _one(call: Callable[[AsyncQoder], Awaitable[Any]], gives: str, kind: str = "read") -> Operation:
    async def get(qoder: AsyncQoder, folder: Path) -> str:
        return (await call(qoder)).id

    return Operation(kind, get, gives)


def _list(pager: Callable[[AsyncQoder], Any], ids: list[str], how: str = "for") -> Operation:
    async def walk(qoder: AsyncQoder, folder: Path) -> list[str]:
        source = pager(qoder)
        match how:
            case "for":
                return [item.id async for item in source]
            case "pages":
                return [item.id async for page in source.pages() for item in page.items]
            case "collect":
                return [item.id for item in await source.collect()]
            case "raw":
                return [_id_of(raw) async for raw in source.raw()]
        return [item.id for item in (await source.first_page()).items]

    return Operation(
        "raw" if how == "raw" else "list",
        walk,
        ids if how != "first_page" else ids[:2],
        pages=1 if how == "first_page" else 2,
    )


def _id_of(raw: bytes) -> str:
    found = re.search(rb'"id": ("?)([^",}]*)', raw)
    return "nothing with an id" if found is None else found[2].decode()


def _id_in(value: Any) -> str:
    return str(value["id"]) if isinstance(value, dict) and "id" in value else "nothing with an id"


def _is_trigger(request: Seen) -> bool:
    return request.method == "POST"


def _is_read(request: Seen) -> bool:
    return request.method == "GET"


def _is_about_the_session(request: Seen) -> bool:
    return "/sessions" in request.target


async def _json(qoder: AsyncQoder, folder: Path) -> Any:
    return _id_in((await qoder.request("GET", "/deployment_runs/drun_1")).json())


async def _posted(qoder: AsyncQoder, folder: Path) -> Any:
    return _id_in((await qoder.request("POST", "/deployments/dep_1/pause")).json())


def _lost_trigger() -> AmbiguousTriggerError:
    return AmbiguousTriggerError("reset", idempotency_key="k", deployment_id=DEPLOYMENT_ID, sent_at=_long_before())


def _long_before() -> Any:
    return START.replace(year=2025)


async def _find_triggered(qoder: AsyncQoder, folder: Path) -> list[str]:
    return [run.id for run in await qoder.deployments.find_triggered(_lost_trigger())]


def _run_and_wait(deployment_id: str) -> Callable[[AsyncQoder, Path], Awaitable[str]]:
    async def run_and_wait(qoder: AsyncQoder, folder: Path) -> str:
        return (await qoder.deployments.run_and_wait(deployment_id, timeout=LIMIT, poll=POLL)).state

    return run_and_wait


def _wait(run: Any) -> Callable[[AsyncQoder, Path], Awaitable[str]]:
    async def wait(qoder: AsyncQoder, folder: Path) -> str:
        return (await qoder.runs.wait(run, timeout=LIMIT, poll=POLL)).state

    return wait


async def _as_completed(qoder: AsyncQoder, folder: Path) -> list[str]:
    async with qoder.runs.as_completed(RUN_IDS, timeout=LIMIT, poll=POLL) as ending:
        ended = [finished.run.id async for finished in ending]
    _raise_any(ending.failures)
    assert ending.pending == ()
    return sorted(ended)


def _fan_out(**options: Any) -> Callable[[AsyncQoder, Path], Awaitable[list[str]]]:
    async def walk(qoder: AsyncQoder, folder: Path) -> list[str]:
        async with qoder.runs.fan_out(TWO, **options) as runs:
            ids = [run.id async for run in runs]
        _raise_any(runs.failures)
        return sorted(ids)

    return walk


async def _fan_out_over_a_pager(qoder: AsyncQoder, folder: Path) -> int:
    async with qoder.runs.fan_out(qoder.deployments.list()) as runs:
        ids = [run.id async for run in runs]
    _raise_any(runs.failures)
    return len(set(ids))


async def _history(qoder: AsyncQoder, folder: Path) -> list[str]:
    async with qoder.runs.history("dep_1", slices=2) as runs:
        return [run.id async for run in runs]


async def _watch(qoder: AsyncQoder, folder: Path) -> list[str]:
    seen: list[str] = []
    async with qoder.runs.watch("dep_1", poll=POLL, since=START.replace(hour=0)) as changes:
        # Where nothing that comes can be read, a watch goes on for ever.
        stop = asyncio.create_task(_close_later(qoder, changes))
        try:
            async for change in changes:
                seen.append(f"{change.kind} {change.run.id}")
                if len(seen) == 2 * len(RUN_IDS):
                    break
        finally:
            stop.cancel()
            await asyncio.wait([stop])
    return sorted(seen)


async def _close_later(qoder: AsyncQoder, changes: Any) -> None:
    await qoder._transport.clock.sleep(LIMIT)
    await changes.aclose()


async def _export(qoder: AsyncQoder, folder: Path) -> list[str]:
    path = folder / "runs.jsonl"
    await export_runs(qoder, path, deployments=TWO)
    return sorted(_id_of(line) for line in path.read_bytes().splitlines())


async def _sync(qoder: AsyncQoder, folder: Path) -> int:
    return (await sync_runs(qoder, folder / "runs.db", deployments=TWO)).new


async def _verify(qoder: AsyncQoder, folder: Path) -> list[str] | Told:
    path = folder / "known.jsonl"
    lines = [b'{"id": "%s", "type": "deployment_run", "deployment_id": "dep_1", "triggered_at": "%s", "agent": '
             b'{"id": "agent_1", "version": 1}, "trigger_context": {"type": "manual"}, "created_at": "%s"}\n'
             % (name.encode(), at, at) for name, at in zip(RUN_IDS, _hours(), strict=True)]  # fmt: skip
    path.write_bytes(b"".join(lines))
    report = await verify_export(qoder, path)
    if report.failures:
        return Told(str(report.failures))
    return sorted(report.windows and {name for window in report.windows for name in window.missing})


def _hours() -> list[bytes]:
    return [b"2026-11-22T0%d:30:00Z" % hour for hour in (7, 6, 5, 4)]


def _raise_any(failures: Any) -> None:
    for error in failures.values():
        raise error


def _lean() -> DeploymentRun:
    return converter.structure(lean_run(), DeploymentRun)


CREATION: dict[str, Any] = {
    "name": "n",
    "agent": "agent_1",
    "environment_id": "env_1",
    "initial_events": [{"type": "user.message", "content": "go"}],
}

OPERATIONS: dict[str, Operation] = {
    "deployments.get": _one(lambda qoder: qoder.deployments.get("dep_1"), "dep_1"),
    "runs.get": _one(lambda qoder: qoder.runs.get("drun_1"), "drun_1"),
    "runs.get of a deployment": _one(lambda qoder: qoder.runs.get("drun_1", deployment_id="dep_1"), "drun_1"),
    "sessions.get": _one(lambda qoder: qoder.sessions.get("sess_1"), SESSION_ID),
    "request GET": Operation("own", _json, "drun_1"),
    "deployments.list": _list(lambda qoder: qoder.deployments.list(), DEPLOYMENT_IDS),
    "runs.list": _list(lambda qoder: qoder.runs.list("dep_1"), RUN_IDS),
    "runs.list prefetch": _list(lambda qoder: qoder.runs.list("dep_1", prefetch=1), RUN_IDS),
    "runs.list pages": _list(lambda qoder: qoder.runs.list("dep_1"), RUN_IDS, "pages"),
    "runs.list collect": _list(lambda qoder: qoder.runs.list("dep_1"), RUN_IDS, "collect"),
    "runs.list raw": _list(lambda qoder: qoder.runs.list("dep_1"), RUN_IDS, "raw"),
    "runs.list first_page": _list(lambda qoder: qoder.runs.list("dep_1"), RUN_IDS, "first_page"),
    "runs.list_all": _list(lambda qoder: qoder.runs.list_all(), RUN_IDS),
    "sessions.list": _list(lambda qoder: qoder.sessions.list(), SESSION_IDS),
    "sessions.events": _list(lambda qoder: qoder.sessions.events("sess_1"), EVENT_IDS),
    "deployments.find_triggered": Operation("list", _find_triggered, RUN_IDS, pages=2),
    "deployments.create": _one(lambda qoder: qoder.deployments.create(**CREATION), "dep_1", "write"),
    "deployments.update": _one(lambda qoder: qoder.deployments.update("dep_1", name="x"), "dep_1", "write"),
    "deployments.archive": _one(lambda qoder: qoder.deployments.archive("dep_1"), "dep_1", "write"),
    "deployments.pause": _one(lambda qoder: qoder.deployments.pause("dep_1"), "dep_1", "write"),
    "deployments.unpause": _one(lambda qoder: qoder.deployments.unpause("dep_1"), "dep_1", "write"),
    "sessions.cancel": _one(lambda qoder: qoder.sessions.cancel("sess_1"), SESSION_ID, "write"),
    "request POST": Operation("own write", _posted, "dep_1"),
    "deployments.run": _one(lambda qoder: qoder.deployments.run("dep_1"), "drun_1", "trigger"),
    "deployments.run_and_wait": Operation("trigger", _run_and_wait("dep_1"), "completed", _is_trigger),
    "deployments.run_and_wait after the trigger": Operation("session", _run_and_wait("dep_lean"), "completed",
        _is_about_the_session),
    "runs.wait": Operation("follow", _wait("drun_1"), "completed"),
    "runs.wait of a lean run": Operation("session", _wait(_lean()), "completed", _is_about_the_session),
    "runs.as_completed": Operation("follow", _as_completed, RUN_IDS),
    "runs.watch": Operation("watch", _watch, sorted(f"{kind} {name}" for kind in ("created",
        "finished") for name in RUN_IDS), pages=2),
    "runs.fan_out": Operation("walk", _fan_out(), RUNS_OF_TWO, pages=2),
    "runs.fan_out newest": Operation("walk", _fan_out(order="newest"), RUNS_OF_TWO, pages=2),
    "runs.fan_out raising": Operation("walk", _fan_out(on_failure="raise"), RUNS_OF_TWO, pages=2),
    "runs.fan_out over a pager": Operation("walk", _fan_out_over_a_pager, 16, pages=2),
    "runs.history": Operation("walk", _history, RUN_IDS, pages=2),
    "export_runs": Operation("export", _export, RUNS_OF_TWO, pages=2, on="jumping clock"),
    "sync_runs": Operation("export", _sync, 8, pages=2, on="jumping clock"),
    "verify_export": Operation("verify", _verify, [], pages=2, on="jumping clock"),
}  # fmt: skip
