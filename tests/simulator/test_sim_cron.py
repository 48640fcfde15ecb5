from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qoder_async.simulator import CronError, Simulator, cron, parse_cron


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("15 2 * * 1-5", "Europe/Paris", "2026-11-20 09:30", "2026-11-23 01:15"),  # over the weekend
        ("15 2 * * 1-5", "Europe/Paris", "2026-11-23 01:15", "2026-11-24 01:15"),  # strictly after
        ("* * * * *", "UTC", "2026-11-20 09:30", "2026-11-20 09:31"),
        ("*/15 * * * *", "UTC", "2026-11-20 09:46", "2026-11-20 10:00"),
        ("5/20 * * * *", "UTC", "2026-11-20 09:26", "2026-11-20 09:45"),
        ("0 9-17/4 * * *", "UTC", "2026-11-20 09:30", "2026-11-20 13:00"),
        ("0,30 12 * * *", "UTC", "2026-11-20 12:00", "2026-11-20 12:30"),
        ("0 0 1 jan *", "UTC", "2026-11-20 09:30", "2027-01-01 00:00"),
        ("0 0 * * SUN", "UTC", "2026-11-20 09:30", "2026-11-22 00:00"),
        ("0 0 * * 0", "UTC", "2026-11-20 09:30", "2026-11-22 00:00"),
        ("0 0 * * 7", "UTC", "2026-11-20 09:30", "2026-11-22 00:00"),
        ("0 0 * * 5-7", "UTC", "2026-11-21 09:30", "2026-11-22 00:00"),
        ("0 0 13 * 5", "UTC", "2026-11-28 00:00", "2026-12-04 00:00"),  # the 13th or a Friday
        ("0 0 13 * 5", "UTC", "2026-12-11 00:00", "2026-12-13 00:00"),
        ("0 0 13 * *", "UTC", "2026-11-20 00:00", "2026-12-13 00:00"),
        ("0 0 29 2 *", "UTC", "2026-11-20 00:00", "2028-02-29 00:00"),
        ("0 9 * * *", "Asia/Kolkata", "2026-11-20 03:00", "2026-11-20 03:30"),
        # Clocks in Paris go from 02:00 to 03:00 on 29 March 2026 and from 03:00 to 02:00 on 25 October 2026.
        ("30 2 * * *", "Europe/Paris", "2026-03-28 12:00", "2026-03-30 00:30"),
        ("30 2 * * *", "Europe/Paris", "2026-10-24 12:00", "2026-10-25 00:30"),
        ("30 2 * * *", "Europe/Paris", "2026-10-25 00:30", "2026-10-26 01:30"),
        ("30 * * * *", "Europe/Paris", "2026-10-25 00:30", "2026-10-25 01:30"),
        ("0 0 * * *", "America/Havana", "2026-03-07 12:00", "2026-03-09 04:00"),  # no midnight on 8 March
        ("0 12 * * *", "America/Havana", "2026-03-08 04:00", "2026-03-08 16:00"),
        ("0 0 * * *", "America/Havana", "2026-10-31 12:00", "2026-11-01 04:00"),  # midnight comes twice
        ("0 0 * * *", "America/Havana", "2026-11-01 04:00", "2026-11-02 05:00"),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03 00:00",
            "2026-10-04 15:15",
        ),  # half an hour is missing
    ],
)
def test_next_time(expression, zone, after, expected):
    assert parse_cron(expression, zone).next_after(utc(after)) == utc(expected)


def test_seconds_do_not_matter():
    cron = parse_cron("* * * * *", "UTC")
    assert cron.next_after(utc("2026-11-20 09:30:59.9")) == utc("2026-11-20 09:31")


def test_upcoming_is_a_chain():
    times = parse_cron("15 2 * * 1-5", "Europe/Paris").upcoming(utc("2026-11-20 09:30"), 5)
    assert [time.day for time in times] == [23, 24, 25, 26, 27]


def test_a_date_that_never_comes():
    cron = parse_cron("0 0 30 2 *", "UTC")
    assert cron.next_after(utc("2026-11-20 09:30")) is None
    assert cron.upcoming(utc("2026-11-20 09:30"), 5) == []


