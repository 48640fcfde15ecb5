"""Exports to one target, one after another, killed until each of them is complete, and checked then."""

from __future__ import annotations

import json
import random
from collections import Counter
from itertools import cycle, pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs
from kill_checks import WrongError, check, look_into_database
from kill_child import Errand

if TYPE_CHECKING:
    from pathlib import Path

    from kill_processes import Child, Nursery
    from kill_world import GrowingWorld

SYNC = "sync"
_SPEED = 100.0
"""Of the client's clock: a checkpoint comes every 20 ms."""
_TOO_LONG = 60.0
_STAGES = ("at any time", "at the start", "while fetching", "while writing", "around the rename")
_STAGES_OF = {"jsonl": (*_STAGES[:3], _STAGES[4]), SYNC: _STAGES[:2]}
_NOTHING_TO_FETCH = ("all fetched", "writing")


@attrs.define
class Tally:
    """What was done.

    Attributes:
        kills: How far the work was when it was killed, and how often.
        whole: How many exports were completed, and checked.
    """

    kills: Counter[str] = attrs.field(factory=Counter)
    whole: int = 0

    def __str__(self) -> str:
        stages = ", ".join(f"{count} {stage}" for stage, count in self.kills.most_common())
        return f"{self.kills.total()} kills ({stages}), {self.whole} complete"


@attrs.frozen
class _Ruin:
    """What a killed process has left.

    Attributes:
        stage: How far it was.
        rows: How many rows were safe by its checkpoint.
    """

    stage: str
    rows: int = 0


