"""Which files a sync takes, and that it leaves all others alone."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing

import pytest
from support.clock import START
from sync_support import line, query

from qoder_async import ExportError
from qoder_async.export.sync.changes import Change
from qoder_async.export.sync.file import open_store
from qoder_async.export.sync.plan import Mark, State
from qoder_async.export.write import to_csv, to_sqlite

NO_SCOPE = {"deployments": None, "triggered_after": None, "triggered_before": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


def export(path, *lines, **scope):
    to_sqlite.write([list(lines)], path, scope=json.dumps(NO_SCOPE | scope))


def refused(path, words):
    """Check that a file is refused, with these words, and left alone."""
    before = path.read_bytes() if path.is_file() else None
    beside = sorted(path.parent.iterdir())
    with pytest.raises(ExportError, match=words) as caught:
        open_store(path)
    assert caught.value.path == str(path)
    assert caught.value.__cause__ is None
    assert sorted(path.parent.iterdir()) == beside
    assert (path.read_bytes() if path.is_file() else None) == before


def opened(path):
    """Open a file, and give what it has of each deployment."""
    with closing(open_store(path)) as store:
        return {deployment_id: store.standing(deployment_id).state for deployment_id, _ in store.deployments()}


# New files


def test_a_file_is_made_where_there_is_none(path):
    assert opened(path) == {}
    assert path.read_bytes()[68:72] == b"QDER"
    assert query(path, "PRAGMA user_version") == [(1,)]
    assert query(path, "PRAGMA journal_mode") == [("delete",)]
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert [entry.name for entry in path.parent.iterdir()] == ["runs.db"]


def test_a_new_file_has_the_tables_and_indexes_of_an_export(path, tmp_path):
    opened(path)
    export(tmp_path / "export.db")
    schema = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sync%' AND sql IS NOT NULL ORDER BY name"
    found = query(path, schema)
    assert found == query(tmp_path / "export.db", schema)
    assert {"runs", "info", "runs_by_deployment"} <= dict(found).keys()


def test_an_empty_file_becomes_one(path):
    path.touch()
    assert opened(path) == {}
    assert opened(path) == {}


def test_what_an_earlier_attempt_left_does_not_matter(path):
    path.with_name("runs.db.writing").write_bytes(b"half of it")
    assert opened(path) == {}
    assert [entry.name for entry in path.parent.iterdir()] == ["runs.db"]


# Files of a sync


def test_what_was_written_is_known_again(path):
    state = State(known=Mark("drun_1", START))
    with closing(open_store(path)) as store:
        store.write([Change(deployment_id="dep_1", lines=[line()], state=state)])
    assert opened(path) == {"dep_1": state}


def test_a_file_in_another_journal_mode_stays_so(path):
    opened(path)
    query(path, "PRAGMA journal_mode = WAL")
    assert opened(path) == {}
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


# Files of an export


def test_an_export_of_whole_histories_is_taken_on(path):
    runs = [line(f"drun_{age}", at=age) for age in (10, 369, 370, 371)]
    export(path, *runs, line("drun_x", at=1000, deployment_id="dep_2"))
    assert opened(path) == {
        "dep_1": State(known=Mark("drun_370", ago(370))),
        "dep_2": State(),  # all of it was visible for less than 6 minutes when its newest run was made
    }
    assert opened(path)["dep_1"] == State(known=Mark("drun_370", ago(370)))


def test_an_export_of_some_deployments_is_taken_on(path):
    export(path, line(at=0), line("drun_2", at=1000), deployments=["dep_1"])
    assert opened(path)["dep_1"] == State(known=Mark("drun_2", ago(1000)))


def test_an_export_without_runs_is_taken_on(path):
    export(path)
    assert opened(path) == {}


def test_runs_that_cannot_be_decoded_are_in_nobodys_way(path):
    export(path, b'{"id":"drun_1","created_at":7}', line("drun_2"), line("drun_3", at=1000))
    assert opened(path) == {"dep_1": State(known=Mark("drun_3", ago(1000)))}


@pytest.mark.parametrize("bound", ["triggered_after", "triggered_before"])
def test_an_export_of_some_time_is_refused(path, bound):
    export(path, line(), **{bound: "2026-11-01T00:00:00Z"})
    refused(path, r"is an export of some time only \(.*2026-11-01T00:00:00Z.*\): sync to a new file")


def ago(seconds):
    from datetime import timedelta

    return START - timedelta(seconds=seconds)


# Everything else


def test_a_file_from_another_tool_is_refused(path):
    query(path, "CREATE TABLE runs (id TEXT)")
    refused(path, "exists and is no export of runs")


def test_a_text_is_refused(path):
    path.write_text("Dear diary")
    refused(path, "exists and is no export of runs")


def test_an_export_in_another_format_is_refused(tmp_path):
    path = tmp_path / "runs.csv"
    to_csv.write([[line()]], path, scope=json.dumps(NO_SCOPE))
    refused(path, "is an export in the format csv, and a sync takes SQLite: choose another name, such as runs.db")


def test_a_folder_is_refused(path):
    path.mkdir()
    refused(path, "is a folder")


def test_a_file_in_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ExportError, match="there is no such folder: make it first"):
        open_store(tmp_path / "nowhere" / "runs.db")


def test_a_read_only_file_is_refused(path):
    opened(path)
    path.chmod(0o444)
    refused(path, "is read-only")


def test_a_pipe_is_refused(path):
    os.mkfifo(path)
    with pytest.raises(ExportError, match="is no ordinary file"):
        open_store(path)


def test_a_file_of_a_later_version_is_refused(path):
    opened(path)
    query(path, "PRAGMA user_version = 2")
    refused(path, r"was made by a later version of this library \(its tables are of version 2.*upgrade qoder-async")


@pytest.mark.parametrize("scope", [None, "[]", "{}", "x", b"\xff"])
def test_an_export_that_does_not_say_what_it_is_about_is_refused(path, scope):
    export(path, line())
    connection = sqlite3.connect(path)
    connection.execute("UPDATE info SET value = ?", (scope,))
    connection.commit()
    connection.close()
    refused(path, "does not say what was exported to it: sync to a new file")


def test_an_export_without_the_tables_is_refused(path):
    export(path, line())
    query(path, "DROP TABLE info")
    refused(path, "cannot be synced: no such table: info")


def test_what_breaks_while_it_is_taken_on_changes_nothing(path, monkeypatch):
    from qoder_async.export.sync import file as sync_file

    export(path, line(at=0), line("drun_2", at=1000))
    monkeypatch.setattr(sync_file, "WRITE_STATE", "nonsense")
    refused(path, "cannot be synced: near")
    monkeypatch.undo()
    assert opened(path) == {"dep_1": State(known=Mark("drun_2", ago(1000)))}
