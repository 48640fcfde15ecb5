"""What a client learns of the service: its largest page, and what time it is there."""

from datetime import UTC, datetime, timedelta

import pytest

from qoder_async._http.traits import Traits

NOW = datetime(2026, 11, 22, 8, 30, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Sun, 22 Nov 2026 08:30:00 GMT", timedelta(seconds=-0.5)),
        ("Sun, 22 Nov 2026 08:31:00 GMT", timedelta(seconds=59.5)),
        ("yesterday", None),
        (None, None),
    ],
)
def test_how_far_the_service_is_ahead(date, ahead):
    traits = Traits()
    traits.note_date(date, NOW)
    assert traits.clock_ahead() == ahead


def test_an_answer_without_a_date_changes_nothing():
    traits = Traits()
    traits.note_date("Sun, 22 Nov 2026 08:30:00 GMT", NOW)
    traits.note_date(None, NOW + timedelta(hours=1))
    assert traits.clock_ahead() == timedelta(seconds=-0.5)


def test_a_page_size_is_lowered_once_one_was_refused():
    traits = Traits()
    assert traits.page_size(1000) == 1000
    traits.largest_page = 100
    assert (traits.page_size(1000), traits.page_size(20)) == (100, 20)
