"""The harness of killed exports finds out what is wrong."""

import gzip
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from kill_checks import WrongError, check
from kill_processes import HERE

RECORDS = {f"drun_{number}": b'{"id": "drun_%d", "n": 1.50}' % number for number in range(3)}
LINES = list(RECORDS.values())


def jsonl(folder: Path, lines: list[bytes], *, end: bytes = b"\n") -> Path:
    path = folder / "runs.jsonl"
    path.write_bytes(b"\n".join(lines) + end)
    return path


def test_a_whole_file_is_fine(tmp_path: Path):
    assert check(jsonl(tmp_path, LINES), "jsonl", RECORDS, RECORDS) == 3
    assert check(jsonl(tmp_path, LINES[:2]), "jsonl", RECORDS, ["drun_0", "drun_1"]) == 2


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (LINES[:2], "1 runs missing, 0 double, 0 not the service's"),
        ([*LINES, LINES[0]], "0 runs missing, 1 double"),
        ([*LINES, b'{"id": "drun_9"}'], "1 not the service's"),
        ([*LINES[:2], b'{"id":"drun_2","n":1.5}'], "not what the server sent"),
        ([*LINES[:2], LINES[2][:-4]], "no JSON of a run"),
    ],
)
def test_what_is_missing_double_foreign_changed_or_broken_shows(tmp_path: Path, lines: list[bytes], reason: str):
    with pytest.raises(WrongError, match=reason):
        check(jsonl(tmp_path, lines), "jsonl", RECORDS, RECORDS)


def test_a_torn_line_shows(tmp_path: Path):
    with pytest.raises(WrongError, match="torn"):
        check(jsonl(tmp_path, LINES, end=b""), "jsonl", RECORDS, RECORDS)
    path = tmp_path / "runs.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(LINES)))
    with pytest.raises(WrongError, match="torn"):
        check(path, "jsonl.gz", RECORDS, RECORDS)


def test_a_row_without_its_json_shows(tmp_path: Path):
    path = tmp_path / "runs.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, raw TEXT)")
        database.executemany("INSERT INTO runs VALUES (?, ?)", [(key, raw.decode()) for key, raw in RECORDS.items()])
    assert check(path, "sqlite", RECORDS, RECORDS) == 3
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE runs SET raw = replace(raw, '1.50', '1.5')")
    with pytest.raises(WrongError, match="not what the server sent"):
        check(path, "sqlite", RECORDS, RECORDS)


_SCRIPT = """
import os, sys
from pathlib import Path
from kill_strikes import Strikes
folder, syncs = Path(sys.argv[1]), sys.argv[2] == "careful"
strikes = Strikes(folder, (sys.argv[3], 1), sys.argv[4])
strikes.install()
def write(path, data, target):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, data)
    if syncs:
        os.fsync(descriptor)
    os.close(descriptor)
    os.replace(path, target)
    if syncs:
        folder_descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(folder_descriptor)
write(folder / "new", b"0123456789", folder / "data")
(folder / "end").unlink(missing_ok=True)
"""


def struck(folder: Path, manner: str, at: str, how: str) -> dict[str, bytes]:
    inside = folder / "inside"
    inside.mkdir()
    (inside / "data").write_bytes(b"old")
    command = [sys.executable, "-c", _SCRIPT, str(inside), manner, at, how]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(HERE)}, check=False)
    assert done.returncode == -signal.SIGKILL
    return {path.name: path.read_bytes() for path in inside.iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL and /proc")
@pytest.mark.parametrize(
    ("manner", "at", "how", "left"),
    [
        ("careless", "write new", "kill", {"data": b"old", "new": b""}),
        ("careless", "write new", "torn", {"data": b"old", "new": b"01234"}),
        ("careless", "unlink end", "kill", {"data": b"0123456789"}),
        # Neither the name nor the contents are there for sure.
        ("careless", "unlink end", "power", {"data": b"old", "new": b""}),
        ("careful", "open inside", "power", {"data": b"old", "new": b"0123456789"}),
        ("careful", "unlink end", "power", {"data": b"0123456789"}),
    ],
)
def test_a_strike_leaves_what_a_crash_leaves(tmp_path: Path, manner: str, at: str, how: str, left: dict[str, bytes]):
    assert struck(tmp_path, manner, at, how) == left
