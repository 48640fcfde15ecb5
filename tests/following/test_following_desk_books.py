"""The books after all is done: nothing is left in them, and nobody was forgotten."""

from __future__ import annotations

import attrs
import pytest
from following_support import Books, Inbox, in_short, session
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import NotFoundError, Poll, ServerError
from qoder_async.following.change import features_of
from qoder_async.following.news import Ended, Seen
from qoder_async.following.rule import unknown_end

POLL = Poll(initial=1.0, factor=2.0, maximum=10.0)
NEVER = Poll(initial=1e6, maximum=1e6)
IDS = ["drun_0", "drun_1", "drun_2"]
ERRORS = [NotFoundError("Gone", status=404), ServerError("Down", status=503), ValueError("Odd")]


@pytest.mark.parametrize("shape", ["lean", "extended"])
def test_nothing_is_left_when_all_have_ended(books, shape):
    desk = books.desk
    for number in range(50):
        run_id = f"drun_{number}"
        run = books.lean(run_id) if shape == "lean" else books.extended("running", run_id)
        desk.follow(inbox := Inbox(), run, POLL)
        (followed,) = desk.take_due()
        desk.see(run)
        desk.release(followed)
        if shape == "lean":
            desk.see_turn(followed, unknown_end(run), thoroughly=True)
        else:
            desk.see(books.extended("completed", run_id))
        assert inbox.told()[-1][0] == "ended"
        desk.leave(inbox)
    assert desk.next_due() is None
    assert not any(books.kept().values())


@pytest.mark.parametrize("shape", ["lean", "extended"])
def test_nothing_is_left_when_all_have_left(books, shape):
    """Those who asked are gone: their runs, bytes and all, are not kept for the next one who asks."""
    desk, inbox = books.desk, Inbox()
    for number in range(50):
        run_id = f"drun_{number}"
        desk.follow(inbox, books.lean(run_id) if shape == "lean" else books.extended("running", run_id), POLL)
    for followed in desk.take_due()[::2]:
        desk.release(followed)
    desk.leave(inbox)
    assert not any(books.kept().values())


def test_the_queue_does_not_grow_with_every_answer(books):
    """Lists show runs by the way that are not due for long; one that no list shows stays the first in the queue."""
    desk = books.desk
    for number in range(11):
        run = books.extended("running", f"drun_{number}")
        desk.follow(Inbox(), run, NEVER, knows=features_of(run), at_once=False)
    for _ in range(100):
        books.clock.time += 1
        for number in range(1, 11):
            desk.see(books.extended("running", f"drun_{number}"))
        assert desk.take_due() == []
    assert books.kept()["_queue"] <= 100


def test_a_queue_that_was_cleared_is_still_in_order(books):
    desk, ids = books.desk, [f"drun_{number}" for number in range(40)]
    for place, run_id in enumerate(ids):
        wait = 10.0 + 7 * place % 40
        run = books.extended("running", run_id)
        desk.follow(Inbox(), run, Poll(initial=wait, maximum=wait), knows=features_of(run), at_once=False)
    for number in range(1, 200):
        books.clock.time += 0.01
        desk.see(books.extended("running", ids[13 * number % 40]))
    expected = sorted((followed.due, run_id) for run_id, followed in desk._followed.items())
    taken = []
    while (due := desk.next_due()) is not None:
        books.clock.time = due
        taken += [(followed.id, followed.early) for followed in desk.take_due()]
    assert [run_id for run_id, _ in taken] == [run_id for _, run_id in expected]


def test_followers_who_come_and_go_leave_nothing(books):
    desk = books.desk
    desk.follow(Inbox(), "drun_1", POLL)
    desk.take_due()
    for number in range(1000):
        desk.follow(inbox := Inbox(), "drun_1", POLL)
        desk.leave(inbox)
        desk.follow(inbox, f"drun_other{number}", POLL)
        desk.leave(inbox)
        desk.next_due()
    assert books.kept() == {"_followed": 1, "_followers": 1, "_runs_of": 1, "_session_runs": 0, "_queue": 0}
    assert len(desk._followers["drun_1"]) == 1


@pytest.mark.parametrize("session_id", ["sess_1", "", "../secrets"])
def test_sessions_are_forgotten_with_their_runs(books, session_id):
    desk, inbox = books.desk, Inbox()
    desk.follow(inbox, run := books.lean(session_id=session_id), POLL)
    desk.see(run)
    desk.leave(inbox)
    assert books.kept()["_session_runs"] == 0


def test_a_session_without_a_name_is_not_shared(books):
    desk, inbox = books.desk, Inbox()
    for run_id in ("drun_1", "drun_2"):
        desk.follow(inbox, books.lean(run_id, session_id=""), POLL)
    assert not desk.may_serve_another(desk._followed["drun_1"])


def test_sessions_are_forgotten_when_a_run_goes_on_in_another(books):
    desk, inbox = books.desk, Inbox()
    for session_id in ("sess_1", "sess_2", "sess_1", "sess_3"):
        run = books.lean(session_id=session_id)
        desk.follow(inbox, run, POLL)
        desk.see(run)
    desk.leave(inbox)
    assert books.kept()["_session_runs"] == 0


