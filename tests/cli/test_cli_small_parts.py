"""Small parts: times, commands to copy, durations, columns, clean text."""

import asyncio
import io
import logging
import shlex
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import DeploymentRun, converter
from qoder_async.cli import main
from qoder_async.cli.arguments.moments import read_moment
from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.failures import Stop
from qoder_async.cli.following.waiting import progress
from qoder_async.cli.show.columns import DEPLOYMENT_COLUMNS, RUN_COLUMNS
from qoder_async.cli.show.idle import Together
from qoder_async.cli.show.layout import lay_out
from qoder_async.cli.show.live_line import NoLine, errors_above, redrawn
from qoder_async.cli.show.notices import retries_on_stderr
from qoder_async.cli.show.text import clean
from qoder_async.cli.show.words import duration, short, whole_duration

RUN = {
    "id": "drun_1",
    "deployment_id": "dep_1",
    "agent": {"id": "agent_1", "version": 1},
    "trigger_context": {"type": "manual"},
    "created_at": "2026-11-20T09:30:00Z",
}
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown", "copied"),
    [
        ("2026-11-20T09:30:00.5+01:00", "2026-11-20 08:30:00", "2026-11-20T08:30:00.5Z"),
        ("0999-01-01T00:00:00Z", "0999-01-01 00:00:00", "0999-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59-05:00", "9999-12-31 23:59:59", "9999-12-31T23:59:59-05:00"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01 00:00:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_every_time_of_a_run_can_be_shown(text, shown, copied):
    """Times are in UTC, unless the calendar ends before that."""
    run = converter.structure(RUN | {"triggered_at": text}, DeploymentRun)
    assert short(run.triggered_at) == shown
    assert [column.read(run) for column in RUN_COLUMNS if column.heading.startswith("TRIGGERED")] == [copied]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("2h", NOW - timedelta(hours=2)),
        ("90s", NOW - timedelta(seconds=90)),
        ("1d12h", NOW - timedelta(hours=36)),
        ("1w", NOW - timedelta(days=7)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01 08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30:00", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30:00+02:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        (" 2026-11-01T08:30:00.123456789Z ", datetime(2026, 11, 1, 8, 30, 0, 123457, tzinfo=UTC)),
    ],
)
def test_times_people_type(text, moment):
    assert read_moment(text, "--since", now=NOW) == moment


@pytest.mark.parametrize("text", ["", "2", "h", "2y", "2026-13-01", "2026", "99999999999999d", "-2h", "now-ish"])
def test_times_nobody_means(text):
    with pytest.raises(Stop, match="--since must be a time"):
        read_moment(text, "--since", now=NOW)


def test_a_command_to_copy_is_quoted():
    text = command("runs", "list", since=NOW, cursor="page:a b'c", json=True, status=None, key="-x", no=False)

    assert shlex.split(text) == [
        *("qoder-async", "runs", "list", "--since", "2026-11-20T09:30:00Z", "--cursor", "page:a b'c", "--json"),
        "--key=-x",
    ]


def test_an_option_of_several_values_is_repeated():
    text = command("runs", "list", deployment=("dep_1", "-x"), concurrency=None, cursor=())

    assert text == "qoder-async runs list --deployment dep_1 --deployment=-x"


async def test_what_comes_without_a_pause_is_handed_on_together():
    given = []
    together = Together(given.append)

    for number in range(250):
        together.add(number)
    assert [len(part) for part in given] == [100, 100]
    await asyncio.sleep(0)
    assert [number for part in given for number in part] == list(range(250))
    together.give()
    assert len(given) == 3


async def test_what_fails_while_nobody_looks_is_raised_at_the_next_chance():
    def full(things):
        raise OSError("full")

    together = Together(full)
    together.add(1)
    await asyncio.sleep(0)

    for again in (lambda: together.add(2), together.give):
        with pytest.raises(OSError, match="full"):
            again()


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "-"), (0, "0.0 s"), (12_345, "12.3 s"), (64_000, "1 m 04 s"), (3_600_000, "1 h 00 m")],
)
def test_durations(milliseconds, text):
    assert duration(milliseconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (59.6, "1 m 00 s"), (80, "1 m 20 s"), (7260, "2 h 01 m")])
