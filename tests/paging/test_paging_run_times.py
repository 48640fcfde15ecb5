"""The times by which the list of a deployment's runs is sorted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from support.payloads import fixture

from qoder_async import DeploymentRun, converter
from qoder_async._paging.run_lists import shifted, time_of

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("moment", "by", "other"),
    [
        (NOON, MINUTE, NOON + MINUTE),
        (NOON, -MINUTE, NOON - MINUTE),
        (NOON, timedelta(), NOON),
        (FIRST, -MINUTE, FIRST),
        (FIRST + MINUTE / 2, -MINUTE, FIRST),
        (FIRST, MINUTE, FIRST + MINUTE),
        (LAST, MINUTE, LAST),
        (LAST - MINUTE / 2, MINUTE, LAST),
        (LAST, -MINUTE, LAST - MINUTE),
    ],
)
def test_a_moment_is_moved_as_far_as_time_goes(moment, by, other):
    assert shifted(moment, by) == other
    assert shifted(moment, by).tzinfo is UTC


def test_the_end_of_time_keeps_its_offset():
    zone = timezone(timedelta(hours=5))
    assert shifted(datetime.max.replace(tzinfo=zone), MINUTE).tzinfo is zone


def test_the_time_of_a_run_is_that_of_its_trigger_where_it_says_so():
    record = fixture("run_extended_completed") | {"created_at": "2026-06-14T08:58:59Z"}
    extended = converter.structure(record, DeploymentRun)
    lean = converter.structure(fixture("run_current_manual"), DeploymentRun)
    assert time_of(extended) == extended.triggered_at != extended.created_at
    assert time_of(lean) == lean.created_at
