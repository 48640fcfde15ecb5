"""Whether a file holds exactly the service's runs, seen by other means than the library's."""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

JSON_LINES = ("jsonl", "jsonl.gz", "jsonl.zst")


class WrongError(AssertionError):
    """A file is not what it must be."""


def check(path: Path, kind: str, records: Mapping[str, bytes], at_least: Iterable[str]) -> int:
    """Check a whole file, and give its number of rows.

    Args:
        path: The file.
        kind: Its format, or ``sync``.
        records: All runs that the service has, as it sends them, by id.
        at_least: The ids of the runs that must be there; others may have been triggered too late.

    Raises:
        WrongError: Something is missing, double or not as the service sent it.
    """
    ids = _ids_of_lines(_lines(path, kind), records) if kind in JSON_LINES else _READERS[kind](path, records)
    counted = Counter(ids)
    missing, foreign = set(at_least) - counted.keys(), counted.keys() - records.keys()
    doubles = [run_id for run_id, count in counted.items() if count > 1]
    if doubles or missing or foreign:
        some = [records.get(run_id, run_id) for run_id in [*missing, *doubles, *foreign][:3]]
        raise WrongError(
            f"{path.name}: {len(missing)} runs missing, {len(doubles)} double, {len(foreign)} not the service's: {some}"
        )
    return len(ids)


def _lines(path: Path, kind: str) -> list[bytes]:
    data = path.read_bytes()
    if kind == "jsonl.gz":
        data = gzip.decompress(data)
    elif kind == "jsonl.zst":
        import zstandard

        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
            data = stream.read()
    *lines, rest = data.split(b"\n")
    if rest:
        raise WrongError(f"{path.name}: the last line is torn: {rest[-80:]!r}")
    return lines


def _ids_of_lines(lines: Iterable[bytes], records: Mapping[str, bytes]) -> list[str]:
    ids = []
    for line in lines:
        try:
            ids.append(json.loads(line)["id"])
        except (ValueError, KeyError, TypeError):
            raise WrongError(f"no JSON of a run: {line[:200]!r}") from None
        _compare(line, records.get(ids[-1]))
    return ids


def _compare(line: bytes, record: bytes | None) -> None:
    if record is None or line == record:
        return
    if b"\n" not in record or json.loads(line) != json.loads(record):
        raise WrongError(f"not what the server sent: {line[:200]!r} instead of {record[:200]!r}")


def _ids_of_csv(path: Path, records: Mapping[str, bytes]) -> list[str]:
    text = path.read_bytes().decode()
    if not text.endswith("\n"):
        raise WrongError("the last line is torn")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    for row in rows:
        _compare_cells(row, records)
    return [row["id"] for row in rows]


def _ids_of_parquet(path: Path, records: Mapping[str, bytes]) -> list[str]:
    from pyarrow import parquet

    rows = parquet.read_table(path).to_pylist()
    for row in rows:
        _compare_cells(row, records)
    return [row["id"] for row in rows]


def _compare_cells(row: Mapping[str, Any], records: Mapping[str, bytes]) -> None:
    raw = records.get(row["id"], b"{}")
    record, extra = json.loads(raw), json.loads(row["extra"] or "{}")
    if "id" in extra:  # it could not be decoded, and must stand there whole
        _compare(row["extra"].encode(), raw)
    elif "type" in record:
        wanted = (record["deployment_id"], record.get("session_id") or "", record["agent"]["id"])
        if (row["deployment_id"], row["session_id"] or "", row["agent_id"]) != wanted:
            raise WrongError(f"{row} is not {record}")


def _ids_of_sqlite(path: Path, records: Mapping[str, bytes], *, exactly: bool = True) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        found = [word for (word,) in database.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise WrongError(f"{path.name}: {found}")
        rows = database.execute("SELECT id, raw FROM runs").fetchall()
    for run_id, raw in rows if exactly else ():
        _compare(raw.encode() if isinstance(raw, str) else raw, records.get(run_id))
    return [run_id for run_id, _ in rows]


def look_into_database(path: Path, folder: Path, records: Mapping[str, bytes]) -> None:
    """Check what a killed process has left of a database, in a copy: it may not be complete, but it must be sound.

    Args:
        path: The database; journals stand beside it.
        folder: Where the copy is made, and removed again.
        records: All runs that the service has.

    Raises:
        WrongError: It is damaged, or holds what the service has not.
    """
    shutil.copytree(path.parent, folder)
    copy = folder / path.name
    with closing(sqlite3.connect(copy)) as database:
        is_empty = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    ids = [] if is_empty else _ids_of_sqlite(copy, records, exactly=False)
    shutil.rmtree(folder)
    if set(ids) - set(records) or len(ids) != len(set(ids)):
        raise WrongError("a killed process has left runs that are not the service's, or double")


_READERS = {"csv": _ids_of_csv, "parquet": _ids_of_parquet, "sqlite": _ids_of_sqlite, "sync": _ids_of_sqlite}
