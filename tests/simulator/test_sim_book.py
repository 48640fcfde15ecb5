from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qoder_async.simulator.book import Book
from qoder_async.simulator.cutting import Cut, cut

TIMES = st.lists(st.integers(0, 6), max_size=30)


def book_of(times: list[int]) -> Book:
    book = Book()
    for number, time in enumerate(times):
        book.add(time, number)
    return book


def oracle(times: list[int], wanted: Cut) -> tuple[list[int], bool]:
    """The same by sorting a list and looking at every record."""
    keys = sorted(((time, number) for number, time in enumerate(times)), reverse=wanted.descending)
    if wanted.cursor is not None:
        beyond = (lambda key: key > wanted.cursor) if not wanted.descending else (lambda key: key < wanted.cursor)
        before = (lambda key: key < wanted.cursor) if not wanted.descending else (lambda key: key > wanted.cursor)
        keys = [key for key in keys if (before if wanted.backward else beyond)(key)]
    keys = [
        (time, number)
        for time, number in keys
        if (wanted.since is None or time >= wanted.since)
        and (wanted.until is None or time < wanted.until)
        and (wanted.keep is None or wanted.keep(number))
    ]
    page = keys[-wanted.limit :] if wanted.backward else keys[: wanted.limit]
    return [number for _, number in page], len(keys) > wanted.limit


@settings(deadline=None)
@given(
    TIMES,
    st.one_of(st.none(), st.tuples(st.integers(0, 6), st.integers(0, 30))),
    st.booleans(),
    st.booleans(),
    st.integers(1, 8),
    st.one_of(st.none(), st.integers(0, 6)),
    st.one_of(st.none(), st.integers(0, 7)),
    st.sampled_from([None, lambda number: number % 2 == 0, lambda number: False]),
)
def test_a_page_is_what_a_list_would_give(times, cursor, backward, descending, limit, since, until, keep):
    wanted = Cut(since, until, cursor, backward and cursor is not None, descending, limit, keep)
    found = cut(book_of(times), wanted)
    assert (list(found.numbers), found.has_more) == oracle(times, wanted)


@given(TIMES, TIMES, st.data())
def test_records_come_in_any_way_and_go(first, second, data):
    book = book_of(first)
    numbers = range(len(first), len(first) + len(second))
    book.extend(array("q", second), numbers)
    book.add(3, 1000)
    keys = sorted([*zip([*first, *second], range(1000), strict=False), (3, 1000)])
    assert list(book.numbers()) == [number for _, number in keys]
    time, number = data.draw(st.sampled_from(keys))
    assert book.remove(time, number)
    assert not book.remove(time, number)
    assert list(book.numbers()) == [other for _, other in keys if other != number]


@pytest.mark.parametrize("keep", [None, lambda number: number % 1000 == 0])
def test_walking_a_long_book_with_a_filter(keep):
    book = Book()
    book.extend(array("q", range(50_000)), range(50_000))
    seen, cursor = [], None
    while True:
        page = cut(book, Cut(cursor=cursor, limit=700, keep=keep))
        seen += page.numbers
        if not page.has_more:
            break
        cursor = (seen[-1], seen[-1])
    assert seen == [number for number in reversed(range(50_000)) if keep is None or keep(number)]
