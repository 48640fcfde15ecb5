"""Reading a file that an export or a sync has made, whatever its format, and telling which format that is."""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet
from reading_support import EVERY_FORMAT, quiet_world, read_all, sent, write_file
from support.clock import START
from support.payloads import fixture

from qoder_async import ConfigurationError, ExportError
from qoder_async.export.read import compressed, reading
from qoder_async.export.read import from_parquet as reading_parquet
from qoder_async.export.read.reading import feed_runs, read_runs
from qoder_async.export.read.recognition import recognise
from qoder_async.export.read.scope import Scope, read_scope
from qoder_async.export.read.seen import SeenRun, see_lines, see_row

FORMATS = pytest.mark.parametrize("found", EVERY_FORMAT)
COMPRESSED = pytest.mark.parametrize("found", ["jsonl.gz", "jsonl.zst"])
TIME = datetime(2026, 11, 22, 8, 30, 0, 125000, tzinfo=UTC)


def run(run_id="drun_1", **fields):
    """A record of the extended shape; ``...`` leaves a field out."""
    record = fixture("run_extended_completed") | {"id": run_id, "triggered_at": "2026-11-22T08:30:00.125Z"} | fields
    return json.dumps({name: value for name, value in record.items() if value is not ...}).encode()


def lean(run_id="drun_1", **fields):
    record = fixture("run_current_manual") | {"id": run_id} | fields
    return json.dumps({name: value for name, value in record.items() if value is not ...}).encode()


def only(path):
    (seen,) = read_all(path)
    return seen


# What is read


@FORMATS
@pytest.mark.parametrize("shape", ["extended", "lean"])
def test_every_format_tells_the_same_of_each_run(tmp_path, found, shape):
    sim = quiet_world(shape, runs=70)
    open_runs = [sim.add_runs(sim.deployment_ids()[0], 1, state=state)[0] for state in ("pending", "running")]
    records = sent(sim)
    path = write_file(tmp_path / "file", found, records)

    runs = read_all(path)

    assert len(runs) == 212
    by_id = {seen.id: seen for seen in runs}
    for raw in records:
        record, seen = json.loads(raw), by_id.pop(json.loads(raw)["id"])
        has_failed = record["error"] is not None and record.get("session_id") is None
        assert seen.deployment_id == record["deployment_id"]
        assert seen.time == datetime.fromisoformat(record.get("triggered_at") or record["created_at"])
        assert seen.time.tzinfo is UTC
        assert seen.state == record.get("status", "failed" if has_failed else "started")
        assert seen.duration_ms == record.get("duration_ms")
    assert by_id == {}
    assert {seen.state for seen in runs} >= ({"running", "skipped"} if shape == "extended" else {"started", "failed"})
    assert open_runs


@FORMATS
def test_batches_are_small_and_in_order(tmp_path, found):
    records = [run(f"drun_{number}") for number in range(1203)]

    batches = list(read_runs(write_file(tmp_path / "file", found, records)))

    assert max(map(len, batches)) <= 500
    assert [seen.id for batch in batches for seen in batch] == [f"drun_{number}" for number in range(1203)]


@FORMATS
def test_a_file_without_runs_has_none(tmp_path, found):
    path = write_file(tmp_path / "file", found, [])

    assert recognise(path) == found
    assert read_all(path) == []


