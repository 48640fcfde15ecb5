"""Files that were damaged, at any byte: they are read to the damage, or refused in the library's own words."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zlib
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice

import pytest
from support.payloads import fixture
from support.reliability_fuzz import ONLY, SECONDS, broken_record, fuzz, mutated, tried

from qoder_async import ConfigurationError, Cursor, ExportError
from qoder_async.export.checkpoint import (
    Checkpoint,
    Filters,
    Publication,
    check_checkpoint,
    read_checkpoint,
    selection_of,
    write_checkpoint,
)
from qoder_async.export.publishing import writer_of
from qoder_async.export.read.compressed import DamagedError, gunzip
from qoder_async.export.read.from_sqlite import read_sqlite
from qoder_async.export.read.reading import read_runs
from qoder_async.export.read.recognition import recognise
from qoder_async.export.read.scope import read_scope
from qoder_async.export.read.seen import SeenRun
from qoder_async.export.spool import last_ids
from qoder_async.export.sync.file import open_store
from qoder_async.export.walks import Place, _earlier
from qoder_async.export.write import to_csv, to_sqlite
from qoder_async.export.write.columns import NAMES
from qoder_async.following.watch_state import WatchState, read_state

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
FILTERS = Filters(base_url="https://qoder.test/api", triggered_after=None, triggered_before=NOW)
FULL = Checkpoint(
    filters=FILTERS,
    size=1000,
    rows=3,
    whole_of=selection_of(["dep_1", "dep_2"]),
    publication=Publication("csv", 4711, 1),
    done=["dep_1"],
    gone={"dep_9": "404: no such deployment"},
    places={"dep_2": Place(Cursor("page", "eyJ", 3), NOW, "drun_7", NOW), "dep_3": Place(last_id="drun_1")},
)


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "runs.csv.checkpoint"
    write_checkpoint(path, FULL)
    return path


def use(path, found):
    """Do with a checkpoint what an export does that goes on from it."""
    for place in found.places.values():
        _earlier(NOW, place.until)
        _earlier(NOW, place.last_time)
        assert place.cursor is None or Cursor.parse(str(place.cursor)) == place.cursor
    for deployments in (None, ["dep_1", "dep_2", "dep_3"]):
        tried(ExportError, check_checkpoint, path, found, FILTERS, deployments)
    last_ids(path, found.size, found.places)
    write_checkpoint(path, found)
    assert read_checkpoint(path) == found


def test_checkpoints(checkpoint):
    whole = checkpoint.read_bytes()
    plain = checkpoint.with_name("plain.checkpoint")
    write_checkpoint(plain, Checkpoint(filters=FILTERS))
    seeds = [whole, plain.read_bytes(), b'{"qoder_async_export":1}', b'{"qoder_async_export":2,"new":[]}', b""]

    def check(chance):
        checkpoint.write_bytes(mutated(chance, chance.choice(seeds[:2]), others=seeds))
        found, refusal = tried(ExportError, read_checkpoint, checkpoint)
        if refusal is None:
            use(checkpoint, found)
        else:
            assert "begin anew with resume=False" in str(refusal)

    fuzz("checkpoint", 600, check)


def test_any_value_in_a_checkpoint(checkpoint):
    whole = json.loads(checkpoint.read_bytes())

    def change(chance, value):
        if isinstance(value, dict) and value and chance.random() < 0.9:
            name = chance.choice(list(value))
            return value | {name: change(chance, value[name])}
        odd = [
            None,
            True,
            -1,
            0,
            2**70,
            1.5,
            "",
            "x",
            "../../x",
            "2026-11-22T08:30:00",
            "0001-01-01T00:00:00+23:59",
            [],
            {},
        ]
        return chance.choice(odd)

    def check(chance):
        checkpoint.write_text(json.dumps(change(chance, whole)))
        found, refusal = tried(ExportError, read_checkpoint, checkpoint)
        if refusal is None:
            use(checkpoint, found)

    fuzz("value of a checkpoint", 600, check)


@pytest.mark.parametrize("name", ["until", "last_time"])
def test_a_checkpoint_with_a_time_without_offset_is_damaged(checkpoint, name):
    """It would be compared with times that have one: a TypeError in the middle of the export."""
    text = checkpoint.read_text()
    changed = text.replace(f'"{name}":"2026-11-22T08:30:00Z"', f'"{name}":"2026-11-22T08:30:00"')
    assert changed != text
    checkpoint.write_text(changed)
    with pytest.raises(ExportError, match="damaged"):
        read_checkpoint(checkpoint)


# Exported files

RUNS = [
    fixture(name) | {"id": f"drun_{number}"}
    for number, name in enumerate(
        ["run_current_manual", "run_current_schedule", "run_current_session_not_created", "run_extended_completed"] * 2
    )
]
LINES = [json.dumps(run, separators=(",", ":")).encode() for run in RUNS] + [
    b'{"id":"drun_odd","type":"deployment_run"}'
]
SCOPE = '{"deployments": null, "triggered_after": null, "triggered_before": "2026-11-22T14:01:25Z"}'


def write_file(path, found, lines=LINES):
    write = writer_of(found)
    if write is None:
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    else:
        write([lines], path, scope=SCOPE)
    return path


def read_damaged(path):
    """Read a file as far as it goes; gives the runs, and the refusal if there is one."""
    found = []

    def read():
        for batch in read_runs(path):
            found.extend(batch)

    _, refusal = tried(ExportError, read)
    assert refusal is None or refusal.path == str(path)
    for run in found:
        assert isinstance(run, SeenRun)
        assert all(isinstance(text, str | None) for text in (run.id, run.deployment_id, run.state))
        assert run.time is None or run.time.utcoffset() is not None
        assert isinstance(run.duration_ms, int | None)
    return found, refusal


def note_scope(path):
    tried(ExportError, lambda: read_scope(path, recognise(path)))


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "csv", "sqlite"])
def test_damaged_files(tmp_path, kind):
    path = write_file(tmp_path / "runs", kind)
    whole = path.read_bytes()
    assert len(read_damaged(path)[0]) == len(LINES)

    def check(chance):
        path.write_bytes(mutated(chance, whole, others=[whole, b"\n".join(LINES)], most=2))
        read_damaged(path)
        note_scope(path)

    fuzz(f"file of {kind}", 120, check)


def test_sqlite_rows_that_are_in_no_order_are_not_read_for_ever(tmp_path):
    """A row number that was damaged leads back to rows that were read already."""
    path = write_file(tmp_path / "runs.db", "sqlite", LINES[:2])
    with closing(sqlite3.connect(path)) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'")
        ((size,),) = connection.execute("PRAGMA page_size")
    data = bytearray(path.read_bytes())
    page = (root - 1) * size
    cell = page + int.from_bytes(data[page + 8 : page + 10], "big")
    assert data[page] == 13  # a leaf
    assert data[cell] > 127  # the length of the row, in two bytes
    assert data[cell + 2] == 1  # its number
    data[cell + 2] = 5
    path.write_bytes(data)
    with pytest.raises(DamagedError, match="in no order"):
        list(islice(read_sqlite(path, 2), 10))


@pytest.mark.parametrize(
    "change",
    [
        "time = substr(time, 1, 19)",
        "duration_ms = 'long'",
        "duration_ms = 1.5",
        "duration_ms = x'00'",
        "id = x'00'",
        "deployment_id = x'00'",
        "status = x'00'",
        "time = 7",
        "time = 'never'",
        "time = x'00'",
    ],
)
def test_values_that_sqlite_holds_and_no_run_has(tmp_path, change):
    """Its columns take any type; a time without offset would fail wherever it is compared."""
    path = write_file(tmp_path / "runs.db", "sqlite", LINES[:2])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE runs SET {change} WHERE id = 'drun_1'")
    _, refusal = read_damaged(path)
    assert "is damaged" in str(refusal)


def test_a_time_without_offset_in_a_csv_file(tmp_path):
    path = write_file(tmp_path / "runs.csv", "csv", LINES[:1])
    path.write_bytes(path.read_bytes().replace(b".000000Z", b".000000"))
    _, refusal = read_damaged(path)
    assert "is damaged: line 2 is no run (a time without an offset" in str(refusal)


def test_a_file_to_sync_whose_damage_cannot_be_quoted(tmp_path):
    """SQLite puts the words of a damaged table into its error, which need be no UTF-8."""
    path = write_file(tmp_path / "runs.db", "sqlite")
    data = path.read_bytes()
    assert data.count(b"CREATE TABLE runs (") == 1
    path.write_bytes(data.replace(b"CREATE TABLE runs (", b"CREATE TABLE r\xf4\xf4s )"))
    with pytest.raises(ExportError, match="it is damaged: move it away"):
        open_store(path)


def test_damaged_parquet_files(tmp_path):
    """In CI only ends that are missing: what Arrow makes of odd bytes is its own affair, and changes."""
    path = write_file(tmp_path / "runs", "parquet")
    whole = path.read_bytes()

    def check(chance):
        if SECONDS or ONLY:
            path.write_bytes(mutated(chance, whole, others=[whole], most=2))
        else:
            path.write_bytes(whole[: chance.randrange(len(whole))])
        read_damaged(path)
        note_scope(path)

    fuzz("file of parquet", 60, check)


def test_lines_before_a_broken_one_are_given(tmp_path):
    """What comes after it is left out, and the file is said to be damaged, with the number of the line."""
    path = tmp_path / "runs.jsonl"

    def check(chance):
        lines = [chance.choice(LINES) for _ in range(chance.randint(1, 8))]
        place = chance.randint(1, len(lines))
        lines.insert(place, mutated(chance, LINES[0]).replace(b"\n", b"").replace(b"\r", b""))
        path.write_bytes(b"\n".join(lines) + b"\n")
        found, refusal = read_damaged(path)
        if refusal is None:
            assert len(found) == len([line for line in lines if line.strip()])
        else:
            assert f"line {place + 1:,} is no run" in str(refusal)

    fuzz("broken line", 150, check)


def test_odd_runs_beside_sound_ones_are_all_there(tmp_path):
    """In every format: the sound ones as they are, the odd ones with what can be read of them."""
    kinds = ("jsonl", "jsonl.gz", "csv", "sqlite", "parquet")

    def check(chance):
        lines, sound = [], []
        for number in range(chance.randint(1, 6)):
            run = chance.choice(RUNS) | {"id": f"drun_{number}"}
            if chance.random() < 0.5:
                lines.append(b" ".join(broken_record(chance, run).splitlines()))
            else:
                lines.append(json.dumps(run).encode())
                sound.append(run)
        kind = chance.choice(kinds)
        path = write_file(tmp_path / "runs", kind, [b'{"type":"deployment_run","id":"drun_first"}', *lines])
        found, refusal = read_damaged(path)
        if refusal is not None:  # a line that breaks JSON's grammar, which only tables have a place for
            assert kind.startswith("jsonl")
            assert "is no run" in str(refusal)
            return
        if kind != "sqlite":  # where a run is there once, by its id
            assert len(found) == len(lines) + 1
        times = {run.id: run.time for run in found}
        for run in sound:
            assert times[run["id"]] == datetime.fromisoformat(run.get("triggered_at") or run["created_at"])

    fuzz("odd runs", 120, check)


def test_files_that_a_sync_opens(tmp_path):
    path = tmp_path / "runs.db"
    to_sqlite.write([LINES], path, scope='{"deployments": null}')
    with closing(open_store(path)):
        pass
    whole = path.read_bytes()

    def check(chance):
        for other in tmp_path.iterdir():
            other.unlink()
        path.write_bytes(mutated(chance, whole, others=[whole], most=2))
        store, refusal = tried(ExportError, open_store, path)
        if refusal is not None:
            assert refusal.path == str(path)
            return

        def look():
            for deployment_id, _ in store.deployments():
                store.standing(deployment_id)
            store.count_runs()
            store.count_unfinished(outcomes=False)

        with closing(store):
            tried(ExportError, look)

    fuzz("file to sync", 80, check)


def test_millions_of_packed_nothings_are_passed_over(tmp_path):
    """The work for a piece does not grow with the number of pieces before it."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    nothing = packer.compress(b"") + packer.flush()
    pieces = list(gunzip(io.BytesIO(nothing * 5000)))
    assert pieces == []


