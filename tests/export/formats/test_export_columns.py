"""The one definition of the columns, and the values of a run's columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import attrs
import msgspec
import pytest
from formats_support import DOCUMENTED, NAMES, NUMBERS, TEXTS, TIMES, WORDS, as_text, line_of, run
from hypothesis import given
from hypothesis import strategies as st

from qoder_async._paging.run_lists import time_of
from qoder_async._wire.decode import decode_record
from qoder_async.export.write import columns, plain_run
from qoder_async.models import AgentRef, DeploymentRun, RunError, RunExtras, TriggerContext


def test_the_columns_are_the_documented_ones_in_their_order():
    assert [column.name for column in columns.COLUMNS] == NAMES
    assert list(columns.NAMES) == NAMES
    by_kind = {"text": TEXTS, "word": WORDS, "time": TIMES, "number": NUMBERS}
    assert {column.name: column.kind for column in columns.COLUMNS} == {
        name: kind for kind, names in by_kind.items() for name in names
    }


@pytest.mark.parametrize("record", DOCUMENTED.values(), ids=DOCUMENTED)
def test_each_value_stands_at_the_place_of_its_column(record):
    found = decode_record(line_of(record), DeploymentRun)
    values = dict(zip(columns.NAMES, columns.values_of(found, "rest", str), strict=True))

    assert values.pop("extra") == "rest"
    assert values.pop("time") == str(time_of(found))
    for column in columns.COLUMNS:
        if column.path:
            value = found
            for name in column.path:
                value = None if value is None else getattr(value, name)
            assert values[column.name] == (str(value) if column.kind == "time" and value is not None else value)


def test_a_run_without_a_trigger_time_has_that_of_its_record():
    lean = decode_record(line_of(run(created_at="2026-01-02T03:04:05Z", triggered_at=None)), DeploymentRun)
    assert columns.values_of(lean, None, columns.as_text)[2] == "2026-01-02T03:04:05.000000Z"


@pytest.mark.parametrize(
    ("plain", "model"),
    [
        (plain_run.PlainRun, DeploymentRun),
        (plain_run.PlainAgent, AgentRef),
        (plain_run.PlainTrigger, TriggerContext),
        (plain_run.PlainError, RunError),
        (plain_run.PlainExtras, RunExtras),
    ],
)
def test_a_plain_run_has_the_fields_of_the_model(plain, model):
    fields = {field.name: field.default for field in attrs.fields(model)}
    found = {field.name: field.default for field in msgspec.structs.fields(plain)}

    assert found == {name: msgspec.NODEFAULT if value is attrs.NOTHING else value for name, value in fields.items()}


@given(
    st.datetimes(timezones=st.just(UTC))
    | st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the time zone
        max_value=datetime(9998, 1, 1),  # noqa: DTZ001
        timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_times_as_text_are_in_utc_with_6_digits(moment):
    assert columns.as_text(moment) == as_text(moment.astimezone(UTC))
    assert columns.in_utc(moment) == moment
    assert columns.in_utc(moment).utcoffset() == timedelta(0)


@given(*[st.datetimes(timezones=st.just(UTC))] * 2)
def test_times_as_text_sort_as_the_times_do(one, other):
    assert (columns.as_text(one) < columns.as_text(other)) is (one < other)


def test_a_time_that_utc_does_not_have_is_refused():
    with pytest.raises(OverflowError):
        columns.as_text(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))))
