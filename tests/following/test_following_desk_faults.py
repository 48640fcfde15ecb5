"""The books when reads fail and answers are old: who is given up when, and that an end is never taken back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime

import pytest
from following_support import Inbox, begun, idle, session

from qoder_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    FeatureNotAvailableError,
    NotFoundError,
    PermissionDeniedError,
    Poll,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
)
from qoder_async.following.followed import Followed
from qoder_async.following.news import Lost, Mailbox
from qoder_async.following.rule import judge, unknown_end

POLL = Poll()
GRACE = 10.0
PATIENCE = 300.0
MISSING = NotFoundError("There is no such run", status=404)
DOWN = ServerError("It is down", status=503)
PASSING = [
    DOWN,
    RateLimitError("Too many", status=429),
    APIConnectionError("Reset"),
    APITimeoutError("Too slow"),
    ResponseDecodeError("HTML"),
]
FINAL = [
    AuthenticationError("Revoked", status=401),
    PermissionDeniedError("Not yours", status=403),
    BadRequestError("What?", status=400),
    FeatureNotAvailableError("Not here", status=501),
    KeyError("the token provider broke"),
]


@pytest.fixture
def follow(desk, inbox):
    def begin(run, poll=POLL):
        desk.follow(inbox, run, poll)
        (followed,) = desk.take_due()
        return followed

    return begin


def fails_at(books, inbox, followed, error, seconds):
    """At which of these seconds from now the failure of a read ends the following."""
    start = books.clock.now()
    for second in seconds:
        books.clock.time = start + second
        books.desk.fail(followed, error)
        if inbox.take():
            return second
    return None


# What the service asks to be left alone


ASKED = RateLimitError("Too many", status=429, retry_after=120.0)


def looks(books, seconds):
    """At which of these seconds from the beginning a run is due."""
    start, at = books.clock.now(), []
    for second in seconds:
        books.clock.time = start + second
        for followed in books.desk.take_due():
            at.append(second)
            books.desk.release(followed)
    return at


def test_a_run_is_not_looked_at_before_the_wait_that_the_service_asks_for_is_over(books, desk, inbox, follow):
    followed = follow(books.extended("running"))
    desk.fail(followed, ASKED)
    desk.release(followed)
    assert looks(books, (1, 30, 119.9, 120.1)) == [120.1]
    assert inbox.take() == []


@pytest.mark.parametrize("how", ["another follower", "a list shows it", "looked at with others"])
def test_nobody_hurries_it(books, desk, inbox, follow, how):
    followed = follow(books.extended("running"))
    desk.fail(followed, ASKED)
    desk.release(followed)
    books.clock.time += 1
    if how == "another follower":
        desk.follow(Inbox(), "drun_1", POLL)
    elif how == "a list shows it":
        desk.see(books.extended("running", age=1))
    else:
        desk.follow(inbox, "drun_2", POLL)
        desk.see(books.extended("running", "drun_2"))
    due = []
    for _ in range(118):
        books.clock.time += 1
        due += [each.id for each in desk.take_due()]
    assert "drun_1" not in due
    books.clock.time += 2
    assert "drun_1" in [each.id for each in desk.take_due()]


def test_the_longest_of_two_waits_counts(books, desk, follow):
    followed = follow(books.extended("running"))
    desk.fail(followed, ASKED)
    desk.fail(followed, RateLimitError("Too many", status=429, retry_after=1.0))
    desk.release(followed)
    assert looks(books, (1, 30, 119.9, 120.1)) == [120.1]


def test_a_list_that_asks_for_a_wait_asks_it_for_all_its_runs(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL)
    desk.follow(inbox, "drun_2", POLL)
    wanted = desk.take_due()
    desk.miss(wanted, ASKED)
    for each in wanted:
        desk.release(each)
    assert looks(books, (1, 30, 119.9, 120.1)) == [120.1, 120.1]


@pytest.mark.parametrize(("asked", "is_lost"), [(300.0, False), (300.1, True), (1e12, True)])
def test_a_wait_that_leads_past_the_patience_ends_it(books, desk, inbox, follow, asked, is_lost):
    desk.fail(follow(books.extended("running")), RateLimitError("Too many", status=429, retry_after=asked))
    assert inbox.told() == ([("lost", "RateLimitError")] if is_lost else [])


def test_the_patience_runs_from_the_first_failure(books, desk, inbox, follow):
    followed = follow(books.extended("running"))
    assert fails_at(books, inbox, followed, ASKED, (0, 120, 179, 181)) == 181


def test_whoever_begins_anew_may_wait_before_the_first_look(books, desk, inbox):
    desk.follow(inbox, "drun_1", POLL, pause=50.0)
    assert looks(books, (0, 49.9, 50.1)) == [50.1]


# A run that is not found


def test_an_id_may_be_missing_for_ten_seconds(books, inbox, follow):
    assert fails_at(books, inbox, follow("drun_1"), MISSING, (0, 5, 9.9, 10)) == 10


@pytest.mark.parametrize(("age", "second"), [(0, 10), (4, 6), (9, 1), (10, 0), (3600, 0), (-3, 13)])
@pytest.mark.parametrize("shape", ["lean", "extended"])
def test_a_run_may_be_missing_for_ten_seconds_after_it_was_triggered(books, inbox, follow, shape, age, second):
    run = books.lean(age=age) if shape == "lean" else books.extended("running", age=age)
    seconds = [each for each in (0, 1, 5, 6, 9.9, 10, 12.9, 13) if each <= second]
    assert fails_at(books, inbox, follow(run), MISSING, seconds) == second


@pytest.mark.parametrize("ahead", [-3600, -60, 60, 3600])
def test_the_age_of_a_run_is_measured_by_the_services_clock(books, inbox, follow, ahead):
    theirs = books.clock.wall() + timedelta(seconds=ahead)
    books.traits.note_date(format_datetime(theirs, usegmt=True), books.clock.wall())
    run = books.extended("running", age=-ahead)
    assert fails_at(books, inbox, follow(run), MISSING, (0, 5, 9.9, 10)) == 10


def test_clocks_that_differ_do_not_make_a_run_look_new_for_ever(books, inbox, follow):
    followed = follow(books.extended("running", age=-3600))
    assert fails_at(books, inbox, followed, MISSING, (0, 30, 59.9, 60)) == 60


def test_a_run_that_was_just_read_may_be_missing(books, desk, inbox, follow):
    """A replica that lags behind does not know it yet."""
    followed = follow(books.extended("running", age=3600))
    desk.see(books.extended("running", age=3600))
    inbox.take()
    assert fails_at(books, inbox, followed, MISSING, (0, 9.9, 10)) == 10


def test_a_run_that_is_gone_is_lost_with_the_error(books, desk, inbox, follow):
    followed = follow(books.extended("running", age=3600))
    desk.fail(followed, MISSING)
    (news,) = inbox.take()
    assert (news.run_id, str(news.error), type(news.error)) == ("drun_1", str(MISSING), NotFoundError)
    assert not desk.wants(followed)
    desk.leave(inbox)
    assert not any(books.kept().values())


# Other failures


@pytest.mark.parametrize("error", FINAL, ids=repr)
def test_what_does_not_pass_ends_it(books, desk, inbox, follow, error):
    desk.fail(follow(books.extended("running")), error)
    assert inbox.told() == [("lost", type(error).__name__)]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes_is_borne_for_five_minutes(books, inbox, follow, error):
    assert fails_at(books, inbox, follow("drun_1"), error, (0, 1, 100, 299.9, 300)) == PATIENCE


@pytest.mark.parametrize("shape", ["lean", "extended"])
def test_a_good_answer_begins_the_five_minutes_anew(books, desk, inbox, follow, shape):
    run = books.lean(age=3600) if shape == "lean" else books.extended("running", age=3600)
    followed = follow(run)
    for _ in range(3):
        assert fails_at(books, inbox, followed, DOWN, (1, 100, 299)) is None
        desk.see(run)
        if shape == "lean":
            desk.see_turn(followed, None, thoroughly=False)
        inbox.take()
    assert fails_at(books, inbox, followed, DOWN, (1, 299.9, 300)) == PATIENCE


def test_that_a_run_and_its_session_can_be_read_is_no_answer_where_its_events_cannot(books, desk, inbox, follow):
    run = books.lean(age=3600)
    followed = follow(run)
    assert fails_at(books, inbox, followed, DOWN, (1, 299)) is None
    desk.see(run)
    desk.see_session(followed, session("running"))
    assert fails_at(books, inbox, followed, DOWN, (0, 1)) == 1


@pytest.mark.parametrize("wait", [290.0, 300.0, 3600.0])
def test_one_failure_does_not_end_it_however_seldom_one_looks(books, desk, inbox, follow, wait):
    """Five minutes without a good answer are five minutes of asking, not of waiting."""
    run = books.extended("running")
    followed = follow(run, Poll(initial=wait, maximum=wait))
    desk.see(run)
    desk.release(followed)
    inbox.take()
    books.clock.time += wait
    assert desk.take_due() == [followed]
    desk.fail(followed, DOWN)
    assert inbox.take() == []


def test_a_second_follower_has_five_minutes_of_its_own(books, desk, inbox, follow):
    """Whoever looks once an hour is no reason to give somebody up who looks every second."""
    run = books.extended("running")
    followed = follow(run, Poll(initial=3600, maximum=3600))
    desk.see(run)
    desk.release(followed)
    books.clock.time += 1000
    desk.follow(second := Inbox(), run, POLL)
    assert desk.take_due() == [followed]
    desk.fail(followed, DOWN)
    assert second.take() == []


def test_the_patience_of_one_is_not_that_of_another(books, desk, inbox, follow):
    followed = follow("drun_1")
    desk.fail(followed, DOWN)
    books.clock.time += 200
    desk.follow(second := Inbox(), "drun_1", POLL)
    books.clock.time += 100
    desk.fail(followed, DOWN)
    assert (inbox.told(), second.take()) == ([("lost", "ServerError")], [])
    desk.release(followed)
    assert desk.wants(followed)
    books.clock.time += 200
    desk.fail(followed, DOWN)
    assert (inbox.take(), second.told()) == ([], [("lost", "ServerError")])
    assert not desk.wants(followed)


def test_an_error_that_does_not_pass_is_everybodys(desk, inbox, follow):
    followed = follow("drun_1")
    desk.follow(second := Inbox(), "drun_1", POLL)
    desk.fail(followed, FINAL[0])
    assert inbox.told() == second.told() == [("lost", "AuthenticationError")]


def test_a_failed_read_is_made_again(books, desk, follow):
    followed = follow("drun_1")
    desk.fail(followed, DOWN)
    desk.release(followed)
    assert 0 < desk.next_due() - books.clock.now() <= POLL.initial
    books.clock.time = desk.next_due()
    assert desk.take_due() == [followed]


def test_each_follower_gets_an_error_of_its_own(books, desk, inbox, follow):
    followed = follow(books.extended("running"))
    desk.follow(second := Inbox(), "drun_1", POLL)
    error = AuthenticationError("Revoked", status=401, request_id="req_1")
    desk.fail(followed, error)
    (one,), (other,) = inbox.take(), second.take()
    assert len({id(error), id(one.error), id(other.error)}) == 3
    assert one.error.request_id == other.error.request_id == "req_1"


def test_an_error_that_is_not_ours_is_passed_on_as_it_is(desk, inbox, follow):
    error = KeyError("token")
    desk.fail(follow("drun_1"), error)
    assert inbox.take() == [Lost("drun_1", error)]


def test_a_failure_after_everybody_has_left_is_nobodys(books, desk, inbox, follow):
    followed = follow("drun_1")
    desk.leave(inbox)
    desk.fail(followed, FINAL[0])
    desk.release(followed)
    assert (inbox.take(), desk.next_due()) == ([], None)


def test_the_failure_of_an_old_look_is_not_told_to_those_who_came_since(books, desk, inbox, follow):
    """The look was made for somebody who has left, and whose patience was at an end."""
    old = follow("drun_1")
    books.clock.time += 400
    desk.leave(inbox)
    desk.follow(second := Inbox(), "drun_1", POLL)
    desk.fail(old, DOWN)
    desk.release(old)
    assert second.take() == []
    (new,) = desk.take_due()
    desk.see(books.extended("completed"))
    assert second.told() == [("ended", "completed")]
    assert new is not old


def test_the_answer_to_an_old_look_is_not_told_to_those_who_came_since(books, desk, inbox, follow):
    """They have their own look."""
    old = follow(books.lean())
    desk.leave(inbox)
    desk.follow(second := Inbox(), books.lean(), POLL)
    desk.see_turn(old, unknown_end(books.lean()), thoroughly=True)
    desk.release(old)
    assert second.take() == []
    (new,) = desk.take_due()
    assert desk.wants(new)


# A session that is not found


@pytest.mark.parametrize(("age", "second"), [(0, 10), (4, 6), (10, 0), (3600, 0)])
def test_a_session_may_be_missing_for_ten_seconds_after_the_trigger(books, desk, follow, age, second):
    followed = follow(books.lean(age=age))
    start = books.clock.now()
    gone = []
    for each in (0, 5.9, 6, 9.9, 10):
        books.clock.time = start + each
        gone.append(desk.is_session_gone(followed))
    assert gone == [each >= second for each in (0, 5.9, 6, 9.9, 10)]


@pytest.mark.parametrize("answer", ["session", "turn"])
def test_a_session_that_was_just_read_may_be_missing(books, desk, follow, answer):
    followed = follow(books.lean(age=3600))
    assert desk.is_session_gone(followed)
    if answer == "session":
        desk.see_session(followed, session("running"))
    else:
        desk.see_turn(followed, None, thoroughly=False)
    books.clock.time += 9.9
    assert not desk.is_session_gone(followed)
    books.clock.time += 0.1
    assert desk.is_session_gone(followed)


def test_that_the_run_was_read_says_nothing_of_its_session(books, desk, follow):
    followed = follow(books.lean(age=3600))
    desk.see(books.lean(age=3600))
    assert desk.is_session_gone(followed)


# Ends and old answers


@pytest.mark.parametrize("end", ["completed", "failed", "skipped"])
@pytest.mark.parametrize("later", ["pending", "running", "completed", "failed", None])
def test_an_end_is_never_taken_back(books, end, later):
    followed = Followed(id="drun_1", since=0, good=0)
    done = books.extended(end)
    followed.see(done, 1)
    followed.see(books.extended(later), 2)
    assert (followed.finished, followed.run) == (judge(done), done)
    assert followed.good == 2


def test_the_end_of_a_turn_is_never_taken_back(books):
    followed = Followed(id="drun_1", since=0, good=0)
    run = books.lean()
    followed.see(run, 1)
    finished = judge(run, None, [])
    assert finished is None
    followed.see_turn(finished, 2)
    done = unknown_end(run)
    followed.see_turn(done, 3)
    for other in (None, judge(books.lean(age=-(10**6)), None, begun(idle(5)))):
        followed.see_turn(other, 4)
        assert followed.finished is done
    followed.see(books.lean(session_id="sess_2"), 5)
    assert (followed.finished, followed.run) == (done, run)


@pytest.mark.parametrize("known", ["running", "meditating"])
def test_an_old_answer_is_ignored(books, desk, inbox, follow, known):
    followed = follow("drun_1")
    run = books.extended(known)
    desk.see(run)
    assert inbox.told() == [("seen", known)]
    desk.see(books.extended("pending", session_id=None))
    assert inbox.take() == []
    assert followed.run is run
    desk.see(books.extended("completed"))
    assert inbox.told() == [("ended", "completed")]


def test_an_old_answer_without_the_session_is_ignored(books, desk, inbox, follow):
    followed = follow(books.lean())
    desk.see(books.lean(session_id=None))
    desk.see(books.lean(session_id=None, error={"type": "unknown_error", "message": "old"}))
    assert followed.needs_session
    assert followed.session_id == "sess_drun_1"
    assert inbox.take() == []


def test_an_old_answer_is_an_answer(books, desk, inbox, follow):
    followed = follow(books.extended("running"))
    books.clock.time += 299
    desk.see(books.extended("pending", age=299))
    inbox.take()
    assert fails_at(books, inbox, followed, DOWN, (1, 299)) is None


def test_a_caller_who_knows_less_does_not_set_the_books_back(books, desk, inbox, follow):
    followed = follow("drun_1")
    run = books.extended("running")
    desk.see(run)
    desk.follow(Inbox(), books.extended("pending"), POLL)
    assert followed.run is run


def test_a_run_may_turn_from_one_shape_into_the_other(books, desk, inbox, follow):
    followed = follow(books.lean())
    assert followed.needs_session
    desk.see(books.extended("running"))
    assert not followed.needs_session
    desk.see(books.lean())
    assert followed.needs_session
    desk.see(books.extended("completed"))
    assert inbox.told()[-1] == ("ended", "completed")


# The end of the client


async def test_a_client_that_is_closed_fails_everybody_who_follows_a_run(books):
    one, two, idle = Mailbox(), Mailbox(), Mailbox()
    for mailbox, run_id in ((one, "drun_1"), (two, "drun_1"), (two, "drun_2")):
        books.desk.follow(mailbox, run_id, POLL)
    books.desk.follow(idle, "drun_3", POLL)
    books.desk.leave(idle)
    closed = ClientClosedError("Closed")

    books.desk.fail(books.desk.take_due()[0], closed)

    errors = []
    for mailbox in (one, two):
        with pytest.raises(ClientClosedError, match=r"^Closed$") as caught:
            await mailbox.get()
        errors.append(caught.value)
    assert len({id(error) for error in (*errors, closed)}) == 3
    assert books.desk.next_due() is None
    assert books.desk.take_due() == []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await idle.get()
