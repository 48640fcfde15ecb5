"""The official SDK, as far as it speaks async, works against the simulator."""

import pytest

qca = pytest.importorskip("qca")


async def test_the_official_sdk_lists_walks_and_triggers(serve, clock):
    client = await serve(shape="lean")
    sim = client.sim
    deployment_ids = [sim.add_deployment(name=f"deployment {index}", run_duration=5.0) for index in range(25)]
    run_ids = sim.add_runs(deployment_ids[3], 450, state="mixed", trigger="mixed")
    async with qca.AsyncManaged(access_token="pt-x", base_url=sim.url) as managed:
        assert [item.id async for item in managed.deployments.list()] == sim.deployment_ids()
        walked = [run.id async for run in managed.deployments.runs.list(deployment_ids[3], limit=100)]
        assert walked == run_ids
        run = await managed.deployments.run(deployment_ids[0])
        assert (run.deployment_id, run.error, run.trigger_context.type) == (deployment_ids[0], None, "manual")
        again = await managed.deployments.runs.retrieve(run.id, deployment_id=deployment_ids[0])
        assert again.session_id == run.session_id
        clock.advance(60)
        events = [event.type async for event in managed.sessions.events.list(run.session_id)]
        assert (events[0], events[-1]) == ("user.message", "session.status_idle")
        with pytest.raises(qca.NotFoundError) as caught:
            await managed.deployments.retrieve("dep_unknown")
        assert caught.value.status_code == 404
    assert sim.request_counts["GET /deployments/{id}/runs"] == 5
