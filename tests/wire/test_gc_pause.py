"""Decoding a page leaves the garbage collector as it was."""

import gc
import json
from pathlib import Path

import pytest

from qoder_async._wire.decode import decode_page
from qoder_async._wire.gc_pause import collections_paused
from qoder_async.models import DeploymentRun

PAGE = (Path(__file__).parents[1] / "fixtures" / "runs_list_current_page1.json").read_bytes()
ODD = json.dumps({"data": [{"id": 5}]}).encode()


@pytest.fixture(params=[True, False], ids=["on", "off"])
def collector(request):
    """The collector, on or off."""
    was_on = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was_on else gc.disable)()


@pytest.mark.parametrize("body", [PAGE, ODD], ids=["good", "odd"])
def test_decoding_leaves_it_as_it_was(collector, body):
    decode_page(body, DeploymentRun)
    assert gc.isenabled() is collector


def test_it_is_paused_within_and_an_error_ends_the_pause(collector):
    seen = []

    def fail():
        with collections_paused():
            seen.append(gc.isenabled())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [False]
    assert gc.isenabled() is collector
