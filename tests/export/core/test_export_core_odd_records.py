"""Records as no document shows them: each comes as it was sent, and none costs the others anything."""

from __future__ import annotations

import json

import pytest
from core_support import BOTH, ENDINGS, add, assert_same, lines_of, served
from support.clock import START

from qoder_async.export.spool import line_of

HEAD = b'{"id":"%b","type":"deployment_run","deployment_id":"%b",'
ODD = {
    "NaN": HEAD + b'"cost":NaN,"more":[Infinity,-Infinity]}',
    "half a surrogate": HEAD + b'"text":"\\ud800"}',
    "no UTF-8": HEAD + b'"text":"\xe9\xff"}',
    "a surrogate as bytes": HEAD + b'"text":"\xed\xa0\x80"}',
    "a control character": HEAD + b'"text":"\x01\x00"}',
    "deep": HEAD + b'"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
    "huge numbers": HEAD + b'"x":1e999,"y":123456789012345678901234567890}',
    "the same name twice": HEAD + b'"x":1,"x":2}',
    "blanks": HEAD + b'"x" :\t1 , "y":[ ]  }',
    "separators of lines": HEAD + '"x":"\u2028\u2029\x85"}'.encode(),
    "no time": HEAD + b'"x":1}',
    "no time that can be read": HEAD + b'"created_at":"yesterday","triggered_at":5}',
    "large": HEAD + b'"x":"' + b"x" * 300_000 + b'"}',
}
NAMELESS = {
    "a number": b"17",
    "a text": b'"hello"',
    "null": b"null",
    "true": b"true",
    "an array": b'["a",{"id":"drun_1"}]',
    "nothing in it": b"{}",
    "no id": b'{"type":"deployment_run","x":1}',
    "an id that is none": b'{"id":5,"type":"deployment_run"}',
    "an empty id": b'{"id":"","type":"deployment_run"}',
    "id null": b'{"id":null}',
}
BROKEN = {
    "line breaks": HEAD + b'\n  "x": 1,\r\n  "y": [\n1.10,\r2E5]\n}',
    "a line break within a text": HEAD + b'"x":"a\nb\r\nc"}',
    "line breaks and NaN": HEAD + b'\n"cost":\nNaN}',
    "line breaks and no UTF-8": HEAD + b'\n"text":"\xe9"}',
    "line breaks, deep": HEAD + b'\n"x":' + b"[" * 3000 + b"]" * 3000 + b"}",
}
END_OF_TIME = (
    HEAD + b'"agent":{"type":"agent","id":"agent_1","version":1},"trigger_context":{"type":"manual"},'
    b'"created_at":"9999-12-31T23:59:59.999Z","triggered_at":"9999-12-31T23:59:59.999Z"}'
)
WINDOW = {"triggered_after": "2026-11-22T00:00:00Z", "triggered_before": START}


def replace(on, raw, places):
    """Let runs at these places of the only list be such records."""
    (deployment_id,) = on.sim.deployment_ids()
    for place in places:
        run_id = on.sim.run_ids()[place]
        filled = raw % (run_id.encode(), deployment_id.encode()) if raw.startswith(HEAD) else raw
        on.sim.replace_record(run_id, filled)


@pytest.mark.parametrize(
    ("shape", "window"), [("extended", {}), ("extended", WINDOW), ("lean", WINDOW)], ids=["all", "window", "lean"]
)
@pytest.mark.parametrize("kind", ODD | NAMELESS)
async def test_they_come_as_they_were_sent(tmp_path, shape, kind, window):
    """At the ends of pages too, where the walk reads what it needs to go on."""
    async with served(tmp_path, shape) as on:
        add(on, 23)
        replace(on, (ODD | NAMELESS)[kind], (0, 4, 7, 9, 14, 22))
        report = await on.export(**window)
        sent = on.all_sent()
        if window:
            # The first is not before the end; what cannot be read nobody can judge.
            assert report.rows in (22, 23)
            sent = sent[-report.rows :]
        assert lines_of(on.target) == sent


@pytest.mark.parametrize("kind", ODD | NAMELESS)
async def test_a_whole_page_of_them(tmp_path, kind):
    async with served(tmp_path) as on:
        add(on, 13)
        replace(on, (ODD | NAMELESS)[kind], range(5, 10))
        await on.export()
        assert lines_of(on.target) == on.all_sent()


@pytest.mark.parametrize("place", [1, 4])
async def test_a_run_at_the_end_of_time(tmp_path, place):
    async with served(tmp_path, sizes=(12,)) as on:
        replace(on, END_OF_TIME, range(place, 12))
        await on.export()
        assert lines_of(on.target) == on.all_sent()


@BOTH
@pytest.mark.parametrize("kind", BROKEN)
async def test_records_with_line_breaks_are_put_on_one_line(tmp_path, shape, kind):
    async with served(tmp_path, shape) as on:
        add(on, 13)
        replace(on, BROKEN[kind], (0, 4, 9, 12))
        await on.export()
        found = lines_of(on.target)
        assert found == [line_of(record) for record in on.all_sent()]
        # All others are as they were.
        assert [line for place, line in enumerate(found) if place not in (0, 4, 9, 12)] == [
            record for place, record in enumerate(on.all_sent()) if place not in (0, 4, 9, 12)
        ]
        if kind == "line breaks":
            (deployment_id,) = on.sim.deployment_ids()
            expected = HEAD % (on.sim.run_ids()[0].encode(), deployment_id.encode()) + b'"x":1,"y":[1.10,2E5]}'
            assert found[0] == expected


@pytest.mark.parametrize("ending", ENDINGS)
async def test_every_format_takes_all_of_them(tmp_path, ending):
    kinds = ODD | NAMELESS | BROKEN
    async with served(tmp_path) as on:
        add(on, 3 * len(kinds))
        for place, raw in enumerate(kinds.values()):
            replace(on, raw, (3 * place,))
        report = await on.export(f"runs.{ending}")
        assert report.rows == 3 * len(kinds)
        assert (report.undecodable > 10) is (not ending.startswith("jsonl"))
        assert on.names == [f"runs.{ending}"]


async def test_the_same_id_twice(tmp_path):
    """On one page and on two: the first counts."""
    async with served(tmp_path, sizes=(23,)) as on:
        runs = on.sim.run_ids()
        sent = on.all_sent()
        for place, other in ((1, 0), (6, 2), (22, 3)):
            on.sim.replace_record(runs[place], on.sent(runs[other]))
        report = await on.export()
        assert lines_of(on.target) == [record for place, record in enumerate(sent) if place not in (1, 6, 22)]
        assert report.rows == 20


async def test_records_without_an_id_may_be_the_same(tmp_path):
    async with served(tmp_path) as on:
        add(on, 23)
        replace(on, b'{"type":"deployment_run"}', (1, 2, 8, 14))
        await on.export()
        assert_same(lines_of(on.target), on.all_sent())


async def test_unknown_fields_and_states_stay(tmp_path):
    async with served(tmp_path) as on:
        add(on, 3)
        on.sim.patch_record(on.sim.run_ids()[1], status="dreaming", brand_new={"a": [1, None]}, session_id=...)
        await on.export()
        assert lines_of(on.target) == on.all_sent()
        assert json.loads(lines_of(on.target)[1])["status"] == "dreaming"


async def test_one_page_that_is_larger_than_what_is_written_at_a_time(tmp_path):
    async with served(tmp_path) as on:
        add(on, 7)
        replace(on, HEAD + b'"x":"' + b"x" * 800_000 + b'"}', range(7))
        await on.export()
        assert lines_of(on.target) == on.all_sent()
