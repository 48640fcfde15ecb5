"""How a query is spelled."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import ConfigurationError, RunStatus
from qoder_async._wire.query import check_window, encode_query, format_time, just_before, read_time

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKYO = timezone(timedelta(hours=9))
ANY_TIME = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001  hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.timezones() | st.just(UTC) | st.just(TOKYO),
)


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    ACTIVE = "active"


class Mixed(str, Enum):  # noqa: UP042  it is the other kind that is wanted
    ACTIVE = "active"


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ({}, ""),
        ({"limit": 5}, "limit=5"),
        ({"a": None, "b": "x"}, "b=x"),
        ({"has_error": True, "include_archived": False}, "has_error=true&include_archived=false"),
        ({"types": ["a", "b"]}, "types=a&types=b"),
        ({"types": ("a", 1, True)}, "types=a&types=1&types=true"),
        ({"types": []}, ""),
        ({"q": ""}, "q="),
        ({"q": "a b&c=d/é+%?#"}, "q=a%20b%26c%3Dd%2F%C3%A9%2B%25%3F%23"),
        ({"created_at[gte]": "x"}, "created_at[gte]=x"),
        ({"a&b": "x"}, "a%26b=x"),
        ({"share": 0.5}, "share=0.5"),
        ({"n": -3}, "n=-3"),
        ({"at": NOON}, "at=2026-11-22T12%3A00%3A00Z"),
        ({"at": NOON.astimezone(TOKYO)}, "at=2026-11-22T12%3A00%3A00Z"),
        ({"at": NOON + timedelta(microseconds=5)}, "at=2026-11-22T12%3A00%3A00.000005Z"),
        ([("a", 1), ("a", 2)], "a=1&a=2"),
        ({"status": RunStatus("completed")}, "status=completed"),
        ({"status": Word.ACTIVE}, "status=active"),
        ({"status": Mixed.ACTIVE}, "status=active"),
        ({"level": Level.HIGH}, "level=3"),
    ],
)
def test_values_are_spelled_as_the_service_does(pairs, expected):
    assert encode_query(pairs) == expected


@pytest.mark.parametrize(
    "value",
    [..., b"x", {"a": 1}, {"a"}, [["a"]], [None], Decimal(1), date(2026, 1, 1), timedelta(1), float("nan"),
     float("inf"), -float("inf"), "\ud800"],
    ids=repr,
)  # fmt: skip
def test_a_value_without_a_spelling_is_refused_by_name(value):
    with pytest.raises(ConfigurationError, match="when"):
        encode_query({"when": value})


def test_a_naive_datetime_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="when must say its offset, got datetime"):
        encode_query({"when": datetime(2026, 11, 22)})  # noqa: DTZ001


@pytest.mark.parametrize("pairs", ["a=b", {1: "x"}, {None: "x"}, [("a", "b", "c")], ["ab"], 7], ids=repr)
def test_what_has_no_names_and_values_is_refused(pairs):
    with pytest.raises(ConfigurationError):
        encode_query(pairs)


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))))
def test_names_and_values_come_out_as_they_went_in(pairs):
    assert parse_qsl(encode_query(pairs), keep_blank_values=True, strict_parsing=bool(pairs)) == pairs


@given(ANY_TIME)
def test_a_time_is_written_in_utc_and_reads_back(moment):
    text = format_time(moment)
    assert text.endswith("Z")
    # In UTC: Python never finds a local time that occurs twice equal to one of another zone.
    assert read_time(text, "x") == read_time(moment, "x") == moment.astimezone(UTC)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (None, None),
        (NOON, NOON),
        ("2026-11-22T12:00:00Z", NOON),
        ("2026-11-22T21:00:00+09:00", NOON),
        ("2026-11-22T12:00:00.000Z", NOON),
        ("2026-11-22T12:00:00.0000054Z", NOON + timedelta(microseconds=5)),
    ],
)
def test_a_time_is_aware_or_a_text(given_, expected):
    assert read_time(given_, "created_after") == expected


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 11, 22), "2026-11-22T12:00:00", "2026-11-22T12:00:00.5"],  # noqa: DTZ001
)
def test_a_time_without_an_offset_is_refused(value):
    with pytest.raises(ConfigurationError, match="created_after must say its offset") as caught:
        read_time(value, "created_after")
    assert repr(value) in str(caught.value)
    assert "timezone.utc" in str(caught.value)


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2026-11-22", "1763800200", 1763800200, 1.5, True, date(2026, 1, 1)]
)
def test_what_is_no_time_is_refused(value):
    with pytest.raises(
        ConfigurationError, match="created_after must be an aware datetime or an RFC 3339 text"
    ) as caught:
        read_time(value, "created_after")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    "edge", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)], ids=["first", "last"]
)
def test_the_edges_of_the_calendar_are_times_like_others(edge):
    """``datetime.min`` is how many programs write "from the beginning"."""
    assert read_time(edge, "x") == edge
    assert just_before(edge) <= edge


@pytest.mark.parametrize(
    "edge", [datetime.min.replace(tzinfo=TOKYO), datetime.max.replace(tzinfo=timezone(-timedelta(hours=9)))]
)
def test_a_time_outside_the_calendar_in_utc_is_refused(edge):
    with pytest.raises(ConfigurationError, match="x"):
        read_time(edge, "x")


def test_a_lower_bound_is_asked_for_with_a_microsecond_more():
    assert just_before(NOON) == NOON - timedelta(microseconds=1)
    assert just_before(None) is None


@pytest.mark.parametrize(
    ("after", "before"), [(None, None), (NOON, None), (None, NOON), (NOON, NOON), (NOON, NOON.replace(hour=13))]
)
def test_a_window_may_be_open(after, before):
    assert check_window(after, before, ("a", "b")) is None


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(ConfigurationError, match=r"triggered_before \(2026-11-22T11.*is before triggered_after \("):
        check_window(NOON, NOON.replace(hour=11), ("triggered_after", "triggered_before"))
