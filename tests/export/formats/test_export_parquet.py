"""Parquet: its types, and what pyarrow and DuckDB read back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from formats_support import (
    DOCUMENTED,
    NAMES,
    NUMBERS,
    RUNS,
    SCOPE,
    TEXTS,
    TIMES,
    UNDECODABLE,
    WITHOUT_ID,
    WORDS,
    as_text,
    expected,
    history,
    id_of,
    line_of,
    run,
    with_extra_read,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from qoder_async.export.write import to_parquet

TYPES = (
    dict.fromkeys(TEXTS, pa.string())
    | dict.fromkeys(WORDS, pa.dictionary(pa.int32(), pa.string()))
    | dict.fromkeys(TIMES, pa.timestamp("us", tz="UTC"))
    | dict.fromkeys(NUMBERS, pa.int64())
)


def written(tmp_path, *lines):
    path = tmp_path / "runs.parquet"
    undecodable = to_parquet.write([list(lines)], path, scope=SCOPE)
    return path, undecodable


def read(path):
    table = parquet.read_table(path)
    table.validate(full=True)
    return table.to_pylist()


def test_documented_runs(tmp_path):
    path, undecodable = written(tmp_path, *map(line_of, DOCUMENTED.values()))

    assert with_extra_read(read(path)) == list(map(expected, DOCUMENTED.values()))
    assert undecodable == 0


@pytest.mark.parametrize("lines", [[], [line_of(run())], [UNDECODABLE["NaN"]]])
def test_the_types_are_the_documented_ones(tmp_path, lines):
    path, _ = written(tmp_path, *lines)
    schema = parquet.read_schema(path)

    assert schema.names == NAMES
    assert dict(zip(schema.names, schema.types, strict=True)) == TYPES
    assert all(field.nullable for field in schema)


def test_the_file_says_what_was_exported(tmp_path):
    path, _ = written(tmp_path)
    assert json.loads(parquet.read_schema(path).metadata[b"qoder_async"]) == json.loads(SCOPE)


@pytest.mark.parametrize("batches", [[], [[]]])
def test_no_runs_make_a_whole_empty_file(tmp_path, batches):
    path = tmp_path / "runs.parquet"
    assert to_parquet.write(batches, path, scope=SCOPE) == 0
    assert read(path) == []


@given(st.lists(RUNS, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_was_written_is_read_back(records):
    records = [record | {"id": f"drun_{number}"} for number, record in enumerate(records)]
    with tempfile.TemporaryDirectory() as folder:
        path, undecodable = written(Path(folder), *map(line_of, records))
        found = with_extra_read(read(path))

    assert found == list(map(expected, records))
    assert undecodable == 0


def test_runs_that_cannot_be_decoded_keep_their_json(tmp_path):
    lines = [*UNDECODABLE.values(), *WITHOUT_ID.values()]
    path, undecodable = written(tmp_path, line_of(run(99)), *lines, line_of(run(100)))
    found = read(path)

    assert undecodable == len(lines)
    assert found[0] == expected(run(99))
    assert found[-1] == expected(run(100))
    for line, row in zip(lines, found[1:-1], strict=True):
        run_id = id_of(line) if line in UNDECODABLE.values() else None
        assert row == dict.fromkeys(NAMES) | {"id": run_id, "extra": row["extra"]}
        text = row["extra"].replace(r"\\xe9", "\udce9").replace(r"\\xff", "\udcff")
        assert text.encode("utf-8", "surrogateescape") == line


def test_a_long_history_in_groups_of_rows(tmp_path):
    path = tmp_path / "runs.parquet"
    to_parquet.write(history(41_000), path, scope=SCOPE)

    file = parquet.ParquetFile(path)
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [20_000, 20_000, 1_000]
    assert file.read(["id"]).column("id").to_pylist() == [f"drun_{number:032x}" for number in range(41_000)]
    columns = {groups[1].column(i).path_in_schema: groups[1].column(i) for i in range(len(NAMES))}
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert [name for name in NAMES if "RLE_DICTIONARY" in columns[name].encodings] == [
        name for name in NAMES if name in WORDS
    ]
    # Words are in the dictionary only: nothing was written beside it.
    assert columns["deployment_id"].total_compressed_size < 1_000
    file.close()


def test_words_that_change_on_the_way_are_written_once(tmp_path):
    deployments = [f"dep_{number // 500:032x}" for number in range(10_000)]
    lines = [line_of(run(number, deployment_id=deployment)) for number, deployment in enumerate(deployments)]
    path, _ = written(tmp_path, *lines)

    assert [row["deployment_id"] for row in read(path)] == deployments
    column = parquet.read_metadata(path).row_group(0).column(NAMES.index("deployment_id"))
    assert column.total_uncompressed_size < 10_000


# DuckDB


def duck(query, path):
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        return connection.execute(query, [str(path)]).fetchall()


def test_duckdb_sees_the_documented_types(tmp_path):
    path, _ = written(tmp_path, line_of(run()))
    types = {name: kind for name, kind, *_ in duck("DESCRIBE SELECT * FROM read_parquet(?)", path)}

    assert types == (
        dict.fromkeys((*TEXTS, *WORDS), "VARCHAR")
        | dict.fromkeys(TIMES, "TIMESTAMP WITH TIME ZONE")
        | dict.fromkeys(NUMBERS, "BIGINT")
    )


@given(st.lists(RUNS, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30)
def test_duckdb_reads_the_same(records):
    records = [record | {"id": f"drun_{number}"} for number, record in enumerate(records)]
    wanted = ", ".join(f"epoch_us({name})" if name in TIMES else name for name in NAMES)
    with tempfile.TemporaryDirectory() as folder:
        path, _ = written(Path(folder), *map(line_of, records))
        found = duck(f"SELECT {wanted} FROM read_parquet(?)", path)

    rows = with_extra_read(dict(zip(NAMES, row, strict=True)) for row in found)
    assert rows == [values | {name: _epoch_us(values[name]) for name in TIMES} for values in map(expected, records)]


def _epoch_us(moment):
    if moment is None:
        return None
    since = moment - moment.replace(year=1970, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds


def test_duckdb_answers_the_usual_questions(tmp_path):
    path = tmp_path / "runs.parquet"
    to_parquet.write(history(1_000), path, scope=SCOPE)
    [(count, newest)] = duck(
        "SELECT count(*), strftime(max(time) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') FROM read_parquet(?) "
        "WHERE status = 'completed' AND time >= TIMESTAMPTZ '2026-01-01 00:10:00Z'",
        path,
    )
    wanted = [values for values in map(expected, map(json.loads, _lines())) if values["status"]]
    assert newest == as_text(max(values["time"] for values in wanted))
    assert count == sum(as_text(values["time"]) >= "2026-01-01T00:10:00" for values in wanted)


def _lines():
    return [line for batch in history(1_000) for line in batch]