class Rounds:
    """Exports of one world to one target.

    Args:
        nursery: Makes the processes.
        world: The service.
        folder: An empty folder.
        kind: The format, or ``sync``.
    """

    def __init__(self, nursery: Nursery, world: GrowingWorld, folder: Path, kind: str) -> None:
        self.tally = Tally()
        self._nursery = nursery
        self._world = world
        self._kind = kind
        self._random = random.Random(world.random.random())
        self._folder = folder
        self._inside = folder / "target"
        self._inside.mkdir()
        self._target = self._inside / ("runs.db" if kind == SYNC else f"runs.{kind}")
        stages = list(_STAGES_OF.get(kind, _STAGES))
        self._random.shuffle(stages)
        self._stages = cycle(stages)
        self._starting = self._fetching = self._writing = 0.0
        self._before: list[str] = []
        self._old: bytes | None = None
        self._ruin: _Ruin | None = None

    async def undisturbed(self) -> list[str]:
        """Make one export that nobody disturbs; give the calls that it made in the target's folder."""
        self._begin()
        calls = self._folder / "calls.json"
        async with self._nursery.child(self._errand(calls=str(calls))) as child:
            moments = [perf_counter()]
            for ending in ("spool", "writing"):
                await child.wait_until(self._beside(ending).exists)
                moments.append(perf_counter())
            await self._end_of(child)
        moments.append(perf_counter())
        self._starting, self._fetching, self._writing = (late - early for early, late in pairwise(moments))
        self._finish(child)
        found: list[str] = json.loads(calls.read_text())
        return found

    async def at_random(self, kills: int) -> int:
        """Make one export, killed at random moments, at most so often; give how often it was."""
        self._begin()
        for killed in range(kills):
            async with self._nursery.child(self._errand()) as child:
                await self._moment(child)
            if not child.was_killed:
                self._finish(child)
                return killed
            self._look_at_ruin()
        await self._to_the_end()
        return kills

    async def at_call(self, call: str, number: int, how: str) -> None:
        """Make one export that is struck at a call in the target's folder, as ``Strikes`` says, and go on with it."""
        self._begin()
        async with self._nursery.child(self._errand(at=(call, number), how=how)) as child:
            await self._end_of(child)
        if child.was_killed:
            self._look_at_ruin()
            await self._to_the_end()
        else:
            self._finish(child)

    def _errand(self, **more: Any) -> Errand:
        return Errand(
            url=self._world.sim.url,
            target=str(self._target),
            format=self._kind,
            report=str(self._folder / "report.json"),
            speed=_SPEED,
            **more,
        )

    async def _moment(self, child: Child) -> None:
        """Wait for a moment at which a child may be killed."""
        stage = next(self._stages)
        writing = self._beside("spool" if self._kind == "jsonl" else "writing")
        if stage == "at any time":
            await child.wait(self._random.uniform(0, self._starting + self._fetching + self._writing))
        elif stage == "at the start":
            await child.wait(self._random.uniform(0, 2 * self._starting))
        elif stage == "while fetching":
            await child.wait_until(self._beside("spool").exists)
            await child.wait(self._random.uniform(0, self._fetching))
        elif stage == "while writing":
            await child.wait_until(writing.exists)
            await child.wait(self._random.uniform(0, self._writing))
        else:
            await child.wait_until(writing.exists)
            await child.wait_until(lambda: not writing.exists())
            await child.wait(self._random.uniform(0, 0.002))

    async def _to_the_end(self) -> None:
        async with self._nursery.child(self._errand()) as child:
            await self._end_of(child)
        self._finish(child)

    async def _end_of(self, child: Child) -> None:
        if not await child.wait(_TOO_LONG):
            raise WrongError(f"no end after {_TOO_LONG:g} s")

    def _beside(self, ending: str) -> Path:
        return self._inside / f"{self._target.name}.{ending}"

    def _grow(self) -> None:
        # What an export has fetched it does not fetch again: only a sync has to follow what changes.
        self._world.grow(changes=self._kind == SYNC)

    def _begin(self) -> None:
        self._grow()
        if self._kind == SYNC and self._random.random() < 0.5:
            self._target.unlink(missing_ok=True)  # a new file has more to lose
        self._before = self._world.sim.run_ids()
        self._old = self._target.read_bytes() if self._target.exists() else None
        self._ruin = None
        self._asked = self._world.requests_for_runs()

    def _finish(self, child: Child) -> None:
        """Check what a process has left that came to its end."""
        if child.code != 0:
            raise WrongError(f"a process ended with {child.code}; its own words are above")
        self._look_at_requests()
        rows = check(self._target, self._kind, self._world.records(), self._before)
        report = json.loads((self._folder / "report.json").read_text())
        if report["rows"] != rows:
            raise WrongError(f"{rows} rows, but the report says {report['rows']}")
        safe = self._ruin.rows if self._ruin else 0
        if report.get("resumed_rows", safe) != safe:
            raise WrongError(f"{report['resumed_rows']} rows were taken over, but {safe} were safe")
        left = sorted(path.name for path in self._inside.iterdir() if path != self._target)
        if left:
            raise WrongError(f"left lying about: {', '.join(left)}")
        self.tally.whole += 1

    def _look_at_ruin(self) -> None:
        """Note how far a killed process was; a target must be the old one, or whole. Then life goes on."""
        self._look_at_requests()
        self._ruin = self._read_ruin()
        self.tally.kills[self._ruin.stage] += 1
        if not self._target.exists():
            if self._old is not None:
                raise WrongError("the old target is gone")
        elif self._kind == SYNC:
            look_into_database(self._target, self._folder / "copy", self._world.records())
        elif self._target.read_bytes() != self._old:
            check(self._target, self._kind, self._world.records(), self._before)
        if self._random.random() < 0.5:
            self._world.forget_cursors()
        if self._random.random() < 0.5:
            self._grow()

    def _look_at_requests(self) -> None:
        asked, self._asked = self._asked, self._world.requests_for_runs()
        if self._ruin is not None and self._ruin.stage in _NOTHING_TO_FETCH and asked != self._asked:
            raise WrongError(f"{self._asked - asked} requests for runs that were there already")

    def _read_ruin(self) -> _Ruin:
        if self._kind == SYNC:
            has_changed = self._target.exists() and self._target.read_bytes() != self._old
            return _Ruin("some saved" if has_changed else "nothing saved")
        checkpoint = self._beside("checkpoint")
        saved = json.loads(checkpoint.read_bytes())["checkpoint"] if checkpoint.exists() else {}
        rows = saved.get("rows", 0)
        if self._beside("writing").exists():
            return _Ruin("writing", rows)
        if self._beside("spool").exists():
            if not saved:
                raise WrongError("a spool without a checkpoint")
            if saved["whole_of"]:
                return _Ruin("all fetched", rows)
            return _Ruin("some fetched" if rows else "nothing fetched for sure", rows)
        if self._target.exists() and self._target.read_bytes() != self._old:
            return _Ruin("in place", rows)
        return _Ruin("no spool yet" if saved else "nothing yet", rows)
