"""What cannot be meant is refused with a word of what is wrong, before anything is sent."""

from __future__ import annotations

from datetime import datetime

import pytest
from many_support import add, stage

from qoder_async import ConfigurationError

BAD = {
    "no deployments": ({"deployments": None}, "deployments must be ids"),
    "a number": ({"deployments": 7}, "deployments must be ids"),
    "bytes": ({"deployments": b"dep_1"}, "deployments must be ids"),
    "an id with a slash": ({"deployments": "dep/1"}, "deployments must be an id"),
    "an empty id": ({"deployments": ""}, "deployments must be an id"),
    "a list with a number": ({"deployments": ["dep_1", 7]}, "deployments must be an id or a Deployment, got 7"),
    "a list with a list": ({"deployments": [["dep_1"]]}, "deployments must be an id or a Deployment"),
    "no concurrency": ({"max_concurrency": 0}, "max_concurrency"),
    "negative concurrency": ({"max_concurrency": -1}, "max_concurrency"),
    "half concurrency": ({"max_concurrency": 1.5}, "max_concurrency"),
    "true concurrency": ({"max_concurrency": True}, "max_concurrency"),
    "unknown order": ({"order": "oldest"}, "order must be 'arrival' or 'newest', got 'oldest'"),
    "order as a number": ({"order": 1}, "order must be"),
    "order as a list": ({"order": []}, "order must be"),
    "unknown on_failure": ({"on_failure": "ignore"}, "on_failure must be 'collect' or 'raise'"),
    "on_failure as None": ({"on_failure": None}, "on_failure must be"),
    "unknown on_invalid": ({"on_invalid": "ignore"}, "on_invalid must be"),
    "empty status": ({"status": ""}, "status must be a word"),
    "status as a list": ({"status": ["failed"]}, "status must be a word"),
    "naive time": ({"triggered_after": datetime(2026, 1, 1)}, "triggered_after must say its offset"),  # noqa: DTZ001
    "no time": ({"triggered_before": "monday"}, "triggered_before must be"),
    "a window that ends before it starts": (
        {"triggered_after": "2026-01-02T00:00:00Z", "triggered_before": "2026-01-01T00:00:00Z"},
        "triggered_before .* is before triggered_after",
    ),
    "pages of nothing": ({"page_size": 0}, "page_size"),
    "pages of half": ({"page_size": 2.5}, "page_size"),
    "less than nothing of each": ({"max_items_per_deployment": -1}, "max_items_per_deployment"),
    "half of each": ({"max_items_per_deployment": 0.5}, "max_items_per_deployment"),
    "true of each": ({"max_items_per_deployment": True}, "max_items_per_deployment"),
}


@pytest.mark.parametrize("case", BAD)
async def test_refused_at_once(case):
    wrong, says = BAD[case]
    async with stage() as on:
        with pytest.raises(ConfigurationError, match=says):
            on.qoder.runs.fan_out(**{"deployments": ["dep_1"], **wrong})
        assert on.requests == 0


async def test_a_run_is_no_deployment():
    async with stage() as on:
        (deployment,) = add(on, 1)
        (run,) = await on.qoder.runs.list(deployment).collect()
        with pytest.raises(ConfigurationError, match="deployments must be an id or a Deployment"):
            on.walk([run])


async def test_a_list_is_taken_as_it_is_when_it_is_given():
    async with stage() as on:
        deployments = add(on, 1, 2)
        walk = on.walk(deployments)
        deployments.clear()

        async def take():
            async with walk:
                return [run async for run in walk]

        assert len(await on.run(take())) == 3


async def test_it_says_how_far_it_is():
    async with stage() as on:
        assert repr(on.walk([])) == (
            "<FanOut FanOutProgress(deployments_done=0, deployments_total=None, runs=0, pages=0, requests=0), 0 failed>"
        )


async def test_failures_cannot_be_changed():
    async with stage() as on:
        with pytest.raises(TypeError):
            on.walk([]).failures["dep_1"] = None