ODD = {
    "a status nobody knows": (run(status="resting"), ("resting", TIME, 17268)),
    "a time without offset": (run(triggered_at="2026-11-22T08:30:00.125"), ("completed", TIME, 17268)),
    "another offset": (run(triggered_at="2026-11-22T10:30:00.125+02:00"), ("completed", TIME, 17268)),
    "nanoseconds": (run(triggered_at="2026-11-22T08:30:00.125000400Z"), ("completed", TIME, 17268)),
    "a duration that is no whole number": (run(duration_ms=17268.0), ("completed", TIME, 17268)),
    "a number as its agent": (run(agent=7), ("completed", TIME, 17268)),
    "no agent": (run(agent=...), ("completed", TIME, 17268)),
    "an error as text": (run(error="no"), ("completed", TIME, 17268)),
    "a status that is a number": (run(status=3), (None, TIME, 17268)),
    "a duration that is a text": (run(duration_ms="long"), ("completed", TIME, None)),
    "a time that is none": (run(triggered_at="soon", created_at="2026-11-22T08:30:00.125Z"), (..., TIME, 17268)),
    "no time at all": (run(triggered_at="soon", created_at=7), (..., None, 17268)),
    "NaN": (run(novelty=1).replace(b'"novelty": 1', b'"novelty": NaN'), ("completed", TIME, 17268)),
    "a lone surrogate": (run(novelty="\ud800"), ("completed", TIME, 17268)),
    "no UTF-8": (run(novelty="x").replace(b'"x"', b'"\xe9"'), ("completed", TIME, 17268)),
    "deep nesting": (run(novelty=[]).replace(b"[]", b"[" * 3000 + b"]" * 3000), ("completed", TIME, 17268)),
    "fields that nobody knows": (run(novelty={"a": [1, 2]}), ("completed", TIME, 17268)),
    "spaces": (b"  " + run() + b" ", ("completed", TIME, 17268)),
}


@FORMATS
@pytest.mark.parametrize("oddity", ODD)
def test_of_an_odd_record_every_format_tells_what_can_be_read(tmp_path, found, oddity):
    raw, (state, time, duration) = ODD[oddity]
    path = write_file(tmp_path / "file", found, [run("drun_0"), raw, run("drun_2")])

    before, seen, after = read_all(path)

    assert (before.id, seen.id, after.id) == ("drun_0", "drun_1", "drun_2")
    assert seen.deployment_id == json.loads(run())["deployment_id"]
    assert (seen.time, seen.duration_ms) == (time, duration)
    if state is not ...:
        assert seen.state == state


@FORMATS
def test_a_record_without_its_deployment_is_read_as_far_as_it_goes(tmp_path, found):
    path = write_file(tmp_path / "file", found, [run(deployment_id=4), run(id=5), run("drun_3", id="drun_3")])

    first, second, third = read_all(path)

    assert first == SeenRun("drun_1", None, TIME, "completed", 17268)
    assert second.id is None
    assert third.id == "drun_3"


@FORMATS
@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"session_id": "sess_1", "error": None}, "started"),
        ({"session_id": None, "error": {"type": "unknown_error", "message": "no"}}, "failed"),
        ({"session_id": "sess_1", "error": {"type": "unknown_error", "message": "no"}}, "started"),
        ({"session_id": None, "error": {"message": "only words"}}, "failed"),
    ],
)
def test_a_lean_run_is_failed_or_started(tmp_path, found, fields, state):
    assert only(write_file(tmp_path / "file", found, [lean(**fields)])).state == state


def test_lines_may_end_otherwise_and_some_may_be_blank(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(run("drun_1") + b"\r\n\n" + run("drun_2") + b"\n \n" + run("drun_3"))

    assert [seen.id for seen in read_all(path)] == ["drun_1", "drun_2", "drun_3"]


@pytest.mark.parametrize("found", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_a_line_may_be_longer_than_a_piece_of_the_file(tmp_path, found):
    texts = [os.urandom(300_000).hex(), "short", os.urandom(200_000).hex()]
    path = write_file(tmp_path / "file", found, [run(f"drun_{len(text)}", novelty=text) for text in texts])

    assert [seen.id for seen in read_all(path)] == ["drun_600000", "drun_5", "drun_400000"]


@COMPRESSED
def test_several_compressed_files_make_one(tmp_path, found):
    parts = [write_file(tmp_path / str(number), found, [run(f"drun_{number}")] * 3) for number in range(3)]
    path = tmp_path / "file"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))

    assert [seen.id for seen in read_all(path)] == ["drun_0"] * 3 + ["drun_1"] * 3 + ["drun_2"] * 3


