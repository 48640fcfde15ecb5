"""Going on with an export: only with the same one, and only on what its checkpoint counts on."""

from __future__ import annotations

import contextlib
import json

import pytest
from core_support import (
    SIZES,
    TOKEN,
    Stopped,
    add,
    assert_same,
    assert_whole,
    ids,
    ids_in,
    lines_of,
    served,
    stop_after,
)
from support.clock import START, FakeClock, use_clock

from qoder_async import AsyncQoder, ExportError
from qoder_async.export.exporting import export_runs

PAGES = sum(max(1, -(-size // 5)) for size in SIZES)


async def begun(on, name="runs.jsonl", *, calls=6, **settings):
    """Begin an export that ends half-way."""
    with pytest.raises(Stopped):
        await on.export(name, on_progress=stop_after(calls), **settings)
    assert {f"{name}.checkpoint", f"{name}.spool"} <= set(on.names)


async def whole_but_not_written(on, name="runs.jsonl"):
    """Fetch everything, and end before the target is there."""

    with pytest.raises(Stopped):
        await on.export(name, on_progress=stop_when_all_is_fetched())
    assert json.loads((on.folder / f"{name}.checkpoint").read_bytes())["checkpoint"]["whole_of"]
    assert not (on.folder / name).exists()


def stop_when_all_is_fetched():
    """For ``on_progress``: raise when it is told at the end of the fetching, after the last part was told."""
    told = []

    def stop(progress):
        if progress.rows == sum(SIZES) and progress.deployments_done == len(SIZES):
            told.append(progress)
        if len(told) == 2:
            raise Stopped

    return stop


def world(tmp_path, **settings):
    return served(tmp_path, sizes=SIZES, ticks=True, **settings)


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv", "runs.db"])
async def test_it_asks_only_for_what_is_missing(tmp_path, name):
    async with world(tmp_path) as on:
        await begun(on, name)
        rows = len(lines_of(tmp_path / f"{name}.spool"))
        before = on.requests
        report = await on.export(name)
        assert_same(ids_in(tmp_path / name, name.partition(".")[2]), ids(on))
        assert on.names == [name]
        assert (report.resumed_rows, report.rows) == (rows, sum(SIZES))
        assert report.requests == on.requests - before
        # Not more than the pages that were under way are fetched twice; and the list of deployments.
        assert on.requests <= PAGES + 8 + 2


async def test_it_may_be_begun_again_any_number_of_times(tmp_path):
    async with world(tmp_path) as on:
        attempts = 0
        while not on.target.exists():
            attempts += 1
            with contextlib.suppress(Stopped):
                await on.export(on_progress=stop_after(3), max_concurrency=2)
        await on.export()
        assert_whole(on)
        assert 3 < attempts < 30


async def test_another_format_of_the_same_target(tmp_path):
    """What was fetched serves any format."""
    async with world(tmp_path) as on:
        await begun(on, "runs", format="jsonl")
        await on.export("runs", format="csv")
        assert_same(ids_in(tmp_path / "runs", "csv"), ids(on))
        assert on.names == ["runs"]


async def test_another_format_after_the_writing_has_failed(tmp_path):
    async with world(tmp_path) as on:

        def stop(progress):
            if progress.phase == "writing":
                raise Stopped

        (tmp_path / "runs.writing").write_bytes(b"what a killed export has left there")
        with pytest.raises(Stopped):
            await on.export("runs", format="jsonl", on_progress=stop)
        await on.export("runs", format="jsonl")
        assert on.names == ["runs"]


async def test_anew(tmp_path):
    async with world(tmp_path) as on:
        await begun(on)
        before = on.requests
        report = await on.export(resume=False)
        assert_whole(on)
        assert report.resumed_rows == 0
        assert on.requests - before == report.requests == PAGES + 1


# Another export than the one that has begun

OTHERS = {
    "triggered_after": {"triggered_after": "2026-11-01T00:00:00Z"},
    "triggered_before": {"triggered_before": START},
    "with other deployments": {"deployments": ["dep_1"]},
}


@pytest.mark.parametrize("changed", OTHERS)
async def test_other_filters_are_refused(tmp_path, changed):
    async with world(tmp_path) as on:
        await begun(on)
        spool, before = on.beside("spool").read_bytes(), on.requests
        with pytest.raises(ExportError, match=f"has begun .*{changed}.*resume=False") as caught:
            await on.export(**OTHERS[changed])
        assert caught.value.path == str(on.target)
        assert (on.beside("spool").read_bytes(), on.requests) == (spool, before)
        await on.export()
        assert_whole(on)


async def test_filters_and_then_none(tmp_path):
    async with world(tmp_path) as on:
        window = {"triggered_after": "2026-11-22T00:00:00+01:00"}
        await begun(on, **window)
        with pytest.raises(ExportError, match=r"triggered_after 2026-11-21T23:00:00.*; now triggered_after none"):
            await on.export()
        # The same moment is the same however it is written.
        await on.export(triggered_after="2026-11-21T23:00:00Z")
        assert_whole(on)


async def test_another_service_is_refused(tmp_path):
    async with world(tmp_path) as on, world(tmp_path) as other:
        await begun(on)
        with pytest.raises(ExportError, match=f"base_url {on.sim.url}; now base_url {other.sim.url}"):
            await other.export()
        assert other.requests == 0
        await other.export(resume=False)
        assert_whole(other)


async def test_another_token_may_go_on(tmp_path):
    async with world(tmp_path) as on:
        await begun(on)
        async with use_clock(AsyncQoder("pt-another", base_url=on.sim.url, pace=None), FakeClock()) as qoder:
            await export_runs(qoder, on.target)
        assert_whole(on)


async def test_the_token_is_in_no_file(tmp_path):
    async with world(tmp_path) as on:

        def look(_):
            for name in on.names:
                assert TOKEN.encode() not in (tmp_path / name).read_bytes()

        await on.export("runs.csv", on_progress=look)
        await begun(on)
        look(None)


# What the checkpoint counts on


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 500, b'{"qoder_async_export":2}', b'{"hello":1}'])
async def test_a_damaged_checkpoint(tmp_path, damage):
    async with world(tmp_path) as on:
        await begun(on)
        on.beside("checkpoint").write_bytes(damage)
        spool, before = on.beside("spool").read_bytes(), on.requests
        with pytest.raises(ExportError, match=r"cannot be used as the checkpoint.*resume=False"):
            await on.export()
        assert (on.beside("spool").read_bytes(), on.requests) == (spool, before)
        assert on.beside("checkpoint").read_bytes() == damage
        await on.export(resume=False)
        assert_whole(on)


async def test_a_checkpoint_that_is_a_folder(tmp_path):
    async with world(tmp_path) as on:
        on.beside("checkpoint").mkdir()
        for resume in (True, False):
            with pytest.raises(ExportError):
                await on.export(resume=resume)
        assert on.requests == 0


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


def shorten_much(path):
    path.write_bytes(path.read_bytes()[:100])


def empty(path):
    path.write_bytes(b"")


def change(path):
    path.write_bytes(b"x" * path.stat().st_size)


def take_away(path):
    path.unlink()


HARM = [shorten, shorten_much, empty, change, take_away]


@pytest.mark.parametrize("harm", HARM)
async def test_a_spool_that_was_harmed(tmp_path, harm):
    async with world(tmp_path) as on:
        await begun(on)
        harm(on.beside("spool"))
        before = on.requests
        with pytest.raises(ExportError, match=r"(lost bytes|changed by somebody else|missing).*resume=False"):
            await on.export()
        assert on.requests == before
        await on.export(resume=False)
        assert_whole(on)


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv"])
@pytest.mark.parametrize("harm", HARM)
async def test_a_whole_spool_that_was_harmed(tmp_path, name, harm):
    """All was fetched, and the target not yet written."""
    async with world(tmp_path) as on:
        await whole_but_not_written(on, name)
        harm(tmp_path / f"{name}.spool")
        with pytest.raises(ExportError, match="resume=False"):
            await on.export(name)
        assert not (tmp_path / name).exists()
        await on.export(name, resume=False)
        assert_same(ids_in(tmp_path / name, name.partition(".")[2]), ids(on))


async def test_a_whole_spool_with_fewer_lines(tmp_path):
    """It has the right size and a right end."""
    async with world(tmp_path) as on:
        await whole_but_not_written(on, "runs.csv")
        spool = tmp_path / "runs.csv.spool"
        spool.write_bytes(spool.read_bytes().replace(b"\n", b" ", 1))
        with pytest.raises(ExportError, match=r"has 52 runs and should have 53.*resume=False"):
            await on.export("runs.csv")
        assert on.names == ["runs.csv.checkpoint", "runs.csv.spool"]


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv"])
async def test_more_than_counts_is_cut_off(tmp_path, name):
    """As after a crash: also where all was fetched."""
    async with world(tmp_path) as on:
        await begun(on, name)
        with (tmp_path / f"{name}.spool").open("ab") as file:
            file.write(b'{"id":"half of a reco')
        await on.export(name)
        assert_same(ids_in(tmp_path / name, name.partition(".")[2]), ids(on))


async def test_a_spool_that_is_missing_once_all_was_fetched_over_an_earlier_export(tmp_path):
    """What stands there is the earlier one, and not this one."""
    async with world(tmp_path) as on:
        await on.export("runs.csv", deployments=on.sim.deployment_ids()[:2])
        earlier = (tmp_path / "runs.csv").read_bytes()

        with pytest.raises(Stopped):
            await on.export("runs.csv", on_progress=stop_when_all_is_fetched())
        (tmp_path / "runs.csv.spool").unlink()
        with pytest.raises(ExportError, match=r"is missing.*resume=False"):
            await on.export("runs.csv")
        assert (tmp_path / "runs.csv").read_bytes() == earlier


async def published(on, name, **settings):
    """Make the target, and end before what is beside it is taken away."""

    def stop(progress):
        if progress.phase == "writing" and progress.rows_written == sum(SIZES):
            raise Stopped

    with pytest.raises(Stopped):
        await on.export(name, on_progress=stop, **settings)
    assert set(on.names) - {f"{name}.spool"} == {name, f"{name}.checkpoint"}


@pytest.mark.parametrize(("name", "undecodable"), [("runs.jsonl", 0), ("runs.csv", 1)])
async def test_what_is_published_is_not_written_again(tmp_path, name, undecodable):
    """Only the cleaning up is left to do."""
    async with world(tmp_path) as on:
        on.sim.replace_record(on.sim.run_ids()[3], b"17")
        await published(on, name)
        made = (tmp_path / name).stat()
        report = await on.export(name)
        assert (tmp_path / name).stat().st_ino == made.st_ino
        assert (report.rows, report.requests, report.undecodable) == (sum(SIZES), 0, undecodable)
        assert report.bytes == made.st_size
        assert on.names == [name]


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv"])
async def test_what_is_published_and_replaced_is_written_again(tmp_path, name):
    """Another export has taken its place: the target is known by its file, not by its name."""
    async with world(tmp_path) as on:
        await published(on, name)
        await on.export("other", format=name.partition(".")[2], deployments=[])
        (tmp_path / "other").replace(tmp_path / name)
        if name == "runs.jsonl":
            # Its runs went with it.
            with pytest.raises(ExportError, match=r"is missing.*resume=False"):
                await on.export(name)
            assert (tmp_path / name).read_bytes() == b""
        else:
            assert (await on.export(name)).requests == 0
            assert_same(ids_in(tmp_path / name, "csv"), ids(on))


async def test_what_is_published_in_another_format_is_written_again(tmp_path):
    async with world(tmp_path) as on:
        await published(on, "runs", format="csv")
        report = await on.export("runs", format="parquet")
        assert report.format == "parquet"
        assert_same(ids_in(tmp_path / "runs", "parquet"), ids(on))


async def test_what_is_published_and_taken_away_is_written_again(tmp_path):
    async with world(tmp_path) as on:
        await published(on, "runs.csv")
        (tmp_path / "runs.csv").unlink()
        report = await on.export("runs.csv")
        assert report.requests == 0
        assert_same(ids_in(tmp_path / "runs.csv", "csv"), ids(on))
        assert on.names == ["runs.csv"]


async def test_deployments_that_were_added_between_two_calls(tmp_path):
    async with world(tmp_path) as on:
        await begun(on)
        add(on, 6, 0)
        on.sim.insert_run(on.sim.deployment_ids()[-1])
        await on.export()
        found = ids_in(on.target, "jsonl")
        assert len(found) == len(set(found))
        assert set(ids(on, on.sim.deployment_ids()[:2])) <= set(found)


async def test_a_clock_that_jumps(tmp_path):
    """The time of day says nothing about how long something takes."""
    async with world(tmp_path) as on:
        days = iter(range(10**6))
        on.clock.wall = lambda: START.replace(year=2000 + next(days) % 30)
        await begun(on)
        await on.export()
        assert_whole(on)


async def test_a_clock_that_stands_still(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        on.clock.now = lambda: 5.0
        report = await on.export()
        assert_whole(on)
        assert report.seconds == 0
