"""A sync that ends early, for whatever reason, is gone on with by the next one."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3

import attrs
import pytest
import pytest_asyncio
from support.clock import ago
from support.requests_for import is_later_page, of
from sync_support import RUNS, query, records, stage

from qoder_async import ExportError, ServerError
from qoder_async.export.sync import file as sync_file
from qoder_async.export.sync import store as sync_store
from qoder_async.export.sync import syncing

SHAPES = ("extended", "lean")
BOTH = pytest.mark.parametrize("shape", SHAPES)
DAY = 86_400.0
ALWAYS = float("inf")


@pytest_asyncio.fixture
async def on(tmp_path, shape):
    """A service with pages of 100."""
    async with stage(tmp_path, shape, sim={"max_page_size": 100}) as opened:
        yield opened


async def cut_off(on, after, **settings):
    """Sync, and be cancelled when so many pages of runs were asked for and one more is."""
    task = None
    left = after

    def strike(request):
        nonlocal left
        left -= 1
        if left < 0 and task is not None:
            task.cancel()
        return False

    fault = on.sim.faults.add("status", route=RUNS, when=strike)
    task = asyncio.create_task(on.sync(**settings))
    try:
        await task
    except asyncio.CancelledError:
        return True
    finally:
        fault.remove()
    return False


def pages(requests):
    """What the requests for runs asked for."""
    return [dict(request.query) for request in requests if request.route == RUNS]


def place_of(on):
    """Where the walk that was cut off goes on."""
    ((cursor,),) = query(on.path, "SELECT cursor FROM sync_state")
    return cursor.partition(":")[2]


# A long first sync


@BOTH
async def test_a_long_history_is_gone_on_with_where_it_was(on):
    (dep,) = on.add(2000)
    await on.sync(deployments=[])  # which learns nothing
    assert await cut_off(on, 8)
    there = len(records(on.path))
    assert 500 <= there <= 800
    on.advance(DAY)
    on.sim.add_runs(dep, 3)
    asked = pages(await on.asked())
    on.assert_same()
    assert "after_id" in asked[0]
    left = (2000 - there) // 100
    assert left <= len(asked) <= left + 3


@BOTH
async def test_one_that_is_cut_off_again_and_again_comes_to_its_end(on):
    on.add(1500, 700)
    cuts = 0
    while await cut_off(on, 4, max_concurrency=2):
        cuts += 1
        assert cuts < 30
    assert cuts >= 5
    on.assert_same()
    assert len(pages(await on.asked())) == 2


@BOTH
@pytest.mark.parametrize("next_page", ["opaque", "absent"])
async def test_in_any_spelling_of_cursors(tmp_path, shape, next_page):
    async with stage(tmp_path, shape, sim={"max_page_size": 100, "next_page": next_page}) as on:
        on.add(1000)
        assert await cut_off(on, 5)
        there = len(records(on.path))
        on.sim.insert_run(on.sim.deployment_ids()[0])
        asked = pages(await on.asked())
        on.assert_same()
        assert len(asked) <= (1000 - there) // 100 + 4


@BOTH
@pytest.mark.parametrize("status", [400, 410, 422])
async def test_from_a_cursor_that_has_expired(tmp_path, shape, status):
    async with stage(tmp_path, shape, sim={"max_page_size": 100, "next_page": "opaque"}) as on:
        (dep,) = on.add(1000)
        assert await cut_off(on, 5)
        there = len(records(on.path))
        on.advance(DAY)
        on.sim.add_runs(dep, 5)
        expired = on.sim.faults.add("status", status=status, when=is_later_page)
        asked = pages(await on.asked())
        assert expired.hits == 1
        on.assert_same()
        assert len(asked) <= (1000 - there) // 100 + 4


@BOTH
@pytest.mark.parametrize("status", [404, 403, 500])
async def test_from_a_place_of_which_nothing_is_known_any_more(on, status):
    """Whatever the service says to it, the list is read anew then."""
    (dep,) = on.add(1000)
    assert await cut_off(on, 5)
    place = place_of(on)
    on.sim.faults.add("status", status=status, times=ALWAYS, when=lambda request: place in request.query.values())
    on.sim.insert_run(dep)
    await on.sync()
    on.assert_same()
    assert len(pages(await on.asked())) == 1


@BOTH
async def test_a_deployment_that_is_gone_meanwhile(on):
    one, two = on.add(1000, 50)
    assert await cut_off(on, 5)
    there = records(on.path)
    on.sim.faults.add("status", status=404, times=ALWAYS, when=of(one))
    report = await on.sync()
    assert list(report.gone) == [one]
    assert there.keys() <= records(on.path).keys()
    on.sim.faults.clear()
    await on.sync()
    on.assert_same([one, two])


@BOTH
async def test_a_deployment_that_is_archived_meanwhile(on):
    (dep,) = on.add(1000)
    assert await cut_off(on, 5)
    await on.qoder.deployments.archive(dep)
    await on.sync()
    on.assert_same()


@BOTH
async def test_a_failure_half_way_keeps_what_came(on):
    one, two = on.add(1000, 300)
    fault = on.sim.faults.add("status", status=403, nth=5, times=ALWAYS, when=of(one))
    with pytest.raises(ExportError) as caught:
        await on.sync()
    assert list(caught.value.failures) == [one]
    assert 300 <= len(records(on.path).keys() & set(on.sim.run_ids(one))) <= 400
    assert set(on.sim.run_ids(two)) <= records(on.path).keys()
    fault.remove()
    asked = pages(await on.asked())
    assert len(asked) <= 9
    on.assert_same()


@BOTH
async def test_a_service_that_is_down_half_way_keeps_what_came(on):
    on.add(1000)
    on.sim.faults.add("status", status=500, nth=7, times=ALWAYS)
    with pytest.raises(ServerError):
        await on.sync()
    there = len(records(on.path))
    assert 400 <= there <= 500
    on.sim.faults.clear()
    assert len(pages(await on.asked())) <= (1000 - there) // 100 + 2
    on.assert_same()


@BOTH
async def test_a_service_that_is_down_when_it_is_gone_on_with_loses_nothing(on):
    on.add(1000)
    assert await cut_off(on, 5)
    there = len(records(on.path))
    on.sim.faults.add("status", status=500, times=ALWAYS)
    with pytest.raises(ServerError):
        await on.sync()
    on.sim.faults.clear()
    assert len(pages(await on.asked())) <= (1000 - there) // 100 + 2
    on.assert_same()


# What happens between


@BOTH
async def test_nothing_is_lost_between_a_walk_that_was_cut_off_and_the_next(on):
    """Runs above the place, below it, and some that show only now."""
    (dep,) = on.add(1000, spacing=1.0)
    assert await cut_off(on, 4)
    for days in range(3):
        on.advance(100 + days * DAY)
        on.sim.add_runs(dep, 250, spacing=1.0)
        await cut_off(on, 2)
    await on.sync()
    on.assert_same()


@BOTH
async def test_a_late_run_below_the_place_is_found(tmp_path, shape):
    async with stage(tmp_path, shape, sim={"max_page_size": 100, "visibility_delay": 250}) as on:
        (dep,) = on.add(600, spacing=0.5, newest=ago(10))
        late = on.sim.insert_run(dep, triggered_at=ago(20))
        assert await cut_off(on, 3)
        on.advance(260)
        await on.sync()
        assert late in records(on.path)
        on.assert_same()


# Ends of all kinds


async def test_a_cancelled_sync_lets_go_of_everything(tmp_path):
    async with stage(tmp_path) as on:
        on.add(*[20] * 30)
        for after in range(0, 30, 7):
            assert await cut_off(on, after)
            assert [entry.name for entry in tmp_path.iterdir()] == ["runs.db"]
        await on.sync()
        on.assert_same()


async def test_a_disk_that_is_full_ends_it_and_harms_nothing(tmp_path, monkeypatch):
    connect = sync_file._connect

    def small(path):
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    async with stage(tmp_path, "lean") as on:
        on.add(*[100] * 20)
        monkeypatch.setattr(sync_file, "_connect", small)
        with pytest.raises(ExportError, match="the disk is full: free some space and start again"):
            await on.sync()
        assert query(on.path, "PRAGMA integrity_check") == [("ok",)]
        there = len(records(on.path))
        monkeypatch.undo()
        report = await on.sync()
        assert report.new == 2000 - there
        on.assert_same()


async def test_a_reader_that_does_not_let_go_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sync_file, "PATIENCE", 0.01)
    async with stage(tmp_path) as on:
        (dep,) = on.add(10)
        await on.sync()
        on.sim.insert_run(dep)
        reader = sqlite3.connect(on.path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchone()
        with pytest.raises(ExportError, match="another program has it open"):
            await on.sync()
        reader.close()
        assert (await on.sync()).new == 1
        on.assert_same()


# The machine stops


@BOTH
async def test_the_file_is_sound_whenever_the_machine_stops(tmp_path, shape, monkeypatch):
    """What is on disk before each statement is kept, and each time a sync goes on from that."""
    kept, chance = tmp_path / "kept", random.Random(shape)
    kept.mkdir()
    connect = sync_file._connect

    def watched(path):
        connection = connect(path)

        def keep(_statement):
            if chance.random() < 0.02:
                folder = kept / str(len(list(kept.iterdir())))
                folder.mkdir()
                for name in ("runs.db", "runs.db-journal"):
                    if (file := path.with_name(name)).exists():
                        shutil.copy(file, folder)

        connection.set_trace_callback(keep)
        return connection

    async with stage(tmp_path, shape, sim={"max_page_size": 100}) as on:
        deployments = on.add(700, 150, 30)
        for dep in deployments:
            on.sim.add_runs(dep, 4, state="running", newest=ago(DAY))
        monkeypatch.setattr(sync_file, "_connect", watched)
        monkeypatch.setattr(sync_store, "_AT_ONCE", 20)  # more statements
        monkeypatch.setattr(syncing, "_ENOUGH", 100)  # and more transactions
        await on.sync()
        on.advance(DAY)
        for dep in deployments:
            on.sim.add_runs(dep, 250)
        await on.sync()
        monkeypatch.undo()
        folders = sorted(kept.iterdir())
        assert len(folders) > 3
        assert any((folder / "runs.db-journal").exists() for folder in folders)
        for folder in folders[:12]:
            again = attrs.evolve(on, path=folder / "runs.db")
            assert query(again.path, "PRAGMA integrity_check") == [("ok",)]
            await again.sync()
            again.assert_same()
            assert len(await again.asked()) <= 7
