"""What cannot be meant is refused before anything is asked for and before anything is written."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from core_support import served

from qoder_async import AsyncQoder, ConfigurationError
from qoder_async.export.exporting import export_runs

BAD = {
    "deployments": [
        5,
        None.__class__,
        b"dep_1",
        [5],
        [b"dep_1"],
        ["a/b"],
        [""],
        "",
        "a b",
        ["dep_1", None],
        {"a/b": 1},
    ],
    "format": ["", "json", 5, "CSV", b"csv"],
    "triggered_after": [5, "yesterday", "2026-11-22T08:30:00", datetime(2026, 11, 22), ""],  # noqa: DTZ001
    "triggered_before": [5, "tomorrow", "2026-11-22", datetime.min.time()],
    "resume": [None, 1, "yes"],
    "max_concurrency": [0, -1, 1.5, "8", True, None],
}


async def refused(tmp_path, name="runs.jsonl", **settings):
    path = tmp_path / name if isinstance(name, str) and name else name
    async with served(tmp_path, sizes=(3,)) as on:
        with pytest.raises(ConfigurationError) as caught:
            await export_runs(on.qoder, path, **settings)
        assert on.requests == 0
        assert on.names == []
    return str(caught.value)


@pytest.mark.parametrize(("argument", "value"), [(name, value) for name, values in BAD.items() for value in values])
async def test_arguments_that_cannot_be_meant(tmp_path, argument, value):
    assert argument in await refused(tmp_path, **{argument: value})


async def test_a_window_that_ends_before_it_begins(tmp_path):
    said = await refused(
        tmp_path, triggered_after="2026-11-22T08:30:00Z", triggered_before=datetime(2026, 11, 22, tzinfo=UTC)
    )
    assert "is before" in said


@pytest.mark.parametrize("on_progress", ["yes", 5, []])
async def test_nobody_can_be_told(tmp_path, on_progress):
    assert "on_progress" in await refused(tmp_path, on_progress=on_progress)


@pytest.mark.parametrize("path", [5, None, b"runs.jsonl", "", ["runs.jsonl"], Path])
async def test_no_path(tmp_path, path):
    assert "path must be the name of a file" in await refused(tmp_path, path)


class PathOfBytes:
    def __fspath__(self):
        return b"runs.jsonl"


async def test_a_path_of_bytes(tmp_path):
    assert "path must be" in await refused(tmp_path, PathOfBytes())


@pytest.mark.parametrize("name", ["runs", "runs.json", ".jsonl", "runs.txt"])
async def test_a_name_that_tells_no_format(tmp_path, name):
    assert "path must end in one of" in await refused(tmp_path, name)


@pytest.mark.parametrize("name", ["a\0b.jsonl", "\ud800.jsonl"])
async def test_a_name_that_no_file_can_have(tmp_path, name):
    assert "path" in await refused(tmp_path, name)


async def test_the_root_folder(tmp_path):
    assert "path" in await refused(tmp_path, Path("/"), format="jsonl")


@pytest.mark.parametrize(("name", "library"), [("runs.parquet", "pyarrow"), ("runs.jsonl.zst", "zstandard")])
async def test_an_extra_that_is_not_installed(tmp_path, monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "qoder_async.export.write.to_parquet", raising=False)
    extra = {"pyarrow": "parquet", "zstandard": "zstd"}[library]
    assert f'pip install "qoder-async[{extra}]"' in await refused(tmp_path, name)


async def test_the_folder_of_the_moment(tmp_path, monkeypatch):
    """A relative path, and one that is no string."""
    async with served(tmp_path, sizes=(3,)) as on:
        monkeypatch.chdir(tmp_path)
        report = await export_runs(on.qoder, "runs.jsonl")
        assert report.path == str(on.target)
        await export_runs(on.qoder, Path("runs.csv"))
        assert on.names == ["runs.csv", "runs.jsonl"]


async def test_outside_of_a_client_s_block(tmp_path):
    """A client that nobody has used yet works, and one that is closed leaves nothing half done."""
    async with served(tmp_path, sizes=(3,)) as on:
        qoder = AsyncQoder("pt-x", base_url=on.sim.url, pace=None)
        await export_runs(qoder, on.target)
        await qoder.aclose()
