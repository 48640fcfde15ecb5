"""nox tests what was built, and not the checkout."""

import json
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

import qoder_async

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not sys.flags.safe_path, reason="only nox keeps the checkout off sys.path")
def test_nox_tests_the_wheel():
    told = distribution("qoder-async").read_text("direct_url.json")

    assert not Path(qoder_async.__file__).is_relative_to(ROOT / "qoder_async")
    assert not json.loads(told or "{}").get("dir_info", {}).get("editable", False)
