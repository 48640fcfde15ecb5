"""Rows out of JSON lines: what is decoded, what is left over, and what cannot be decoded."""

from __future__ import annotations

import json
from datetime import UTC

import pytest
from formats_support import (
    DOCUMENTED,
    EXTENDED,
    LEAN,
    NAMES,
    RUNS,
    UNDECODABLE,
    WITHOUT_ID,
    expected,
    id_of,
    line_of,
    run,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qoder_async._wire.decode import decode_record
from qoder_async.export.write import rows as rows_module
from qoder_async.export.write.columns import in_utc
from qoder_async.export.write.leftover import json_text, leftover
from qoder_async.export.write.plain_run import read_plain
from qoder_async.export.write.rows import Rows, in_parts
from qoder_async.models import DeploymentRun


def read(*lines, **options):
    rows = Rows(in_utc, **options)
    return [dict(zip(NAMES, row, strict=True)) for row in rows.of(list(lines))], rows.undecodable


def only(line):
    [row], undecodable = read(line)
    assert undecodable == 0
    return row


def extra_of(line):
    return json.loads(only(line)["extra"])


@pytest.fixture
def no_plain_way(monkeypatch):
    monkeypatch.setattr(rows_module, "read_plain", lambda lines: None)


@pytest.mark.parametrize("record", DOCUMENTED.values(), ids=DOCUMENTED)
def test_documented_runs(record):
    line = line_of(record)

    assert only(line) == expected(record)
    assert read_plain([line]) is not None
    assert only(json.dumps(record, indent=2).encode()) == expected(record)


@pytest.mark.parametrize("record", DOCUMENTED.values(), ids=DOCUMENTED)
def test_documented_runs_are_the_same_the_long_way(record, no_plain_way):
    assert only(line_of(record)) == expected(record)


@given(st.lists(RUNS, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_rows_are_what_the_json_says(records):
    records = [record | {"id": f"drun_{number}"} for number, record in enumerate(records)]
    found, undecodable = read(*map(line_of, records))

    for row in found:
        row["extra"] = json.loads(row["extra"]) if row["extra"] is not None else None
    assert found == list(map(expected, records))
    assert undecodable == 0


@given(RUNS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_extra_has_all_that_the_model_does_not_know(record):
    line = line_of(record | {"id": "drun_1"})
    extra = json.loads(only(line)["extra"] or "{}")

    assert {name: extra[name] for name in decode_record(line, DeploymentRun).extra} == decode_record(
        line, DeploymentRun
    ).extra


def test_one_odd_run_leaves_the_others_as_they_are():
    records = [run(number) for number in range(5)]
    records[3] |= {"colour": "red"}
    found, _ = read(*map(line_of, records))

    assert [row | {"extra": None} for row in found] == [expected(record) | {"extra": None} for record in records]
    assert [row["extra"] for row in found] == [None, None, None, '{"colour":"red"}', None]


def test_times_are_in_utc_and_rounded_to_microseconds():
    row = only(line_of(run(created_at="2026-06-14T08:54:06.2719025+05:30", completed_at="2026-06-14T23:59:59.9999996")))
    assert row["created_at"].isoformat() == "2026-06-14T03:24:06.271903+00:00"
    assert row["completed_at"].isoformat() == "2026-06-15T00:00:00+00:00"
    assert row["created_at"].tzinfo is UTC


def test_unknown_words_survive():
    row = only(line_of(run(status="dreaming", trigger_context={"type": "telepathy"})))
    assert (row["status"], row["trigger_type"], row["extra"]) == ("dreaming", "telepathy", None)


def test_unknown_words_survive_beside_unknown_fields():
    row = only(line_of(run(status="dreaming", colour=None)))
    assert (row["status"], row["extra"]) == ("dreaming", '{"colour":null}')


# What is left over


def test_extra_holds_unknown_fields_at_any_depth_as_they_came():
    line = (
        line_of(run())
        .replace(b'"version":3', b'"version":3,"name":"\\u00e9", "tags": [1.0, 1e999,2]')
        .replace(b'"type":"manual"', b'"type":"manual","by":{"user":"u"}')
        .replace(b'"error":null', b'"error":{"type":"t","details":[]},"caf\\u00e9":' + b"9" * 5000)
    )
    assert only(line)["extra"] == (
        '{"agent":{"name":"\\u00e9","tags":[1.0, 1e999,2]},"error":{"details":[]},"café":' + "9" * 5000 + ","
        '"trigger_context":{"by":{"user":"u"}}}'
    )


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**30])
def test_numbers_too_large_for_a_column_stand_in_extra(number):
    record = run(duration_ms=number, agent=EXTENDED["agent"] | {"version": number}, cas_run_extras={"attempt": number})
    row = only(line_of(record))

    assert (row["duration_ms"], row["agent_version"], row["attempt"]) == (None, None, None)
    assert json.loads(row["extra"]) == {
        "agent": {"version": number},
        "cas_run_extras": {"attempt": number},
        "duration_ms": number,
    }


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0])
def test_numbers_that_just_fit(number):
    row = only(line_of(run(duration_ms=number)))
    assert (row["duration_ms"], row["extra"]) == (number, None)


