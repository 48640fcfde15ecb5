"""Runs and sessions whose times lie at the ends of time are followed, and do not end the following of others."""

from __future__ import annotations

import json

import pytest
from waiting_support import ALL_RUNS, ALWAYS, RUNS, SESSIONS, collect, of_one_deployment, stage
from watching_support import ids_of, watched

FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.5Z"


@pytest.mark.parametrize("moment", [FIRST, LAST])
@pytest.mark.parametrize("is_listed", [True, False])
async def test_a_run_at_an_end_of_time_is_awaited_with_its_neighbours(moment, is_listed):
    async with stage("extended") as on:
        runs = await of_one_deployment(on, 6)
        odd = {run.id for run in runs[:2]}
        for run_id in odd:
            on.sim.patch_record(run_id, created_at=moment, triggered_at=moment)

        def as_listed(body):
            page = json.loads(body)
            page["data"] = [record for record in page["data"] if is_listed or record["id"] not in odd]
            return json.dumps(page).encode()

        for route in (ALL_RUNS, RUNS):
            on.sim.faults.add("body", route=route, body=as_listed, times=ALWAYS)
        taken, failures = await on.run(collect(on, [run.id for run in runs], timeout=600))
        assert failures == {}
        assert {finished.run.id for finished, _ in taken} == {run.id for run in runs}


async def test_a_run_in_a_session_from_the_beginning_of_time_is_watched():
    def at_the_beginning(body):
        page = json.loads(body)
        page["data"] = [session | {"created_at": FIRST} for session in page["data"]]
        return json.dumps(page).encode()

    async with stage("lean") as on:
        run = await on.trigger(duration=900.0)
        await on.run(on.time.sleep(600.0))
        on.sim.faults.add("body", route=SESSIONS, body=at_the_beginning, times=ALWAYS)
        told = await watched(on, seconds=600.0)
        assert ids_of(told, "finished") == [run.id]