# Texts


def test_cursors():
    seeds = [
        b"after_id:drun_1",
        b"before_id+3:x",
        b"page+17:eyJ",
        b"page+3:",
        b"page:a:b+3:c\n",
        "page+\u0663:x".encode(),
    ]

    def check(chance):
        text = mutated(chance, chance.choice(seeds), others=seeds).decode(
            "utf-8", chance.choice(("replace", "surrogateescape"))
        )
        try:
            cursor = Cursor.parse(text)
        except ConfigurationError:
            return
        assert str(cursor).partition(":")[2] == text.partition(":")[2]
        assert Cursor.parse(str(cursor)) == cursor

    fuzz("cursor", 4000, check)


@pytest.mark.parametrize("skip", [10**9, 10**18 - 1])
def test_a_cursor_that_skips_much_is_read_back(skip):
    cursor = Cursor("page", "x", skip)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("skip", [10**18, 10**300])
def test_no_cursor_skips_more_than_its_text_can_say(skip):
    with pytest.raises(ConfigurationError, match="skip"):
        Cursor("page", "x", skip)


@pytest.mark.parametrize("text", ["page+\u0663:x", "page+\uff13:x", "page+1\u0660:x"])
def test_only_plain_digits_are_digits_in_a_cursor(text):
    with pytest.raises(ConfigurationError):
        Cursor.parse(text)