def test_csv_cells_may_hold_anything(tmp_path):
    message = 'said "no",\r\nand\n' + "no " * 100_000
    error = {"type": "=cmd()", "message": message}
    records = [run("-drun_1", status="+x", error=error), run("drun_2", status="'quoted'")]
    path = write_file(tmp_path / "file", "csv", records)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as some programs write it back

    first, second = read_all(path)

    assert (first.id, first.state, second.state) == ("-drun_1", "+x", "'quoted'")
    assert csv.field_size_limit() > len(message)


def test_sqlite_tells_the_outcome_that_a_sync_has_found(tmp_path):
    path = write_file(tmp_path / "file", "sqlite", [lean(f"drun_{number}") for number in range(4)])
    made = datetime.fromisoformat(json.loads(lean())["created_at"])
    ends = [(made + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ") for seconds in (90, -5)]
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE runs SET outcome = 'completed', outcome_at = ? WHERE id = 'drun_1'", (ends[0],))
        database.execute("UPDATE runs SET outcome = 'stopped', outcome_at = ? WHERE id = 'drun_2'", (ends[1],))
        database.execute("UPDATE runs SET outcome = 'failed' WHERE id = 'drun_3'")
        database.commit()

    runs = [(seen.state, seen.duration_ms) for seen in read_all(path)]

    assert runs == [("started", None), ("completed", 90_000), ("stopped", 0), ("failed", None)]


def test_a_sqlite_file_whose_writer_was_killed_is_read_as_it_was_before(tmp_path):
    path = write_file(tmp_path / "file", "sqlite", [run(f"drun_{number}") for number in range(3000)])
    code = f"""
import os, sqlite3
database = sqlite3.connect({str(path)!r}, isolation_level=None)
database.execute("PRAGMA cache_size = 5")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE runs SET status = 'broken', deployment_id = 'dep_' || id")
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (tmp_path / "file-journal").stat().st_size > 0
    assert b"broken" in path.read_bytes()

    assert {seen.state for seen in read_all(path)} == {"completed"}


def test_a_sync_can_write_between_two_batches_of_a_sqlite_file(tmp_path):
    path = write_file(tmp_path / "file", "sqlite", [run(f"drun_{number}") for number in range(1200)])
    ids = []
    with closing(sqlite3.connect(path, timeout=0)) as database:
        for batch in read_runs(path):
            ids += [seen.id for seen in batch]
            database.execute("UPDATE runs SET status = 'failed'")
            database.execute("INSERT OR IGNORE INTO runs (id) VALUES ('drun_new')")
            database.commit()

    assert ids == [f"drun_{number}" for number in range(1200)] + ["drun_new"]


@FORMATS
def test_what_was_exported_is_told_by_some_formats(tmp_path, found):
    bounded = write_file(tmp_path / "one", found, [run()], after=START)
    whole = write_file(tmp_path / "two", found, [run()])

    tells = found in ("parquet", "sqlite")
    assert read_scope(bounded, found) == (Scope(START, None) if tells else None)
    assert read_scope(whole, found) == (Scope(None, None) if tells else None)


# What is damaged


def refusal(path):
    with pytest.raises(ExportError) as caught:
        read_all(path)
    assert caught.value.path == str(path)
    assert caught.value.__context__ is None
    return str(caught.value).removeprefix(f"{path} ")


@pytest.mark.parametrize("line", [run()[:-30], b"[]", b'"drun_1"', b"drun_1", run() + run(), run() + b"}"])
def test_a_line_that_is_no_run_is_told_with_its_number(tmp_path, line):
    path = tmp_path / "file"
    path.write_bytes(b"\n".join([run()] * 700 + [line]))

    assert refusal(path).startswith("is damaged: line 701 is no run (")


@COMPRESSED
@pytest.mark.parametrize("share", [0.3, 0.9, 0.9999])
def test_a_compressed_file_that_ends_too_early_is_told(tmp_path, found, share):
    path = write_file(tmp_path / "file", found, [run(os.urandom(16).hex()) for _ in range(5000)])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    assert refusal(path).startswith("is damaged: ")


def test_a_compressed_file_that_ends_between_two_lines_is_told(tmp_path):
    path = tmp_path / "file"
    packer = zstandard.ZstdCompressor().compressobj()
    line = run() + b"\n"
    path.write_bytes(packer.compress(line * 10) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))

    assert refusal(path) == "is damaged: it ends too early"


@COMPRESSED
def test_a_compressed_file_with_a_wrong_byte_is_told(tmp_path, found):
    path = write_file(tmp_path / "file", found, [run(os.urandom(16).hex()) for _ in range(5000)])
    spoilt = bytearray(path.read_bytes())
    spoilt[-3] ^= 0xFF  # of the checksum
    path.write_bytes(spoilt)

    assert refusal(path).startswith("is damaged: ")


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (lambda text: text[:-40], "line 4 is no run ("),
        (lambda text: text + b'"drun_9', "line 5 is no run ("),
        (lambda text: text.replace(b"2026-11-22T08:30", b"22.11.2026 08:30", 1), "line 2 is no run ("),
        (lambda text: text.replace(b",17268,", b",17k,", 1), "line 2 is no run ("),
        (lambda text: text.replace(b",completed,", b",compl\xe9ted,", 1), ""),
        (lambda text: text + b"drun_9,dep_1\r\n", "line 5 is no run ("),
    ],
)
def test_a_csv_file_that_was_changed_is_told(tmp_path, cut, reason):
    path = write_file(tmp_path / "file", "csv", [run("drun_1"), run("drun_2"), run("drun_3")])
    path.write_bytes(cut(path.read_bytes()))

    assert refusal(path).startswith(f"is damaged: {reason}")


def test_a_parquet_file_with_wrong_bytes_is_told(tmp_path):
    path = write_file(tmp_path / "file", "parquet", [run(os.urandom(16).hex()) for _ in range(5000)])
    spoilt = bytearray(path.read_bytes())
    spoilt[1000:3000] = os.urandom(2000)
    path.write_bytes(spoilt)

    assert refusal(path).startswith("is damaged: ")


def test_a_parquet_file_without_a_column_is_told(tmp_path):
    path = write_file(tmp_path / "file", "parquet", [run()])
    table = parquet.read_table(path).drop_columns(["time"])
    parquet.write_table(table, path)

    assert refusal(path).startswith("is damaged: ")


def test_a_sqlite_file_with_wrong_bytes_is_told(tmp_path):
    path = write_file(tmp_path / "file", "sqlite", [run(f"drun_{number}") for number in range(2000)])
    spoilt = bytearray(path.read_bytes())
    for page in range(8192, len(spoilt) - 4096, 4096):
        spoilt[page : page + 100] = b"\xff" * 100
    path.write_bytes(spoilt)

    assert refusal(path).startswith("is damaged: ")


@pytest.mark.parametrize("change", ["ALTER TABLE runs RENAME TO walks", "UPDATE runs SET time = 'soon'"])
def test_a_sqlite_file_that_was_changed_is_told(tmp_path, change):
    path = write_file(tmp_path / "file", "sqlite", [run()])
    with closing(sqlite3.connect(path)) as database:
        database.execute(change)
        database.commit()

    assert refusal(path).startswith("is damaged: ")


@pytest.mark.parametrize("found", ["parquet", "sqlite"])
def test_what_was_exported_may_be_gone(tmp_path, found):
    path = write_file(tmp_path / "file", found, [run()])
    path.write_bytes(path.read_bytes()[:-200] if found == "parquet" else b"SQLite format 3\0" + bytes(5000))

    with pytest.raises(ExportError, match="is damaged"):
        read_scope(path, found)
    path.unlink()
    with pytest.raises(ExportError):
        read_scope(path, found)


@pytest.mark.parametrize("found", ["parquet", "sqlite"])
def test_what_was_exported_may_be_damaged(tmp_path, found):
    path = write_file(tmp_path / "file", found, [run()])
    if found == "sqlite":
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE info SET value = 'everything'")
            database.commit()
    else:
        table = parquet.read_table(path)
        parquet.write_table(table.replace_schema_metadata({"qoder_async": '{"triggered_after":"soon"}'}), path)

    with pytest.raises(ExportError, match="is damaged"):
        read_scope(path, found)


def test_a_short_compressed_file_that_is_damaged_is_not_taken_for_one_of_others(tmp_path):
    path = write_file(tmp_path / "file", "jsonl.gz", [run(os.urandom(16).hex()) for _ in range(100)])
    whole = path.read_bytes()
    for spoilt in (whole[:-3], whole[:-30] + bytes(26) + whole[-4:]):
        path.write_bytes(spoilt)

        assert refusal(path).startswith("is damaged: ")


def test_a_file_that_cannot_be_read_to_its_end_is_told(tmp_path, monkeypatch):
    path = write_file(tmp_path / "file", "jsonl", [run()] * 3)

    def broken(file):
        yield run() + b"\n"
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(reading, "_pieces", broken)

    assert refusal(path) == "cannot be read: Input/output error"


@pytest.mark.parametrize("whole", [None, "{", b"\xff"])
def test_a_row_whose_json_is_lost_too_tells_its_id(whole):
    seen = see_row("drun_1", None, TIME, "started", 5, whole)

    assert seen == SeenRun("drun_1", None, TIME, None, None)


def test_a_time_that_has_no_place_in_utc_stays_as_it_is():
    (seen,) = see_lines([run(triggered_at="0001-01-01T00:00:00+14:00")])

    assert seen.time.isoformat() == "0001-01-01T00:00:00+14:00"


# Which format it is


@FORMATS
@pytest.mark.parametrize("name", ["runs.csv", "runs.db", "runs", "runs.jsonl.zst"])
def test_the_name_of_a_file_does_not_matter(tmp_path, found, name):
    path = write_file(tmp_path / name, found, [run()])

    assert recognise(path) == found
    assert only(path).id == "drun_1"


def test_an_empty_file_is_jsonl(tmp_path):
    (tmp_path / "file").touch()

    assert recognise(tmp_path / "file") == "jsonl"
    assert read_all(tmp_path / "file") == []


@pytest.mark.parametrize(
    "head",
    [
        lean() + b"\n",
        run(type=..., agent=3) + b"\n" + lean() + b"\n",
        lean()[:-20],
        run(novelty="x" * 200_000) + b"\n",
        b"\n" + lean(),
    ],
)
def test_runs_as_lines_are_recognised(tmp_path, head):
    (tmp_path / "file").write_bytes(head)

    assert recognise(tmp_path / "file") == "jsonl"


def sqlite_of_others(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE runs (id TEXT PRIMARY KEY)")
        database.commit()


def parquet_of_others(path):
    parquet.write_table(pa.table({"id": ["drun_1"]}), path)


OTHERS = {
    "a text": b"Dear diary\n",
    "a blank line": b"\n",
    "another JSON": json.dumps({"type": "deployment", "id": "dep_1"}).encode(),
    "JSON lines of which a later one is a run": b'{"type":"session"}\n' + lean(),
    "what wait --json writes": json.dumps({"run": fixture("run_current_manual"), "state": "completed"}).encode(),
    "an array of runs": b"[" + lean() + b"]",
    "no type": b'{"id":"drun_1"}\n',
    "another CSV": b"id,deployment_id\r\ndrun_1,dep_1\r\n",
    "a few bytes of SQLite": b"SQLite format 3\0",
    "a few bytes of Parquet": b"PAR1",
    "Parquet with a wrong length": b"PAR1" + b"\xff\xff\xff\x7fPAR1",
    "gzip of another text": gzip.compress(b"Dear diary\n"),
    "no gzip after all": b"\x1f\x8b no",
    "Zstandard of another text": zstandard.compress(b"Dear diary\n"),
    "no Zstandard after all": b"\x28\xb5\x2f\xfd no",
    "ZIP": b"PK\x03\x04",
    "zeros": bytes(100_000),
    "another SQLite": sqlite_of_others,
    "another Parquet": parquet_of_others,
}


@pytest.mark.parametrize("other", OTHERS)
def test_files_of_others_are_refused(tmp_path, other):
    path, content = tmp_path / "runs.jsonl", OTHERS[other]
    content(path) if callable(content) else path.write_bytes(content)
    was = path.read_bytes()

    with pytest.raises(ExportError) as caught:
        recognise(path)

    message = f"{path} exists and is no export of runs: choose another name, or move it away"
    assert (str(caught.value), caught.value.path) == (message, str(path))
    assert path.read_bytes() == was
    with pytest.raises(ExportError, match="no export of runs"):
        read_all(path)


def test_folders_and_pipes_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    for path, what in ((tmp_path, "a folder"), (tmp_path / "pipe", "no ordinary file")):
        with pytest.raises(ExportError, match=f"is {what}: choose the name of a file"):
            recognise(path)


def test_a_missing_file_is_an_error_of_the_library(tmp_path):
    with pytest.raises(ExportError, match="cannot be read: No such file or directory") as caught:
        recognise(tmp_path / "nothing")

    assert caught.value.__context__ is None


@pytest.mark.parametrize(("found", "library"), [("jsonl.zst", "zstandard"), ("parquet", "pyarrow")])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, found, library):
    path = write_file(tmp_path / "file", found, [run()])
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(ConfigurationError, match=r'pip install "qoder-async\['):
        read_all(path)


def test_little_is_read_to_recognise_a_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(20):
            file.write((run() + b"\n") * 2000)
    read = []
    unpack = compressed._unpack

    def counting(*arguments):
        for piece in unpack(*arguments):
            read.append(len(piece))
            yield piece

    monkeypatch.setattr(compressed, "_unpack", counting)

    assert recognise(path) == "jsonl.gz"
    assert 0 < sum(read) < 4_000_000


# In a thread


async def test_a_file_is_fed_from_a_thread(tmp_path):
    path = write_file(tmp_path / "file", "jsonl", [run(f"drun_{number}") for number in range(12_345)])
    ids, threads = [], set()

    def take(runs):
        threads.add(threading.get_ident())
        ids.extend(seen.id for seen in runs)

    await feed_runs(path, take)

    assert ids == [f"drun_{number}" for number in range(12_345)]
    assert threading.get_ident() not in threads


async def test_what_takes_the_runs_may_fail(tmp_path):
    path = write_file(tmp_path / "file", "sqlite", [run()])

    def take(runs):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await feed_runs(path, take)
    path.unlink()


async def test_a_cancelled_reading_ends_soon_and_closes_its_file(tmp_path, monkeypatch):
    path = write_file(tmp_path / "file", "jsonl", [run()] * 30_000)
    begun, closed, taken = asyncio.Event(), [], []
    loop = asyncio.get_running_loop()
    pieces = reading._pieces

    def watched(file):
        try:
            yield from pieces(file)
        finally:
            closed.append(file.closed)

    def take(runs):
        taken.append(len(runs))
        loop.call_soon_threadsafe(begun.set)

    monkeypatch.setattr(reading, "_pieces", watched)
    feeding = asyncio.create_task(feed_runs(path, take))
    await begun.wait()
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding

    assert sum(taken) < 30_000
    assert closed == [False]  # it was closed after that, with the generator around it


@FORMATS
def test_memory_stays_flat(tmp_path, found):
    path = write_file(tmp_path / "file", found, [run(f"drun_{number}") for number in range(20_000)])
    assert next(read_runs(path))  # whatever is imported is imported now
    tracemalloc.start()
    try:
        for batch in read_runs(path):
            del batch
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 4_000_000
    assert reading_parquet._AT_ONCE <= 5000
