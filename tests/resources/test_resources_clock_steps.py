"""A lost trigger is found although one of the two clocks is set between the trigger and the look."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qoder_async import AmbiguousTriggerError
from qoder_async.simulator import ManualClock

TRIGGER = "POST /deployments/{id}/run"


@pytest.mark.parametrize("seconds", [0, 30])
async def test_a_clock_that_is_set_meanwhile_hides_nothing(serve, shape, seconds):
    """The service's clock goes on while this machine's is set back by as much."""
    clock = ManualClock(datetime.now(UTC))
    sim, qoder = await serve(shape=shape, clock=clock)
    deployment = sim.add_deployment()
    await qoder.deployments.get(deployment)  # an answer tells what time it is there
    sim.faults.add("reset", route=TRIGGER, after_commit=True)
    with pytest.raises(AmbiguousTriggerError) as raised:
        await qoder.deployments.run(deployment)
    clock.advance(seconds)

    found = await qoder.deployments.find_triggered(raised.value)

    assert [run.id for run in found] == sim.run_ids(deployment)
