"""The rule for errors in the session: which are the last word, and which are overcome."""

from __future__ import annotations

from datetime import timedelta

import pytest
from following_support import ABSENT, BEGIN, begun, event, failure, idle, lean, session

from qoder_async import RunError
from qoder_async.following.rule import judge

AT_WORK = ["processing", "running", "rescheduling", "canceling", "queued"]
FINAL = [ABSENT, None, "", {}, {"type": None}, {"type": ""}, {"type": 5}] + [
    form for word in ("exhausted", "terminal") for form in (word, {"type": word}, {"type": word, "attempt": 3})
]


@pytest.mark.parametrize("retry", FINAL)
@pytest.mark.parametrize("word", [None, "running", "idle", "hibernating"])
def test_an_error_that_is_not_retried_is_an_end_as_the_last_word(retry, word):
    seen = None if word is None else session(word)
    finished = judge(lean(), seen, begun(failure(5, retry)))
    assert (finished.state, finished.error.message) == ("failed", "Sandbox lost")
    assert finished.ended_at == BEGIN + timedelta(seconds=5)


@pytest.mark.parametrize("retry", FINAL)
@pytest.mark.parametrize("kind", ["session.status_running", "session.status_rescheduled", "agent.message", "new.word"])
def test_an_error_with_something_after_it_is_no_end(retry, kind):
    assert judge(lean(), session("running"), begun(failure(5, retry), event(kind, 6))) is None


@pytest.mark.parametrize("retry", ["retrying", {"type": "retrying"}])
@pytest.mark.parametrize("word", [None, *AT_WORK, "idle", "hibernating"])
def test_an_error_that_is_retried_is_no_end(retry, word):
    assert judge(lean(), word and session(word), begun(failure(5, retry))) is None


@pytest.mark.parametrize("word", [None, *AT_WORK])
def test_an_error_of_which_nobody_knows_whether_it_is_retried_is_no_end_while_the_session_works(word):
    for retry in ("someday", {"type": "someday"}):
        assert judge(lean(), word and session(word), begun(failure(5, retry))) is None


def test_an_error_of_which_nobody_knows_whether_it_is_retried_is_an_end_in_a_session_at_rest():
    assert judge(lean(), session("idle"), begun(failure(5, "someday"))).state == "failed"
    assert judge(lean(), session("idle", turn_status="running"), begun(failure(5, "someday"))) is None


@pytest.mark.parametrize("word", ["hibernating", ""])
def test_words_that_nobody_knows_are_no_end_together_either(word):
    assert judge(lean(), session(word), begun(failure(5, "someday"))) is None


@pytest.mark.parametrize("retry", [*FINAL, "retrying", "someday"])
def test_an_error_that_was_overcome_is_forgotten(retry):
    events = begun(failure(5, retry), event("session.status_running", 6), idle(9, "end_turn"))
    finished = judge(lean(), session("idle"), events)
    assert (finished.state, finished.error) == ("completed", None)


@pytest.mark.parametrize(
    ("retry", "is_why"), [(ABSENT, True), ("exhausted", True), ("someday", True), ("retrying", False)]
)
def test_the_error_before_a_termination_says_why(retry, is_why):
    finished = judge(lean(), None, begun(failure(4, message="The first"), failure(5, retry), event("terminated", 6)))
    assert finished.state == "failed"
    assert finished.error == (RunError(type="unknown_error", message="Sandbox lost") if is_why else None)


def test_an_error_without_a_text_leaves_the_runs_own_error():
    why = {"type": "unknown_error", "message": "It broke"}
    finished = judge(lean(error=why), None, begun(event("session.error", 5, error=None), event("terminated", 6)))
    assert finished.error == RunError(**why)


def test_an_error_before_the_turn_is_not_this_runs():
    assert judge(lean(), session("idle"), [failure(-1, "terminal")]) is None
    ended = judge(lean(), None, [failure(-1, "terminal"), *begun(event("terminated", 5))])
    assert (ended.state, ended.error) == ("failed", None)


@pytest.mark.parametrize(("error", "message"), [("Sandbox lost", "Sandbox lost"), (None, None), (ABSENT, None)])
def test_an_error_may_be_a_bare_text_or_nothing(error, message):
    finished = judge(lean(), None, begun(event("session.error", 5, error=error)))
    assert finished.state == "failed"
    assert finished.error == (None if message is None else RunError(message=message))


def test_an_error_is_the_last_word_before_the_status_of_the_session():
    assert judge(lean(), session("cancelled"), begun(failure(5, "terminal"))).state == "failed"
    finished = judge(lean(), session("terminated"), begun(failure(5, "terminal"), event("agent.message", 6)))
    assert (finished.state, finished.error.message) == ("failed", "Sandbox lost")
