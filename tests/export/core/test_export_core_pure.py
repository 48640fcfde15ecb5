"""What needs no file and no service: lines, formats, places, filters, figures."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.clock import FakeClock

from qoder_async import ConfigurationError, Cursor, ExportError, ServerError
from qoder_async.export.checkpoint import Checkpoint, Filters, check_checkpoint
from qoder_async.export.fetching import Fetched
from qoder_async.export.formats import FORMATS, choose_format
from qoder_async.export.progress import tell
from qoder_async.export.reporting import Reporting
from qoder_async.export.spool import line_of
from qoder_async.export.walks import Part, Place, _ways_without_cursor

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

# Lines

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary())
@example(b"")
@example(b"\n")
@example(b'{"a":"b\nc"}')
@example(b'{"a":"\xff\n"}')
@example(b'{"a":"\xed\xa0\x80\n"}')
@example(b'{"a":NaN,\n"b":1e999}')
@example(b"[" * 100_000 + b"\n")
def test_whatever_comes_becomes_one_line(record):
    line = line_of(record)
    assert b"\n" not in line
    assert b"\r" not in line
    if b"\n" not in record and b"\r" not in record:
        assert line is record


@given(json_values, st.sampled_from([1, 2, "\t"]))
def test_json_with_line_breaks_says_the_same_on_one_line(value, indent):
    record = json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    line = line_of(record)
    assert b"\n" not in line
    assert json.loads(line.decode("utf-8", "surrogatepass")) == value


@pytest.mark.parametrize("pause", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("record", "line"),
    [
        (b'{%"a": 1.10,% "b":1E5}', b'{"a":1.10,"b":1E5}'),
        (b'{"a":1,%"a":2}', b'{"a":1,"a":2}'),
        (b'{"a":%123456789012345678901234567890}', b'{"a":123456789012345678901234567890}'),
        (rb'{"a":%"\u00e9\/\n"}', rb'{"a":"\u00e9\/\n"}'),
    ],
)
def test_only_the_blanks_are_changed(record, line, pause):
    assert line_of(record.replace(b"%", pause)) == line


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (b'{"a":"b\nc"}', {"a": "b\nc"}),
        (b'{"a":"b\r\nc","d":"\x01"}', {"a": "b\r\nc", "d": "\x01"}),
        (b'{\n"a":1e999}', {"a": float("inf")}),
    ],
)
def test_line_breaks_where_json_has_none(record, value):
    """Within a text a line break must be escaped, which some senders do not know."""
    assert json.loads(line_of(record)) == value


def test_bytes_that_are_no_text():
    assert line_of(b'{\n"a":"\xe9"}') == b'{"a":"\xe9"}'
    assert json.loads(line_of(b'{"a":"\xe9\n"}')) == {"a": "\udce9\n"}


# Formats


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("runs.jsonl", "jsonl"),
        ("RUNS.JSONL", "jsonl"),
        ("runs.ndjson", "jsonl"),
        ("runs.jsonl.gz", "jsonl.gz"),
        ("a.b.ndjson.gz", "jsonl.gz"),
        ("runs.jsonl.zst", "jsonl.zst"),
        ("runs.csv", "csv"),
        ("runs.parquet", "parquet"),
        ("runs.db", "sqlite"),
        ("runs.sqlite", "sqlite"),
        ("runs.sqlite3", "sqlite"),
        ("runs.csv.jsonl", "jsonl"),
    ],
)
def test_the_ending_tells_the_format(name, found):
    assert choose_format(Path("/a.csv/b") / name, None) == found


@pytest.mark.parametrize(
    "name", ["runs", "runs.json", "runs.gz", "runs.csv.gz", ".jsonl", ".db", "jsonl", "runs.jsonl "]
)
def test_other_endings_tell_nothing(name):
    with pytest.raises(ConfigurationError, match=r"path must end in one of .jsonl, .* or format must say"):
        choose_format(Path(name), None)


@pytest.mark.parametrize("wanted", FORMATS)
def test_what_is_wanted_comes_first(wanted):
    assert choose_format(Path("runs.csv"), wanted) == wanted
    assert choose_format(Path("runs"), wanted) == wanted


@pytest.mark.parametrize("wanted", ["", "json", "JSONL", "db", 5, b"csv", ["csv"], True])
def test_no_such_format(wanted):
    with pytest.raises(ConfigurationError, match=r"format must be one of jsonl, .*got"):
        choose_format(Path("runs.csv"), wanted)


# Filters

FILTERS = Filters(base_url="https://a.test", triggered_after=None, triggered_before=NOON)
BEGUN = Checkpoint(filters=FILTERS, done=["dep_1", "dep_2"], places={"dep_3": Place()})


@pytest.mark.parametrize("deployments", [None, ["dep_3", "dep_2", "dep_1"], ["dep_0", "dep_1", "dep_2", "dep_3"]])
def test_the_same_filters_pass(deployments):
    check_checkpoint(Path("runs.csv"), BEGUN, attrs.evolve(FILTERS), deployments)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base_url": "https://b.test"}, "base_url https://a.test; now base_url https://b.test"),
        (
            {"triggered_after": NOON, "triggered_before": None},
            r"triggered_after none; triggered_before 2026-11-22T12:00:00\+00:00; now triggered_after 2026-11-22",
        ),
    ],
)
def test_other_filters_are_named(change, said):
    with pytest.raises(ExportError, match=said) as caught:
        check_checkpoint(Path("runs.csv"), BEGUN, attrs.evolve(FILTERS, **change), None)
    assert caught.value.path == "runs.csv"
    assert "resume=False" in str(caught.value)


@pytest.mark.parametrize(
    ("deployments", "said"),
    [
        (["dep_1", "dep_2"], r"\(dep_3\)"),
        (["dep_3"], r"\(dep_1, dep_2\)"),
        ([], r"\(dep_1, dep_2, dep_3\)"),
        (["dep_9"], r"\(dep_1, dep_2, dep_3\)"),
    ],
)
def test_deployments_that_are_not_wanted_any_more_are_named(deployments, said):
    with pytest.raises(ExportError, match=f"begun with other deployments, too {said}.*resume=False"):
        check_checkpoint(Path("runs.csv"), BEGUN, FILTERS, deployments)


def test_not_too_many_are_named():
    many = attrs.evolve(BEGUN, done=[f"dep_{number:02}" for number in range(20)], places={})
    with pytest.raises(ExportError, match=r"\(dep_00, dep_01, dep_02, dep_03, dep_04 and 15 more\)"):
        check_checkpoint(Path("runs.csv"), many, FILTERS, ["dep_x"])


# Places


@pytest.mark.parametrize("cursor", [Cursor("page", "x"), Cursor("after_id", "drun_1"), Cursor("after_id", "drun_0")])
def test_the_last_id_comes_before_the_last_time(cursor):
    place = Place(cursor=cursor, last_id="drun_1", last_time=NOON)
    *_, by_time = reversed(ways := _ways_without_cursor(place))
    assert by_time == attrs.evolve(place, cursor=None, until=NOON + timedelta(minutes=1))
    # The same cursor a second time would be refused a second time.
    assert len(ways) == (1 if cursor == Cursor("after_id", "drun_1") else 2)
    if len(ways) == 2:
        assert ways[-1] == attrs.evolve(place, cursor=Cursor("after_id", "drun_1"))


@pytest.mark.parametrize("last_id", [None, "no id", "a/b", "", "\x00"])
def test_what_is_no_id_becomes_no_cursor(last_id):
    assert _ways_without_cursor(Place(cursor=Cursor("page", "x"), last_id=last_id)) == []


@pytest.mark.parametrize(("until", "then"), [(None, 1), (NOON + timedelta(seconds=30), 0.5), (NOON + timedelta(9), 1)])
def test_a_walk_by_time_never_begins_later_than_before(until, then):
    (by_time,) = _ways_without_cursor(Place(until=until, last_time=NOON))
    assert by_time.until == NOON + timedelta(minutes=then)


@pytest.mark.parametrize(
    "last_time",
    [datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))],
)
def test_a_run_at_the_end_of_time(last_time):
    for way in _ways_without_cursor(Place(last_time=last_time)):
        assert way.cursor is None


# What has come


def part(count, *, is_last):
    return Part([None] * count, Place(last_id="drun_1"), is_last)


def test_what_has_come_is_counted():
    fetched = Fetched(selection="s", filters=FILTERS)
    fetched.note_part("dep_1", part(5, is_last=False))
    assert fetched.checkpoint(9).places == {"dep_1": Place(last_id="drun_1")}
    fetched.note_part("dep_1", part(2, is_last=True))
    fetched.note_part("dep_2", part(1, is_last=False))
    fetched.note_gone("dep_2", "it is not there")
    fetched.failures["dep_3"] = ServerError("no", status=500)
    assert (fetched.rows, fetched.deployments_done) == (8, 3)
    made = fetched.checkpoint(99, is_whole=True)
    assert (made.size, made.rows, made.whole_of) == (99, 8, "s")
    assert (made.done, made.gone, made.places) == (["dep_1", "dep_2"], {"dep_2": "it is not there"}, {})
    assert fetched.checkpoint(99).whole_of is None
    again = Fetched.from_checkpoint(made, "s")
    assert again.checkpoint(99, is_whole=True) == made
    assert (again.failures, again.requests) == ({}, 0)


def test_a_checkpoint_does_not_change_while_it_is_written():
    fetched = Fetched(selection="s", filters=FILTERS)
    fetched.note_part("dep_1", part(5, is_last=False))
    made = fetched.checkpoint(9)
    fetched.note_part("dep_1", part(5, is_last=True))
    fetched.note_gone("dep_2", "gone")
    assert (made.done, made.gone, list(made.places)) == ([], {}, ["dep_1"])


def test_there_are_never_fewer_deployments_than_are_done():
    """Some that an earlier call has fetched may not be listed any more."""
    fetched = Fetched(selection="s", filters=FILTERS)
    fetched.note_gone("dep_0", "deleted since")
    fetched.note_total(2)
    assert fetched.deployments_total is not None
    for deployment_id in ("dep_1", "dep_2"):
        fetched.note_part(deployment_id, part(1, is_last=True))
    assert fetched.deployments_done <= fetched.deployments_total


# Telling


async def test_it_is_told_not_too_often_and_at_once_when_asked():
    clock, told = FakeClock(), []
    fetched = Fetched(selection="s", filters=FILTERS, rows=100)
    reporting = Reporting(fetched, told.append, clock)
    for _ in range(100):
        fetched.rows += 1
        await reporting.fetching(10 * fetched.rows)
        clock.time += 0.01
    assert len(told) == 4
    await reporting.fetching(5000, at_once=True)
    assert len(told) == 5
    assert (told[-1].phase, told[-1].rows, told[-1].bytes) == ("fetching", 200, 5000)
    # What an earlier call had fetched does not count as speed.
    assert told[-1].rows_per_second == pytest.approx(100)


async def test_writing_has_a_speed_of_its_own():
    clock, told = FakeClock(), []
    reporting = Reporting(Fetched(selection="s", filters=FILTERS, rows=1000), told.append, clock)
    clock.time += 100
    await reporting.fetching(1)
    reporting.begin_writing()
    await reporting.writing(1, 0, at_once=True)
    clock.time += 2
    await reporting.writing(1, 500)
    assert [(each.phase, each.rows_written, each.rows_per_second) for each in told] == [
        ("fetching", 0, 0),
        ("writing", 0, 0),
        ("writing", 500, 250),
    ]


async def test_nobody_is_told():
    reporting = Reporting(Fetched(selection="s", filters=FILTERS), None, FakeClock())
    await reporting.fetching(1, at_once=True)
    await tell(None, None)


async def test_sync_and_async_functions_are_told():
    told = []

    async def slowly(progress):
        told.append(progress)

    await tell(told.append, 1)
    await tell(slowly, 2)
    assert told == [1, 2]