def test_a_whole_number_may_be_written_as_a_float():
    assert only(line_of(run(duration_ms=12.0)))["duration_ms"] == 12
    row = only(line_of(run()).replace(b"17268", b"1e30"))
    assert (row["duration_ms"], row["extra"]) == (None, '{"duration_ms":1e30}')


def test_other_types_than_the_usual_stand_in_extra():
    record = run(type="deployment_dream", agent=EXTENDED["agent"] | {"type": "robot"})
    assert extra_of(line_of(record)) == {"type": "deployment_dream", "agent": {"type": "robot"}}
    assert only(line_of(run(type=None)))["extra"] is None


def test_of_two_fields_with_one_name_the_last_counts():
    line = line_of(run())[:-1] + b',"session_id":"sess_2","new":1,"id":"drun_2","new":2}'
    row = only(line)
    assert (row["id"], row["session_id"], row["extra"]) == ("drun_2", "sess_2", '{"new":2}')


def test_a_byte_that_is_no_utf8_leaves_extra_json():
    line = b'{"note":"caf\xe9 \\"\xff\\" \xc3\xa9",' + line_of(run())[1:]
    assert extra_of(line) == {"note": r'caf\xe9 "\xff" é'}


def test_a_line_with_nothing_left_over():
    assert leftover(line_of(EXTENDED)) is None
    assert leftover(line_of(LEAN)) is None
    assert json_text("é".encode()) == "é"


# What cannot be decoded


@pytest.mark.parametrize("line", UNDECODABLE.values(), ids=UNDECODABLE)
def test_a_run_that_cannot_be_decoded_has_its_id_and_its_json(line):
    [row], undecodable = read(line)

    assert undecodable == 1
    assert row == dict.fromkeys(NAMES) | {"id": id_of(line), "extra": row["extra"]}
    assert row["extra"] == line.decode("utf-8", "backslashreplace").replace(r"\xe9", r"\\xe9").replace(
        r"\xff", r"\\xff"
    )
    row["extra"].encode()


@pytest.mark.parametrize("line", WITHOUT_ID.values(), ids=WITHOUT_ID)
def test_what_has_no_id_is_kept_whole(line):
    [row], undecodable = read(line)

    assert undecodable == 1
    assert row == dict.fromkeys(NAMES) | {"extra": line.decode()}


def test_one_that_cannot_be_decoded_costs_the_others_nothing():
    good = [line_of(run(number)) for number in range(4)]
    found, undecodable = read(good[0], UNDECODABLE["NaN"], good[1], WITHOUT_ID["array"], *good[2:])

    assert undecodable == 2
    assert [row["id"] for row in found] == [
        id_of(line) if line.startswith(b"{") else None
        for line in (good[0], UNDECODABLE["NaN"], good[1], b"[1,2]", *good[2:])
    ]
    assert [row["deployment_id"] is None for row in found] == [False, True, False, True, False, False]


def test_all_are_counted():
    rows = Rows(in_utc)
    rows.of([UNDECODABLE["NaN"], line_of(run())])
    rows.of([UNDECODABLE["NaN"], UNDECODABLE["broken time"]])
    assert rows.undecodable == 3


def test_beside_the_json_itself_extra_need_not_have_it():
    [row, good], undecodable = read(UNDECODABLE["NaN"], line_of(run(colour="red")), beside_json=True)
    assert (row["id"], row["extra"], undecodable) == (id_of(UNDECODABLE["NaN"]), None, 1)
    assert good["extra"] == '{"colour":"red"}'


def test_a_line_that_would_be_two_runs_is_none():
    twice = line_of(run(1)) + b"," + line_of(run(2))
    found, undecodable = read(line_of(run(0)), twice)
    assert undecodable == 1
    assert found[1]["extra"] == twice.decode()


# Parts


@pytest.mark.parametrize("sizes", [[], [0], [1], [100], [101], [500, 0, 250, 3]])
def test_parts_are_all_lines_in_their_order_a_hundred_at_a_time(sizes):
    batches = [[b"%d %d" % (size, number) for number in range(size)] for size in sizes]
    parts = list(in_parts(batches))

    assert [line for part in parts for line in part] == [line for batch in batches for line in batch]
    assert all(1 <= len(part) <= 100 for part in parts)


def test_no_lines_make_no_rows():
    assert read() == ([], 0)
