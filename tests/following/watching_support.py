"""What the tests of watching know: how to read a watch for a while, and what it must have told."""

from __future__ import annotations

import asyncio
import gc
import re
from collections import Counter, deque
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from waiting_support import SHAPES

from qoder_async.models import DeploymentRun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator

    from waiting_support import Stage

    from qoder_async import RunChange, RunChanges

BOTH = pytest.mark.parametrize("shape", SHAPES)
SETTLED = 30.0
"""Seconds after which a watch that can read the service has told everything."""

_ORDERLY = re.compile(r"(created )?(changed )*(finished )?")


async def read(on: Stage, changes: RunChanges, seconds: float, into: list[RunChange]) -> None:
    """Read all that a watch tells for so long; what it raises comes out at once."""
    reader = asyncio.ensure_future(_read_all(changes, into))
    timer = asyncio.ensure_future(on.time.sleep(seconds))
    try:
        await asyncio.wait({reader, timer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        reader.cancel()
        timer.cancel()
        await asyncio.wait({reader, timer})
    if not reader.cancelled():
        reader.result()


async def _read_all(changes: AsyncIterator[RunChange], into: list[RunChange]) -> None:
    async for change in changes:
        into.append(change)  # noqa: PERF401  what was read must be there when the reader is cancelled


async def watched(on: Stage, *scripts: Any, seconds: float = SETTLED, **arguments: Any) -> list[RunChange]:
    """Watch for so long, while scripts run that begin once the block is entered."""
    told: list[RunChange] = []

    async def watch() -> None:
        async with on.qoder.runs.watch(**arguments) as changes:
            acts = [asyncio.ensure_future(script) for script in scripts]
            await read(on, changes, seconds, told)
            for act in acts:
                assert act.done(), "the script goes on for longer than the watch"
                act.result()

    await on.run(watch())
    return told


async def state_of(on: Stage, **arguments: Any) -> str:
    """The state of a watch that was entered and left at once."""
    async with on.qoder.runs.watch(**arguments) as changes:
        return changes.state


def ids_of(told: Iterable[RunChange], kind: str) -> list[str]:
    """The runs of which one kind of change was told, in order."""
    return [change.run.id for change in told if change.kind == kind]


def assert_told(
    on: Stage,
    told: list[RunChange],
    *,
    created: Collection[str] = (),
    finished: Collection[str] = (),
    watches: int = 1,
) -> None:
    """Check that just these creations and ends were told, each once, in order, and as they were."""
    for kind, expected in (("created", Counter(created)), ("finished", Counter(finished))):
        found = Counter(ids_of(told, kind))
        missing, surplus = dict(expected - found), dict(found - expected)
        assert (missing, surplus) == ({}, {}), f"{kind}: missing {missing}, too many {surplus}"
    assert_sound(on, told, watches=watches)


def assert_sound(on: Stage, told: list[RunChange], *, watches: int = 1) -> None:
    """Check what holds of everything that was ever told, by one watch or by several that went on from each other."""
    by_run: dict[str, list[RunChange]] = {}
    for change in told:
        by_run.setdefault(change.run.id, []).append(change)
    for run_id, of_run in by_run.items():
        kinds = "".join(f"{change.kind} " for change in of_run)
        assert _ORDERLY.fullmatch(kinds), (run_id, kinds)
        for before, after in pairwise(of_run):
            assert after.previous == before.run or (after.previous is None and watches > 1), (run_id, kinds)
            if after.kind == "changed":
                assert _looks(before.run) != _looks(after.run), (run_id, kinds)
        for change in of_run:
            assert (change.finished is not None) == (change.kind == "finished")
            assert change.previous is None or change.kind != "created"
            if change.finished is not None and on.sim._world.run(run_id) is not None:
                assert change.finished.run is change.run
                on.assert_true(change.finished)


def _looks(run: DeploymentRun) -> Any:
    extras = run.cas_run_extras
    turn = None if extras is None else (extras.attempt, extras.turn_id)
    return run.status, run.session_id, run.error, turn, run.completed_at is None


def held(changes: RunChanges) -> set[str]:
    """The ids of runs that a watch and its tracker hold in any way."""
    return {thing for thing in _parts_of(changes) if isinstance(thing, str) and thing.startswith("drun_")}


def held_runs(changes: RunChanges) -> list[DeploymentRun]:
    """The runs that a watch and its tracker hold in any way."""
    return [thing for thing in _parts_of(changes) if isinstance(thing, DeploymentRun)]


def _parts_of(changes: RunChanges) -> Iterator[Any]:
    queue: deque[Any] = deque([changes])
    seen = {id(changes)}
    while queue:
        thing = queue.popleft()
        yield thing
        # A dict whose keys are all texts does not count them among what it refers to.
        parts = (
            () if isinstance(thing, str) else [*gc.get_referents(thing), *(thing if isinstance(thing, dict) else ())]
        )
        for part in parts:
            if id(part) not in seen and _may_hold_ids(part):
                seen.add(id(part))
                queue.append(part)


def _may_hold_ids(thing: Any) -> bool:
    if isinstance(thing, str | list | tuple | set | deque):
        return True
    if isinstance(thing, dict):
        return "__builtins__" not in thing
    is_ours = type(thing).__module__.startswith(("qoder_async.following", "qoder_async.models"))
    return is_ours and not isinstance(thing, type)


def ago(on: Stage, seconds: float) -> datetime:
    """A time before now."""
    return on.time.wall() - timedelta(seconds=seconds)


async def trigger(on: Stage, deployments: list[str], count: int, every: float, into: list[str]) -> None:
    """Trigger runs of one deployment after the other, and note their ids."""
    for index in range(count):
        into.append((await on.qoder.deployments.run(deployments[index % len(deployments)])).id)
        await on.time.sleep(every)


async def trigger_by_hand(on: Stage, deployments: list[str], count: int, every: float, into: list[str]) -> None:
    """The same by the simulator's own hand: faults hit only those who read."""
    world = on.sim._world
    for index in range(count):
        number = world.trigger(world.deployment(deployments[index % len(deployments)]), 0, world.settle())
        into.append(world.mint.make("drun", number))
        await on.time.sleep(every)
