"""A sync brings a file up to date with few requests."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random

import pytest
import pytest_asyncio
from support.clock import START, FakeClock, ago
from support.requests_for import is_later_page, of
from sync_support import DEPLOYMENTS, RUN, RUNS, column, query, records, routes, stage

from qoder_async import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    ExportError,
    NotFoundError,
    PermissionDeniedError,
    ResponseDecodeError,
    ServerError,
)
from qoder_async.export.exporting import export_runs
from qoder_async.export.progress import SyncReport
from qoder_async.export.sync.deployment import DeploymentSync
from qoder_async.export.sync.store import Standing
from qoder_async.export.sync.syncing import sync_runs
from qoder_async.export.sync.tally import Tally

SHAPES = ("extended", "lean")
BOTH = pytest.mark.parametrize("shape", SHAPES)
DAY = 86_400.0


@pytest.fixture
def shape():
    return "extended"


@pytest_asyncio.fixture
async def on(tmp_path, shape):
    async with stage(tmp_path, shape) as opened:
        yield opened


# What comes of it


@BOTH
async def test_the_first_sync_brings_everything(on):
    on.add(250, 1, 0)
    report = await on.sync()
    on.assert_same()
    assert report == SyncReport(
        path=str(on.path),
        rows=251,
        new=251,
        updated=0,
        unfinished=0,
        missing=0,
        deployments=3,
        gone={},
        requests=sum(on.sim.request_counts.values()),
        seconds=0.0,
    )


@BOTH
async def test_the_next_sync_brings_what_is_new(on):
    one, other = on.add(150, 150)
    await on.sync()
    on.advance(DAY)
    on.sim.add_runs(one, 3)
    on.sim.add_runs(on.add(2)[0], 5)
    report = await on.sync()
    assert (report.rows, report.new, report.updated, report.deployments) == (310, 10, 0, 3)
    assert on.sim.run_ids(other)[0] in records(on.path)
    on.assert_same()


@BOTH
async def test_many_runs_of_one_moment_all_come(on):
    (dep,) = on.add(0)
    for newest in (START, START, ago(-DAY), ago(-DAY)):
        on.sim.add_runs(dep, 300, newest=newest, same_time=True)
        await on.sync()
    on.assert_same()


async def test_the_bytes_are_those_of_the_service(on):
    (dep,) = on.add(1)
    (run,) = on.sim.run_ids(dep)
    raw = json.dumps(on.sim.run(run) | {"status": "running"}, indent=3).encode() + b" "
    on.sim.replace_record(run, raw.strip())
    await on.sync()
    assert column(on.path, "raw") == [raw.strip().decode()]
    on.advance(DAY)
    raw = raw.replace(b"running", b"completed")
    on.sim.replace_record(run, b"\n" + raw)  # read singly now
    await on.sync()
    assert column(on.path, "raw") == [raw.strip().decode()]


async def test_records_that_cannot_be_decoded_come_like_the_others(on):
    (dep,) = on.add(4)
    runs = on.sim.run_ids(dep)
    on.sim.replace_record(runs[0], b'{"id":"%b","created_at":7}' % runs[0].encode())
    on.sim.replace_record(runs[2], b'{"id":7}')
    on.sim.replace_record(runs[3], b"[7]")
    report = await on.sync()
    assert (report.rows, report.new, report.unfinished) == (4, 4, 0)
    assert column(on.path, "deployment_id") == [dep] * 4
    report = await on.sync()
    assert (report.rows, report.new) == (4, 0)


# How many requests it takes


@BOTH
@pytest.mark.parametrize(("deployments", "runs"), [(500, 30)])
async def test_an_unchanged_history_takes_a_request_for_each_deployment(on, shape, deployments, runs):
    on.add(*[runs] * deployments)
    await on.sync()
    before = on.path.stat().st_mtime_ns
    asked = await on.asked()
    assert routes(asked).count(RUNS) == deployments
    assert len(asked) <= deployments * 1.01 + 1  # and the list of the deployments, a hundred at a time
    assert on.path.stat().st_mtime_ns == before


@BOTH
async def test_a_burst_of_runs_is_not_read_again_and_again(on):
    (dep,) = on.add(0)
    on.sim.add_runs(dep, 3000, spacing=0.01)
    await on.sync()
    on.advance(400)
    await on.sync()  # some may have become visible late
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS]
    on.assert_same()


@BOTH
async def test_a_service_that_ignores_filters_takes_no_more(tmp_path, shape):
    async with stage(tmp_path, shape, sim={"ignore_filters": True}) as on:
        on.add(2500, 10)
        await on.sync()
        on.advance(DAY)
        on.sim.insert_run(on.add(50)[0])
        assert routes(await on.asked()).count(RUNS) == 3
        on.assert_same()


async def test_only_what_is_new_is_asked_for(on):
    on.add(50, newest=ago(1000))
    await on.sync()
    (request,) = [each for each in await on.asked() if each.route == RUNS]
    # The newest run that nothing can appear below any more, and a minute for the order of the list.
    assert request.query["triggered_after"] == "2026-11-22T08:06:18.999999Z"


@BOTH
async def test_a_deployment_without_runs_takes_a_request(on):
    on.add(0)
    await on.sync()  # which also learns how large a page may be
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS]
    on.advance(DAY)
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS]


# Runs that become visible late


@BOTH
@pytest.mark.parametrize("delay", [1, 60, 300])
async def test_runs_that_become_visible_late_are_not_lost(tmp_path, shape, delay):
    async with stage(tmp_path, shape, sim={"visibility_delay": delay}) as on:
        (dep,) = on.add(10, newest=ago(60))
        late = on.sim.insert_run(dep)
        await on.sync()
        assert late not in records(on.path)
        on.advance(delay - 0.5)
        on.sim.add_runs(dep, 1)  # visible at once
        await on.sync()
        assert late not in records(on.path)
        on.advance(DAY)
        assert (await on.sync()).new == 1
        on.assert_same()


@BOTH
@pytest.mark.parametrize("lag", [0.0, 1.0, 59.0])
async def test_records_made_after_their_trigger_are_not_lost(on, lag):
    (dep,) = on.add(500, newest=ago(100), spacing=1.3, created_after=lag)
    for seconds in (0, 200, 500, 1000):
        on.advance(seconds)
        on.sim.add_runs(dep, 20, spacing=0.7, created_after=lag)
        await on.sync()
    on.assert_same()


@BOTH
async def test_clocks_of_this_machine_do_not_matter(tmp_path, shape):
    """They are years off, and jump whenever a request is under way."""
    async with stage(tmp_path, shape, sim={"visibility_delay": 300}) as on:
        chance = Random(shape)

        class Jumping(FakeClock):
            off = timedelta()

            def wall(self):
                return super().wall() + self.off

        on.qoder._transport.clock = clock = Jumping()

        def jump(_):
            clock.off = timedelta(days=chance.uniform(-4000, 4000))
            return False

        on.sim.faults.add("status", when=jump)
        (dep,) = on.add(3000, newest=ago(400), spacing=0.01)
        for seconds in (0, 100, 250, 299, 1000):
            on.sim.insert_run(dep)
            on.sim.add_runs(dep, 2)
            await on.sync()
            on.advance(seconds)
        await on.sync()
        on.assert_same()


# Runs that had not ended


async def test_a_run_that_has_ended_since_is_read_again(on):
    (dep,) = on.add(100)
    run = on.sim.run_ids(dep)[50]
    on.sim.set_run(run, status="running")
    assert (await on.sync()).unfinished == 1
    on.advance(30 * DAY)
    on.sim.add_runs(dep, 400)
    on.sim.set_run(run, status="failed", error={"type": "x", "message": "y"})
    asked = await on.asked()
    assert routes(asked) == [DEPLOYMENTS, RUNS, RUN]
    on.assert_same()
    assert (await on.sync()).unfinished == 0


async def test_runs_near_each_other_that_had_not_ended_take_one_request(on):
    (dep,) = on.add(100, newest=ago(2 * DAY))
    open_runs = on.sim.add_runs(dep, 300, state="running", newest=ago(DAY))
    on.sim.add_runs(dep, 500)
    assert (await on.sync()).unfinished == 300
    for run in open_runs[::2]:
        on.sim.set_run(run, status="completed")
    asked = await on.asked()
    assert routes(asked) == [DEPLOYMENTS, RUNS, RUNS]
    assert int(asked[-1].query["limit"]) < 400
    on.assert_same()
    assert (await on.sync()).unfinished == 150


async def test_runs_that_never_end_cost_no_more_than_their_list(on):
    (dep,) = on.add(0)
    on.sim.add_runs(dep, 3000, state="running")
    await on.sync()
    for _ in range(3):
        report = await on.sync()
        assert (report.unfinished, report.updated) == (3000, 0)
        assert report.requests <= 2 + 4
    on.assert_same()


async def spread(on, *words):
    """Runs far apart that never end, one for each word; the oldest of them first."""
    (dep,) = on.add(0)
    stuck = []
    for place, word in enumerate(words):
        stuck += on.sim.add_runs(dep, 1, state=word, newest=ago((10 - place) * 10 * DAY))
        on.sim.add_runs(dep, 1100, newest=ago((10 - place) * 10 * DAY - 3 * DAY))
    await on.sync()
    return stuck


async def test_runs_far_apart_that_never_end_take_a_request_for_each_status(on):
    await spread(on, *["running", "pending"] * 3)
    asked = await on.asked()
    assert [request.query.get("status") for request in asked] == [None, None, "running", "pending"]
    assert (await on.sync()).unfinished == 6


async def test_those_of_them_that_have_ended_are_read_singly(on):
    stuck = await spread(on, *["running"] * 5)
    on.sim.set_run(stuck[1], status="failed")
    on.sim.set_run(stuck[3], status="completed")
    asked = await on.asked()
    assert routes(asked) == [DEPLOYMENTS, RUNS, RUNS, RUN, RUN]
    assert (await on.sync()).unfinished == 3
    on.assert_same()


async def test_a_status_that_many_others_have_is_not_listed_to_its_end(tmp_path):
    async with stage(tmp_path, sim={"max_page_size": 100}) as on:
        await spread(on, *["running"] * 4)
        on.sim.add_runs(on.sim.deployment_ids()[0], 1500, state="running")
        asked = await on.asked()
        assert sum("status" in request.query for request in asked) == 4
        assert routes(asked).count(RUN) == 4
        on.assert_same()


@pytest.mark.parametrize("status", [400, None])
async def test_a_service_that_does_not_filter_by_status_is_asked_once(tmp_path, status):
    async with stage(tmp_path, sim={"ignore_filters": status is None}) as on:
        for _ in range(2):
            await spread(on, *["running"] * 4)
        if status is not None:
            on.sim.faults.add("status", status=status, times=9, when=lambda request: "status" in request.query)
        asked = await on.asked(max_concurrency=1)
        # Where it refuses the page, one of a smaller size is asked for as well.
        assert sum("status" in request.query for request in asked) == (1 if status is None else 2)
        assert routes(asked).count(RUN) == 8
        assert (await on.sync()).unfinished == 8


async def test_a_place_in_the_list_that_is_gone_does_no_harm(on):
    (dep,) = on.add(0)
    runs = on.sim.add_runs(dep, 20, state="running", newest=ago(DAY))
    on.sim.insert_run(dep)
    await on.sync()
    on.sim.faults.add("status", status=404, when=is_later_page)
    for run in runs:
        on.sim.set_run(run, status="completed")
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS, RUNS, *[RUN] * 18]
    on.assert_same()


async def test_a_part_of_the_list_that_fails_is_a_failure(on):
    (dep,) = on.add(0)
    on.sim.add_runs(dep, 20, state="running", newest=ago(DAY))
    on.sim.insert_run(dep)
    await on.sync()
    on.sim.faults.add("status", status=403, when=is_later_page)
    with pytest.raises(ExportError) as caught:
        await on.sync()
    assert list(caught.value.failures) == [dep]


async def test_a_run_that_is_gone_is_told_once_counted_and_not_asked_for_again(on, caplog):
    (dep,) = on.add(10, newest=ago(DAY))
    run = on.sim.insert_run(dep, state="running", triggered_at=ago(DAY / 2))
    assert (await on.sync()).missing == 0
    on.sim.delete_run(run)
    report = await on.sync()
    assert (report.rows, report.unfinished, report.missing, report.updated) == (11, 0, 1, 0)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", f"The run {run} of {dep} is gone: it stays as it was last seen, running")
    ]
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS]
    assert (await on.sync()).missing == 1
    assert len(caplog.records) == 1
    assert json.loads(query(on.path, "SELECT raw FROM runs WHERE id = ?", run)[0][0])["status"] == "running"


async def test_a_run_that_cannot_be_asked_for_is_not_taken_for_gone(on, caplog):
    (dep,) = on.add(250, newest=ago(DAY))
    run = on.sim.run_ids(dep)[150]
    on.sim.set_run(run, status="running")
    on.sim.patch_record(run, id="drun/../1")
    assert (await on.sync()).unfinished == 1
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS]
    report = await on.sync()
    assert (report.unfinished, report.missing, caplog.records) == (1, 0, [])


async def test_a_run_that_only_one_of_two_routes_knows_is_not_gone(on):
    (dep,) = on.add(100)
    run = on.sim.run_ids(dep)[50]
    on.sim.set_run(run, status="running")
    await on.sync()
    on.sim.set_run(run, status="completed")
    on.sim.faults.add("status", route=RUN, status=404)
    assert routes(await on.asked())[2:] == [RUN, "GET /deployment_runs/{run_id}"]
    on.assert_same()


async def test_a_stale_copy_does_not_take_back_an_ending(on):
    (dep,) = on.add(1)
    (run,) = on.sim.run_ids(dep)
    await on.sync()
    ended = records(on.path)
    on.sim.set_run(run, status="running")
    report = await on.sync()
    assert (report.updated, report.unfinished) == (0, 0)
    assert records(on.path) == ended


@pytest.mark.parametrize("shape", ["lean"])
async def test_a_lean_run_that_has_no_session_yet_is_read_once_more(on):
    (dep,) = on.add(10, newest=ago(DAY))
    young = on.sim.insert_run(dep, session_id=None, error=None)
    on.sim.insert_run(on.add(0)[0], session_id=None, error=None, triggered_at=ago(DAY))
    assert (await on.sync()).unfinished == 0
    on.sim.patch_record(young, session_id="sess_1")
    on.advance(DAY)
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS, RUNS]
    on.assert_same()


# Deployments


async def test_only_the_deployments_that_are_named(on):
    one, two, three = on.add(5, 6, 7)
    assert (await on.sync(deployments=[one, on.sim.deployment_ids()[0]])).deployments == 2
    on.assert_same([one, three])
    assert (await on.sync(deployments=two)).rows == 18
    on.assert_same()
    assert (await on.sync()).new == 0


async def test_a_pager_of_deployments(on):
    on.add(5, 6, 7)
    report = await on.sync(deployments=on.qoder.deployments.list(page_size=2))
    assert (report.rows, report.deployments, report.requests) == (18, 3, 5)
    on.assert_same()


async def test_an_archived_deployment_is_synced_too(on):
    one, two = on.add(5, 6)
    await on.sync()
    await on.qoder.deployments.archive(one)
    on.sim.add_runs(one, 2)
    await on.sync()
    assert on.sim.deployment(one)["archived_at"] is not None
    on.assert_same([one, two])


async def test_a_deployment_that_is_gone_keeps_its_runs_and_is_not_asked_for_again(on):
    one, two = on.add(5, 6)
    await on.sync()
    on.sim.faults.add("status", status=404, times=9, when=of(one))
    on.sim.faults.add("body", route=DEPLOYMENTS, times=9, body=without(one))
    report = await on.sync()
    assert (list(report.gone), report.rows) == ([one], 11)
    assert "not found" in report.gone[one].lower() or "404" in report.gone[one]
    again = await on.sync()
    assert (again.gone, again.requests, again.deployments) == (report.gone, 2, 1)
    on.sim.faults.clear()
    on.sim.add_runs(one, 3)
    back = await on.sync()
    assert (back.gone, back.new) == ({}, 3)
    on.assert_same([one, two])


async def test_runs_of_a_deployment_that_is_gone_are_not_waited_for(on):
    one, two = on.add(2, 3)
    for dep in (one, two):
        on.sim.add_runs(dep, 1, state="running")
    assert (await on.sync()).unfinished == 2
    on.sim.faults.add("status", status=404, times=9, when=of(one))
    report = await on.sync()
    assert (list(report.gone), report.unfinished) == ([one], 1)
    assert column(on.path, "count(*)", "status = 'running'") == [2]
    on.sim.faults.clear()
    back = await on.sync()
    assert (back.gone, back.unfinished) == ({}, 2)


def without(deployment_id):
    def change(body):
        page = json.loads(body)
        page["data"] = [record for record in page["data"] if record["id"] != deployment_id]
        return json.dumps(page).encode()

    return change


async def test_a_deployment_of_the_file_with_an_id_that_is_none_is_not_asked_for(on):
    on.add(5)
    await on.sync()
    query(on.path, "INSERT INTO sync_state (deployment_id) VALUES ('../secrets')")
    assert routes(await on.asked()) == [DEPLOYMENTS, RUNS]


async def test_a_deployment_that_is_listed_and_unknown_is_gone(on):
    one, two = on.add(5, 6)
    on.sim.faults.add("status", status=404, times=9, when=of(one))
    report = await on.sync()
    assert (list(report.gone), report.deployments) == ([one], 2)
    on.assert_same([two])


async def test_a_deployment_that_is_named_must_be_there(on):
    (dep,) = on.add(5)
    with pytest.raises(ExportError, match="1 of 2 deployments failed") as caught:
        await on.sync(deployments=[dep, "dep_nowhere"])
    assert isinstance(caught.value.failures["dep_nowhere"], NotFoundError)
    assert caught.value.path == str(on.path)
    on.assert_same()


async def test_a_deployment_that_is_named_may_be_gone_once_its_runs_are_in_the_file(on):
    (dep,) = on.add(5)
    await on.sync()
    on.sim.faults.add("status", status=404, when=of(dep))
    assert list((await on.sync(deployments=[dep])).gone) == [dep]


# Exports


@BOTH
async def test_an_export_is_gone_on_with(on):
    one, _, _ = on.add(150, 60, 0)
    (open_run,) = on.sim.add_runs(one, 1, state="running")
    await export_runs(on.qoder, on.path)
    on.advance(DAY)
    on.sim.set_run(open_run, status="completed")
    on.sim.add_runs(one, 4)
    report = await on.sync()
    on.assert_same()
    assert report.new == 4
    assert report.requests <= 5


async def test_an_export_of_some_deployments_becomes_one_of_all(on):
    one, _ = on.add(150, 60)
    await export_runs(on.qoder, on.path, deployments=[one])
    assert scope(on.path)["deployments"] == [one]
    await on.sync()
    on.assert_same()
    assert scope(on.path)["deployments"] is None


async def test_an_export_of_some_time_is_refused(on):
    on.add(10)
    await export_runs(on.qoder, on.path, triggered_after=ago(100))
    before = on.path.read_bytes()
    with pytest.raises(ExportError, match="sync to a new file"):
        await on.sync()
    assert on.path.read_bytes() == before


# Another service


@pytest.mark.parametrize("make", ["sync", "export"])
async def test_a_file_of_another_service_is_refused(on, make, tmp_path):
    one, _ = on.add(5, 6)
    await (on.sync() if make == "sync" else export_runs(on.qoder, on.path))
    before = on.path.read_bytes()
    async with stage(tmp_path, sim={"seed": 2}) as other:
        other.add(7)
        for settings in ({}, {"deployments": [one]}):
            with pytest.raises(ExportError, match="has runs of another service") as caught:
                await other.sync(**settings)
            assert caught.value.path == str(on.path)
            assert f"({on.sim.url}; now {other.sim.url})" in str(caught.value)
        assert len(other.sim.requests) == 0
    assert on.path.read_bytes() == before
    assert (await on.sync()).gone == {}
    on.assert_same()


async def test_a_file_that_does_not_say_its_service_is_taken_on(on, tmp_path):
    on.add(5)
    await on.sync()
    query(on.path, "UPDATE info SET value = json_remove(value, '$.base_url') WHERE key = 'scope'")
    await on.sync()
    assert scope(on.path)["base_url"] == on.sim.url
    assert b"pt-test" not in on.path.read_bytes()


async def test_a_service_from_which_no_run_has_come_is_not_noted(on, tmp_path):
    """The address may have been a mistake."""
    async with stage(tmp_path) as other:
        await other.sync()
        (dep,) = other.add(0)
        other.sim.faults.add("status", status=404, times=9, when=of(dep))
        await other.sync()
    assert "base_url" not in scope(on.path)
    on.add(5)
    assert (await on.sync()).new == 5
    assert scope(on.path)["base_url"] == on.sim.url


async def test_a_sync_says_what_it_is_about(on):
    one, two, three = on.add(1, 1, 1)
    await on.sync(deployments=[two])
    assert scope(on.path)["deployments"] == [two]
    await on.sync(deployments=(each for each in (one, two)))
    assert scope(on.path)["deployments"] == sorted([one, two])
    await on.sync()
    await on.sync(deployments=three)
    assert scope(on.path) == {
        "deployments": None,
        "triggered_after": None,
        "triggered_before": None,
        "base_url": on.sim.url,
    }


def scope(path):
    return json.loads(query(path, "SELECT value FROM info WHERE key = 'scope'")[0][0])


# What goes wrong


async def test_a_run_whose_record_is_none_is_a_failure(on):
    (dep,) = on.add(100)
    run = on.sim.run_ids(dep)[50]
    on.sim.set_run(run, status="running")
    await on.sync()
    on.sim.replace_record(run, b'"gone"')
    with pytest.raises(ExportError) as caught:
        await on.sync()
    assert isinstance(caught.value.failures[dep], ResponseDecodeError)


@BOTH
async def test_a_failure_of_one_deployment_does_not_keep_the_others_away(on):
    one, two, three = on.add(150, 150, 150)
    on.sim.faults.add("status", status=403, times=9, when=of(two))
    with pytest.raises(ExportError, match=f"1 of 3 deployments failed .{two}: ") as caught:
        await on.sync()
    assert list(caught.value.failures) == [two]
    on.assert_same([one, three])
    on.sim.faults.clear()
    await on.sync()
    on.assert_same()


async def test_a_long_list_of_failures_is_cut(on):
    on.add(*[1] * 7)
    on.sim.faults.add("status", route=RUNS, status=403, times=99)
    with pytest.raises(ExportError, match=r"7 of 7 deployments failed .*; and 2 more"):
        await on.sync()


async def test_what_passes_is_waited_out(on):
    on.add(150, 150)
    on.sim.faults.add("status", status=503, times=20)
    await on.sync()
    on.assert_same()


async def test_a_service_that_is_down_ends_it(on):
    on.add(*[10] * 100)
    on.sim.faults.add("status", nth=21, times=float("inf"), status=500)
    with pytest.raises(ServerError):
        await on.sync(max_concurrency=4)
    assert len(query(on.path, "SELECT * FROM sync_state")) == 19
    assert on.clock.time - 1000 < 1000  # and not five minutes for each deployment
    on.sim.faults.clear()
    assert (await on.sync()).new == 810
    on.assert_same()


async def test_deployments_that_are_out_of_order_do_not_end_it(on):
    first, *others = on.add(*[10] * 5)
    last = others.pop()

    def is_out_of_order(request):
        return f"/{first}/" in request.path or f"/{last}/" in request.path

    on.sim.faults.add("status", when=is_out_of_order, times=float("inf"), status=500)
    with pytest.raises(ExportError, match="2 of 5") as caught:
        await on.sync(max_concurrency=1)
    assert set(caught.value.failures) == {first, last}
    assert sorted(row[0] for row in query(on.path, "SELECT DISTINCT deployment_id FROM runs")) == sorted(others)
    on.sim.faults.clear()
    assert (await on.sync()).new == 20
    on.assert_same()


async def test_a_token_that_is_refused_ends_it(on):
    on.add(10, 10)
    on.sim.faults.add("status", route=RUNS, status=401, times=9)
    with pytest.raises(AuthenticationError):
        await on.sync()


async def test_a_closed_client_ends_it(on):
    on.add(10)
    await on.qoder.aclose()
    with pytest.raises(ClientClosedError):
        await on.sync()


async def test_a_list_of_deployments_that_fails_ends_it(on):
    on.add(*[5] * 150)
    on.sim.faults.add("status", route=DEPLOYMENTS, nth=2, status=403, times=9)
    with pytest.raises(PermissionDeniedError):
        await on.sync()
    assert 100 <= len(query(on.path, "SELECT * FROM sync_state")) < 150


async def test_two_syncs_at_once_are_refused(on, tmp_path):
    on.add(10)

    async def second(_):
        with pytest.raises(ExportError, match="another process or task"):
            await on.sync()

    await on.sync(on_progress=second)
    on.assert_same()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["runs.db"]


async def test_the_time_of_a_page_is_that_of_its_request(tmp_path):
    """Answers to others may tell a later time while a page is on its way; what was not on it may show by then."""
    async with stage(tmp_path) as on:
        (dep,) = on.add(0)
        sync = DeploymentSync(
            dep,
            Standing(state=None, unfinished=[], has_runs=False),
            file=None,
            transport=on.qoder._transport,
            tally=Tally(),
            write=None,
        )
        assert sync._asked_at(on.clock.now()) is None
        on.clock.time += 100
        await on.qoder.deployments.list().collect()
        assert sync._asked_at(on.clock.now() - 100) == ago(100)
        on.clock.time += 7
        assert sync._asked_at(on.clock.now() - 7) == START


async def test_a_link_leads_to_the_file(on, tmp_path):
    on.add(10)
    real = tmp_path / "real.db"
    on.path.symlink_to(real)
    report = await on.sync()
    assert report.path == str(real)
    assert on.path.is_symlink()
    on.assert_same()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"path": ""}, "path must be the name of a file"),
        ({"path": 7}, "path must be the name of a file"),
        ({"deployments": 7}, "deployments must be ids"),
        ({"deployments": ["a/b"]}, "deployments must be an id"),
        ({"outcomes": "yes"}, "outcomes must be True or False"),
        ({"max_concurrency": 0}, "max_concurrency must be"),
    ],
)
async def test_arguments_that_cannot_be_meant(on, tmp_path, settings, words):
    with pytest.raises(ConfigurationError, match=words):
        await sync_runs(on.qoder, **{"path": on.path} | settings)
    assert list(tmp_path.iterdir()) == []
    assert len(on.sim.requests) == 0


# Progress


async def test_progress_is_told(on):
    one, two = on.add(1500, 5)
    told = []
    await on.sync(on_progress=told.append)
    first, last = told[0], told[-1]
    assert (last.deployments_done, last.deployments_total, last.rows, last.requests) == (2, 2, 1505, 4)
    assert last.bytes == sum(map(len, column(on.path, "raw")))
    assert (last.phase, last.rows_written, last.current_deployments) == ("fetching", 1505, ())
    assert set(first.current_deployments) <= {one, two}
    assert len(told) == 2  # no time passes here


async def test_progress_may_be_told_to_an_async_function_and_may_end_it(on):
    on.add(5)

    async def stop(_):
        raise KeyError("enough")

    with pytest.raises(KeyError):
        await on.sync(on_progress=stop)
    await on.sync()
    on.assert_same()


async def test_time_is_told(on):
    on.add(5, 5)
    on.sim.faults.add("status", route=RUNS, status=503, times=8)
    report = await on.sync()
    assert report.seconds == on.clock.time - 1000 > 0
