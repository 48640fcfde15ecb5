"""SQLite: its tables and marks, what sqlite3 reads back, and what the usual questions cost."""

from __future__ import annotations

import errno
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from formats_support import (
    DOCUMENTED,
    EXTENDED,
    NAMES,
    NUMBERS,
    RUNS,
    SCOPE,
    UNDECODABLE,
    WITHOUT_ID,
    expected,
    history,
    id_of,
    line_of,
    read_sqlite,
    run,
    texts,
    with_extra_read,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qoder_async.export.write import to_sqlite
from qoder_async.export.write.sqlite_schema import OUTCOME_COLUMNS, TABLES, UPSERT, row_maker, row_of, rows_of

OUTCOMES = ["outcome", "outcome_at", "outcome_error_type", "outcome_error_message", "stop_reason"]


def written(tmp_path, *lines):
    path = tmp_path / "runs.db"
    undecodable = to_sqlite.write([list(lines)], path, scope=SCOPE)
    return path, undecodable


def row_in_file(record):
    return texts(expected(record)) | dict.fromkeys(OUTCOMES) | {"raw": line_of(record).decode()}


def ask(path, query, *values):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def test_documented_runs(tmp_path):
    records = [record | {"id": f"drun_{number}"} for number, record in enumerate(DOCUMENTED.values())]
    path, undecodable = written(tmp_path, *map(line_of, records))

    assert with_extra_read(read_sqlite(path)) == list(map(row_in_file, records))
    assert undecodable == 0


def test_the_table_is_the_documented_one(tmp_path):
    path, _ = written(tmp_path)
    found = ask(path, "SELECT name, type, pk FROM pragma_table_info('runs') ORDER BY cid")

    assert found == [
        (name, "INTEGER" if name in NUMBERS else "TEXT", int(name == "id")) for name in (*NAMES, *OUTCOMES, "raw")
    ]
    assert list(OUTCOME_COLUMNS) == OUTCOMES


def test_the_file_is_marked_and_says_what_was_exported(tmp_path):
    path, _ = written(tmp_path)

    assert ask(path, "PRAGMA application_id") == [(int.from_bytes(b"QDER", "big"),)]
    assert ask(path, "PRAGMA user_version") == [(1,)]
    assert ask(path, "SELECT key, value FROM info") == [("scope", SCOPE)]
    assert path.read_bytes()[:16] == b"SQLite format 3\0"


def test_the_file_is_whole_in_itself(tmp_path):
    path = tmp_path / "runs.db"
    to_sqlite.write(history(3_000), path, scope=SCOPE)

    assert [file.name for file in tmp_path.iterdir()] == ["runs.db"]
    assert ask(path, "PRAGMA journal_mode") == [("delete",)]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]
    assert ask(path, "SELECT count(*) FROM runs") == [(3_000,)]


@pytest.mark.parametrize("batches", [[], [[]]])
def test_no_runs_make_a_whole_empty_file(tmp_path, batches):
    path = tmp_path / "runs.db"
    assert to_sqlite.write(batches, path, scope=SCOPE) == 0
    assert read_sqlite(path) == []
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


