"""What cannot be meant is refused before anything is sent."""

from __future__ import annotations

import logging
from datetime import datetime

import pytest
from history_support import Service, warped
from many_support import BOTH
from support.clock import ago

from qoder_async import ConfigurationError


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"slices": 0}, "slices"),
        ({"slices": -1}, "slices"),
        ({"slices": 1.5}, "slices"),
        ({"slices": "8"}, "slices"),
        ({"slices": True}, "slices"),
        ({"slices": None}, "slices"),
        ({"page_size": 0}, "page_size"),
        ({"page_size": "100"}, "page_size"),
        ({"page_size": True}, "page_size"),
        ({"on_invalid": "ignore"}, "on_invalid"),
        ({"on_invalid": None}, "on_invalid"),
        ({"triggered_after": datetime(2026, 1, 1)}, "triggered_after"),  # noqa: DTZ001  the point of it
        ({"triggered_after": "yesterday"}, "triggered_after"),
        ({"triggered_after": 5}, "triggered_after"),
        ({"triggered_before": "2026-01-01T00:00:00"}, "triggered_before"),
        ({"triggered_before": ago(60), "triggered_after": ago(59)}, "triggered_before"),
    ],
    ids=str,
)
def test_refused(settings, says):
    service = Service([ago(1)])
    with pytest.raises(ConfigurationError, match=says):
        service.history(**settings)
    assert service.requests == []


@pytest.mark.parametrize("deployment", ["", "dep/1", None, 5, "..", ["dep_1"]])
def test_no_deployment(deployment):
    service = Service()
    with pytest.raises(ConfigurationError, match="deployment"):
        service.runs.history(deployment)
    assert service.requests == []


def test_the_deployment_itself(caplog):
    caplog.set_level(logging.INFO, "qoder_async")
    service = Service([ago(60 * number) for number in range(50)])

    async def walk():
        deployment = await service.deployments.get(service.dep)
        async with service.runs.history(deployment, page_size=5) as history:
            assert repr(history) == f"<RunHistory of {service.dep}>"
            return [run.id async for run in history]

    assert warped(walk()) == service.ids
    assert caplog.records == []


@BOTH
def test_bounds_that_leave_nothing(shape):
    service = Service([ago(60 * number) for number in range(50)], shape)
    assert warped(service.walked(triggered_after=ago(90), triggered_before=ago(90))) == []
    assert len(service.requests) <= 1
