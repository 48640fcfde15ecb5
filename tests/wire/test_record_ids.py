"""The ids of many records at once are those of each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async._wire.record_id import read_id, read_ids

SOUND = b'{"id":"drun_1","status":"completed"}'
ODD = {
    "no id": b'{"name":"x"}',
    "empty id": b'{"id":""}',
    "number for an id": b'{"id":7}',
    "no object": b'"drun_2"',
    "broken": b'{"id":"drun_3","x":',
    "nothing": b"",
    "two in one": b'{"id":"drun_4"},{"id":"drun_5"}',
    "two ids": b'{"id":"drun_6","id":"drun_7"}',
    "bytes that are no UTF-8": b'{"id":"drun_8","x":"\xff"}',
    "too deep": b'{"id":"drun_9","x":' + b"[" * 2000 + b"]" * 2000 + b"}",
}


def test_of_sound_records():
    assert read_ids([b'{"id":"drun_%d"}' % number for number in range(3)]) == ["drun_0", "drun_1", "drun_2"]


def test_of_none():
    assert read_ids([]) == []


@pytest.mark.parametrize("name", ODD)
def test_an_odd_one_changes_nothing_for_its_neighbours(name):
    found = read_ids([SOUND, ODD[name], SOUND])
    assert found == ["drun_1", read_id(ODD[name]), "drun_1"]


@given(st.lists(st.sampled_from([SOUND, *(ODD[name] for name in ODD if name != "two in one")]), max_size=6))
def test_as_one_by_one(records):
    assert read_ids(records) == [read_id(record) for record in records]