@given(st.lists(RUNS, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_was_written_is_read_back(records):
    records = [record | {"id": f"drun_{number}"} for number, record in enumerate(records)]
    with tempfile.TemporaryDirectory() as folder:
        path, undecodable = written(Path(folder), *map(line_of, records))
        found = with_extra_read(read_sqlite(path))

    assert found == list(map(row_in_file, records))
    assert undecodable == 0


def test_values_have_the_types_of_sqlite(tmp_path):
    path, _ = written(tmp_path, line_of(run()))
    [types] = ask(path, "SELECT typeof(id), typeof(time), typeof(duration_ms), typeof(extra), typeof(raw) FROM runs")
    assert types == ("text", "text", "integer", "null", "text")


def test_runs_that_cannot_be_decoded_keep_their_json(tmp_path):
    lines = [*UNDECODABLE.values(), *WITHOUT_ID.values()]
    path, undecodable = written(tmp_path, line_of(run(99)), *lines, line_of(run(100)))
    found = read_sqlite(path)

    assert undecodable == len(lines)
    assert (found[0], found[-1]) == (row_in_file(run(99)), row_in_file(run(100)))
    for line, row in zip(lines, found[1:-1], strict=True):
        run_id = id_of(line) if line in UNDECODABLE.values() else None
        assert row == dict.fromkeys([*NAMES, *OUTCOMES]) | {"id": run_id, "raw": row["raw"]}
        assert (row["raw"] if isinstance(row["raw"], bytes) else row["raw"].encode()) == line
    blobs = [line for line, row in zip(lines, found[1:-1], strict=True) if isinstance(row["raw"], bytes)]
    assert blobs == [UNDECODABLE["no UTF-8"], UNDECODABLE["no UTF-8 in a name"]]


def test_the_same_run_twice_is_there_once_as_it_came_last(tmp_path):
    path, _ = written(tmp_path, line_of(run(1, status="running")), line_of(run(2)), line_of(run(1)))
    assert [(row["id"], row["status"]) for row in read_sqlite(path)] == [
        (run(1)["id"], "completed"),
        (run(2)["id"], "completed"),
    ]


def test_what_is_there_is_overwritten(tmp_path):
    path = tmp_path / "runs.db"
    path.write_text("something else")
    to_sqlite.write([[line_of(run(1))]], path, scope="{}")
    to_sqlite.write([[line_of(run(2))]], path, scope=SCOPE)

    assert [row["id"] for row in read_sqlite(path)] == [run(2)["id"]]


# The usual questions


def plan_of(path, query):
    return " ".join(row[-1] for row in ask(path, f"EXPLAIN QUERY PLAN {query}"))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("SELECT * FROM runs WHERE id = 'drun_1'", "sqlite_autoindex_runs_1 (id=?)"),
        (
            "SELECT * FROM runs WHERE deployment_id = 'dep_1' AND time >= '2026-01-01' ORDER BY time DESC LIMIT 10",
            "runs_by_deployment (deployment_id=? AND time>?)",
        ),
        (
            "SELECT * FROM runs WHERE status = 'failed' AND time >= '2026-01-01' ORDER BY time",
            "runs_by_status (status=? AND time>?)",
        ),
        ("SELECT * FROM runs WHERE time >= '2026-01-01' ORDER BY time", "runs_by_time (time>?)"),
        ("SELECT * FROM runs WHERE session_id = 'sess_1'", "runs_by_session (session_id=?)"),
        ("SELECT deployment_id, max(time) FROM runs GROUP BY deployment_id", "runs_by_deployment"),
        ("SELECT status, count(*) FROM runs GROUP BY status", "COVERING INDEX runs_by_status"),
    ],
)
def test_the_usual_questions_are_answered_from_an_index(tmp_path, query, index):
    path, _ = written(tmp_path)
    plan = plan_of(path, query)

    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_the_date_functions_of_sqlite_understand_the_times(tmp_path):
    path, _ = written(tmp_path, line_of(run(created_at="2026-11-22T14:01:25.25+05:30", triggered_at=None)))
    assert ask(path, "SELECT date(time), strftime('%H:%M:%f', time), strftime('%s', time) FROM runs") == [
        ("2026-11-22", "08:31:25.250", "1795336285")
    ]


# What a sync shares


def test_an_upsert_leaves_the_outcome(tmp_path):
    path, _ = written(tmp_path, line_of(run(1, status="running", completed_at=None)))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE runs SET outcome = 'completed', stop_reason = 'end_turn'")
        connection.execute(UPSERT, row_of(line_of(run(1))))

    assert with_extra_read(read_sqlite(path)) == [
        row_in_file(run(1)) | {"outcome": "completed", "stop_reason": "end_turn"}
    ]


def test_an_upsert_writes_all_columns_anew(tmp_path):
    trigger = {"type": "schedule", "scheduled_at": "2026-06-14T08:58:04Z"}
    full = run(error={"type": "t", "message": "m"}, trigger_context=trigger, colour="red")
    path, _ = written(tmp_path, line_of(full))
    assert None not in {read_sqlite(path)[0][name] for name in NAMES}

    rest = line_of({"id": full["id"]})
    path, _ = written(tmp_path, line_of(full), rest)
    assert read_sqlite(path) == [dict.fromkeys([*NAMES, *OUTCOMES]) | {"id": full["id"], "raw": rest.decode()}]


def test_one_row_is_as_the_row_of_many():
    lines = [line_of(EXTENDED), *UNDECODABLE.values(), line_of(run(colour="red"))]
    rows = row_maker()

    assert rows_of(lines, rows) == [row_of(line) for line in lines]
    assert rows.undecodable == len(UNDECODABLE)


def test_the_tables_may_be_there_already(tmp_path):
    path, _ = written(tmp_path, line_of(run()))
    with closing(sqlite3.connect(path)) as connection:
        for statement in TABLES:
            connection.execute(statement)
    assert len(read_sqlite(path)) == 1


# Trouble


def test_a_full_disk_is_an_error_of_the_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr(to_sqlite, "_SETTINGS", (*to_sqlite._SETTINGS, "PRAGMA max_page_count = 20"))

    with pytest.raises(OSError) as caught:
        to_sqlite.write(history(1_000), tmp_path / "runs.db", scope=SCOPE)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "runs.db"))
    assert caught.value.__context__ is None


def test_other_errors_of_sqlite_are_errors_of_the_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr(to_sqlite, "TABLES", ("CREATE TABLE nonsense",))

    with pytest.raises(OSError, match="SQLite says: ") as caught:
        to_sqlite.write([], tmp_path / "runs.db", scope=SCOPE)
    assert caught.value.errno == errno.EIO


def test_scope_is_kept_as_it_is(tmp_path):
    path, _ = written(tmp_path)
    assert json.loads(ask(path, "SELECT value FROM info WHERE key = 'scope'")[0][0])["deployments"] == ["dep_é"]
