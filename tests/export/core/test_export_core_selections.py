"""Other deployments than those an export has begun with: none is missing, and none is there unasked."""

from __future__ import annotations

import json

import pytest
from core_support import ALWAYS, DEPLOYMENTS, RUNS, SIZES, Stopped, assert_same, assert_whole, ids, ids_in, served
from support.requests_for import of
from support.sources import one_by_one

from qoder_async import ExportError


async def begun(on, deployments):
    """Fetch these, and end before the target is there, since one is not there."""
    with pytest.raises(ExportError, match="1 of "):
        await on.export(deployments=[*deployments, "dep_nope"])


async def test_one_that_has_failed_may_be_left_out(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        await begun(on, some)
        report = await on.export(deployments=list(reversed(some)))
        assert_whole(on)
        assert (report.requests, report.resumed_rows) == (0, sum(SIZES))


async def test_one_that_was_fetched_may_not(tmp_path):
    async with served(tmp_path, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        await begun(on, some)
        spool = on.beside("spool").read_bytes()
        for fewer in (some[1:], [], ["dep_nope"], some[0]):
            with pytest.raises(ExportError, match=r"begun with other deployments, too .*name them again.*resume=False"):
                await on.export(deployments=fewer)
        assert on.beside("spool").read_bytes() == spool
        await on.export(deployments=some[1:], resume=False)
        assert_whole(on, some[1:])


MORE = {"a list": list, "a generator": iter, "all": lambda _: None}


@pytest.mark.parametrize("kind", MORE)
async def test_others_may_be_added(tmp_path, kind):
    async with served(tmp_path, sizes=SIZES) as on:
        some = on.sim.deployment_ids()
        await begun(on, some[:3])
        report = await on.export(deployments=MORE[kind](some))
        assert_whole(on)
        assert report.resumed_rows == len(ids(on, some[:3]))


def stop_when(phase):
    def stop(progress):
        if progress.phase == phase and progress.deployments_done == progress.deployments_total:
            told.append(progress)
            if phase == "writing" or len(told) == 2:
                raise Stopped

    told = []
    return stop


@pytest.mark.parametrize("kind", MORE)
@pytest.mark.parametrize("phase", ["fetching", "writing"])
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_others_may_be_added_when_all_was_fetched(tmp_path, kind, phase, ending):
    """The earlier call has fetched all that it wanted, or even made the target, and was ended just then."""
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:
        some = on.sim.deployment_ids()
        with pytest.raises(Stopped):
            await on.export(f"runs.{ending}", deployments=some[:3], on_progress=stop_when(phase))
        assert f"runs.{ending}.checkpoint" in on.names
        await on.export(f"runs.{ending}", deployments=MORE[kind](some))
        assert_same(ids_in(tmp_path / f"runs.{ending}", ending), ids(on))
        assert on.names == [f"runs.{ending}"]


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_a_generator_of_more_than_the_one_whose_target_is_there(tmp_path, ending):
    """The earlier call was ended just before it took away what is beside its target."""
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:
        some = on.sim.deployment_ids()
        with pytest.raises(Stopped):
            await on.export(f"runs.{ending}", deployments=iter(some[:3]), on_progress=stop_when("writing"))
        await on.export(f"runs.{ending}", deployments=iter(some))
        assert_same(ids_in(tmp_path / f"runs.{ending}", ending), ids(on))
        assert on.names == [f"runs.{ending}"]


UNKNOWN = ("a generator", "an async generator", "a pager")
AGAIN = {"a list": list, "a generator": iter, "an async generator": one_by_one, "all": lambda _: None, "a pager": ...}


@pytest.mark.parametrize("kind", AGAIN)
@pytest.mark.parametrize("phase", ["fetching", "writing"])
@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_the_same_again_when_all_was_fetched(tmp_path, kind, phase, ending):
    """Where it can be known that nothing is missing, no run is asked for twice."""
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:

        def source():
            if kind == "a pager":
                return on.qoder.deployments.list(page_size=3)
            return AGAIN[kind](on.sim.deployment_ids())

        with pytest.raises(Stopped):
            await on.export(f"runs.{ending}", deployments=source(), on_progress=stop_when(phase))
        asked = on.sim.request_counts[RUNS]
        report = await on.export(f"runs.{ending}", deployments=source())
        assert_same(ids_in(tmp_path / f"runs.{ending}", ending), ids(on))
        assert on.names == [f"runs.{ending}"]
        # What a generator gives is not known before it is walked, and here the spool has become the target.
        is_anew = kind in UNKNOWN and (phase, ending) == ("writing", "jsonl")
        assert on.sim.request_counts[RUNS] == (2 * asked if is_anew else asked)
        assert report.resumed_rows == (0 if is_anew else sum(SIZES))


@pytest.mark.parametrize("is_whole", [False, True])
async def test_a_generator_of_fewer(tmp_path, is_whole):
    """No run of a deployment that is not wanted gets into the file."""
    async with served(tmp_path, sizes=SIZES, ticks=True) as on:
        some = on.sim.deployment_ids()
        if is_whole:
            with pytest.raises(Stopped):
                await on.export(on_progress=stop_when("fetching"))
        else:
            await begun(on, some)
        with pytest.raises(ExportError, match=r"other deployments.*resume=False"):
            await on.export(deployments=iter(some[:3]))
        assert not on.target.exists()
        await on.export(deployments=iter(some[:3]), resume=False)
        assert_whole(on, some[:3])


async def test_those_that_are_listed_no_more_stay(tmp_path):
    """With all deployments, one that was fetched and is deleted since stays in the file."""
    async with served(tmp_path, sizes=(3, 4, 5)) as on:
        lost, *others = on.sim.deployment_ids()
        on.sim.faults.add("status", status=403, when=of(*others), times=ALWAYS)
        with pytest.raises(ExportError):
            await on.export()
        on.sim.faults.clear()
        on.sim.faults.add("body", route=DEPLOYMENTS, times=ALWAYS, body=lambda body: without(body, lost))
        told = []
        report = await on.export(on_progress=told.append)
        assert_whole(on)
        assert report.deployments == 3
        assert told[-1].deployments_done == told[-1].deployments_total == 3


def without(body, deployment_id):
    page = json.loads(body)
    page["data"] = [record for record in page["data"] if record["id"] != deployment_id]
    return json.dumps(page).encode()