@pytest.mark.parametrize(
    ("expression", "zone", "field"),
    [
        ("", "UTC", "expression"),
        ("* * * *", "UTC", "expression"),
        ("* * * * * *", "UTC", "expression"),
        ("60 * * * *", "UTC", "expression"),
        ("* 24 * * *", "UTC", "expression"),
        ("* * 0 * *", "UTC", "expression"),
        ("* * 32 * *", "UTC", "expression"),
        ("* * * 13 *", "UTC", "expression"),
        ("* * * * 8", "UTC", "expression"),
        ("5-1 * * * *", "UTC", "expression"),
        ("*/0 * * * *", "UTC", "expression"),
        ("1,,2 * * * *", "UTC", "expression"),
        ("-1 * * * *", "UTC", "expression"),
        ("* * L * *", "UTC", "expression"),
        ("* * ? * *", "UTC", "expression"),
        ("² * * * *", "UTC", "expression"),
        ("jan * * * *", "UTC", "expression"),
        ("@daily", "UTC", "expression"),
        ("* * * * *", "Mars/Olympus", "timezone"),
        ("* * * * *", "", "timezone"),
        ("* * * * *", "../etc/passwd", "timezone"),
    ],
)
def test_what_cannot_be_read(expression, zone, field):
    with pytest.raises(CronError) as caught:
        parse_cron(expression, zone)
    assert caught.value.field == field


def some_field(low: int, high: int, size: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.integers(1, max(1, high // 2)).map(lambda step: f"*/{step}")
    parts = st.lists(st.one_of(numbers.map(str), ranges), min_size=1, max_size=size).map(",".join)
    return st.one_of(st.just("*"), steps, parts)


EXPRESSIONS = st.tuples(
    some_field(0, 59, 2),
    some_field(0, 23, 2),
    some_field(1, 31, 2),
    some_field(10, 12, 2),
    some_field(0, 7, 2),
).map(" ".join)
# Around a change of clocks, forward or back.
CHANGES = st.sampled_from(
    [
        ("Europe/Paris", utc("2026-10-24 20:00")),
        ("Australia/Lord_Howe", utc("2026-10-03 10:00")),
        ("America/Havana", utc("2026-10-31 20:00")),
        ("America/St_Johns", utc("2006-10-28 20:00")),
        ("America/Asuncion", utc("2023-09-30 20:00")),
        ("UTC", utc("2026-12-30 12:00")),
    ]
)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, CHANGES, st.integers(0, 600))
def test_agrees_with_looking_at_every_minute(expression, change, minutes):
    zone, base = change
    cron = parse_cron(expression, zone)
    after = base + timedelta(minutes=minutes)
    expected = next(
        (at for step in range(1, 1800) if literally(cron, at := after + timedelta(minutes=step), ZoneInfo(zone))),
        None,
    )
    found = cron.next_after(after)
    if expected is None:
        assert found is None or found > after + timedelta(minutes=1799)
    else:
        assert found == expected


def literally(cron, at: datetime, zone: ZoneInfo) -> bool:
    """The wall clock matches, and shows this time for the first time (or the schedule is for every hour)."""
    local = at.astimezone(zone)
    day, weekday = local.day in cron.days, local.isoweekday() % 7 in cron.weekdays
    return (
        local.minute in cron.minutes
        and local.hour in cron.hours
        and local.month in cron.months
        and ((day or weekday) if cron.either_day else (day and weekday))
        and (not local.fold or len(cron.hours) == 24)
    )


def test_utc_needs_no_time_zone_database(monkeypatch):
    """Windows and the smallest images have none, unless the package tzdata is installed."""

    def missing(name: str):
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr("qoder_async.simulator.cron.ZoneInfo", missing)
    cron._parse.cache_clear()
    assert parse_cron("0 9 * * *", "UTC").next_after(utc("2026-11-20 09:30")) == utc("2026-11-21 09:00")
    with pytest.raises(CronError, match="tzdata"):
        parse_cron("0 9 * * *", "Europe/Paris")
    worlds = Simulator(), Simulator()
    assert worlds[0].populate(20, 10) == worlds[1].populate(20, 10)
    schedules = [worlds[0].deployment(deployment)["schedule"] for deployment in worlds[0].deployment_ids()]
    assert {schedule["timezone"] for schedule in schedules if schedule} == {"UTC"}
    cron._parse.cache_clear()
