"""The pure rule: what is worth another try, and after how long."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import RetryPolicy
from qoder_async._http.consequences import is_passing
from qoder_async._http.retry import wait_before_next

FIVE = RetryPolicy(attempts=5)
DURATIONS = st.floats(0.001, 1e6)
POLICIES = st.builds(
    RetryPolicy,
    attempts=st.none() | st.integers(1, 10_000),
    initial=DURATIONS,
    maximum=DURATIONS,
    max_retry_after=DURATIONS,
    deadline=st.none() | DURATIONS,
)
SITUATIONS = {
    "attempt": st.integers(1, 10_000),
    "asked": st.none() | st.floats(0, 1e12),
    "elapsed": st.floats(0, 1e6),
    "jitter": st.floats(0, 1),
}


def test_what_may_pass():
    assert {status for status in range(100, 600) if is_passing(status)} == {408, 429, *range(500, 600)} - {501}


@pytest.mark.parametrize(
    ("policy", "situation", "wait"),
    [
        (FIVE, {"attempt": 1, "jitter": 0}, 0.5),
        (FIVE, {"attempt": 1, "jitter": 1}, 1.0),
        (FIVE, {"attempt": 2, "jitter": 1}, 2.0),
        (FIVE, {"attempt": 3, "jitter": 0}, 2.0),
        (FIVE, {"attempt": 4, "jitter": 1}, 8.0),
        (FIVE, {"attempt": 5}, None),
        (FIVE, {"attempt": 6}, None),
        (RetryPolicy(attempts=1), {"attempt": 1}, None),
        (RetryPolicy(attempts=1), {"attempt": 1, "asked": 0}, None),
        (RetryPolicy(attempts=None), {"attempt": 10**6, "jitter": 1}, 8.0),
        (RetryPolicy(initial=0), {"attempt": 1, "jitter": 1}, 0.0),
        (RetryPolicy(maximum=0), {"attempt": 1, "jitter": 1}, 0.0),
        (RetryPolicy(initial=100, maximum=3), {"attempt": 1, "jitter": 1}, 3.0),
        (FIVE, {"attempt": 1, "asked": 7.5}, 7.5),
        (FIVE, {"attempt": 1, "asked": 0.001}, 0.001),
        (FIVE, {"attempt": 1, "asked": 60.0}, 60.0),
        (FIVE, {"attempt": 1, "asked": 60.001}, None),
        (FIVE, {"attempt": 1, "asked": 1e12}, None),
        (FIVE, {"attempt": 1, "asked": 0, "jitter": 1}, 1.0),
        (RetryPolicy(max_retry_after=0), {"attempt": 1, "asked": 0.1}, None),
        (RetryPolicy(deadline=10), {"attempt": 1, "elapsed": 8.9, "jitter": 1}, 1.0),
        (RetryPolicy(deadline=10), {"attempt": 1, "elapsed": 9.0, "jitter": 1}, None),
        (RetryPolicy(deadline=10), {"attempt": 1, "elapsed": 11.0, "jitter": 1}, None),
        (RetryPolicy(deadline=10), {"attempt": 1, "asked": 10.0}, None),
        (RetryPolicy(deadline=10), {"attempt": 1, "asked": 9.9}, 9.9),
        (RetryPolicy(attempts=None, deadline=10), {"attempt": 10**6, "elapsed": 1, "jitter": 1}, 8.0),
    ],
)
def test_the_table(policy, situation, wait):
    assert wait_before_next(policy, **{"asked": None, "elapsed": 0.0, "jitter": 0.5} | situation) == wait


@given(policy=POLICIES, **SITUATIONS)
def test_a_wait_is_what_was_asked_or_half_to_all_of_the_backoff(policy, attempt, asked, elapsed, jitter):
    wait = wait_before_next(policy, attempt=attempt, asked=asked, elapsed=elapsed, jitter=jitter)
    if wait is None:
        return
    if asked:
        assert wait == asked <= policy.max_retry_after
    else:
        whole = min(policy.maximum, policy.initial * 2 ** min(attempt - 1, 60))
        assert whole / 2 <= wait <= whole


@given(policy=POLICIES, **SITUATIONS)
def test_nothing_is_tried_beyond_the_bounds(policy, attempt, asked, elapsed, jitter):
    wait = wait_before_next(policy, attempt=attempt, asked=asked, elapsed=elapsed, jitter=jitter)
    beyond = (
        (policy.attempts is not None and attempt >= policy.attempts)
        or (asked is not None and asked > policy.max_retry_after)
        or (policy.deadline is not None and elapsed + (wait or 0) >= policy.deadline)
    )
    assert not beyond or wait is None
    assert wait is None or math.isfinite(wait)


@given(attempt=st.integers(1, 60), jitter=st.floats(0, 1))
def test_each_wait_is_twice_the_one_before(attempt, jitter):
    policy = RetryPolicy(attempts=None, maximum=1e300)
    first, second = (
        wait_before_next(policy, attempt=number, asked=None, elapsed=0, jitter=jitter)
        for number in (attempt, attempt + 1)
    )
    assert second == 2 * first
