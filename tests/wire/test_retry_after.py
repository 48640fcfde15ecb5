"""How long the service asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from qoder_async._wire.retry_after import retry_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WRITTEN = "Sun, 22 Nov 2026 08:00:00 GMT"  # the service's clock is four hours behind ours


def ask(*headers: tuple[str, str]) -> float | None:
    return retry_after(CIMultiDictProxy(CIMultiDict(headers)), now=NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("1", 1), ("120", 120), (" 7 ", 7), ("0.5", 0.5), ("1.75", 1.75), ("3600", 3600),
        ("1000000000000", 1e12), ("1e3", 1000),
        ("-1", None), ("-0.5", None), ("", None), (" ", None), ("soon", None), ("1,5", None), ("5 s", None),
        ("inf", None), ("-inf", None), ("nan", None), ("Infinity", None), ("1e999", None), ("0x10", None),
    ],
)  # fmt: skip
def test_seconds(text, seconds):
    assert ask(("Retry-After", text)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("250", 0.25), ("1500.5", 1.5005), ("1000000000000", 1e9), ("-1", None), ("soon", None), ("nan", None),
     ("inf", None), (WRITTEN, None)],
)  # fmt: skip
def test_milliseconds(text, seconds):
    assert ask(("Retry-After-Ms", text)) == seconds


def test_milliseconds_come_first():
    assert ask(("Retry-After", "9"), ("Retry-After-Ms", "250")) == 0.25
    assert ask(("retry-after", "9"), ("RETRY-AFTER-MS", "0")) == 0


@pytest.mark.parametrize("text", ["soon", "-5", "nan", "inf", ""])
def test_unreadable_milliseconds_leave_the_seconds(text):
    assert ask(("Retry-After-Ms", text), ("Retry-After", "9")) == 9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 22 Nov 2026 08:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 3600),
        ("Sun, 22 Nov 2026 17:00:30 +0900", 30),
        ("Sunday, 22-Nov-26 08:00:30 GMT", 30),
        ("Sun Nov 22 08:00:30 2026", 30),
        ("Sun, 22 Nov 2026 08:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 07:59:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sun, 32 Nov 2026 08:00:30 GMT", None),
        ("2026-11-22T08:00:30Z", None),
    ],
)  # fmt: skip
def test_a_date_counts_from_the_answers_own_date(text, seconds):
    assert ask(("Retry-After", text), ("Date", WRITTEN)) == seconds


@pytest.mark.parametrize("written", [(), (("Date", "garbage"),), (("Date", ""),)])
def test_a_date_counts_from_our_clock_where_the_answer_has_none(written):
    assert ask(("Retry-After", "Sun, 22 Nov 2026 12:00:30 GMT"), *written) == 30


def test_the_longest_of_repeated_headers_counts():
    assert ask(("Retry-After", "2"), ("Retry-After", "7"), ("Retry-After", "soon")) == 7
    assert ask(("Retry-After", "2"), ("Retry-After", "Sun, 22 Nov 2026 08:00:30 GMT"), ("Date", WRITTEN)) == 30
    assert ask(("Retry-After-Ms", "100"), ("Retry-After-Ms", "-1"), ("Retry-After-Ms", "300")) == 0.3


def test_nothing_is_asked_where_nothing_is_said():
    assert ask() is None
    assert ask(("Date", WRITTEN)) is None


DATE_LIKE = st.from_regex(
    r"(Mon|Sun|X)?,? ?-?[0-9]{0,3}[ -](Jan|Nov|Foo)?[ -]?-?[0-9]{0,6}[ T]?[0-9]{0,3}[:.]?[0-9]{0,3}[:.]?[0-9]{0,3}"
    r" ?(GMT|[+-][0-9]{0,6}|EST)?",
    fullmatch=True,
)


@given(text=st.text() | DATE_LIKE, written=st.text() | DATE_LIKE)
@example(text="Sun, 22 Nov 2026 08:00:30 +9999", written="")
@example(text="Mon, 01 Jan 0001 00:00:00 +2359", written="Fri, 31 Dec 9999 23:59:59 -2359")
@example(text="1 Jan 2026 1.2.3.4", written=",")
def test_whatever_is_said_is_nothing_or_a_finite_wait(text, written):
    for name in ("Retry-After", "Retry-After-Ms"):
        seconds = ask((name, text), ("Date", written))
        assert seconds is None or 0 <= seconds < float("inf")
