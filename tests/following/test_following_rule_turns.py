"""Several runs in one session: each is judged by its own turn, whenever one looks."""

from __future__ import annotations

import attrs
import pytest
from following_support import at, event, failure, idle, lean, session
from hypothesis import given
from hypothesis import strategies as st

from qoder_async.following.rule import judge

TERMINATED = "session.status_terminated"
ENDINGS = {
    "done": (lambda time, stamp: idle(time, {"type": "end_turn"}, stamp=stamp), ("completed", "end_turn")),
    "done, bare": (lambda time, stamp: idle(time, "stop_sequence", stamp=stamp), ("completed", "stop_sequence")),
    "done, silent": (lambda time, stamp: idle(time, stamp=stamp), ("completed", None)),
    "waits": (lambda time, stamp: idle(time, {"type": "requires_action"}, stamp=stamp), ("stopped", "requires_action")),
    "new word": (lambda time, stamp: idle(time, "meditating", stamp=stamp), ("stopped", "meditating")),
}
LAST_ENDINGS = {
    "terminated": (lambda time, stamp: event(TERMINATED, time, stamp=stamp), ("failed", None)),
    "terminated, June": (lambda time, stamp: event("terminated", time, stamp=stamp), ("failed", None)),
    "given up": (lambda time, stamp: failure(time, "exhausted", stamp=stamp), ("failed", None)),
    "deleted": (lambda time, stamp: event("session.deleted", time, stamp=stamp), ("unknown", None)),
    "at work": (None, None),
}
NOISE = st.sampled_from(
    ["agent.message", "agent.tool_use", "session.status_rescheduled", "session.status_running", "retried", "overcome"]
)


@attrs.define
class Chapter:
    """What a session did at the request of a run, or of a person.

    ``made`` is the run's own time, between 0 and ``hurry`` seconds before its message.
    """

    is_run: bool
    noise: list[str]
    ending: str
    pause: int
    hurry: int
    runs_first: bool


CHAPTERS = st.builds(
    Chapter,
    is_run=st.booleans(),
    noise=st.lists(NOISE, max_size=4),
    ending=st.sampled_from(sorted(ENDINGS)),
    pause=st.integers(1, 5),
    hurry=st.integers(0, 12),
    runs_first=st.booleans(),
)


def noise(kind, time, stamp):
    if kind == "retried":
        return [failure(time, {"type": "retrying"}, stamp=stamp)]
    if kind == "overcome":
        return [failure(time, stamp=stamp), event("session.status_rescheduled", time + 1, stamp=stamp)]
    return [event(kind, time, stamp=stamp)]


def write(chapters, stamp):
    """The whole history of a session, and for each run its own time, the place of its end, and how it ended.

    All events are whole seconds apart: what happens within the second in which a lean run was made cannot be told
    from what happened before it.
    """
    events, runs, time, last_beginning = [], [], 0, -1000
    for chapter in chapters:
        time += chapter.pause
        # A run may be made while the session still works for another, but after that turn has begun for good.
        made = max(last_beginning + 1, time - chapter.hurry)
        kinds = ["user.message", "session.status_running"]
        for kind in reversed(kinds) if chapter.runs_first else kinds:
            events.append(event(kind, time, stamp=stamp))
            last_beginning, time = time, time + 1
        for kind in chapter.noise:
            events += noise(kind, time, stamp)
            last_beginning = time if kind == "session.status_running" else last_beginning
            time += 2
        make, outcome = (ENDINGS | LAST_ENDINGS)[chapter.ending]
        if make is not None:
            events.append(make(time, stamp))
        if chapter.is_run:
            runs.append((made, len(events) if make else None, outcome))
        time += 1
    return events, runs


def verdict(made, seen, events):
    finished = judge(lean(created_at=at(made)), seen, events)
    return finished and (str(finished.state), finished.stop_reason)


