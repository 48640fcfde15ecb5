"""What may stand in a path."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async import ConfigurationError, Deployment
from qoder_async._wire.ids import check_id, id_of

BAD_IDS = [
    "", " ", ".", "..", "/", "a/b", "../x", "dep_1/../../x", "dep_1?x=1", "dep_1#x", "dep_1%2e", "%2e%2e", "dep 1",
    "dep_1 ", " dep_1", "dep_1\n", "dep_1\r\nX: 1", "dep_1\0", "dép", "dep_1\\", "dep.1", "dep:1", "dep_\u0661",
]  # fmt: skip


@pytest.mark.parametrize("value", ["dep_1", "drun_0199abc", "A-b_9", "0", "-", "_"])
def test_ids_are_letters_digits_underscores_and_hyphens(value):
    assert check_id(value, "run_id") == value


@pytest.mark.parametrize("value", [*BAD_IDS, None, 7, True, b"dep_1", ["dep_1"]])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ConfigurationError, match=r"^run_id must be an id of letters, digits, '_' and '-'") as caught:
        check_id(value, "run_id")
    assert str(caught.value).endswith(f"got {value!r}")


@given(st.text())
def test_no_id_ever_needs_quoting(value):
    try:
        check_id(value, "id")
    except ConfigurationError:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", value) is None
    else:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", value, re.ASCII)


def make_deployment(identifier: object) -> Deployment:
    fields: dict[str, Any] = dict.fromkeys(Deployment.__struct_fields__)
    return Deployment(**fields | {"id": identifier})


def test_an_object_stands_for_its_id():
    assert id_of(make_deployment("dep_1"), Deployment, "deployment_id") == "dep_1"
    assert id_of("dep_1", Deployment, "deployment_id") == "dep_1"


@pytest.mark.parametrize("identifier", ["", "a/b", None])
def test_an_object_with_a_bad_id_is_refused(identifier):
    with pytest.raises(ConfigurationError, match=r"deployment_id\.id must be an id"):
        id_of(make_deployment(identifier), Deployment, "deployment_id")


@pytest.mark.parametrize("thing", [None, 7, SimpleNamespace(id="dep_1"), ["dep_1"]])
def test_an_object_of_another_kind_is_refused(thing):
    with pytest.raises(ConfigurationError, match="deployment_id must be an id or a Deployment, got"):
        id_of(thing, Deployment, "deployment_id")
