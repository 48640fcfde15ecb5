"""What a walk remembers of what it delivered, against the plain rule it stands for."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async._paging import delivered_ids
from qoder_async._paging.delivered_ids import DeliveredIds


def records(*ids):
    return [SimpleNamespace(id=identifier) for identifier in ids]


def fresh_ids(delivered, *ids):
    return [record.id for record in delivered.take(records(*ids))]


ascending = st.lists(st.text("abc", min_size=1, max_size=3), max_size=8, unique=True).map(sorted)
descending = ascending.map(lambda ids: ids[::-1])
any_ids = st.lists(st.none() | st.text("abc", max_size=2), max_size=8)
parts = st.one_of(ascending, descending, any_ids)


@given(st.lists(st.tuples(parts, st.booleans()), max_size=8))
def test_each_id_is_taken_once_in_whatever_order_they_come(come):
    """Parts are taken, or remembered from elsewhere; without a limit, an id is fresh exactly once."""
    delivered, seen = DeliveredIds(), set()
    for ids, is_taken in come:
        if is_taken:
            expected = []
            for identifier in ids:
                if not identifier or identifier not in seen:
                    expected.append(identifier)
                    seen.add(identifier)
            assert fresh_ids(delivered, *ids) == expected
        else:
            delivered.add(ids)
            seen.update(ids)


@given(st.lists(st.integers(0, 60), max_size=60), st.booleans())
def test_the_last_ids_are_known_and_those_before_are_not(numbers, sorts):
    """With a window of 10, and ids that come one by one, the last 10 different ones are known."""
    window = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivered_ids, "_WINDOW", 10)
        delivered = DeliveredIds()
        for number in sorted(set(numbers)) + numbers if sorts else numbers:
            identifier = f"drun_{number:03}"
            assert bool(fresh_ids(delivered, identifier)) == (identifier not in window)
            if identifier not in window:
                window = [*window, identifier][-10:]


@pytest.mark.parametrize("sign", [1, -1], ids=["up", "down"])
def test_ids_that_sort_are_kept_and_not_looked_up(sign):
    """Nothing is hashed as long as the ids sort, which is what makes a walk quick."""
    delivered = DeliveredIds()
    ids = [f"drun_{number:05}" for number in range(30_000)][::sign]
    for start in range(0, 30_000, 100):
        assert fresh_ids(delivered, *ids[start : start + 100]) == ids[start : start + 100]
        assert fresh_ids(delivered) == []
    assert delivered._set is None
    assert sum(map(len, delivered._parts)) == 10_000

    assert fresh_ids(delivered, ids[0], ids[20_000], ids[29_999], "drun_x") == [ids[0], "drun_x"]


def test_a_turn_in_the_order_is_noticed():
    """What sorts within each page, and not beyond the pages before, may have come before."""
    delivered = DeliveredIds()
    assert fresh_ids(delivered, "a", "c", "e") == ["a", "c", "e"]
    assert fresh_ids(delivered, "b", "c", "d") == ["b", "d"]

    delivered = DeliveredIds()
    assert fresh_ids(delivered, "a") == ["a"]
    assert fresh_ids(delivered, "c", "b", "a") == ["c", "b"]
