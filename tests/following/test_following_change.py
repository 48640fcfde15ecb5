"""What counts as a change of a run, and what as an old answer."""

from __future__ import annotations

from itertools import combinations

import attrs
import pytest
from following_support import ABSENT, EXTENDED, at, extended, lean
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import RunStatus
from qoder_async.following.change import ChangeKind, RunChange, features_of, fingerprint, is_setback

EXTRAS = EXTENDED["cas_run_extras"]
VERSIONS = {
    "as it was": {},
    "another status": {"status": "failed"},
    "no status": {"status": None},
    "a status nobody knows": {"status": "archived"},
    "a status of nothing": {"status": ""},
    "another session": {"session_id": "sess_2"},
    "no session": {"session_id": None},
    "an error without words": {"error": {}},
    "an error": {"error": {"type": "x", "message": "y"}},
    "an error of another type": {"error": {"type": "y", "message": "y"}},
    "an error with another message": {"error": {"type": "x", "message": "x"}},
    "an end": {"completed_at": at(9)},
    "another attempt": {"cas_run_extras": EXTRAS | {"attempt": 2}},
    "another turn": {"cas_run_extras": EXTRAS | {"turn_id": "turn_2"}},
    "no extras": {"cas_run_extras": None},
}
NO_CHANGES = {
    "fewer digits of when it was made": {"created_at": "2026-06-14T08:54:06.2719Z"},
    "fewer digits of when it was triggered": {"triggered_at": "2026-06-14T08:54:06.2719Z"},
    "no trigger time": {"triggered_at": ABSENT},
    "fewer digits of when it began": {"cas_run_extras": EXTRAS | {"started_at": "2026-06-14T08:54:06.31Z"}},
    "a duration": {"duration_ms": 17268},
    "a new field": {"weather": "fine"},
    "null that was absent": {"completed_at": None},
}


def version(**changes):
    return extended(**{"status": "running"} | changes)


@pytest.mark.parametrize(("one", "other"), list(combinations(VERSIONS, 2)))
def test_all_that_is_seen_of_a_run_counts(one, other):
    one, other = version(**VERSIONS[one]), version(**VERSIONS[other])
    assert features_of(one) != features_of(other)
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize("name", NO_CHANGES)
def test_times_and_trifles_do_not_count(name):
    assert features_of(version(**NO_CHANGES[name])) == features_of(version())
    assert fingerprint(version(**NO_CHANGES[name])) == fingerprint(version())


def test_when_it_ended_does_not_count_but_that_it_did_does():
    ended = [version(completed_at=time) for time in ("2026-06-14T08:58:34.433744Z", "2026-06-14T08:58:34.4337Z")]
    assert features_of(ended[0]) == features_of(ended[1]) != features_of(version())


@pytest.mark.parametrize("name", VERSIONS)
def test_what_is_kept_can_be_kept(name):
    run = version(**VERSIONS[name])
    assert {features_of(run): 1}[features_of(attrs.evolve(run))] == 1
    assert len(fingerprint(run)) == 12
    assert int(fingerprint(run), 16) >= 0


def test_a_run_built_by_hand_is_no_other_run():
    by_hand = attrs.evolve(version(), status="running")
    assert (features_of(by_hand), fingerprint(by_hand)) == (features_of(version()), fingerprint(version()))


def test_a_state_kept_by_an_earlier_version_can_be_read():
    """Another process, and the next version of the library, must come to the same."""
    assert fingerprint(version()) == "7f6969fd906e"
    assert fingerprint(lean()) == "b5c3bc25ca97"


# Old answers

ORDER = {"pending": 0, "running": 1, "archived": 1, "completed": 2, "failed": 2, "skipped": 2}


@pytest.mark.parametrize("previous", ORDER)
@pytest.mark.parametrize("status", ORDER)
def test_a_status_that_goes_back_is_an_old_answer(previous, status):
    is_old = ORDER[status] < ORDER[previous]
    assert is_setback(version(status=status), version(status=previous)) is is_old
    by_hand = attrs.evolve(version(status=status), status=status)
    assert is_setback(by_hand, version(status=previous)) is is_old


def test_a_run_that_has_lost_its_session_is_an_old_answer():
    with_session, without = lean(), lean(session_id=None)
    assert is_setback(without, with_session)
    assert not is_setback(with_session, without)
    assert not is_setback(with_session, with_session)
    assert not is_setback(without, without)
    assert not is_setback(lean(session_id="sess_2"), with_session)


def test_a_run_may_change_its_shape():
    """Fields may appear or vanish between two reads of one run."""
    for one, other in ((lean(), extended("running")), (extended("running"), lean()), (lean(), extended("failed"))):
        assert not is_setback(one, other)
    assert is_setback(lean(session_id=None), extended("running"))
    assert is_setback(extended("pending", session_id=None), lean())


@given(status=st.sampled_from([None, *RunStatus, "archived"]), session_id=st.sampled_from([None, "sess_1"]))
def test_the_same_answer_is_never_old(status, session_id):
    run = extended(status, session_id=session_id)
    assert not is_setback(run, run)


def test_a_change_says_what_happened():
    assert [str(kind) for kind in ChangeKind] == ["created", "changed", "finished"]
    change = RunChange(kind=ChangeKind.CREATED, run=lean())
    assert (change.previous, change.finished) == (None, None)
    assert change == RunChange(kind=ChangeKind.CREATED, run=lean())
