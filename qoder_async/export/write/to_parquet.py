"""Writes runs as Parquet, in row groups that are small enough to be held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qoder_async.export.extras import missing_extra
from qoder_async.export.write.columns import COLUMNS, in_utc
from qoder_async.export.write.rows import Rows, in_parts

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError as _error:
    raise missing_extra("pyarrow") from _error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PART = 500
"""How many rows become columns at a time: so few that other threads get their turn."""
_PARTS_OF_GROUP = 40
_WORDS = [column.name for column in COLUMNS if column.kind == "word"]

_TYPES = {
    "text": pa.string(),
    "word": pa.dictionary(pa.int32(), pa.string()),
    "number": pa.int64(),
    "time": pa.timestamp("us", tz="UTC"),
}


def write(batches: Iterable[list[bytes]], target: Path, *, scope: str) -> int:
    """Write runs into a Parquet file.

    Args:
        batches: Their JSON.
        target: The file; what is there is overwritten.
        scope: What was exported; it becomes the schema's metadata ``qoder_async``.

    Returns:
        How many of them could not be decoded.

    Raises:
        OSError: The file cannot be written.
    """
    schema = pa.schema([(column.name, _TYPES[column.kind]) for column in COLUMNS], {"qoder_async": scope})
    rows = Rows(in_utc)
    options: dict[str, Any] = {"compression": "zstd", "use_dictionary": _WORDS}
    with parquet.ParquetWriter(target, schema, **options) as writer:
        group: list[pa.RecordBatch] = []
        for part in _column_parts(batches, rows, schema):
            group.append(part)
            if len(group) == _PARTS_OF_GROUP:
                _write_group(writer, group)
        if group:
            _write_group(writer, group)
    return rows.undecodable


def _column_parts(batches: Iterable[list[bytes]], rows: Rows, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    columns: list[list[object]] = [[] for _ in COLUMNS]
    for lines in in_parts(batches):
        for column, values in zip(columns, zip(*rows.of(lines), strict=True), strict=True):
            column.extend(values)
        if len(columns[0]) >= _PART:
            yield _to_arrow(columns, schema)
    if columns[0]:
        yield _to_arrow(columns, schema)


def _to_arrow(columns: list[list[object]], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    for values in columns:
        values.clear()
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _write_group(writer: parquet.ParquetWriter, group: list[pa.RecordBatch]) -> None:
    # Parts with dictionaries of their own would end the dictionary at the second of them.
    writer.write_table(pa.Table.from_batches(group).unify_dictionaries())
    group.clear()
