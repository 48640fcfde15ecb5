"""Compressed JSON lines: every byte comes back, and the same runs make the same file."""

from __future__ import annotations

import gzip
import time

import pytest
import zstandard
from formats_support import DOCUMENTED, SCOPE, UNDECODABLE, WITHOUT_ID, history, line_of

from qoder_async.export.write.to_jsonl import write_gzip, write_zstd


def unzstd(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


FORMATS = pytest.mark.parametrize(
    ("write", "unpack"), [(write_gzip, gzip.decompress), (write_zstd, unzstd)], ids=["gzip", "zstd"]
)


@FORMATS
def test_lines_come_back_byte_for_byte(tmp_path, write, unpack):
    lines = [*map(line_of, DOCUMENTED.values()), *UNDECODABLE.values(), *WITHOUT_ID.values()]
    path = tmp_path / "runs"

    assert write([lines[:3], [], lines[3:]], path, scope=SCOPE) == 0
    assert unpack(path.read_bytes()) == b"".join(line + b"\n" for line in lines)


@FORMATS
@pytest.mark.parametrize("batches", [[], [[]]])
def test_no_runs_make_a_whole_empty_file(tmp_path, write, unpack, batches):
    path = tmp_path / "runs"
    assert write(batches, path, scope=SCOPE) == 0
    assert unpack(path.read_bytes()) == b""
    assert path.stat().st_size > 0


@FORMATS
def test_the_same_runs_make_the_same_bytes(tmp_path, monkeypatch, write, unpack):
    write(history(1_000), tmp_path / "one", scope=SCOPE)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    write(history(1_000), tmp_path / "two", scope="{}")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_gzip_names_neither_a_time_nor_a_file(tmp_path):
    write_gzip([[b"{}"]], tmp_path / "runs.jsonl.gz", scope=SCOPE)
    header = (tmp_path / "runs.jsonl.gz").read_bytes()[:10]
    assert header[3:8] == b"\0\0\0\0\0"


def test_zstd_has_a_checksum(tmp_path):
    write_zstd([[b"{}"]], tmp_path / "runs", scope=SCOPE)
    assert zstandard.get_frame_parameters((tmp_path / "runs").read_bytes()).has_checksum


@FORMATS
def test_it_is_packed(tmp_path, write, unpack):
    write(history(2_000), tmp_path / "runs", scope=SCOPE)
    assert (tmp_path / "runs").stat().st_size < sum(len(line) + 1 for batch in history(2_000) for line in batch) / 5