def test_states_of_watches():
    seeds = [
        str(WatchState(NOW, {"drun_1": NOW, "drun_2": NOW}, {"drun_3": "running|x"})).encode(),
        str(WatchState(NOW)).encode(),
        b'{"v":1,"looked_at":"2026-11-22T08:30:00Z","known":{},"unfinished":{}}',
    ]  # fmt: skip

    def check(chance):
        text = mutated(chance, chance.choice(seeds), others=seeds).decode("utf-8", "surrogateescape")
        state, _ = tried(ConfigurationError, read_state, text)
        if state is not None:
            state.looked(NOW)
            again = read_state(str(state))
            assert (again.looked_at, again.unfinished) == (state.looked_at, state.unfinished)

    fuzz("state", 1500, check)


STARTS = "=+-@\t\r＝＋－＠"  # noqa: RUF001  some of them are full-width


def test_cells(tmp_path):
    """Whatever a text holds, it is one cell, comes back whole, and starts no formula."""
    path = tmp_path / "runs.csv"
    pieces = [*STARTS, "'", '"', ",", ";", "\n", "\r\n", "\0", "x", "cmd|' /C calc'!A0", "\ufeff", " ", "\u202e", "é"]

    def text(chance):
        return "".join(chance.choice(pieces) for _ in range(chance.randint(1, 5)))

    def check(chance):
        values = {name: text(chance) for name in ("id", "deployment_id", "session_id", "status")}
        error = {"type": text(chance), "message": text(chance)}
        run = RUNS[0] | values | {"error": error, "agent": {"id": text(chance), "version": 1, "type": "agent"}}
        to_csv.write([[json.dumps(run).encode()]], path, scope=SCOPE)
        with path.open(encoding="utf-8", newline="") as file:
            header, cells = csv.reader(file, strict=True)
        assert header == list(NAMES)
        row = dict(zip(NAMES, cells, strict=True))
        expected = values | {
            "error_type": error["type"],
            "error_message": error["message"],
            "agent_id": run["agent"]["id"],
        }
        for name, value in expected.items():
            assert not row[name].startswith(tuple(STARTS))
            assert row[name] == ("'" if value.startswith(tuple(STARTS)) else "") + value

    fuzz("cell", 400, check)