def test_the_first_run_to_leave_a_shared_session_leaves_it_to_the_other(books):
    desk, inboxes = books.desk, [Inbox(), Inbox()]
    for number, inbox in enumerate(inboxes):
        desk.follow(inbox, books.lean(f"drun_{number}", session_id="sess_1"), POLL)
    for inbox in inboxes:
        desk.leave(inbox)
    assert books.kept()["_session_runs"] == 0


# Any order of things


def run_of(news):
    match news:
        case Seen(run):
            return run.id
        case Ended(finished):
            return finished.run.id
    return news.run_id


@attrs.define
class Reader:
    """Somebody who follows runs, and what it was told of each since it began."""

    inbox: Inbox = attrs.field(factory=Inbox)
    following: dict = attrs.field(factory=dict)

    def hear(self):
        for news in self.inbox.take():
            kind, _ = in_short(news)
            told = self.following[run_of(news)]
            assert not told or told[-1] == "seen", "an end is the last that is heard of a run"
            told.append(kind)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("follow"), st.integers(0, 2), st.sampled_from(IDS), st.sampled_from([None, "lean", "running"])
        ),
        st.tuples(st.just("follow later"), st.integers(0, 2), st.sampled_from(IDS)),
        st.tuples(st.just("leave"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 1.0, 9.7, 400.0])),
        st.tuples(st.just("take")),
        st.tuples(st.just("give back"), st.integers(0, 5)),
        st.tuples(
            st.just("see"), st.sampled_from(IDS), st.sampled_from(["pending", "running", "odd", "completed", None])
        ),
        st.tuples(st.just("session"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("turn"), st.integers(0, 5), st.booleans(), st.booleans()),
        st.tuples(st.just("fail"), st.integers(0, 5), st.integers(0, 2)),
        st.tuples(st.just("miss"), st.integers(0, 2)),
    ),
    max_size=60,
)


class Play:
    """A tracker that does its work in any order."""

    def __init__(self):
        self.books = Books()
        self.desk = self.books.desk
        self.readers = [Reader() for _ in range(3)]
        self.out = []

    def run(self, run_id, status):
        return self.books.lean(run_id) if status in (None, "lean") else self.books.extended(status, run_id)

    def step(self, what, *args):
        getattr(self, "do_" + what.replace(" ", "_"))(*args)
        for reader in self.readers:
            reader.hear()
        self.check()

    def do_follow(self, reader, run_id, status):
        self.readers[reader].following[run_id] = []
        self.desk.follow(self.readers[reader].inbox, run_id if status is None else self.run(run_id, status), POLL)

    def do_follow_later(self, reader, run_id):
        run = self.run(run_id, "running")
        self.readers[reader].following[run_id] = []
        self.desk.follow(self.readers[reader].inbox, run, POLL, knows=features_of(run), at_once=False)

    def do_leave(self, reader):
        self.desk.leave(self.readers[reader].inbox)
        self.readers[reader] = Reader()

    def do_wait(self, seconds):
        self.books.clock.time += seconds

    def do_take(self):
        taken = self.desk.take_due()
        assert len(set(taken)) == len(taken)
        assert not set(taken) & set(self.out), "two look at once"
        self.out += taken

    def do_give_back(self, place):
        if place < len(self.out):
            self.desk.release(self.out.pop(place))

    def do_see(self, run_id, status):
        self.desk.see(self.run(run_id, status))

    def do_session(self, place, older):
        if place < len(self.out):
            made = "2026-01-01T00:00:00Z" if older else None
            self.desk.see_session(self.out[place], session("running", created_at=made))

    def do_turn(self, place, has_ended, thoroughly):
        if place < len(self.out) and self.out[place].run is not None:
            finished = unknown_end(self.out[place].run) if has_ended else None
            self.desk.see_turn(self.out[place], finished, thoroughly=thoroughly)

    def do_miss(self, error):
        self.desk.miss(self.out, ERRORS[error])

    def do_fail(self, place, error):
        if place < len(self.out):
            self.desk.fail(self.out[place], ERRORS[error])

    def check(self):
        """Whoever still waits for an end is in the books, and what is in the books will be looked at."""
        waiting = {
            run_id for reader in self.readers for run_id, told in reader.following.items() if set(told) <= {"seen"}
        }
        assert set(self.desk._followed) == set(self.desk._followers) == waiting
        for reader in self.readers:
            own = {run_id for run_id, told in reader.following.items() if set(told) <= {"seen"}}
            assert self.desk._runs_of.get(reader.inbox, set()) == own
        queued = {each for due, _, each in self.desk._queue if each.due == due}
        for followed in self.desk._followed.values():
            assert (followed in self.out) == followed.is_out
            assert followed.is_out or followed in queued
            assert followed.finished is None
        assert set(self.desk._session_runs.values()) <= waiting


@given(steps=STEPS)
def test_in_whatever_order_nobody_is_forgotten_and_nothing_is_left(steps):
    play = Play()
    for step in steps:
        play.step(*step)
    for reader in range(3):
        play.step("leave", reader)
    while play.out:
        play.step("give back", 0)
    assert play.desk.next_due() is None
    assert not any(play.books.kept().values())
