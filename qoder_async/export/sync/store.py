"""A sync's SQLite file: what is known of each deployment stands beside the runs, and is written together with them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from qoder_async.errors import ExportError
from qoder_async.export.sync.rereads import Density, Unfinished
from qoder_async.export.sync.rows import UNFINISHED, UNJUDGED, Facts
from qoder_async.export.sync.tables import OUTCOME_INDEX, SELECT_STATE, WRITE_STATE, state_of, state_values
from qoder_async.export.write.sqlite_schema import OUTCOME_COLUMNS, SELECT_SCOPE, UPSERT, row_maker, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from qoder_async.export.sync.changes import Change
    from qoder_async.export.sync.plan import State
    from qoder_async.export.write.columns import Row

PATIENCE = 5.0
"""Seconds to wait for another program that has the file locked."""
_AT_ONCE = 100
"""How many runs are decoded and looked up at a time."""

# Constants are put together here, and nothing else.
_UNFINISHED = (
    "SELECT id, time, triggered_at IS NOT NULL, status FROM runs"  # noqa: S608
    f" WHERE deployment_id = ? AND {UNFINISHED} AND id NOT IN (SELECT id FROM sync_missing) ORDER BY time DESC, id DESC"
)
_COUNT_AT = "SELECT count(*) FROM (SELECT 1 FROM runs WHERE deployment_id = ? AND time BETWEEN ? AND ? LIMIT ?)"
_COUNT_BELOW = "SELECT count(*) FROM (SELECT 1 FROM runs WHERE deployment_id = ? AND time >= ? AND time < ? LIMIT ?)"
_ABOVE = "SELECT id FROM runs WHERE deployment_id = ? AND time > ? ORDER BY time LIMIT 1"
_KEPT = f"SELECT rowid, id, raw, {', '.join(Facts._fields)} FROM runs WHERE id IN (%s)"  # noqa: S608
_SET_OUTCOME = f"UPDATE runs SET {', '.join(f'{name} = ?' for name in OUTCOME_COLUMNS)} WHERE id = ?"  # noqa: S608
_UNJUDGED = f"SELECT id, raw FROM runs WHERE deployment_id = ? AND id > ? AND {UNJUDGED} ORDER BY id LIMIT ?"  # noqa: S608
_IS_ASKED_FOR = "NOT EXISTS (SELECT 1 FROM sync_state WHERE deployment_id = runs.deployment_id AND gone IS NOT NULL)"
_COUNT_UNFINISHED = (
    f"SELECT count(*) FROM runs WHERE {UNFINISHED} AND {_IS_ASKED_FOR} AND id NOT IN (SELECT id FROM sync_missing)"  # noqa: S608
)
_COUNT_MISSING = f"SELECT count(*) FROM runs WHERE {UNFINISHED} AND id IN (SELECT id FROM sync_missing)"  # noqa: S608
_COUNT_UNJUDGED_OF = f"SELECT count(*) FROM runs WHERE deployment_id = ? AND {UNJUDGED}"  # noqa: S608
_COUNT_UNJUDGED = f"SELECT count(*) FROM runs INDEXED BY sync_unjudged WHERE {UNJUDGED} AND {_IS_ASKED_FOR}"  # noqa: S608

_ADVICE = {
    sqlite3.SQLITE_BUSY: "another program has it open and does not let go of it: close that, then start again",
    sqlite3.SQLITE_LOCKED: "another program has it open and does not let go of it: close that, then start again",
    sqlite3.SQLITE_FULL: "the disk is full: free some space and start again, it goes on where it was",
    sqlite3.SQLITE_READONLY: "it is read-only: change its mode, or choose another place",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that its folder is there, and the rights of both",
    sqlite3.SQLITE_CORRUPT: "it is damaged: move it away, and sync to a new file",
    sqlite3.SQLITE_NOTADB: "it is damaged: move it away, and sync to a new file",
}


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite objects to into an error of the library.

    Args:
        path: The file it is about.

    Raises:
        ExportError: Instead of an error of SQLite.
    """
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # What is not told by SQLite itself has no code, nor has what it quotes of a damaged file.
        unknown = sqlite3.SQLITE_CORRUPT if isinstance(error, UnicodeDecodeError) else sqlite3.SQLITE_ERROR
        code = getattr(error, "sqlite_errorcode", unknown) & 0xFF
        failure = ExportError(f"{path} cannot be synced: {_ADVICE.get(code) or error}", path=str(path))
    else:
        return
    raise failure


@attrs.frozen(kw_only=True)
class Standing:
    """What the file has of a deployment.

    Attributes:
        state: What is known of it, ``None`` where it is new.
        unfinished: Its runs that had not ended, the newest first.
        has_runs: Whether it has any.
    """

    state: State | None
    unfinished: list[Unfinished]
    has_runs: bool


class Written(NamedTuple):
    """What came of writing.

    Attributes:
        new: How many runs were not in the file when the sync began.
        updated: How many were, and have changed.
    """

    new: int = 0
    updated: int = 0