@given(
    chapters=st.lists(CHAPTERS, max_size=5),
    last=st.builds(attrs.evolve, CHAPTERS, ending=st.sampled_from(sorted(ENDINGS | LAST_ENDINGS))),
    word=st.sampled_from(["running", "processing", "idle", "queued"]),
    stamp=st.sampled_from(["processed_at", "created_at"]),
)
def test_each_run_gets_the_outcome_of_its_own_turn_as_soon_as_there_is_one(chapters, last, word, stamp):
    events, runs = write([*chapters, attrs.evolve(last, noise=[*last.noise, "agent.message"])], stamp)
    seen = session(word)
    for made, end, outcome in runs:
        for length in range(len(events) + 1):
            if length and events[length - 1].type == "session.error" and length != end:
                continue  # whether something follows an error shows a moment later
            expected = outcome if end is not None and length >= end else None
            assert verdict(made, seen, events[:length]) == expected


@given(chapters=st.lists(CHAPTERS, min_size=1, max_size=5), word=st.sampled_from(["terminated", "cancelled"]))
def test_the_end_of_the_session_changes_no_end_of_a_run(chapters, word):
    events, runs = write(chapters, "processed_at")
    events.append(event(TERMINATED, 10_000))
    for made, _, outcome in runs:
        assert verdict(made, session(word), events) == outcome


@pytest.mark.parametrize("retry", ["exhausted", {}])
def test_an_error_that_ended_a_turn_is_still_its_end_when_the_next_turn_begins(retry):
    """The session is used again: what the next run makes of it is not the first one's success."""
    first = [event("user.message", 0), event("session.status_running", 1), failure(9, retry)]
    second = [event("user.message", 3600), event("session.status_running", 3601)]
    done = [*first, *second, idle(3609, "end_turn")]
    assert verdict(0, session("idle"), first) == ("failed", None)
    assert verdict(3600, session("idle"), done) == ("completed", "end_turn")
    assert verdict(0, session("running"), [*first, *second]) == ("failed", None)
    assert verdict(0, session("idle"), done) == ("failed", None)


@pytest.mark.parametrize("retry", ["retrying", {"type": "retrying"}, "someday"])
def test_a_message_after_an_error_that_may_be_retried_ends_no_turn(retry):
    events = [event("user.message", 0), failure(9, retry), event("user.message", 10)]
    assert verdict(0, session("running"), events) is None
    assert verdict(0, session("idle"), [*events, idle(15, "requires_action")]) == ("stopped", "requires_action")


def test_runs_in_a_row_in_one_session():
    events = [
        event("user.message", 0), event("session.status_running", 1), idle(5, "end_turn"),
        event("user.message", 10), event("session.status_running", 11), idle(15, "requires_action"),
        event("user.message", 20), event("session.status_running", 21), failure(22, "retrying"),
        event("session.status_rescheduled", 23), event("session.status_running", 24), event(TERMINATED, 25),
    ]  # fmt: skip
    verdicts = [verdict(made, session("terminated"), events) for made in (0, 10, 20)]
    assert verdicts == [("completed", "end_turn"), ("stopped", "requires_action"), ("failed", None)]


def test_a_run_made_while_the_session_works_for_another_waits_for_its_own_turn():
    theirs = [event("user.message", 0), event("session.status_running", 1), idle(9, "requires_action")]
    assert verdict(4, session("running"), theirs) is None
    assert verdict(4, session("idle"), theirs) is None
    mine = [event("user.message", 10), event("session.status_running", 11), idle(15, "end_turn")]
    assert verdict(4, session("idle"), theirs + mine) == ("completed", "end_turn")


def test_an_error_of_the_turn_before_is_not_this_runs():
    theirs = [event("user.message", 0), event("session.status_running", 1), failure(2, "terminal")]
    assert verdict(4, session("idle"), theirs) is None
    mine = [event("user.message", 10), event("session.status_running", 11)]
    assert verdict(4, session("running"), theirs + mine) is None
    finished = judge(lean(created_at=at(4)), None, [*theirs, *mine, event(TERMINATED, 12)])
    assert (finished.state, finished.error) == ("failed", None)
