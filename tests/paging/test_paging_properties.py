"""Whatever a list server does, a walk that is resumed after every error delivers each record once, in order."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from paging_support import (
    BAD,
    DEP,
    HAS_ID,
    ScriptedTransport,
    answer,
    cursor_of,
    run_record,
    session_record,
    to_json,
)

from qoder_async import APIConnectionError, Cursor, QoderError, ResponseDecodeError


@attrs.define
class Server:
    """A list, newest first, that is odd in every way a server may be odd.

    ``plan`` says, answer by answer, what is odd about it.
    """

    style: str
    old: list[str]
    bad: dict[str, str]
    plan: list[dict[str, Any]]
    ids: list[str] = attrs.field(init=False)
    answered: int = 0

    def __attrs_post_init__(self) -> None:
        self.ids = list(self.old)

    def raw(self, identifier: str) -> bytes:
        record = (run_record if self.style == "ids" else session_record)(identifier)
        return BAD[self.bad[identifier]](record) if identifier in self.bad else to_json(record)

    def __call__(self, query: dict[str, str]) -> bytes:
        odd = self.plan[self.answered % len(self.plan)] if self.plan else {}
        self.answered += 1
        cursor = cursor_of(query)
        if odd.get("fails"):
            raise APIConnectionError("the line is dead")
        if odd.get("insert") and self.style == "ids":
            self.ids[:0] = [f"new{self.answered}-{n}" for n in range(odd["insert"])]
        start = 0
        if cursor is not None:
            mark = json.loads(cursor[1]) if cursor[0] == "page" and cursor[1][:1] == "[" else [0, cursor[1]]
            start = self.ids.index(mark[1]) + 1 if mark[1] else 0
        limit = min(int(query["limit"]), odd.get("limit", 1000))
        shown = [] if odd.get("empty") else self.ids[start : start + limit]
        end = start + len(shown)
        more = end < len(self.ids) or bool(odd.get("empty"))
        last = self.ids[end - 1] if end else ""
        # An empty page needs a cursor of its own.
        following: str | None = json.dumps([self.answered, last]) if more else None
        if self.style == "ids" and shown and odd.get("next_page") in ("last_id", "absent"):
            following = last if more and odd["next_page"] == "last_id" else None
        envelope: dict[str, Any] = {"has_more": more, "next_page": following}
        if shown:
            envelope |= {"first_id": shown[0], "last_id": shown[-1]}
        return answer([self.raw(identifier) for identifier in shown], **envelope)


odd_answers = st.fixed_dictionaries(
    {},
    optional={
        "fails": st.booleans(),
        "empty": st.booleans(),
        "limit": st.integers(1, 5),
        "insert": st.integers(1, 3),
        "next_page": st.sampled_from(["opaque", "last_id", "absent"]),
    },
)


@st.composite
def servers(draw, bad: list[str]) -> Server:
    old = [f"r{n}" for n in range(draw(st.integers(0, 25)))]
    places = draw(st.sets(st.sampled_from(old), max_size=5)) if old and bad else set()
    return Server(
        draw(st.sampled_from(["ids", "pages"])),
        old,
        {identifier: draw(st.sampled_from(bad)) for identifier in sorted(places)},
        # The last answer of the plan is good, so that the list comes to an end.
        [*draw(st.lists(odd_answers, max_size=12)), {}],
    )


walks = st.fixed_dictionaries(
    {"page_size": st.integers(1, 8), "prefetch": st.sampled_from([0, 1])},
    optional={"max_items": st.integers(0, 12)},
)


async def _walk_on(server: Server, on_invalid: str, how: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Walk to the end of the list, in another way after each error and each cut."""
    transport = ScriptedTransport(server)
    seen, problems, cursor = [], [], None
    for attempt in range(200):
        options = {"cursor": cursor, "on_invalid": on_invalid, **how[attempt % len(how)]}
        pager = transport.runs.list(DEP, **options) if server.style == "ids" else transport.sessions.list(**options)
        following = cursor
        brought: list[str] = []
        try:
            async with aclosing(pager.pages()) as pages:
                async for page in pages:
                    brought += [item.id for item in page.items]
                    problems += page.problems
                    following = page.next_cursor
        except QoderError as error:
            following = error.cursor
            problems += error.problems if isinstance(error, ResponseDecodeError) else []
        else:
            if following is None and options.get("max_items") != 0:
                return seen + brought, problems
            assert len(brought) == options.get("max_items"), "stopped early"
        seen += brought
        cursor = None if following is None else Cursor.parse(str(following))
    raise AssertionError("no end")


def _check(server: Server, on_invalid: str, how: list[dict[str, Any]]) -> None:
    # An empty walk forever would never come to the end of the list.
    how = [*how, {"page_size": 7}]
    seen, problems = asyncio.run(_walk_on(server, on_invalid, how), debug=False)
    assert [identifier for identifier in seen if not identifier.startswith("new")] == [
        identifier for identifier in server.old if identifier not in server.bad
    ]
    assert len(set(seen)) == len(seen)
    assert len(problems) >= len(server.bad)


@settings(max_examples=200, deadline=None)
@given(servers(bad=[]), st.lists(walks, max_size=3))
def test_good_records_come_each_once_in_order(server, how):
    _check(server, "raise", how)


@settings(max_examples=200, deadline=None)
@given(servers(bad=sorted(HAS_ID - {"deep nesting"})), st.lists(walks, max_size=3), st.sampled_from(["raise", "skip"]))
def test_so_they_do_among_bad_records_with_ids(server, how, on_invalid):
    _check(server, on_invalid, how)


@settings(max_examples=200, deadline=None)
@given(
    servers(bad=["id missing", "not an object", "wrong type"]),
    st.lists(walks, max_size=3),
    st.sampled_from(["raise", "skip"]),
)
def test_so_they_do_among_bad_records_without_ids(server, how, on_invalid):
    _check(server, on_invalid, how)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 5), st.integers(0, 70), st.sampled_from([0, 1]))
def test_a_server_that_pages_by_offset_loses_and_doubles_nothing(count, size, inserted, most, prefetch):
    """Records inserted at the head push others onto the next page."""
    ids = [f"r{n}" for n in range(count)]
    original = list(ids)
    asked = 0

    def script(query):
        nonlocal asked
        asked += 1
        start = int(query.get("page", "0"))
        page, more = ids[start : start + size], start + size < len(ids)
        if asked < 20:
            # Fewer than a page, or the walk would never get on.
            ids[:0] = [f"new{asked}-{n}" for n in range(min(inserted, size - 1))]
        body = [to_json(run_record(identifier)) for identifier in page]
        return answer(body, has_more=more, next_page=str(start + size) if more else None)

    async def collect() -> list[str]:
        pager = ScriptedTransport(script).runs.list(DEP, page_size=size, prefetch=prefetch)
        return [run.id for run in await pager.collect(most or None)]

    seen = asyncio.run(collect(), debug=False)
    assert len(set(seen)) == len(seen)
    found = [identifier for identifier in seen if not identifier.startswith("new")]
    assert found == original[: most or None]
