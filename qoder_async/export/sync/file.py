"""A sync's file as it is opened: a new one, one that was synced before, or one that an export has made."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from qoder_async._paging.run_lists import shifted
from qoder_async.errors import ExportError
from qoder_async.export.files import file_errors, move_into_place, open_new, sync_file
from qoder_async.export.read.recognition import recognise
from qoder_async.export.sync.plan import SAFE_AGE, Mark, State
from qoder_async.export.sync.store import PATIENCE, SyncStore, sqlite_errors
from qoder_async.export.sync.tables import SYNC_TABLES, WRITE_STATE, state_values
from qoder_async.export.target import check_target
from qoder_async.export.write.columns import as_text
from qoder_async.export.write.sqlite_schema import FIND_SYNC, INDEXES, MARKS, SELECT_SCOPE, TABLES, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CACHE_KIB = 32_000
"""Ids and times come in no order, so that every row is written into several pages of the file."""


def open_store(path: Path, base_url: str | None = None) -> SyncStore:
    """Open a file to sync it; where there is none it is made.

    Args:
        path: The file.
        base_url: The service that it is synced with, ``None`` where none is asked.

    Returns:
        The open file.

    Raises:
        ExportError: It cannot be written, is something else than a file of all runs of deployments, or has runs of
            another service.
    """
    check_target(path, is_for_sync=True)
    if not path.exists() or not path.stat().st_size:
        _make(path)
    elif (kind := recognise(path)) != "sqlite":
        raise ExportError(
            f"{path} is an export in the format {kind}, and a sync takes SQLite: choose another name, such as runs.db",
            path=str(path),
        )
    with sqlite_errors(path):
        connection = _connect(path)
        try:
            _check_version(connection, path)
            _check_service(connection, path, base_url)
            _adopt(connection, path)
            return SyncStore(connection, path, base_url)
        except BaseException:
            connection.close()
            raise


def _connect(path: Path) -> sqlite3.Connection:
    # Threads take turns, and transactions are begun by hand.
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except BaseException:  # it reads the file, which may be damaged
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Make a file without runs; it has its name once it is whole."""
    fresh = path.with_name(f"{path.name}.writing")
    with file_errors(path), sqlite_errors(path):
        os.close(open_new(fresh))
        with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            for statement in ("BEGIN", *TABLES, *INDEXES, *SYNC_TABLES, *MARKS):
                connection.execute(statement)
            scope = json.dumps({"deployments": [], "triggered_after": None, "triggered_before": None})
            connection.execute("INSERT INTO info VALUES ('scope', ?)", (scope,))
            connection.execute("COMMIT")
        sync_file(fresh)
        move_into_place(fresh, path)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise ExportError(
            f"{path} was made by a later version of this library (its tables are of version {version}, this one "
            f"knows {VERSION}): upgrade qoder-async",
            path=str(path),
        )


def _check_service(connection: sqlite3.Connection, path: Path, base_url: str | None) -> None:
    was = _scope(connection).get("base_url")
    if isinstance(was, str) and base_url not in (None, was):
        raise ExportError(
            f"{path} has runs of another service ({was}; now {base_url}), and would be a mixture: sync to a new file",
            path=str(path),
        )


def _adopt(connection: sqlite3.Connection, path: Path) -> None:
    """Give a file that an export has made the tables of a sync; everything in it is known then."""
    if connection.execute(FIND_SYNC).fetchone() is not None:
        return
    _check_scope(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for statement in SYNC_TABLES:
            connection.execute(statement)
        connection.executemany(WRITE_STATE, _states(connection, path))


def _states(connection: sqlite3.Connection, path: Path) -> list[tuple[object, ...]]:
    with suppress(ValueError, TypeError):
        return [(deployment, *state_values(State(mark))) for deployment, mark in _marks(connection)]
    raise ExportError(f"{path} is damaged: move it away, and sync to a new file", path=str(path))


def _check_scope(connection: sqlite3.Connection, path: Path) -> None:
    scope = _scope(connection)
    if "deployments" not in scope:
        raise ExportError(f"{path} does not say what was exported to it: sync to a new file", path=str(path))
    if scope.get("triggered_after") is not None or scope.get("triggered_before") is not None:
        raise ExportError(
            f"{path} is an export of some time only ({scope.get('triggered_after') or 'the beginning'} to "
            f"{scope.get('triggered_before') or 'the end'}): sync to a new file",
            path=str(path),
        )


def _scope(connection: sqlite3.Connection) -> dict[str, object]:
    """Read what a file is about; nothing where it does not say."""
    found = connection.execute(SELECT_SCOPE).fetchone()
    scope = None
    with suppress(ValueError, TypeError, RecursionError):
        scope = json.loads(found[0])
    return scope if isinstance(scope, dict) else {}


def _marks(connection: sqlite3.Connection) -> Iterator[tuple[str, Mark | None]]:
    """Find the mark of each deployment: the export began no earlier than its newest run was triggered."""
    newest = connection.execute(
        "SELECT deployment_id, max(time) FROM runs WHERE deployment_id IS NOT NULL AND time IS NOT NULL GROUP BY 1"
    ).fetchall()
    for deployment_id, time in newest:
        settled = as_text(shifted(datetime.fromisoformat(time), -SAFE_AGE))
        mark = connection.execute(
            "SELECT id, time FROM runs WHERE deployment_id = ? AND time <= ? AND id IS NOT NULL"
            " ORDER BY time DESC LIMIT 1",
            (deployment_id, settled),
        ).fetchone()
        yield deployment_id, None if mark is None else Mark(mark[0], datetime.fromisoformat(mark[1]))
