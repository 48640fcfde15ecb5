"""The state of a watch as a string: what goes in comes out, and what is no state is refused before any request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from following_support import extended
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting_support import SHAPES, stage
from watching_support import assert_told, read, state_of

from qoder_async import ConfigurationError, QoderError, RunChange
from qoder_async._paging.run_lists import LOOK_BACK
from qoder_async.following.change import ChangeKind
from qoder_async.following.rule import judge
from qoder_async.following.watch_state import WatchState, read_state

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
IDS = st.from_regex(r"drun_[0-9a-f]{1,32}", fullmatch=True)
MOMENTS = st.integers(0, 10**17).map(lambda microseconds: NOW + timedelta(microseconds=microseconds - 10**16))
FEW = settings(max_examples=40)
STATES = st.builds(
    WatchState,
    looked_at=MOMENTS,
    known=st.dictionaries(IDS, MOMENTS, max_size=5),
    unfinished=st.dictionaries(IDS, st.text("0123456789abcdef", min_size=12, max_size=12), max_size=5),
)


def run(number, *, at=NOW, status="running", **fields):
    time = at.isoformat()
    return extended(status, id=f"drun_{number:04}", triggered_at=time, created_at=time, **fields)


def change(kind, of):
    return RunChange(kind=ChangeKind(kind), run=of, finished=judge(of) if kind == "finished" else None)


# Round trips


@FEW
@given(STATES)
def test_a_state_survives_the_string(state):
    again = read_state(str(state))
    assert again is not None
    assert again.looked_at == state.looked_at
    assert again.looked_at.tzinfo is UTC
    # Rather too long than too short a time.
    assert list(again.known) == list(state.known)
    assert all(timedelta() <= again.known[run] - at < timedelta(seconds=1) for run, at in state.known.items())
    assert again.unfinished == state.unfinished
    assert str(again) == str(state)
    assert str(state).isprintable()


@FEW
@given(STATES, st.data())
def test_a_state_that_is_cut_short_is_refused(state, data):
    text = str(state)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    with pytest.raises(ConfigurationError, match="since"):
        read_state(cut)


@FEW
@given(STATES, st.data())
def test_a_state_with_a_slip_is_refused_or_read_but_never_breaks(state, data):
    text = str(state)
    place = data.draw(st.integers(1, len(text) - 1))
    slip = data.draw(st.text(max_size=3))
    damaged = text[:place] + slip + text[place + data.draw(st.integers(0, 3)) :]
    try:
        read = read_state(damaged)
    except ConfigurationError:
        return
    assert read is not None
    assert read_state(str(read)) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
VALUES = JSON | st.sampled_from(
    [1, True, 1.0, NOW.isoformat(), "2026-11-22T08:30:00", {"drun_1": "0" * 12}, {"drun_1": 7}, {"../x": ""}, [".."]]
)


@FEW
@given(st.dictionaries(st.sampled_from(["v", "looked_at", "known", "unfinished"]), VALUES))
def test_json_that_is_no_state_is_refused_or_read_but_never_breaks(fields):
    try:
        state = read_state(json.dumps(fields))
    except ConfigurationError:
        return
    assert state is not None
    assert isinstance(state.looked_at, datetime)
    assert state.looked_at.utcoffset() == timedelta()
    assert all(isinstance(each, str) for each in [*state.known, *state.unfinished, *state.unfinished.values()])


@FEW
@given(st.text().filter(lambda text: not text.lstrip().startswith("{")))
def test_other_texts_are_left_to_who_reads_times(text):
    assert read_state(text) is None


GOOD = {
    "v": 1,
    "looked_at": NOW.isoformat(),
    "known": {"drun_1": int(NOW.timestamp())},
    "unfinished": {"drun_2": "0" * 12},
}


def without(name):
    return {key: value for key, value in GOOD.items() if key != name}


BAD = {
    "a later version": GOOD | {"v": 2},
    "no version": without("v"),
    "a version as text": GOOD | {"v": "1"},
    "a version that is true": GOOD | {"v": True},
    "no moment": without("looked_at"),
    "a moment without an offset": GOOD | {"looked_at": "2026-11-22T08:30:00"},
    "a moment that is none": GOOD | {"looked_at": "yesterday"},
    "a moment as a number": GOOD | {"looked_at": 5},
    "a moment before all time": GOOD | {"looked_at": "0001-01-01T00:00:00+05:00"},
    "a moment after all time": GOOD | {"looked_at": "9999-12-31T23:59:59-05:00"},
    "no known": without("known"),
    "known as a text": GOOD | {"known": "drun_1"},
    "known as a list": GOOD | {"known": ["drun_1"]},
    "known with texts": GOOD | {"known": {"drun_1": "now"}},
    "known with null": GOOD | {"known": {"drun_1": None}},
    "known with what is no time": GOOD | {"known": {"drun_1": 1e300}},
    "known with no number": GOOD | {"known": {"drun_1": float("nan")}},
    "known with a path": GOOD | {"known": {"../../x": 1}},
    "no unfinished": without("unfinished"),
    "unfinished as a list": GOOD | {"unfinished": ["drun_2"]},
    "unfinished with a number": GOOD | {"unfinished": {"drun_2": 7}},
    "unfinished with a path": GOOD | {"unfinished": {"a/b": "0" * 12}},
    "unfinished as null": GOOD | {"unfinished": None},
    "an empty object": {},
    "something else": {"cursor": "after_id:drun_1", "spool": 77},
}


def test_the_good_one_is_good():
    assert read_state(json.dumps(GOOD)) == WatchState(NOW, {"drun_1": NOW}, GOOD["unfinished"])
    assert read_state("  " + json.dumps(GOOD, indent=4) + "\n") is not None


@pytest.mark.parametrize("since", [pytest.param(json.dumps(bad), id=name) for name, bad in BAD.items()])
async def test_what_is_no_state_is_refused_before_any_request(since):
    async with stage() as on:
        with pytest.raises(ConfigurationError, match="since"):
            on.qoder.runs.watch(since=since)
        assert on.requests == 0


NONSENSE = {
    "naive": datetime(2026, 11, 22),  # noqa: DTZ001
    "a naive text": "2026-11-22T08:30:00",
    "a date": "2026-11-22",
    "a date object": datetime(2026, 11, 22).date(),  # noqa: DTZ001
    "empty": "",
    "blank": "  ",
    "a word": "yesterday",
    "a run": "drun_1",
    "a cursor": "after_id:drun_1",
    "a number": 1_763_800_000,
    "bytes": b'{"v": 1}',
    "a mapping": GOOD,
    "false": False,
    "a list": "[1]",
    "a state without its head": json.dumps(GOOD)[1:],
    "a state in quotes": json.dumps(json.dumps(GOOD)),
    "no time in UTC": datetime.min.replace(tzinfo=UTC).isoformat().replace("+00:00", "+05:00"),
    "brackets without end": "{" * 100_000,
    "a deep list": '{"v":' + "[" * 100_000,
}


@pytest.mark.parametrize("since", [pytest.param(value, id=name) for name, value in NONSENSE.items()])
async def test_nonsense_is_refused_before_any_request(since):
    async with stage() as on:
        with pytest.raises(ConfigurationError, match="since") as caught:
            on.qoder.runs.watch(since=since)
        assert len(str(caught.value)) < 400
        assert isinstance(caught.value, QoderError)
        assert on.requests == 0


@pytest.mark.parametrize("deployments", [[], (), 17, [None], ["a/b"], [""], "", object(), [["dep_1"]], b"dep_1"])
async def test_deployments_that_cannot_be_meant_are_refused_before_any_request(deployments):
    async with stage() as on:
        with pytest.raises(ConfigurationError, match="deployment"):
            on.qoder.runs.watch(deployments)
        assert on.requests == 0


async def test_a_poll_that_is_none_is_refused_before_any_request():
    async with stage() as on:
        with pytest.raises(ConfigurationError, match="poll"):
            on.qoder.runs.watch(poll=5)
        assert on.requests == 0


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_state_taken_to_another_kind_of_service_does_no_harm(shape):
    """One that was taken from the other shape, such as before the service was renewed."""
    async with stage("lean" if shape == "extended" else "extended") as before:
        before.sim.insert_run(before.sim.add_deployment(), state="running")
        state = await state_of(before)
    async with stage(shape) as on:
        deployment = on.sim.add_deployment()
        run = on.sim.insert_run(deployment, state="running", triggered_at=on.time.wall() - timedelta(minutes=9))
        told = []

        async def watch():
            async with on.qoder.runs.watch(since=state) as changes:
                await read(on, changes, 20, told)
                on.sim.set_run(run, status="completed")
                await read(on, changes, 20, told)

        await on.run(watch())
        assert {each.kind for each in told} <= {"changed", "finished"}
        assert_told(on, told, finished=[run], watches=2)


# What is noted


def test_a_run_that_was_told_of_is_unfinished_until_its_end_is():
    state = WatchState(NOW)
    state.deliver(change("created", run(1)))
    assert list(state.unfinished) == ["drun_0001"]
    state.deliver(change("changed", run(1, session_id="sess_1")))
    assert list(state.unfinished) == ["drun_0001"]
    state.deliver(change("finished", run(1, status="completed")))
    assert state.unfinished == {}
    assert list(state.known) == ["drun_0001"]


def test_what_a_run_was_like_is_kept_in_a_few_characters():
    state = WatchState(NOW)
    marks = []
    for status, session in (("pending", None), ("running", "sess_1"), ("running", "sess_2")):
        state.deliver(change("changed", run(1, status=status, session_id=session)))
        marks.append(state.unfinished["drun_0001"])
    assert len(set(marks)) == 3
    assert {len(mark) for mark in marks} == {12}
    state.deliver(change("changed", run(1, session_id="sess_2", at=NOW + timedelta(microseconds=5))))
    assert state.unfinished["drun_0001"] == marks[-1]


def test_known_runs_are_forgotten_once_no_look_comes_across_them():
    state = WatchState(NOW)
    for number in range(10):
        at = NOW - timedelta(minutes=number)
        state.deliver(change("finished", run(number, at=at, status="completed")))
    state.looked(NOW)
    assert list(state.known) == [f"drun_{number:04}" for number in range(6)]
    state.looked(NOW + timedelta(minutes=3))
    assert list(state.known) == [f"drun_{number:04}" for number in range(3)]
    state.looked(NOW + LOOK_BACK + timedelta(seconds=1))
    assert state.known == {}


def test_unfinished_runs_are_kept_however_old():
    state = WatchState(NOW)
    state.deliver(change("created", run(1, at=NOW - timedelta(days=9))))
    state.looked(NOW + timedelta(days=9))
    assert list(state.unfinished) == ["drun_0001"]
    state.give_up("drun_0001")
    assert state.unfinished == {}
    state.give_up("drun_0002")
    assert state.unfinished == {}


def test_time_never_goes_back():
    state = WatchState(NOW)
    state.looked(NOW - timedelta(hours=1))
    assert state.looked_at == NOW


@FEW
@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["created", "changed", "finished", "looked"])), max_size=60)
)
def test_a_state_does_not_grow_for_ever(events):
    """Nothing but what is unfinished and what lies within the look-back stays, whatever happened."""
    state = WatchState(NOW)
    at = NOW
    unfinished = set()
    for number, kind in events:
        at += timedelta(seconds=30)
        if kind == "looked":
            state.looked(at)
            assert all(time >= at - LOOK_BACK for time in state.known.values())
            continue
        status = "completed" if kind == "finished" else "running"
        state.deliver(change(kind, run(number, at=at, status=status)))
        (unfinished.discard if kind == "finished" else unfinished.add)(f"drun_{number:04}")
    assert set(state.unfinished) == unfinished
