"""The ids in an exported file, read by other means than the library's own."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import zstandard
from pyarrow import parquet

if TYPE_CHECKING:
    from pathlib import Path


def ids_in(path: Path, ending: str) -> list[str]:
    """The ids in a file of any format."""
    if ending == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [row["id"] for row in csv.DictReader(file)]
    if ending == "db":
        with closing(sqlite3.connect(path)) as connection:
            return [run_id for (run_id,) in connection.execute("SELECT id FROM runs")]
    if ending == "parquet":
        # Bytes, as pyarrow's threads may go on holding a file for a moment, which looks as if the library did.
        ids: list[str] = parquet.read_table(io.BytesIO(path.read_bytes()), columns=["id"]).column("id").to_pylist()
        return ids
    data = path.read_bytes()
    if ending == "jsonl.gz":
        data = gzip.decompress(data)
    elif ending == "jsonl.zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return [json.loads(line)["id"] for line in data.splitlines()]
