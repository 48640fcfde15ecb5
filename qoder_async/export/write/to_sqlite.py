"""Writes runs as a SQLite file."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from qoder_async.export.write.rows import in_parts
from qoder_async.export.write.sqlite_schema import INDEXES, MARKS, TABLES, UPSERT, row_maker, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_CACHE_KIB = 16_384
_SETTINGS = (
    # Nobody reads the file before it is whole, and one that is not is written anew.
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
)


def write(batches: Iterable[list[bytes]], target: Path, *, scope: str) -> int:
    """Write runs into a SQLite file.

    Args:
        batches: Their JSON.
        target: The file; what is there is overwritten.
        scope: What was exported; it becomes the value of ``scope`` in the table ``info``.

    Returns:
        How many of them could not be decoded.

    Raises:
        OSError: The file cannot be written.
    """
    target.open("wb").close()
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as connection:
            return _write(batches, connection, scope)
    except sqlite3.Error as error:
        failure = _os_error(error, target)
    raise failure


def _write(batches: Iterable[list[bytes]], connection: sqlite3.Connection, scope: str) -> int:
    rows = row_maker()
    for statement in (*_SETTINGS, "BEGIN", *MARKS, *TABLES):
        connection.execute(statement)
    connection.execute("INSERT INTO info VALUES ('scope', ?)", (scope,))
    for lines in in_parts(batches):
        connection.executemany(UPSERT, rows_of(lines, rows))
    for statement in (*INDEXES, "COMMIT"):
        connection.execute(statement)
    return rows.undecodable


def _os_error(error: sqlite3.Error, target: Path) -> OSError:
    """Say what SQLite met as any other writer would."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    return OSError(errno.EIO, f"SQLite says: {error}", str(target))
