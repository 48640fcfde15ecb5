"""Which rows are of runs that have ended: as the model says it, in Python and in SQL."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import DeploymentRun, converter
from qoder_async.export.read.seen import see_line
from qoder_async.export.sync.rows import UNFINISHED, UNJUDGED, Facts
from qoder_async.export.write.sqlite_schema import TABLES, UPSERT, row_of

RECORD = {
    "id": "drun_1",
    "type": "deployment_run",
    "deployment_id": "dep_1",
    "agent": {"id": "agent_1", "type": "agent", "version": 1},
    "trigger_context": {"type": "manual"},
    "created_at": "2026-11-22T08:30:00Z",
}
ENDED = "2026-11-22T08:31:00Z"
WORDS = ["pending", "running", "completed", "failed", "skipped", "cancelled", "Completed", ""]


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    record = dict(RECORD)
    for name, values in {
        "status": st.sampled_from([None, *WORDS]),
        "completed_at": st.sampled_from([None, ENDED]),
        "session_id": st.sampled_from([None, "sess_1"]),
        "error": st.sampled_from([None, {"type": "x"}, {"message": "y"}, {"type": "x", "message": "y"}]),
    }.items():
        value = draw(values)
        if value is not None or draw(st.booleans()):
            record[name] = value
    return record


def line(**fields: Any) -> bytes:
    return json.dumps(RECORD | fields).encode()


def facts(**fields: Any) -> Facts:
    return Facts.of(row_of(line(**fields)))


@given(records())
def test_a_row_says_what_the_model_says(record):
    run = converter.structure(record, DeploymentRun)
    assert Facts.of(row_of(json.dumps(record).encode())).has_ended is run.is_terminal


@given(records())
def test_sql_says_the_same(record):
    with closing(sqlite3.connect(":memory:")) as connection:
        for table in TABLES:
            connection.execute(table)
        connection.execute(UPSERT, row_of(json.dumps(record).encode()))
        unfinished, unjudged = connection.execute(f"SELECT {UNFINISHED}, {UNJUDGED} FROM runs").fetchone()
        [state] = connection.execute("SELECT state FROM results").fetchone()
    run = converter.structure(record, DeploymentRun)
    assert bool(unfinished) == (run.is_terminal is False)
    assert bool(unjudged) == (run.status is None and (run.session_id is not None or run.error is not None))
    assert state == (run.status if run.status is not None else "failed" if run.is_terminal else None)


def test_the_words_of_files_that_are_there_are_the_same():
    """SQLite uses a partial index only for a query with the very condition of the index."""
    assert UNFINISHED == (
        "(status IN ('pending', 'running') OR (status NOT IN ('pending', 'running', 'completed', 'failed', 'skipped')"
        " AND completed_at IS NULL))"
    )
    assert UNJUDGED == (
        "(status IS NULL AND outcome IS NULL AND created_at IS NOT NULL AND (session_id IS NOT NULL OR "
        "NOT (error_type IS NULL AND error_message IS NULL)))"
    )


@given(records())
def test_what_is_read_of_a_line_says_the_same(record):
    run = converter.structure(record, DeploymentRun)
    state = see_line(json.dumps(record).encode()).state
    assert state == (run.status if run.status is not None else "failed" if run.is_terminal else "started")


def test_what_cannot_be_decoded_is_neither():
    connection = sqlite3.connect(":memory:")
    connection.execute(TABLES[0])
    connection.execute(UPSERT, row_of(b'{"id":"drun_1","created_at":7}'))
    assert not any(connection.execute(f"SELECT {UNFINISHED}, {UNJUDGED} FROM runs").fetchone())
    connection.close()


RUNNING, COMPLETED, LEAN = {"status": "running"}, {"status": "completed", "completed_at": ENDED}, {"session_id": "s"}
FAILED, NEVER_BEGUN = {"status": "failed", "completed_at": ENDED}, {"error": {"type": "x"}}
BROKEN = {"created_at": 7}


@pytest.mark.parametrize(
    ("kept", "came", "may_replace"),
    [
        (RUNNING, COMPLETED, True),
        (COMPLETED, RUNNING, False),  # a stale copy
        (COMPLETED, {"status": "pending"}, False),
        (COMPLETED, FAILED, True),
        (COMPLETED, LEAN, False),
        (COMPLETED, {"status": "archived", "completed_at": ENDED}, True),
        (COMPLETED, {"status": "archived"}, False),
        (RUNNING, {"status": "pending"}, True),
        (RUNNING, LEAN, True),
        (LEAN, LEAN, True),
        (LEAN, COMPLETED, True),
        ({}, LEAN, True),
        (NEVER_BEGUN, LEAN, False),
        (RUNNING, BROKEN, False),
        (COMPLETED, BROKEN, False),
        (BROKEN, RUNNING, True),
        (BROKEN, BROKEN, True),
    ],
)
def test_what_has_ended_stays_so(kept, came, may_replace):
    assert facts(**came).may_replace(facts(**kept)) is may_replace
