"""Files read by other means than the library's: how many rows there are, and how many different runs."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from contextlib import closing
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def count(path: Path, kind: str) -> tuple[int, int]:
    """Count the rows of a file of some format, and the ids among them."""
    seen: set[str] = set()
    rows = 0
    for run_id in _ids(path, kind):
        rows += 1
        seen.add(run_id)
    return rows, len(seen)


def _ids(path: Path, kind: str) -> Iterator[str]:
    if kind == "jsonl":
        with path.open("rb") as file:
            yield from _ids_of_lines(file)
    elif kind == "jsonl.gz":
        with gzip.open(path) as file:
            yield from _ids_of_lines(file)
    elif kind == "jsonl.zst":
        yield from _ids_of_zstd(path)
    elif kind == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            yield from (row["id"] for row in csv.DictReader(file))
    elif kind == "parquet":
        yield from _ids_of_parquet(path)
    else:
        with closing(sqlite3.connect(path)) as database:
            yield from (run_id for (run_id,) in database.execute("SELECT id FROM runs"))


def _ids_of_lines(lines: Iterable[bytes]) -> Iterator[str]:
    return (json.loads(line)["id"] for line in lines)


def _ids_of_zstd(path: Path) -> Iterator[str]:
    import zstandard

    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream:
        yield from _ids_of_lines(_lines(stream))


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    left = b""
    while data := stream.read(1 << 20):
        *lines, left = (left + data).split(b"\n")
        yield from lines
    if left:
        raise SystemExit("the last line has no end")


def _ids_of_parquet(path: Path) -> Iterator[str]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["id"]):
            yield from batch.column("id").to_pylist()
