"""All public operations that wait for something: how each begins, and what must come of it."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
from contextlib import aclosing, closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs

from qoder_async import (
    AmbiguousTriggerError,
    Poll,
    export_runs,
    map_concurrently,
    sync_runs,
    verify_export,
)
from support.clock import START

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.reliability_cancel_places import Place

SIZES = (7, 0, 3)
POLL = Poll(initial=0.5, factor=1.5, maximum=2.0)
_AGENT = "agent_019900000000000000000000000000a1"
_ENVIRONMENT = "env_019900000000000000000000000000e1"


@attrs.frozen
class Operation:
    """One that may be cut short.

    Attributes:
        act: Begins it; what it gives is checked by ``check``.
        check: What must hold of the result.
        prepare: Makes what it needs, before each time.
        again: Whether the same call must succeed after it was cut short, with what it has left behind.
    """

    act: Callable[[Place, Any], Awaitable[Any]]
    check: Callable[[Place, Any, Any], None]
    prepare: Callable[[Place], Awaitable[Any]]
    again: bool = False


# What is there


async def _world(place: Place) -> dict[str, Any]:
    """Deployments with runs, made once."""
    if not place.kept:
        sim = place.sim
        deployments = [sim.add_deployment() for _ in SIZES]
        for deployment_id, count in zip(deployments, SIZES, strict=True):
            sim.add_runs(deployment_id, count)
        run = sim.run_ids(deployments[0])[0]
        place.kept = {"deployments": deployments, "deployment": deployments[0], "run": run}
        place.kept["session"] = sim.run(run)["session_id"]
    return place.kept


async def _fresh_deployment(place: Place) -> str:
    return place.sim.add_deployment(run_duration=2.0, max_concurrent=5, timeout=1e6)


async def _fresh_runs(place: Place) -> list[Any]:
    deployment_id = await _fresh_deployment(place)
    return [await place.run(place.qoder.deployments.run(deployment_id)) for _ in range(2)]


def _assert_same(found: Any, expected: Any) -> None:
    assert sorted(found) == sorted(expected)


def _all_runs(place: Place, given: Any, result: Any) -> None:
    expected = [run_id for each in place.kept["deployments"] for run_id in place.sim.run_ids(each)]
    _assert_same((run.id for run in result), expected)


def _runs_of_first(place: Place, given: Any, result: Any) -> None:
    _assert_same((run.id for run in result), place.sim.run_ids(given["deployment"]))


def _some(place: Place, given: Any, result: Any) -> None:
    assert result


def _same_id(key: str) -> Callable[[Place, Any, Any], None]:
    def check(place: Place, given: Any, result: Any) -> None:
        assert result.id == given[key]

    return check


# Reads


async def _pages(pager: Any) -> list[Any]:
    async with aclosing(pager.pages()) as pages:
        return [item async for page in pages for item in page.items]


async def _raw(pager: Any) -> list[bytes]:
    async with aclosing(pager.raw()) as records:
        return [record async for record in records]


async def _find_triggered(qoder: Any, given: dict[str, Any]) -> Any:
    error = AmbiguousTriggerError(
        "reset", idempotency_key="x", deployment_id=given["deployment"], sent_at=START - timedelta(days=9)
    )
    return await qoder.deployments.find_triggered(error)


def _reading(act: Callable[[Any, dict[str, Any]], Awaitable[Any]], check: Any = _some) -> Operation:
    async def call(place: Place, given: dict[str, Any]) -> Any:
        return await act(place.qoder, given)

    return Operation(call, check, _world)


READS = {
    "deployments.get": _reading(lambda q, g: q.deployments.get(g["deployment"]), _same_id("deployment")),
    "runs.get": _reading(lambda q, g: q.runs.get(g["run"]), _same_id("run")),
    "runs.get nested": _reading(lambda q, g: q.runs.get(g["run"], deployment_id=g["deployment"]), _same_id("run")),
    "sessions.get": _reading(lambda q, g: q.sessions.get(g["session"]), _same_id("session")),
    "request": _reading(lambda q, g: q.request("GET", f"/deployments/{g['deployment']}")),
    "deployments.list": _reading(lambda q, g: q.deployments.list(page_size=2).collect()),
    "runs.list": _reading(lambda q, g: q.runs.list(g["deployment"], page_size=3).collect(), _runs_of_first),
    "runs.list ahead": _reading(
        lambda q, g: q.runs.list(g["deployment"], page_size=3, prefetch=1).collect(), _runs_of_first
    ),
    "runs.list_all": _reading(lambda q, g: q.runs.list_all(page_size=5).collect(), _all_runs),
    "first_page": _reading(lambda q, g: q.runs.list(g["deployment"], page_size=2).first_page()),
    "pages": _reading(lambda q, g: _pages(q.runs.list(g["deployment"], page_size=3)), _runs_of_first),
    "pages ahead": _reading(lambda q, g: _pages(q.runs.list(g["deployment"], page_size=3, prefetch=1)), _runs_of_first),
    "raw": _reading(lambda q, g: _raw(q.runs.list(g["deployment"], page_size=3))),
    "sessions.list": _reading(lambda q, g: q.sessions.list(page_size=4).collect()),
    "sessions.events": _reading(lambda q, g: q.sessions.events(g["session"], page_size=2).collect()),
    "find_triggered": _reading(_find_triggered, lambda place, given, result: None),
}

# Writes


async def _with_a_key(place: Place) -> dict[str, Any]:
    return {"deployment": await _fresh_deployment(place), "key": str(uuid4())}


def _one_run(place: Place, given: Any, result: Any) -> None:
    """However often it was cut short and sent again with its key."""
    assert place.sim.run_ids(given["deployment"]) == [result.id]


async def _create(place: Place, given: Any) -> Any:
    text = "Hello" if place.sim.shape == "extended" else [{"type": "text", "text": "Hello"}]
    events = [{"type": "user.message", "content": text}]
    return await place.qoder.deployments.create(
        name="new", agent=_AGENT, environment_id=_ENVIRONMENT, initial_events=events
    )


async def _some_deployment(place: Place) -> dict[str, Any]:
    return {"deployment": await _fresh_deployment(place)}


async def _paused(place: Place) -> dict[str, Any]:
    return {"deployment": place.sim.add_deployment(status="paused")}


async def _at_work(place: Place) -> dict[str, Any]:
    run = place.sim.insert_run(await _fresh_deployment(place), state="running")
    return {"session": place.sim.run(run)["session_id"]}


def _writing(act: Callable[[Any, dict[str, Any]], Awaitable[Any]], prepare: Any, check: Any = None) -> Operation:
    async def call(place: Place, given: dict[str, Any]) -> Any:
        return await act(place.qoder, given)

    return Operation(call, check or _same_id("deployment"), prepare)


async def _trigger(place: Place, given: dict[str, Any]) -> Any:
    return await place.qoder.deployments.run(given["deployment"], idempotency_key=given["key"])


WRITES = {
    "deployments.create": Operation(_create, _some, _world),
    "deployments.update": _writing(lambda q, g: q.deployments.update(g["deployment"], name="other"), _some_deployment),
    "deployments.archive": _writing(lambda q, g: q.deployments.archive(g["deployment"]), _some_deployment),
    "deployments.pause": _writing(lambda q, g: q.deployments.pause(g["deployment"]), _some_deployment),
    "deployments.unpause": _writing(lambda q, g: q.deployments.unpause(g["deployment"]), _paused),
    "deployments.run": Operation(_trigger, _one_run, _with_a_key, again=True),
    "sessions.cancel": _writing(lambda q, g: q.sessions.cancel(g["session"]), _at_work, _same_id("session")),
}

# Waiting and watching


async def _one_fresh_run(place: Place) -> Any:
    return (await _fresh_runs(place))[0]


async def _wait(place: Place, run: Any) -> Any:
    return await place.qoder.runs.wait(run.id, timeout=600, poll=POLL)


async def _wait_with_updates(place: Place, run: Any) -> Any:
    async def on_update(_: Any) -> None:
        await place.clock.sleep(0.1)

    return await place.qoder.runs.wait(run.id, timeout=600, poll=POLL, on_update=on_update)


async def _run_and_wait(place: Place, deployment_id: str) -> Any:
    return await place.qoder.deployments.run_and_wait(deployment_id, timeout=600, poll=POLL)


async def _as_completed(place: Place, runs: list[Any]) -> Any:
    async with place.qoder.runs.as_completed(runs, timeout=600, poll=POLL) as ending:
        found = [finished async for finished in ending]
    for error in ending.failures.values():
        raise error
    return found


async def _watch(place: Place, deployment_id: str) -> Any:
    async with place.qoder.runs.watch([deployment_id], poll=POLL) as changes:
        await place.qoder.deployments.run(deployment_id)
        async for change in changes:
            if change.kind == "finished":
                return change
    return None


async def _watch_since(place: Place, deployment_id: str) -> Any:
    place.sim.insert_run(deployment_id, state="completed")
    async with place.qoder.runs.watch([deployment_id], poll=POLL, since=START - timedelta(hours=1)) as changes:
        async for change in changes:
            if change.kind == "finished":
                return change
    return None


def _ended_well(place: Place, given: Any, result: Any) -> None:
    assert result.ok


def _all_ended(place: Place, given: Any, result: Any) -> None:
    _assert_same((each.run.id for each in result), (run.id for run in given))


WAITS = {
    "wait": Operation(_wait, _ended_well, _one_fresh_run, again=True),
    "wait with updates": Operation(_wait_with_updates, _ended_well, _one_fresh_run, again=True),
    "run_and_wait": Operation(_run_and_wait, _ended_well, _fresh_deployment),
    "as_completed": Operation(_as_completed, _all_ended, _fresh_runs, again=True),
    "watch": Operation(_watch, _some, _fresh_deployment),
    "watch since": Operation(_watch_since, _some, _fresh_deployment, again=True),
}

# Many at once


async def _fan_out(place: Place, given: Any, **settings: Any) -> Any:
    async with place.qoder.runs.fan_out(given, page_size=2, max_concurrency=3, **settings) as walk:
        runs = [run async for run in walk]
    for error in walk.failures.values():
        raise error
    return runs


async def _fan_out_over(place: Place, given: dict[str, Any]) -> Any:
    return await _fan_out(place, place.qoder.deployments.list(page_size=2, prefetch=1))


async def _history(place: Place, given: dict[str, Any]) -> Any:
    async with place.qoder.runs.history(given["deployment"], slices=2, page_size=4) as history:
        return [run async for run in history]


async def _map(place: Place, given: dict[str, Any]) -> Any:
    run_ids = place.sim.run_ids(given["deployment"])
    async with map_concurrently(place.qoder.runs.get, run_ids, max_concurrency=3) as outcomes:
        found = [outcome async for outcome in outcomes]
    for outcome in found:
        if outcome.error is not None:
            raise outcome.error
    return [outcome.value for outcome in found]


MANY = {
    "fan_out": Operation(lambda place, given: _fan_out(place, given["deployments"]), _all_runs, _world),
    "fan_out newest": Operation(
        lambda place, given: _fan_out(place, given["deployments"], order="newest"), _all_runs, _world
    ),
    "fan_out over a list": Operation(_fan_out_over, _all_runs, _world),
    "history": Operation(_history, _runs_of_first, _world),
    "map_concurrently": Operation(_map, _runs_of_first, _world),
}

# Files


async def _in_a_folder(place: Place) -> dict[str, Any]:
    return {**await _world(place), "folder": place.fresh_folder(), "allowed": set()}


async def _on_progress(_: Any) -> None:
    await asyncio.sleep(0)


def _exporting(name: str, **settings: Any) -> Operation:
    async def act(place: Place, given: dict[str, Any]) -> Any:
        given["allowed"] |= {name, f"{name}.spool", f"{name}.checkpoint"}
        return await export_runs(place.qoder, given["folder"] / name, max_concurrency=2, **settings)

    def check(place: Place, given: dict[str, Any], report: Any) -> None:
        assert report.rows == sum(SIZES)
        assert_file_holds_all(place, given["folder"] / name)

    return Operation(act, check, _in_a_folder, again=True)


async def _sync(place: Place, given: dict[str, Any]) -> Any:
    given["allowed"] |= {"runs.db"}
    return await sync_runs(place.qoder, given["folder"] / "runs.db", max_concurrency=2)


async def _sync_outcomes(place: Place, given: dict[str, Any]) -> Any:
    given["allowed"] |= {"runs.db"}
    return await sync_runs(place.qoder, given["folder"] / "runs.db", outcomes=True, on_progress=_on_progress)


def _has_outcomes(place: Place, given: dict[str, Any], report: Any) -> None:
    assert_file_holds_all(place, given["folder"] / "runs.db")
    with closing(sqlite3.connect(given["folder"] / "runs.db")) as connection:
        ((unknown,),) = connection.execute("SELECT count(*) FROM runs WHERE coalesce(status, outcome) IS NULL")
    assert unknown == 0


def _is_synced(place: Place, given: dict[str, Any], report: Any) -> None:
    assert_file_holds_all(place, given["folder"] / "runs.db")


async def _with_a_file(place: Place) -> dict[str, Any]:
    world = await _world(place)
    if "file" not in world:
        world["file"] = place.fresh_folder() / "runs.jsonl"
        await place.run(export_runs(place.qoder, world["file"]))
    return {**world, "folder": world["file"].parent, "allowed": {"runs.jsonl"}}


async def _verify(place: Place, given: dict[str, Any]) -> Any:
    listed = place.qoder.deployments.list(include_archived=True)
    return await verify_export(place.qoder, given["file"], deployments=listed)


def _is_complete(place: Place, given: Any, report: Any) -> None:
    assert report.is_complete
    assert not report.failures
    assert report.rows == sum(SIZES)


def assert_file_holds_all(place: Place, path: Any) -> None:
    """Check that every run is in a file, and once, and that the file is alone."""
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as connection:
            found = [run_id for (run_id,) in connection.execute("SELECT id FROM runs")]
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            found = [row["id"] for row in csv.DictReader(file)]
    else:
        found = [json.loads(line)["id"] for line in path.read_bytes().splitlines()]
    _assert_same(found, place.sim.run_ids())
    assert [each.name for each in path.parent.iterdir()] == [path.name]


FILES = {
    "export to JSONL": _exporting("runs.jsonl"),
    "export to CSV": _exporting("runs.csv", on_progress=_on_progress),
    "export to SQLite": _exporting("runs.db"),
    "sync": Operation(_sync, _is_synced, _in_a_folder, again=True),
    "sync with outcomes": Operation(_sync_outcomes, _has_outcomes, _in_a_folder, again=True),
    "verify": Operation(_verify, _is_complete, _with_a_file, again=True),
}

ALL = READS | WRITES | WAITS | MANY | FILES