def test_whole_durations(seconds, text):
    assert whole_duration(seconds) == text


@pytest.mark.parametrize(
    ("ended", "total", "status", "text"),
    [
        (0, 1, None, "1 m 20 s"),
        (0, 1, "running", "1 m 20 s: drun_1 running"),
        (2, 5, None, "2 of 5 ended, 1 m 20 s"),
        (2, 5, "pending", "2 of 5 ended, 1 m 20 s: drun_1 pending"),
        (1_000, 2_000, "", "1,000 of 2,000 ended, 1 m 20 s: drun_1 going on"),
    ],
)
def test_the_line_that_tells_how_far_a_wait_is(ended, total, status, text):
    run = converter.structure(RUN | ({"status": status} if status else {}), DeploymentRun)

    assert progress(ended, total, 80.0, None if status is None else run) == text


def test_errors_take_the_line_away_before_they_are_written(monkeypatch):
    happened = []

    class Stream(io.StringIO):
        def write(self, text):
            happened.append(text)
            return len(text)

    class Line:
        def show(self, text):
            happened.append("shown")

        def hide(self):
            happened.append("hidden")

    monkeypatch.setattr(sys, "stderr", stream := Stream())
    with errors_above(line := Line()):
        line.show("2 of 5")
        with retries_on_stderr():
            logging.getLogger("qoder_async").warning("again in 1 s")
        assert sys.stderr.isatty() is stream.isatty()

    assert happened == ["shown", "hidden", "qoder-async: again in 1 s\n", "hidden"]
    assert sys.stderr is stream


@pytest.mark.parametrize(
    ("encoding", "errors", "afterwards"),
    [
        ("ascii", "strict", "backslashreplace"),
        ("ascii", "surrogateescape", "backslashreplace"),
        ("latin-1", "surrogateescape", "backslashreplace"),
        ("utf-8", "strict", "backslashreplace"),
        ("UTF8", "surrogateescape", "surrogateescape"),  # so that names of files stay what they are
        ("ascii", "replace", "replace"),
    ],
)
def test_what_an_encoding_does_not_have_is_no_bug(monkeypatch, encoding, errors, afterwards):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)
    monkeypatch.setattr(sys, "stdout", stream)

    assert main(["--help"]) == 0
    assert stream.errors == afterwards
    assert b"qoder-async" in stream.buffer.getvalue()


def broken_redraw():
    raise LookupError("a bug")


async def test_a_bug_of_the_line_comes_out_of_the_block():
    with pytest.raises(LookupError, match="a bug"):
        async with redrawn(NoLine(), broken_redraw):
            await asyncio.sleep(0)


async def test_a_bug_of_the_line_does_not_hide_what_the_block_raised():
    async def block():
        async with redrawn(NoLine(), broken_redraw):
            await asyncio.sleep(0)
            raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await block()


async def test_a_terminal_that_is_gone_is_no_bug_of_the_line():
    def redraw():
        raise OSError("gone")

    async with redrawn(NoLine(), redraw):
        await asyncio.sleep(0)


async def test_the_line_is_redrawn_no_more_after_the_block():
    redraws = []
    before = asyncio.all_tasks()

    async with redrawn(NoLine(), lambda: redraws.append("redrawn")):
        await asyncio.sleep(0)

    assert redraws == ["redrawn"]
    assert asyncio.all_tasks() == before


@given(st.text())
def test_clean_text_is_printable_and_stays_so(text):
    assert clean(text).isprintable()
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize("columns", [RUN_COLUMNS, DEPLOYMENT_COLUMNS])
@given(width=st.integers(1, 300), data=st.data())
def test_columns_fit_or_only_the_first_is_left(columns, width, data):
    cell = st.text("abc", max_size=60)
    row = st.lists(cell, min_size=len(columns), max_size=len(columns))
    table = data.draw(st.lists(row, min_size=1, max_size=4))

    layout = lay_out(columns, table, width)

    assert [index for index, _ in layout] == sorted({index for index, _ in layout})
    assert columns[layout[0][0]].rank == 0
    assert len(layout) == 1 or sum(wide for _, wide in layout) + 2 * (len(layout) - 1) <= width
