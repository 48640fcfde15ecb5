"""The checkpoint: what was written is read back, and what cannot be relied on is refused."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.leftovers import names_in

from qoder_async import Cursor, ExportError
from qoder_async.export.checkpoint import Checkpoint, Filters, Publication, read_checkpoint, write_checkpoint
from qoder_async.export.walks import Place

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
in_utc = st.datetimes(timezones=st.just(UTC))
anywhere = st.datetimes(timezones=offsets)
cursors = st.builds(
    Cursor, st.sampled_from(["after_id", "before_id", "page"]), text.filter(bool), st.integers(0, 10**9)
) | st.just(Cursor("page", "", 3))
places = st.builds(
    Place,
    cursor=st.none() | cursors,
    until=st.none() | anywhere,
    last_id=st.none() | text,
    last_time=st.none() | anywhere,
)
filters = st.builds(Filters, base_url=text, triggered_after=st.none() | in_utc, triggered_before=st.none() | in_utc)
checkpoints = st.builds(
    Checkpoint,
    filters=filters,
    size=st.integers(0, 2**60),
    rows=st.integers(0, 2**60),
    whole_of=st.none() | text,
    publication=st.none() | st.builds(Publication, text, st.integers(0, 2**63), st.integers(0, 2**60)),
    done=st.lists(text),
    gone=st.dictionaries(text, text),
    places=st.dictionaries(text, places),
)
SOME = Checkpoint(
    filters=Filters(
        base_url="https://a.test",
        triggered_after=None,
        triggered_before=datetime(2026, 11, 22, tzinfo=UTC),
    ),
    size=123,
    rows=4,
    done=["dep_1"],
    places={"dep_2": Place(cursor=Cursor("page", "x", 2), last_id="drun_1")},
)


@settings(max_examples=50)
@given(checkpoints)
def test_what_was_written_is_read(tmp_path_factory, checkpoint):
    path = tmp_path_factory.getbasetemp() / "some.checkpoint"
    write_checkpoint(path, checkpoint)
    assert read_checkpoint(path) == checkpoint


def test_there_is_none(tmp_path):
    assert read_checkpoint(tmp_path / "runs.csv.checkpoint") is None


def test_one_of_a_newer_version_is_told_from_a_damaged_one(tmp_path):
    path = tmp_path / "runs.csv.checkpoint"
    write_checkpoint(path, SOME)
    newer = json.loads(path.read_bytes()) | {"qoder_async_export": 2, "checkpoint": {"quite": "another"}}
    path.write_text(json.dumps(newer))
    with pytest.raises(ExportError, match=r"of version 2, and this library writes version 1.*resume=False"):
        read_checkpoint(path)


def spoil(path, *way, value):
    document = json.loads(path.read_bytes())
    inner = document
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("qoder_async_export",), "1"),
        (("qoder_async_export",), None),
        (("checkpoint", "size"), "123"),
        (("checkpoint", "done"), {"dep_1": 1}),
        (("checkpoint", "places", "dep_2", "cursor"), {"parameter": "offset", "value": "1"}),
        (("checkpoint", "places", "dep_2", "cursor"), {"parameter": "page", "value": ""}),
        (("checkpoint", "places", "dep_2", "last_time"), "yesterday"),
        (("checkpoint", "filters", "triggered_before"), 5),
        (("checkpoint",), None),
    ],
)
def test_a_damaged_one_is_refused(tmp_path, way, value):
    path = tmp_path / "runs.csv.checkpoint"
    write_checkpoint(path, SOME)
    spoil(path, *way, value=value)
    with pytest.raises(ExportError, match=r"damaged.*resume=False") as caught:
        read_checkpoint(path)
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\x00" * 300, b"hello", b"[1]", b"\xff", b"[" * 100_000, b'{"qoder_async_export": 1']
)
def test_other_files_are_refused(tmp_path, data):
    path = tmp_path / "runs.csv.checkpoint"
    path.write_bytes(data)
    with pytest.raises(ExportError, match="none, or damaged"):
        read_checkpoint(path)
    assert path.read_bytes() == data


@settings(max_examples=50)
@given(st.data())
def test_a_checkpoint_cut_anywhere_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "cut.checkpoint"
    write_checkpoint(path, SOME)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ExportError):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("base_url", "https://b.test"), ("triggered_before", None)],
)
def test_filters_that_were_changed_by_hand_are_refused(tmp_path, name, value):
    path = tmp_path / "runs.csv.checkpoint"
    write_checkpoint(path, SOME)
    spoil(path, "checkpoint", "filters", name, value=value)
    with pytest.raises(ExportError, match="its filters were changed"):
        read_checkpoint(path)


def test_what_is_no_file_cannot_be_read(tmp_path):
    with pytest.raises(ExportError, match="is a folder"):
        read_checkpoint(tmp_path)


def test_the_old_one_is_there_until_the_new_one_is_whole(tmp_path, monkeypatch):
    path = tmp_path / "runs.csv.checkpoint"
    write_checkpoint(path, SOME)
    newer = attrs.evolve(SOME, size=456)

    def fail(*_):
        raise OSError(28, "No space left on device")

    for name in ("write", "fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="No space"):
                write_checkpoint(path, newer)
        assert read_checkpoint(path) == SOME
    write_checkpoint(path, newer)
    assert read_checkpoint(path) == newer
    assert names_in(tmp_path) == [path.name]
