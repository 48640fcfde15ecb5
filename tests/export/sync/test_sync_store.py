"""The file of a sync: rows and what is known are written together, or not at all."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clock import START
from sync_support import column, line, query

from qoder_async import Cursor, ExportError
from qoder_async.export.sync import file as sync_file
from qoder_async.export.sync import store as sync_store
from qoder_async.export.sync.changes import Change, Judged
from qoder_async.export.sync.file import open_store
from qoder_async.export.sync.plan import Descent, Mark, State
from qoder_async.export.sync.rereads import Unfinished
from qoder_async.export.sync.tables import state_of, state_values
from qoder_async.export.walks import Place

KNOWN = State(known=Mark("drun_9", START))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.db"


@pytest.fixture
def store(path):
    opened = open_store(path)
    yield opened
    opened.close()


def change(*lines, **more):
    return Change(deployment_id="dep_1", lines=lines, **more)


# What is known


def test_a_new_deployment_has_nothing(store):
    standing = store.standing("dep_1")
    assert (standing.state, standing.unfinished, standing.has_runs) == (None, [], False)


def test_what_is_written_is_there(store):
    store.write([change(line("drun_1", status="running"), line("drun_2", at=5), state=KNOWN)])
    standing = store.standing("dep_1")
    assert standing.state == KNOWN
    assert standing.unfinished == [Unfinished("drun_1", "2026-11-22T08:30:00.000000Z")]
    assert standing.has_runs
    assert store.standing("dep_2").state is None


times = st.none() | st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
marks = st.none() | st.builds(Mark, st.text(min_size=1), times.filter(bool))
cursors = st.builds(Cursor, st.sampled_from(["after_id", "page"]), st.text(min_size=1), st.integers(0, 9))
descents = st.builds(Descent, st.builds(Place, cursors, times, st.none() | st.text(), times), times, marks)


@given(st.builds(State, marks, st.none() | descents, st.none() | st.text()))
def test_a_state_comes_back_as_it_was(state):
    assert state_of(state_values(state)) == state


def test_a_time_that_no_column_can_hold_is_left_out():
    odd = datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))
    state = State(descent=Descent(Place(Cursor("after_id", "drun_1"), last_time=odd)))
    assert state_of(state_values(state)) == State(descent=Descent(Place(Cursor("after_id", "drun_1"))))


# Rows


def test_new_and_changed_runs_are_counted(store, path):
    first = store.write([change(line("drun_1", status="running"), line("drun_2"))])
    assert first == (2, 0)
    assert store.write([change(line("drun_1"), line("drun_2"))]) == (0, 0)  # it is new in this sync
    store.close()
    again = open_store(path)
    assert again.write([change(line("drun_1"), line("drun_2"))]) == (0, 0)
    assert again.write([change(line("drun_1", duration_ms=7), line("drun_3"))]) == (1, 1)
    again.close()


def test_a_stale_copy_changes_nothing(store, path):
    ended = line("drun_1", completed_at=START.isoformat())
    store.write([change(ended)])
    assert store.write([change(line("drun_1", status="running"))]) == (0, 0)
    assert column(path, "raw") == [ended.decode()]


def test_within_one_write_the_last_counts(store, path):
    store.write([change(line("drun_1", status="running"), line("drun_1", status="completed"))])
    assert column(path, "status") == ["completed"]


def test_many_runs_at_once(store, path):
    many = [line(f"drun_{number:04}") for number in range(1234)]
    assert store.write([change(*many)]) == (1234, 0)
    assert store.write([change(*many)]) == (0, 0)
    assert store.count_runs() == 1234
    assert column(path, "raw") == [each.decode() for each in many]


def test_a_run_that_cannot_be_decoded_belongs_to_its_deployment(store, path):
    store.write([change(b'{"id":"drun_1","created_at":7}')])
    assert query(path, "SELECT id, deployment_id, time FROM runs") == [("drun_1", "dep_1", None)]
    assert store.standing("dep_1").unfinished == []


def test_runs_without_an_id_are_there_once(store, path):
    odd = [b'{"id":null}', b"{}", b'{"id":\xff}']
    assert store.write([change(*odd)]) == (3, 0)
    assert store.write([change(*odd)]) == (0, 0)
    assert sorted(value if isinstance(value, bytes) else value.encode() for value in column(path, "raw")) == sorted(odd)


# What is to be read again


def test_unfinished_runs_come_newest_first_and_without_those_that_are_missing(store):
    store.write([change(*(line(f"drun_{age}", at=age, status="running") for age in (3, 1, 2)))])
    store.write([change(missing=["drun_2"])])
    assert [run.id for run in store.standing("dep_1").unfinished] == ["drun_1", "drun_3"]
    assert store.count_unfinished(outcomes=False) == 2
    assert store.count_missing() == 1


def test_a_missing_run_that_has_come_again_and_ended_is_not_missing(store):
    store.write([change(line("drun_1", status="running"), missing=["drun_1"])])
    store.write([change(line("drun_1", status="completed"))])
    assert (store.count_missing(), store.count_unfinished(outcomes=False)) == (0, 0)


def test_a_run_without_trigger_time_has_no_place(store):
    store.write([change(line("drun_1", status="running", triggered_at=None))])
    assert [run.is_placed for run in store.standing("dep_1").unfinished] == [False]


def test_runs_are_counted_as_far_as_it_matters(store):
    store.write([change(*(line(f"drun_{age}", at=age) for age in range(10)), line("drun_6b", at=6))])
    times = [as_in_file(age) for age in (2, 6, 6, 9)]
    assert store.densities("dep_1", times, 100) == [(1, 0), (2, 5), (2, 0), (1, 3)]
    assert store.densities("dep_1", times, 2) == [(1, 0), (2, 2), (2, 0), (1, 2)]
    assert store.densities("dep_2", times[:1], 100) == [(0, 0)]
    assert store.densities("dep_1", [], 100) == []


def test_the_run_above_another_is_the_next_newer_one(store):
    store.write([change(*(line(f"drun_{age}", at=age) for age in range(3)), line("drun_1b", at=1))])
    assert store.above("dep_1", as_in_file(2)) in ("drun_1", "drun_1b")
    assert store.above("dep_1", as_in_file(1)) == "drun_0"
    assert store.above("dep_1", as_in_file(0)) is None


def as_in_file(age):
    return (START - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# Outcomes


def lean(run_id, **fields):
    return line(run_id, status=None, **fields)


def test_lean_runs_without_outcome_come_in_the_order_of_their_ids(store):
    runs = [lean(f"drun_{number}", session_id="sess_1") for number in range(5)]
    store.write([change(*runs, line("drun_9"), lean("drun_8"))])
    assert store.unjudged("dep_1", "", 3) == [(f"drun_{number}", runs[number]) for number in range(3)]
    assert [run_id for run_id, _ in store.unjudged("dep_1", "drun_2", 3)] == ["drun_3", "drun_4"]
    assert store.unjudged("dep_2", "", 3) == []
    assert store.count_unfinished(outcomes=False) == 0
    store.prepare_outcomes()
    assert store.count_unfinished(outcomes=True) == 5


def test_an_outcome_stays_when_its_run_is_written_again(store, path):
    store.write([change(lean("drun_1", session_id="sess_1"))])
    values = ("failed", "2026-11-22T08:30:00.000000Z", "unknown_error", "Sandbox lost", "error")
    assert store.write([change(judged=[Judged("drun_1", values)])]) == (0, 0)  # the run is new in this sync
    store.write([change(lean("drun_1", session_id="sess_1", more=1))])
    names = "outcome, outcome_at, outcome_error_type, outcome_error_message, stop_reason"
    assert query(path, f"SELECT {names} FROM runs") == [values]
    assert store.unjudged("dep_1", "", 3) == []
    store.close()
    again = open_store(path)
    assert again.write([change(judged=[Judged("drun_1", values)])]) == (0, 1)
    again.close()


def test_questions_go_by_indexes(store, path):
    """A file of a million runs is asked some of these for every deployment."""
    store.prepare_outcomes()
    store.prepare_outcomes()
    plans = {
        sync_store._UNFINISHED: "INDEX sync_unfinished (deployment_id=?)",
        sync_store._COUNT_AT: "COVERING INDEX runs_by_deployment (deployment_id=? AND time>? AND time<?)",
        sync_store._COUNT_BELOW: "COVERING INDEX runs_by_deployment (deployment_id=? AND time>? AND time<?)",
        sync_store._ABOVE: "INDEX runs_by_deployment (deployment_id=? AND time>?)",
        sync_store._UNJUDGED: "INDEX sync_unjudged (deployment_id=? AND id>?)",
        sync_store._COUNT_UNFINISHED: "INDEX sync_unfinished",
        sync_store._COUNT_UNJUDGED: "INDEX sync_unjudged",
        sync_store._COUNT_UNJUDGED_OF: "INDEX sync_unjudged (deployment_id=?)",
    }
    for sql, index in plans.items():
        plan = query(path, f"EXPLAIN QUERY PLAN {sql}", *([""] * sql.count("?")))
        assert any(index in step[-1] for step in plan), (sql, plan)
        assert not any("TEMP B-TREE FOR ORDER BY" in step[-1] for step in plan), (sql, plan)


# All or nothing


class BoomError(Exception):
    pass


def test_what_breaks_half_way_was_not_written_at_all(store, path, monkeypatch):
    store.write([change(line("drun_1"), state=KNOWN)])
    before = path.read_bytes()
    good = change(*(line(f"drun_a{number}") for number in range(3000)), state=State(gone="x"))

    def explode(*_):
        raise BoomError

    monkeypatch.setattr(sync_store, "state_values", explode)
    with pytest.raises(BoomError):
        store.write([change(line("drun_2")), good])
    assert path.read_bytes() == before
    assert not path.with_name("runs.db-journal").exists()
    monkeypatch.undo()
    assert store.write([good]).new == 3000


def test_nothing_to_write_leaves_the_file_alone(store, path):
    store.write([change(line("drun_1"), state=KNOWN)])
    before = path.stat().st_mtime_ns, path.read_bytes()
    store.write([change(), change(line("drun_1"))])
    store.write([])
    store.note_scope([])
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


def test_a_full_disk_is_told_and_harms_nothing(store, path):
    store.write([change(line("drun_1"), state=KNOWN)])
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = change(*(line(f"drun_b{number}") for number in range(2000)), state=State(gone="x"))
    with pytest.raises(ExportError, match=r"runs\.db cannot be synced: the disk is full") as caught:
        store.write([many])
    assert caught.value.path == str(path)
    assert column(path, "id") == ["drun_1"]
    assert store.standing("dep_1").state == KNOWN
    store._connection.execute("PRAGMA max_page_count = 100000")
    assert store.write([many]).new == 2000


def test_a_reader_that_does_not_let_go_is_told(path, monkeypatch):
    monkeypatch.setattr(sync_file, "PATIENCE", 0.01)
    store = open_store(path)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    with pytest.raises(ExportError, match="another program has it open and does not let go of it"):
        store.write([change(line("drun_1"), state=KNOWN)])
    reader.execute("COMMIT")
    assert store.write([change(line("drun_1"), state=KNOWN)]) == (1, 0)
    reader.close()
    store.close()


def test_a_writer_beside_is_told(path, monkeypatch):
    monkeypatch.setattr(sync_file, "PATIENCE", 0.01)
    store = open_store(path)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(ExportError, match="another program has it open"):
        store.write([change(line("drun_1"))])
    writer.close()
    assert store.write([change(line("drun_1"))]) == (1, 0)
    store.close()


def test_an_error_without_a_code_is_told_as_it_is(path):
    with pytest.raises(ExportError, match=r"cannot be synced: odd"), sync_store.sqlite_errors(path):
        raise sqlite3.ProgrammingError("odd")


def test_a_damaged_file_is_told(store, path):
    store.write([change(*(line(f"drun_{number}") for number in range(2000)))])
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(ExportError, match="it is damaged: move it away"):
        open_store(path)


# What the file is about


def test_a_file_of_all_deployments_stays_one(store, path):
    store.note_scope(["dep_2"])
    store.note_scope(["dep_1"])
    assert scope_of(path) == '{"deployments": ["dep_1", "dep_2"], "triggered_after": null, "triggered_before": null}'
    store.note_scope(None)
    store.note_scope(["dep_3"])
    assert scope_of(path) == '{"deployments": null, "triggered_after": null, "triggered_before": null}'


def scope_of(path):
    return query(path, "SELECT value FROM info WHERE key = 'scope'")[0][0]


# Threads


def test_it_is_not_closed_while_a_thread_is_at_it(path, monkeypatch):
    """As when the event loop is torn down by a second Ctrl-C."""
    store = open_store(path)
    begun, may_go_on, ends = threading.Event(), threading.Event(), []

    def slowly(state):
        begun.set()
        may_go_on.wait(5)
        return state_values(state)

    def write():
        store.write([change(line("drun_1"), state=KNOWN)])
        ends.append("written")

    def close():
        store.close()
        ends.append("closed")

    monkeypatch.setattr(sync_store, "state_values", slowly)
    threads = [threading.Thread(target=write), threading.Thread(target=close)]
    threads[0].start()
    assert begun.wait(5)
    threads[1].start()
    threads[1].join(0.01)
    may_go_on.set()
    for thread in threads:
        thread.join(5)
    assert ends == ["written", "closed"]
    assert column(path, "id") == ["drun_1"]
    with pytest.raises(ExportError, match="closed"):
        store.count_runs()
