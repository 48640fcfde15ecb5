"""How long to wait between two looks: the straight line against the loop it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import Poll
from qoder_async.following.cadence import next_check, next_wait

SECONDS = st.floats(0.01, 1e6)
POLLS = st.builds(Poll, initial=SECONDS, factor=st.floats(1, 10), maximum=SECONDS)


def waits_of(poll, looks):
    """The waits that grow by the factor, one after the other."""
    return [min(poll.maximum, poll.initial * poll.factor**number) for number in range(looks)]


def test_the_waits_of_the_default():
    elapsed, waits = 0.0, []
    for _ in range(10):
        waits.append(next_wait(Poll(), elapsed, 0))
        elapsed += waits[-1]
    assert waits == pytest.approx([0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5.6953125, 8.54296875, 10, 10])


@given(poll=POLLS, looks=st.integers(1, 40))
def test_the_line_is_the_loop(poll, looks):
    elapsed = 0.0
    for expected in waits_of(poll, looks):
        wait = next_wait(poll, elapsed, 0)
        assert wait == pytest.approx(expected, rel=1e-6)
        elapsed += wait


@given(poll=POLLS, elapsed=st.floats(0, 1e9), jitter=st.floats(0, 1))
def test_jitter_only_shortens_and_only_so_much(poll, elapsed, jitter):
    whole = next_wait(poll, elapsed, 0)
    assert min(poll.initial, poll.maximum) <= whole <= poll.maximum
    assert 0.8 * whole <= next_wait(poll, elapsed, jitter) * (1 + 1e-12)
    assert next_wait(poll, elapsed, jitter) <= whole


@given(poll=POLLS, elapsed=st.floats(0, 1e9), more=st.floats(0, 1e9), jitter=st.floats(0, 1))
def test_who_waits_longer_is_looked_at_less_often(poll, elapsed, more, jitter):
    assert next_wait(poll, elapsed, jitter) <= next_wait(poll, elapsed + more, jitter)


def test_a_factor_of_one_never_grows():
    poll = Poll(initial=3, factor=1, maximum=10)
    assert {next_wait(poll, elapsed, 0) for elapsed in (0, 1, 1e9)} == {3}


def test_an_initial_above_the_maximum_is_the_maximum():
    assert next_wait(Poll(initial=60, maximum=10), 0, 0) == 10


def test_no_number_is_too_large():
    assert next_wait(Poll(initial=1e308, factor=1e308, maximum=7), 1e308, 0) == 7


def test_checks_become_rarer():
    checks = [next_check(0)]
    for _ in range(4):
        checks.append(next_check(checks[-1]))
    assert checks[0] >= 60
    assert checks == [checks[0] * 2**number for number in range(5)]


@given(elapsed=st.floats(0, 1e9))
def test_a_check_lies_ahead(elapsed):
    assert next_check(elapsed) == max(next_check(0), 2 * elapsed) > elapsed
