"""Exports and syncs that are cut off, crash and fail while the service goes on: in the end each run is there once."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from support.clock import FakeClock
from support.exported_ids import ids_in
from support.reliability_models import (
    ACTS,
    ALWAYS,
    MEANWHILE,
    NUMBERS,
    RUNS,
    SHAPES,
    Machine,
    World,
    explore,
    meanwhile_of,
)
from support.requests_for import is_later_page

from qoder_async import ExportError, QoderError, RetryPolicy
from qoder_async.export.exporting import export_runs
from qoder_async.export.sync.syncing import sync_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ENDINGS = st.sampled_from(["jsonl", "jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "db"])
_SYNCED_ACTS = st.one_of(
    # What has ended stays as it is, and what comes late comes within the look-back.
    st.tuples(st.just("insert"), NUMBERS, st.sampled_from(["running", "completed"]), st.sampled_from([0, 0, 0.5, 40])),
    st.tuples(st.just("burst"), NUMBERS, st.integers(1, 40), st.sampled_from([0, 0.2])),
    st.tuples(st.just("end"), NUMBERS, st.sampled_from(["completed", "failed"])),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("archive"), NUMBERS),
    st.tuples(st.just("deployment")),
)
_TROUBLES = st.sampled_from(
    [
        *(None for _ in range(4)),
        *(("refused cursor", times, at) for times in (1, 2) for at in (1, 1, 2)),
        *((status, 0, 1) for status in ("403", "404", "503")),
    ]
)
"""What is refused: cursors, so often; or a deployment, as long as the job lasts; and from which request on."""
_CUTS = st.sampled_from([None, None, None, *((kind, at) for kind in ("cancel", "crash") for at in (1, 3, 5, 8))])
"""How a job is cut off, and at which of its requests."""


class Stopped(Exception):  # noqa: N818  what a caller's own function may raise
    """Raised by the function that is told of the progress."""


class Filing(Machine):
    """What exports and syncs have in common: a folder, which a crash leaves as it was at some request."""

    def open(self, shape: str, next_page: str, attempts: int, takes: float, sizes: Sequence[int], **sim: Any) -> None:
        clock = FakeClock()

        def note(_: object) -> None:
            clock.time += takes

        settings = {"retry": RetryPolicy(attempts=attempts), "on_attempt": note}
        self.world = World(shape, clock, {"next_page": next_page} | sim, **settings)
        self._kept = TemporaryDirectory()
        self.folder = Path(self._kept.name) / "files"
        self.folder.mkdir()
        self._copy = Path(self._kept.name) / "copy"
        self.unreadable: set[str] = set()
        """Deployments that could not be read at some time since the last good end."""
        for size in sizes:
            # Pages of an export and of a sync are of 100.
            self.world.add_runs(self.world.add_deployment(), size, spacing=60)

    def _trouble(self, trouble: tuple[str, int, int]) -> None:
        what, place, at = trouble
        if what == "refused cursor":
            self.world.spoil("status", place, route=RUNS, status=400, nth=at, when=is_later_page)
            return
        deployment = self.world.pick_deployment(place)
        path = f"/deployments/{deployment}/runs"
        # In the midst of its runs, or from the beginning.
        self.world.spoil("status", ALWAYS, status=int(what), nth=at, when=lambda request: request.path == path)
        self.unreadable.add(deployment)

    def cut_off(
        self, make: Callable[[], Any], cut: tuple[str, int] | None, meanwhile: Any, trouble: Any
    ) -> BaseException | None:
        """Run something that may be cut off; what ended it, if it did not come to its end."""
        self.stir(meanwhile)
        if trouble is not None:
            self._trouble(trouble)
        crashed = False

        async def go() -> None:
            task = asyncio.ensure_future(make())
            if cut is not None:
                self.world.plan(cut[1], lambda: end(task))
            await task

        def end(task: asyncio.Task[None]) -> None:
            nonlocal crashed
            if task.done():
                return
            if cut is not None and cut[0] == "crash":
                shutil.copytree(self.folder, self._copy)
                crashed = True
            task.cancel()

        error: BaseException | None = None
        try:
            self.world.run(go())
        except (asyncio.CancelledError, QoderError, Stopped) as ended_by:
            error = ended_by
        if crashed:
            # Whatever was written after that is lost, as if the process had been killed there.
            shutil.rmtree(self.folder)
            self._copy.rename(self.folder)
            self.note("crashed")
            error = error or asyncio.CancelledError()
        elif isinstance(error, asyncio.CancelledError):
            self.note("cancelled")
        self.world.heal()
        return error

    def leave(self) -> None:
        self._kept.cleanup()


class Exporting(Filing):
    """Exports to one file, gone on with until they are whole, in any format."""

    @initialize(
        shape=SHAPES,
        next_page=st.sampled_from(["last_id", "opaque", "absent"]),
        attempts=st.sampled_from([1, 4]),
        takes=st.sampled_from([0.0, 0.7, 3.0]),
        sizes=st.lists(st.sampled_from([0, 3, 90, 230, 420]), min_size=2, max_size=4),
        names_them=st.booleans(),
    )
    def begin(
        self,
        shape: str,
        next_page: str,
        attempts: int,
        takes: float,
        sizes: list[int],
        names_them: bool,
    ) -> None:
        self.open(shape, next_page, attempts, takes, sizes)
        self.ending: str | None = None
        self.since = self.world.moment()
        self.named = list(self.world.book.deployments) if names_them else None

    @rule(act=ACTS)
    def happen(self, act: Any) -> None:
        self.world.do(act)

    @rule(
        meanwhile=MEANWHILE,
        cut=_CUTS,
        trouble=_TROUBLES,
        stops_after=st.sampled_from([None, None, None, 1, 2, 4]),
        width=st.integers(1, 4),
        ending=_ENDINGS,
    )
    def export(self, meanwhile: Any, cut: Any, trouble: Any, stops_after: int | None, width: int, ending: str) -> None:
        if self.ending is None:
            for path in self.folder.iterdir():
                path.unlink()
            self.ending = ending
            self.since = self.world.moment()
        calls = []

        def tell(progress: object) -> None:
            calls.append(progress)
            if stops_after is not None and len(calls) >= stops_after:
                self.note("stopped by the caller")
                raise Stopped

        def make() -> Any:
            return export_runs(
                self.world.qoder,
                self.folder / f"runs.{self.ending}",
                deployments=self.named,
                max_concurrency=width,
                on_progress=tell,
            )

        error = self.cut_off(make, cut, meanwhile, trouble)
        if isinstance(error, ExportError):
            assert set(error.failures) <= self.unreadable, error
            assert error.failures, error
            self.note("failed, but for the others")
        elif isinstance(error, QoderError):
            assert self.unreadable, error
            self.note("failed")
        if error is None:
            self._check()
            self.note(f"exported to {self.ending}")
            # The next one replaces it, or is made anew in another format.
            self.since = self.world.moment()
            self.ending = None if len(calls) % 2 else self.ending
            self.unreadable.clear()
            self.note("exported")

    @rule(
        meanwhile=MEANWHILE,
        kind=st.sampled_from(["cancel", "crash"]),
        at=st.integers(3, 9),
        times=st.sampled_from([1, 1, 2]),
        width=st.integers(1, 3),
        ending=_ENDINGS,
    )
    def go_on_much_later(self, meanwhile: Any, kind: str, at: int, times: int, width: int, ending: str) -> None:
        """Cut one off in the midst, and go on when its cursors have become too old."""
        self.export(([], []), (kind, at), None, None, width, ending)
        self.export(meanwhile, None, ("refused cursor", times, 1), None, width, ending)

    @rule(
        status=st.sampled_from(["403", "404", "503"]),
        place=NUMBERS,
        at=st.integers(1, 2),
        width=st.integers(1, 3),
        ending=_ENDINGS,
    )
    def refuse_one(self, status: str, place: int, at: int, width: int, ending: str) -> None:
        """Have one deployment refused throughout an export."""
        self.export(([], []), None, (status, place, at), None, width, ending)

    def _check(self) -> None:
        """Compare the file with the book."""
        assert self.ending is not None
        book = self.world.book
        wanted = list(book.deployments) if self.named is None else self.named
        ids = ids_in(self.folder / f"runs.{self.ending}", self.ending)
        assert len(set(ids)) == len(ids), "a run is in the file twice"
        # What disappears in the midst of an export is in it as far as it had come.
        readable = [made for made in wanted if made not in self.unreadable]
        missing = {fact.id for fact in book.lasting(self.since, readable)} - set(ids)
        assert not missing, f"not in the file: {missing}"
        there = [fact for fact in book.of(wanted) if fact.removed is None or fact.removed > self.since.step]
        assert set(ids) <= {fact.id for fact in there}
        self._check_records()
        assert [path.name for path in self.folder.iterdir()] == [f"runs.{self.ending}"]

    def _check_records(self) -> None:
        """Check that each line is what the service had to say of the run at some time during the export."""
        if self.ending != "jsonl":
            return
        facts = self.world.book.runs
        last: dict[str, Any] = {}
        for line in (self.folder / "runs.jsonl").read_bytes().splitlines():
            record = json.loads(line)
            fact = facts[record["id"]]
            assert record in [version for step, version in fact.versions if self._counts(fact, step)]
            assert fact.deployment not in last or fact.order < last[fact.deployment], "the newest is not the first"
            last[fact.deployment] = fact.order

    def _counts(self, fact: Any, step: int) -> bool:
        following = [later for later, _ in fact.versions if later > step]
        return not following or following[0] > self.since.step

    def finish(self) -> None:
        most = 20
        for _ in range(most):
            before = self.reached["exported"]
            self.export(meanwhile=([], []), cut=None, trouble=None, stops_after=None, width=2, ending="jsonl")
            if self.reached["exported"] > before:
                return
        raise AssertionError(f"not whole after {most} exports of a service that works")


class Syncing(Filing):
    """Syncs of one file, cut off anywhere; once the service rests, the file has what it has."""

    @initialize(
        shape=SHAPES,
        next_page=st.sampled_from(["last_id", "opaque", "absent"]),
        attempts=st.sampled_from([1, 4]),
        takes=st.sampled_from([0.0, 0.7]),
        sizes=st.lists(st.sampled_from([0, 3, 90, 230]), min_size=2, max_size=4),
        delay=st.sampled_from([0, 0, 200]),
    )
    def begin(self, shape: str, next_page: str, attempts: int, takes: float, sizes: list[int], delay: float) -> None:
        self.open(shape, next_page, attempts, takes, sizes, visibility_delay=delay)
        self.delay = delay

    @rule(act=_SYNCED_ACTS)
    def happen(self, act: Any) -> None:
        self.world.do(act)

    @rule(seconds=st.sampled_from([0.1, 30, 400]))
    def pass_time(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(meanwhile=meanwhile_of(_SYNCED_ACTS), cut=_CUTS, trouble=_TROUBLES, width=st.integers(1, 3))
    def sync(self, meanwhile: Any, cut: Any, trouble: Any, width: int) -> None:
        def make() -> Any:
            return sync_runs(self.world.qoder, self.folder / "runs.db", max_concurrency=width)

        error = self.cut_off(make, cut, meanwhile, trouble)
        assert isinstance(error, asyncio.CancelledError | None) or self.unreadable, error
        self.note("synced" if error is None else "ended early")

    @rule()
    def settle(self) -> None:
        self.world.advance(self.delay)
        self.unreadable.clear()
        self.sync(meanwhile=([], []), cut=None, trouble=None, width=2)
        book = self.world.book
        with closing(sqlite3.connect(self.folder / "runs.db")) as connection:
            rows = connection.execute("SELECT id, raw FROM runs").fetchall()
        found = {run: json.loads(raw) for run, raw in rows}
        assert len(found) == len(rows)
        expected = {fact.id: fact.versions[-1][1] for fact in book.alive()}
        assert expected.keys() - found.keys() == set()
        assert found.keys() - expected.keys() <= {fact.id for fact in book.runs.values() if fact.removed is not None}
        stale = {run: (found[run], expected[run]) for run in expected if found[run] != expected[run]}
        assert stale == {}
        self.note("settled")

    def finish(self) -> None:
        self.settle()


def test_an_export_has_each_run_once_whatever_cut_it_off() -> None:
    explore(
        Exporting,
        examples=20,
        steps=15,
        reaches={
            "changed within a request",
            "crashed",
            "cancelled",
            "stopped by the caller",
            "failed, but for the others",
            "exported",
            *(f"exported to {ending}" for ending in ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "db")),
        },
    )


def test_a_sync_has_what_the_service_has_whatever_cut_it_off() -> None:
    explore(
        Syncing,
        examples=15,
        steps=15,
        reaches={"changed within a request", "crashed", "cancelled", "synced", "ended early", "settled"},
    )
