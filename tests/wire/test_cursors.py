"""Cursors, and the rule that finds the next one."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import ConfigurationError, Cursor
from qoder_async._wire.cursors import Envelope, NoWayOnError, next_cursor, read_cursor

AFTER, PAGE, BEFORE = Cursor("after_id", "r9"), Cursor("page", "p1"), Cursor("before_id", "r9")

# has_more, next_page, first_id, last_id
AFTER_3 = Cursor("after_id", "r3")
BOTH_STYLES = {
    "no next_page": ((True, None, "r1", "r3"), AFTER_3),
    "an empty next_page": ((True, "", "r1", "r3"), AFTER_3),
    "no next_page, last_id only": ((True, None, None, "r3"), AFTER_3),
    "has_more false, no cursor": ((False, None, "r1", "r3"), None),
    "has_more false stops, even with a cursor": ((False, "p2", "r1", "r3"), None),
    "has_more false stops, even with last_id as cursor": ((False, "r3", "r1", "r3"), None),
    "an opaque next_page": ((True, "p2", "r1", "r3"), Cursor("page", "p2")),
    "an opaque next_page without ids": ((True, "p2", None, None), Cursor("page", "p2")),
    "first_id as next_page is opaque": ((True, "r1", "r1", "r3"), Cursor("page", "r1")),
    "has_more absent goes on with next_page": ((None, "p2", "r1", "r3"), Cursor("page", "p2")),
    "has_more absent stops without next_page": ((None, None, "r1", "r3"), None),
    "has_more absent, an empty next_page is none": ((None, "", "r1", "r3"), None),
    "has_more absent and nothing else": ((None, None, None, None), None),
    "an empty page, but more": ((True, "p2", None, None), Cursor("page", "p2")),
}
WITH_IDS = {
    "last_id as next_page": ((True, "r3", "r1", "r3"), AFTER_3),
    "last_id as next_page, has_more absent": ((None, "r3", "r1", "r3"), AFTER_3),
}
PAGES_ONLY = {
    "last_id as next_page": ((True, "r3", "r1", "r3"), Cursor("page", "r3")),
    "last_id as next_page, has_more absent": ((None, "r3", "r1", "r3"), Cursor("page", "r3")),
}
TABLE = [
    pytest.param(style, Envelope(*said), expected, id=f"{style}: {name}")
    for style, rows in (("ids", BOTH_STYLES | WITH_IDS), ("pages", BOTH_STYLES | PAGES_ONLY))
    for name, (said, expected) in rows.items()
]


@pytest.mark.parametrize("current", [None, AFTER, PAGE])
@pytest.mark.parametrize(("style", "envelope", "expected"), TABLE)
def test_the_next_cursor_is_the_tables(style, envelope, expected, current):
    assert next_cursor(envelope, current=current, style=style) == expected


@pytest.mark.parametrize("current", [None, AFTER, PAGE])
@pytest.mark.parametrize("style", ["ids", "pages"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_more_without_any_cursor_is_no_end(style, current, nothing):
    with pytest.raises(NoWayOnError):
        next_cursor(Envelope(True, nothing, None, nothing), current=current, style=style)


@pytest.mark.parametrize("style", ["ids", "pages"])
@pytest.mark.parametrize("next_page", [None, "", "p2", "r3", "r1"])
def test_walking_back_looks_at_first_id_only(style, next_page):
    found = next_cursor(Envelope(True, next_page, "r1", "r3"), current=BEFORE, style=style)
    assert found == Cursor("before_id", "r1")


@pytest.mark.parametrize("style", ["ids", "pages"])
def test_walking_back_ends_where_there_is_no_more(style):
    assert next_cursor(Envelope(False, "p2", "r1", "r3"), current=BEFORE, style=style) is None
    assert next_cursor(Envelope(None, "p2", None, None), current=BEFORE, style=style) is None


@pytest.mark.parametrize("first_id", [None, ""])
def test_walking_back_without_a_first_id_leads_nowhere(first_id):
    with pytest.raises(NoWayOnError):
        next_cursor(Envelope(True, "p2", first_id, "r3"), current=BEFORE, style="ids")


@given(
    parameter=st.sampled_from(["after_id", "before_id", "page"]),
    value=st.text(min_size=1),
    skip=st.integers(0, 999_999_999),
)
def test_the_text_of_a_cursor_is_read_back(parameter, value, skip):
    cursor = Cursor(parameter, value, skip)
    assert Cursor.parse(str(cursor)) == cursor
    assert read_cursor(str(cursor)) == cursor


@given(skip=st.integers(1, 999_999_999))
def test_a_place_within_the_first_page_is_read_back(skip):
    cursor = Cursor("page", "", skip)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    ("cursor", "text"),
    [
        (Cursor("after_id", "drun_1"), "after_id:drun_1"),
        (Cursor("before_id", "drun_1"), "before_id:drun_1"),
        (Cursor("page", "a:b+3:c\n"), "page:a:b+3:c\n"),
        (Cursor("page", "eyJ", 17), "page+17:eyJ"),
        (Cursor("page", "", 3), "page+3:"),
    ],
)
def test_a_cursor_is_a_plain_text(cursor, text):
    assert str(cursor) == text


@pytest.mark.parametrize(
    "text",
    ["", "drun_1", "after_id", "after_id:", "after:drun_1", "AFTER_ID:x", " page:x", "page+:x", "page+-1:x",
     "page+1.5:x", "page+0:", "limit:3"],
)  # fmt: skip
def test_a_text_that_is_no_cursor_is_refused(text):
    with pytest.raises(ConfigurationError, match="ursor"):
        Cursor.parse(text)


@pytest.mark.parametrize("value", [1, True, b"after_id:x", ["after_id:x"], {"after_id": "x"}, object])
def test_a_cursor_of_another_type_is_refused(value):
    with pytest.raises(ConfigurationError, match="cursor must be") as caught:
        read_cursor(value)
    assert repr(value) in str(caught.value)
    with pytest.raises(ConfigurationError, match="must be"):
        Cursor.parse(value)


def test_no_cursor_is_no_cursor():
    assert read_cursor(None) is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("after", "drun_1"), "parameter"),
        ((None, "drun_1"), "parameter"),
        (("after_id", ""), "value"),
        (("after_id", None), "value"),
        (("after_id", 7), "value"),
        (("after_id", b"drun_1"), "value"),
        (("page", "x", -1), "skip"),
        (("page", "x", True), "skip"),
        (("page", "x", 1.0), "skip"),
        (("page", "x", "1"), "skip"),
        (("page", "", 0), "value"),
    ],
)
def test_a_cursor_that_cannot_be_is_refused(arguments, named):
    with pytest.raises(ConfigurationError, match=rf"Cursor\.{named} must be"):
        Cursor(*arguments)


def test_a_walk_resumes_after_a_record_or_its_id():
    assert Cursor.after("drun_1") == Cursor.after(SimpleNamespace(id="drun_1")) == Cursor("after_id", "drun_1")


@pytest.mark.parametrize("record", [None, 1, "", "a/b", "after_id:x", SimpleNamespace(id=None), object()])
def test_a_walk_does_not_resume_after_what_has_no_id(record):
    with pytest.raises(ConfigurationError, match="record must be an id"):
        Cursor.after(record)


def test_cursors_are_values():
    cursor = Cursor("page", "x", 3)
    assert pickle.loads(pickle.dumps(cursor)) == copy.deepcopy(cursor) == cursor
    assert len({cursor, Cursor("page", "x", 3), Cursor("page", "x")}) == 2
    assert repr(Cursor("after_id", "drun_1")) == "Cursor(parameter='after_id', value='drun_1')"
