"""What all formats have in common: flat memory, a clean end in trouble, and what is said of a missing extra."""

from __future__ import annotations

import errno
import gc
import sys
import tracemalloc
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest
from formats_support import SCOPE, history, read_csv, read_sqlite
from pyarrow import parquet

from qoder_async.errors import ConfigurationError
from qoder_async.export.extras import check_extra
from qoder_async.export.formats import FORMATS
from qoder_async.export.write import to_csv, to_jsonl, to_parquet, to_sqlite

WRITERS = {
    "csv": to_csv.write,
    "jsonl.gz": to_jsonl.write_gzip,
    "jsonl.zst": to_jsonl.write_zstd,
    "parquet": to_parquet.write,
    "sqlite": to_sqlite.write,
}
all_formats = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
FULL = Path("/dev/full")
MIB = 1 << 20


class StopHereError(Exception):
    pass


def test_every_format_but_that_of_the_spool_has_a_writer():
    assert set(WRITERS) == set(FORMATS) - {"jsonl"}


@pytest.fixture(scope="module")
def long_history():
    return list(history(100_000))


@all_formats
def test_memory_stays_flat_over_100_000_runs(tmp_path, write, long_history):
    """They are 50 MB together: what is made of the last 20,000 is not kept, and most of the file is there by then."""
    target = tmp_path / "runs"
    arrow, sizes = [], []

    def batches():
        for number, batch in enumerate(long_history):
            arrow.append(pa.total_allocated_bytes())
            sizes.append(target.stat().st_size)
            if number == 160:
                tracemalloc.start()
            yield batch
        python.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    python = []
    gc.collect()
    try:
        assert write(batches(), target, scope=SCOPE) == 0
    finally:
        tracemalloc.stop()
    assert python[0] < 4 * MIB
    assert max(arrow) - arrow[0] < 16 * MIB
    assert sizes[-1] > 0.5 * target.stat().st_size


@all_formats
def test_what_the_batches_raise_passes_and_the_file_can_be_written_anew(tmp_path, write):
    target = tmp_path / "runs"

    def stopping():
        yield from history(30_000)
        raise StopHereError

    with pytest.raises(StopHereError):
        write(stopping(), target, scope=SCOPE)
    write(history(500), target, scope=SCOPE)
    write(history(500), tmp_path / "other", scope=SCOPE)

    assert target.read_bytes() == (tmp_path / "other").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other", "runs"]


@all_formats
def test_a_folder_that_is_not_there_is_an_error_of_the_file_system(tmp_path, write):
    with pytest.raises(OSError) as caught:
        write(history(1), tmp_path / "nowhere" / "runs", scope=SCOPE)
    assert caught.value.errno == errno.ENOENT


@all_formats
def test_a_folder_in_the_way_is_an_error_of_the_file_system(tmp_path, write):
    with pytest.raises(OSError) as caught:
        write(history(1), tmp_path, scope=SCOPE)
    assert caught.value.errno


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("name", sorted(set(WRITERS) - {"sqlite"}))
def test_a_full_disk_is_an_error_of_the_file_system(name):
    with pytest.raises(OSError) as caught:
        WRITERS[name](history(25_000), FULL, scope=SCOPE)
    assert caught.value.errno == errno.ENOSPC


def test_all_tables_have_the_same_runs_in_the_same_order(tmp_path):
    for name in ("csv", "parquet", "sqlite"):
        assert WRITERS[name](history(5_500), tmp_path / name, scope=SCOPE) == 0

    wanted = [f"drun_{number:032x}" for number in range(5_500)]
    assert [row["id"] for row in read_csv(tmp_path / "csv")] == wanted
    assert [row["id"] for row in read_sqlite(tmp_path / "sqlite")] == wanted
    assert parquet.read_table(tmp_path / "parquet").column("id").to_pylist() == wanted


# Extras


@pytest.mark.parametrize(
    ("name", "library", "extra"), [("parquet", "pyarrow", "parquet"), ("jsonl.zst", "zstandard", "zstd")]
)
def test_a_missing_extra_is_named(monkeypatch, name, library, extra):
    check_extra(name)
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(ConfigurationError) as caught:
        check_extra(name)
    assert str(caught.value) == f'this format needs {library}: pip install "qoder-async[{extra}]"'


@pytest.mark.parametrize("name", ["jsonl", "jsonl.gz", "csv", "sqlite"])
def test_other_formats_need_no_extra(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    check_extra(name)


def test_without_pyarrow_the_writer_of_parquet_cannot_be_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, to_parquet.__name__)

    with pytest.raises(ConfigurationError, match=r"qoder-async\[parquet\]"):
        import_module(to_parquet.__name__)


def test_without_zstandard_only_gzip_is_written(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "zstandard", None)

    with pytest.raises(ConfigurationError, match=r"qoder-async\[zstd\]"):
        to_jsonl.write_zstd([[b"{}"]], tmp_path / "runs.jsonl.zst", scope=SCOPE)
    assert to_jsonl.write_gzip([[b"{}"]], tmp_path / "runs.jsonl.gz", scope=SCOPE) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["runs.jsonl.gz"]