class SyncStore:
    """The open file. It is used in one thread at a time.

    Args:
        connection: The connection, which commits what it is told.
        path: The file.
        base_url: The service that it is synced with, which is noted with the first runs; ``None`` where none is asked.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, base_url: str | None = None) -> None:
        self._connection = connection
        self._path = path
        self._base_url = base_url
        self._row_maker = row_maker()
        self._in_use = threading.Lock()
        (self._last_old_row,) = connection.execute("SELECT coalesce(max(rowid), 0) FROM runs").fetchone()

    def close(self) -> None:
        """Close the file, once no thread is at it any more: it would not survive that."""
        with self._in_use:
            self._connection.close()

    @contextlib.contextmanager
    def _using(self) -> Iterator[None]:
        with self._in_use, sqlite_errors(self._path):
            yield

    # Reading

    def standing(self, deployment_id: str) -> Standing:
        """Read what the file has of a deployment.

        Args:
            deployment_id: The deployment.
        """
        with self._using():
            state = self._connection.execute(SELECT_STATE, (deployment_id,)).fetchone()
            unfinished = self._connection.execute(_UNFINISHED, (deployment_id,)).fetchall()
            runs = self._connection.execute("SELECT 1 FROM runs WHERE deployment_id = ? LIMIT 1", (deployment_id,))
            return Standing(
                state=None if state is None else self._state(state),
                unfinished=[Unfinished(run_id, time, bool(placed), word) for run_id, time, placed, word in unfinished],
                has_runs=runs.fetchone() is not None,
            )

    def _state(self, values: Sequence[str | None]) -> State:
        with contextlib.suppress(ValueError, TypeError):
            return state_of(values)
        raise ExportError(f"{self._path} cannot be synced: {_ADVICE[sqlite3.SQLITE_CORRUPT]}", path=str(self._path))

    def densities(self, deployment_id: str, times: Sequence[str], most: int) -> list[Density]:
        """Count a deployment's runs about some of them.

        Args:
            deployment_id: The deployment.
            times: The times of these runs, the newest first.
            most: Where it is enough to know that there are as many.

        Returns:
            How many there are about each.
        """

        def count(older: str, newer: str, sql: str) -> int:
            (found,) = self._connection.execute(sql, (deployment_id, older, newer, most)).fetchone()
            return int(found)

        with self._using():
            newer_times = (times[0], *times) if times else ()
            return [
                Density(here=count(time, time, _COUNT_AT), since_last=count(time, newer, _COUNT_BELOW))
                for time, newer in zip(times, newer_times, strict=False)
            ]

    def above(self, deployment_id: str, time: str) -> str | None:
        """Find the run that stands above a time in a deployment's list.

        Args:
            deployment_id: The deployment.
            time: The time.

        Returns:
            Its id, ``None`` where none is newer.
        """
        with self._using():
            found = self._connection.execute(_ABOVE, (deployment_id, time)).fetchone()
            return None if found is None else found[0]

    def deployments(self) -> list[tuple[str, str | None]]:
        """List the deployments that the file knows, and why those are gone that are."""
        with self._using():
            return self._connection.execute("SELECT deployment_id, gone FROM sync_state").fetchall()

    def unjudged(self, deployment_id: str, after: str, most: int) -> list[tuple[str, bytes]]:
        """List lean runs of a deployment that have no outcome.

        Args:
            deployment_id: The deployment.
            after: Only runs with greater ids.
            most: How many at most.

        Returns:
            Their ids, in their order, and their JSON.
        """
        with self._using():
            found = self._connection.execute(_UNJUDGED, (deployment_id, after, most)).fetchall()
            return [(run_id, raw.encode() if isinstance(raw, str) else raw) for run_id, raw in found]

    def count_unjudged(self, deployments: Iterable[str]) -> int:
        """Count the lean runs of some deployments that have no outcome.

        Args:
            deployments: The deployments.
        """
        with self._using():
            found = [self._connection.execute(_COUNT_UNJUDGED_OF, (each,)).fetchone() for each in deployments]
            return sum(int(count) for (count,) in found)

    def count_runs(self) -> int:
        """Count all runs."""
        with self._using():
            (count,) = self._connection.execute("SELECT count(*) FROM runs").fetchone()
            return int(count)

    def count_unfinished(self, *, outcomes: bool) -> int:
        """Count the runs that the next sync reads again, which are none of deployments that are gone.

        Args:
            outcomes: Whether it asks for the outcomes of lean runs; the file is prepared for that then.
        """
        with self._using():
            (unfinished,) = self._connection.execute(_COUNT_UNFINISHED).fetchone()
            (unjudged,) = self._connection.execute(_COUNT_UNJUDGED).fetchone() if outcomes else (0,)
            return int(unfinished) + int(unjudged)

    def count_missing(self) -> int:
        """Count the runs that had not ended and that the service does not know any more."""
        with self._using():
            (count,) = self._connection.execute(_COUNT_MISSING).fetchone()
            return int(count)

    # Writing

    def write(self, changes: Sequence[Change]) -> Written:
        """Write changes, all of them or, if the machine stops, none.

        Args:
            changes: The changes.

        Returns:
            What came of it.

        Raises:
            ExportError: The file cannot be written; it is as it was.
        """
        written = Written()
        if not any(change.says_anything for change in changes):
            return written
        notes_service = self._base_url is not None and any(change.lines for change in changes)
        with self._transaction():
            if notes_service:
                self._write_scope(self._scope() | {"base_url": self._base_url})
            for change in changes:
                new, updated = self._write(change)
                written = Written(written.new + new, written.updated + updated)
        if notes_service:
            self._base_url = None
        return written

    def prepare_outcomes(self) -> None:
        """See to it that runs without an outcome are found quickly."""
        with self._transaction():
            self._connection.execute(OUTCOME_INDEX)

    def note_scope(self, deployments: Iterable[str] | None) -> None:
        """Note which deployments the file is about.

        Args:
            deployments: Some more, ``None`` for all there are.
        """
        with self._transaction():
            scope = self._scope()
            if deployments is None or scope["deployments"] is None:
                scope["deployments"] = None
            else:
                scope["deployments"] = sorted({*scope["deployments"], *deployments})
            self._write_scope(scope)

    def _scope(self) -> dict[str, Any]:
        (text,) = self._connection.execute(SELECT_SCOPE).fetchone()
        scope: dict[str, Any] = json.loads(text)
        return scope

    def _write_scope(self, scope: dict[str, Any]) -> None:
        """Write what the file is about, unless it says so already: a file that stays as it was is not written."""
        text = json.dumps(scope)
        self._connection.execute("UPDATE info SET value = ? WHERE key = 'scope' AND value IS NOT ?", (text, text))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._using():
            # At once, so that whoever else writes is met here and not half-way.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # where SQLite has done so itself
                    self._connection.execute("ROLLBACK")
                raise

    def _write(self, change: Change) -> Written:
        run = self._connection.executemany
        written = self._write_lines(change.deployment_id, change.lines)
        if change.state is not None:
            self._connection.execute(WRITE_STATE, (change.deployment_id, *state_values(change.state)))
        run("INSERT OR IGNORE INTO sync_missing VALUES (?)", [(run_id,) for run_id in change.missing])
        run(_SET_OUTCOME, [(*judged.values, judged.run_id) for judged in change.judged])
        judged_old = sum(self._is_old(judged.run_id) for judged in change.judged)
        return Written(written.new, written.updated + judged_old)

    def _write_lines(self, deployment_id: str, lines: Sequence[bytes]) -> Written:
        written = Written()
        for start in range(0, len(lines), _AT_ONCE):
            rows = rows_of(list(lines[start : start + _AT_ONCE]), self._row_maker)
            # A run that cannot be decoded does not say whose it is.
            rows = [row if row[1] is not None else (row[0], deployment_id, *row[2:]) for row in rows]
            new, updated = self._write_rows([row for row in rows if row[0] is not None])
            nameless = self._write_nameless([row for row in rows if row[0] is None])
            written = Written(written.new + new + nameless, written.updated + updated)
        return written

    def _write_rows(self, rows: list[Row]) -> Written:
        kept = self._kept([row[0] for row in rows])
        wanted: dict[object, Row] = {}
        for row in rows:
            old = kept.get(row[0])
            if old is None or (row[-1] != old.raw and Facts.of(row).may_replace(old.facts)):
                wanted[row[0]] = row
        self._connection.executemany(UPSERT, wanted.values())
        changed = [kept[run_id].rowid for run_id in wanted if run_id in kept]
        return Written(len(wanted) - len(changed), sum(rowid <= self._last_old_row for rowid in changed))

    def _write_nameless(self, rows: list[Row]) -> int:
        """Write runs so odd that not even their ids can be read, each once."""
        new = 0
        for row in rows:
            known = self._connection.execute("SELECT 1 FROM runs WHERE id IS NULL AND raw IS ?", (row[-1],)).fetchone()
            if known is None:
                self._connection.execute(UPSERT, row)
                new += 1
        return new

    def _kept(self, ids: list[object]) -> dict[object, _Kept]:
        query = _KEPT % ", ".join("?" * len(ids))
        return {
            run_id: _Kept(rowid, raw, Facts(*facts))
            for rowid, run_id, raw, *facts in self._connection.execute(query, ids)
        }

    def _is_old(self, run_id: str) -> bool:
        found = self._connection.execute("SELECT rowid FROM runs WHERE id = ?", (run_id,)).fetchone()
        return found is not None and found[0] <= self._last_old_row


class _Kept(NamedTuple):
    """A run that is in the file."""

    rowid: int
    raw: object
    facts: Facts
