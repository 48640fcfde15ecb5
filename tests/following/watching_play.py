"""A watch and a world that is stirred by chance, and what the watch must have told by the end."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
from waiting_support import ALWAYS, Stage
from watching_support import assert_sound, ids_of, read

from qoder_async import AsyncQoder, QoderError, RunChange, RunChanges
from qoder_async.simulator.run_table import Status, Trigger

if TYPE_CHECKING:
    from collections.abc import Sequence

Act = tuple[Any, ...]

_PATIENCE = 300.0
_DURATIONS: tuple[tuple[float, float], ...] = ((0.5, 5.0), (20.0, 120.0), (400.0, 900.0))
_SETTLING = 60.0
_MARGIN = 20.0
"""Seconds before the end in which an end need not be seen any more."""


@attrs.define
class Play:
    """One watch, gone on with from its state as often as the acts say so.

    Attributes:
        on: The service and its client.
        which: ``all``, ``some`` or ``one`` of the deployments are watched.
    """

    on: Stage
    which: str
    deployments: list[str] = attrs.field(factory=list)
    told: list[RunChange] = attrs.field(factory=list)
    over_before: set[str] = attrs.field(factory=set)
    there_before: set[str] = attrs.field(factory=set)
    deleted: dict[str, str] = attrs.field(factory=dict)
    odd: set[str] = attrs.field(factory=set)
    watches: int = 1
    down_since: float | None = None
    was_down_for_long: bool = False
    changes: RunChanges | None = None
    others: list[AsyncQoder] = attrs.field(factory=list)

    async def perform(self, before: Sequence[Act], acts: Sequence[Act]) -> None:
        """Stir, watch, and compare."""
        self._make_deployments()
        for act in before:
            await self._do(act)
        now = self.on.sim._world.settle()
        hidden = self.on.sim._world.table.hidden_until
        for run in self.on.sim.run_ids():
            if hidden.get(self._number(run), 0) <= now:
                self.there_before.add(run)
                if self._is_over(run):
                    self.over_before.add(run)
        await self._enter(None)
        try:
            for act in acts:
                await self._do(act)
            self._up()
            await self._do(("read", _SETTLING + self.on.sim._world.visibility_delay / 1e6))
        finally:
            await self._leave()
            for other in self.others:
                await other.aclose()
        self._compare()

    # The watch

    async def _enter(self, since: str | None) -> None:
        qoder = self.on.qoder
        if self.watches % 2 == 0:
            qoder = self.on.time.use(AsyncQoder("pt-2", base_url=self.on.sim.url, pace=None))
            self.others.append(qoder)
        chosen = {"all": None, "some": self.deployments[:2], "one": self.deployments[0]}[self.which]
        while True:
            changes = qoder.runs.watch(chosen, since=since)
            try:
                await changes.__aenter__()
            except QoderError:
                self._assert_down_for_long()
            else:
                self.changes = changes
                self.was_down_for_long = False
                return

    async def _leave(self) -> str:
        assert self.changes is not None
        changes, self.changes = self.changes, None
        await changes.__aexit__(None, None, None)
        assert set(changes.failures) <= set(self.deleted), changes.failures
        return changes.state

    async def _go_on(self, pause: float) -> None:
        state = await self._leave()
        await self.on.time.sleep(pause)
        self.watches += 1
        await self._enter(state)

    def _assert_down_for_long(self) -> None:
        self._up()
        assert self.was_down_for_long, "an error came out of a watch of a service that was never down for long"

    def _up(self) -> None:
        self.on.sim.faults.clear()
        if self.down_since is not None and self.on.time.elapsed - self.down_since >= _PATIENCE:
            self.was_down_for_long = True
        self.down_since = None

    # What happens

    async def _do(self, act: Act) -> None:
        name, *arguments = act
        result = getattr(self, f"_act_{name}")(*arguments)
        if result is not None:
            await result

    async def _act_read(self, seconds: float) -> None:
        assert self.changes is not None
        try:
            await read(self.on, self.changes, seconds, self.told)
        except QoderError:
            self._assert_down_for_long()
            await self._go_on(0)
            await self._act_read(seconds)

    async def _act_read_some(self, count: int) -> None:
        assert self.changes is not None

        async def first() -> Any:
            for _ in range(count):
                assert self.changes is not None
                yield await anext(self.changes)

        try:
            await read(self.on, first(), 3.0, self.told)  # type: ignore[arg-type]
        except QoderError:
            self._assert_down_for_long()
            await self._go_on(0)

    async def _act_sleep(self, seconds: float) -> None:
        await self.on.time.sleep(seconds)

    async def _act_go_on(self, pause: float) -> None:
        await self._go_on(pause)

    def _act_down(self) -> None:
        self.on.sim.faults.clear()
        self.on.sim.faults.add("status", status=503, times=ALWAYS)
        self.down_since = self.on.time.elapsed if self.down_since is None else self.down_since

    def _act_flaky(self, kind: str) -> None:
        self._up()
        self.on.sim.faults.add(kind, share=0.3)  # type: ignore[arg-type]

    def _act_up(self) -> None:
        self._up()

    def _act_trigger(self, deployment: int) -> None:
        world = self.on.sim._world
        world.trigger(world.deployments[deployment % len(self.deployments)], Trigger.MANUAL, world.settle())

    def _act_insert(self, deployment: int, state: str, age: float) -> None:
        self.on.sim.insert_run(
            self.deployments[deployment % len(self.deployments)],
            state=state,  # type: ignore[arg-type]
            triggered_at=self.on.time.wall() - timedelta(seconds=age),
        )

    def _act_burst(self, deployment: int, count: int) -> None:
        self.on.sim.add_runs(self.deployments[deployment % len(self.deployments)], count, same_time=True)

    def _act_set(self, run: int, status: str) -> None:
        if (run_id := self._going_on(run)) is not None:
            self.on.sim.set_run(run_id, status=status)
            self.odd.discard(run_id)

    def _act_set_odd(self, run: int, word: str) -> None:
        if self.on.sim.shape == "extended" and (run_id := self._going_on(run)) is not None:
            self.on.sim.set_run(run_id, status=word)
            self.odd.add(run_id)

    def _act_cancel(self, run: int) -> None:
        world = self.on.sim._world
        if (run_id := self._going_on(run)) is not None and world.table.session[self._number(run_id)] >= 0:
            world.cancel(world.table.session[self._number(run_id)], world.settle())

    def _act_delete(self, run: int) -> None:
        if (runs := self.on.sim.run_ids()) != []:
            run_id = runs[run % len(runs)]
            self.deleted[run_id] = self._deployment(run_id)
            self.on.sim.delete_run(run_id)

    # What must have been told

    def _compare(self) -> None:
        there = {run for run in self.on.sim.run_ids() if self._is_watched(self._deployment(run))}
        over = {run for run in there if self._is_over(run)}
        just_now = {run for run in over if self._ended(run) > self.on.time.wall().timestamp() - _MARGIN}
        created, finished = (Counter(ids_of(self.told, kind)) for kind in ("created", "finished"))
        gone = {run for run, deployment in self.deleted.items() if self._is_watched(deployment)}
        new = there - self.there_before
        ended = over - self.over_before
        for told, due, may in (
            (created, new, gone - self.there_before),
            (finished, ended - just_now, gone - self.over_before | just_now),
        ):
            assert max(told.values(), default=1) == 1, f"told twice: {told}"
            assert set(told) <= due | may, f"told, but never was: {set(told) - due - may}"
            assert due <= set(told), f"never told: {due - set(told)}"
        assert_sound(self.on, [change for change in self.told if change.run.id not in self.odd], watches=self.watches)

    # What there is

    def _make_deployments(self) -> None:
        for duration in _DURATIONS:
            self.deployments.append(
                self.on.sim.add_deployment(
                    run_duration=duration, timeout=1e6, max_concurrent=4, failure_rate=0.2, no_session_rate=0.1
                )
            )

    def _going_on(self, index: int) -> str | None:
        self.on.sim._world.settle()
        runs = [run for run in self.on.sim.run_ids() if not self._is_over(run)]
        return runs[index % len(runs)] if runs else None

    def _number(self, run: str) -> int:
        number = self.on.sim._world.known_run(run)
        assert number is not None
        return number

    def _deployment(self, run: str) -> str:
        world = self.on.sim._world
        return world.deployments[world.table.deployment[self._number(run)]].id

    def _is_over(self, run: str) -> bool:
        return Status(self.on.sim._world.table.status[self._number(run)]).is_final

    def _ended(self, run: str) -> float:
        return self.on.sim._world.table.completed[self._number(run)] / 1e6

    def _is_watched(self, deployment: str) -> bool:
        chosen = {"all": self.deployments, "some": self.deployments[:2], "one": self.deployments[:1]}[self.which]
        return deployment in chosen
