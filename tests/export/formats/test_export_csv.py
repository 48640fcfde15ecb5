"""CSV: what the csv module reads back, and what a spreadsheet would make of it."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from formats_support import (
    DOCUMENTED,
    EXTENDED,
    NAMES,
    RUNS,
    SCOPE,
    UNDECODABLE,
    WITHOUT_ID,
    expected,
    id_of,
    line_of,
    read_csv,
    run,
    texts,
    with_extra_read,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from qoder_async.export.write import to_csv

HEADER = ",".join(NAMES).encode() + b"\r\n"


def written(tmp_path, *lines):
    path = tmp_path / "runs.csv"
    undecodable = to_csv.write([list(lines)], path, scope=SCOPE)
    return path, undecodable


def cells_of(record):
    """What the csv module should read for a run."""
    values = texts(expected(record))
    cells = {name: "" if value is None else str(value) for name, value in values.items()}
    return {
        name: "'" + cell if isinstance(values[name], str) and cell[:1] in set("=+-@\t\r") else cell
        for name, cell in cells.items()
    } | {"extra": values["extra"]}


def test_documented_runs(tmp_path):
    path, undecodable = written(tmp_path, *map(line_of, DOCUMENTED.values()))

    assert with_extra_read(read_csv(path)) == list(map(cells_of, DOCUMENTED.values()))
    assert undecodable == 0


def test_a_file_byte_for_byte(tmp_path):
    path, _ = written(
        tmp_path,
        line_of(
            DOCUMENTED["run_extended_retry_INFERRED[0]"] | {"error": {"type": "a", "message": 'b,\r\n"c"'}, "x": 1}
        ),
    )
    assert path.read_bytes() == HEADER + (
        b"drun_01990000000000000000000000000094,dep_019900000000000000000000000000d1,2026-06-14T08:54:06.271903Z,"
        b"running,retry,2026-06-14T08:54:06.271903Z,,2026-06-14T08:54:06.271903Z,,"
        b"sess_01990000000000000000000000000051,agent_019900000000000000000000000000a1,3,a,"
        b'"b,\r\n""c""",,2,turn_01990000000000000000000000000061,2026-06-14T09:00:00.000000Z,"{""x"":1}"\r\n'
    )


@pytest.mark.parametrize("batches", [[], [[]], [[], []]])
def test_no_runs_make_a_header(tmp_path, batches):
    path = tmp_path / "runs.csv"
    assert to_csv.write(batches, path, scope=SCOPE) == 0
    assert path.read_bytes() == HEADER


@given(st.lists(RUNS, max_size=3))
@example([run(session_id=text, colour=text, error={"type": text, "message": text}) for text in "=+-@\t\r\n,'\"\0"])
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_was_written_is_read_back(records):
    records = [record | {"id": f"drun_{number}"} for number, record in enumerate(records)]
    with tempfile.TemporaryDirectory() as folder:
        path, undecodable = written(Path(folder), *map(line_of, records))
        found = with_extra_read(read_csv(path))

    assert found == list(map(cells_of, records))
    assert undecodable == 0


@given(st.lists(RUNS, min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_file_is_what_the_csv_module_would_write(records):
    records = [record | {"id": f"drun_{number}"} for number, record in enumerate(records)]
    with tempfile.TemporaryDirectory() as folder:
        path, _ = written(Path(folder), *map(line_of, records))
        content = path.read_bytes()

    text = io.StringIO(newline="")
    rows = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    csv.writer(text).writerows(rows)
    assert content == text.getvalue().encode()


@pytest.mark.parametrize("start", list("=+-@\t\r"))
@pytest.mark.parametrize("field", ["id", "session_id", "status", "deployment_id"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(tmp_path, start, field):
    path, _ = written(tmp_path, line_of(run() | {field: f"{start}cmd|' /C calc'!A0"}))
    assert read_csv(path)[0][field] == f"'{start}cmd|' /C calc'!A0"


@pytest.mark.parametrize("text", ["a=b", "'=1", " =1", "1-1", "é"])
def test_other_texts_stay_as_they_are(tmp_path, text):
    path, _ = written(tmp_path, line_of(run(session_id=text)))
    assert read_csv(path)[0]["session_id"] == text


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\r\nb", "a,b", 'a"b', '"', "\n", ",", "a\0b"])
def test_texts_with_marks_of_csv_are_read_back(tmp_path, text):
    path, _ = written(tmp_path, line_of(run(session_id=text)), line_of(run(turn_id=text)))
    assert [(row["session_id"], row["trigger_type"]) for row in read_csv(path)] == [
        (text, "manual"),
        (EXTENDED["session_id"], "manual"),
    ]


def test_a_negative_number_is_no_formula(tmp_path):
    path, _ = written(tmp_path, line_of(run(duration_ms=-5)))
    assert read_csv(path)[0]["duration_ms"] == "-5"


def test_numbers_too_large_are_empty_and_in_extra(tmp_path):
    path, _ = written(tmp_path, line_of(run(duration_ms=2**63)))
    [row] = read_csv(path)
    assert (row["duration_ms"], row["extra"]) == ("", '{"duration_ms":9223372036854775808}')


def test_runs_that_cannot_be_decoded_keep_their_json(tmp_path):
    lines = [*UNDECODABLE.values(), *WITHOUT_ID.values()]
    path, undecodable = written(tmp_path, line_of(run(99)), *lines, line_of(run(100)))
    found = read_csv(path)

    assert undecodable == len(lines)
    assert [row["id"] for row in found] == [id_of(line_of(run(99))), *map(id_of, UNDECODABLE.values())] + [""] * len(
        WITHOUT_ID
    ) + [id_of(line_of(run(100)))]
    for line, row in zip(lines, found[1:-1], strict=True):
        assert {value for name, value in row.items() if name not in {"id", "extra"}} == {""}
        text = row["extra"].replace(r"\\xe9", "\udce9").replace(r"\\xff", "\udcff").removeprefix("'")
        assert text.encode("utf-8", "surrogateescape") == line
