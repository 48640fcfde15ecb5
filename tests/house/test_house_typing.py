"""The files that type checkers read name all that is public: `nox -s types` judges what they say of it."""

import ast
import re
from pathlib import Path

import pytest
from house_docstrings import FACES, everything

TYPING = Path(__file__).parents[1] / "typing"
RIGHT = ("api.py", "attributes.py", "simulator_api.py")
INSIDE = {
    "simulator.faults.Fault.strikes",
    "simulator.faults.Faults.strike",
    "simulator.traffic.RequestLog.close",
    "simulator.traffic.RequestLog.open",
}
"""What the simulator itself calls on what it shows to its users."""
VARIABLES = {"AsyncQoder": "qoder", "Simulator": "sim"}
"""What variables are called that do not bear the name of their class."""


def _spoken(path: Path) -> set[str]:
    """The names in a file, and the last two parts of what has dots: ``get``, ``runs.get``."""
    spoken = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Name):
            spoken.add(node.id)
        elif isinstance(node, ast.Attribute):
            owner = node.value
            spoken |= {node.attr, f"{getattr(owner, 'attr', getattr(owner, 'id', ''))}.{node.attr}"}
    return spoken


def _in_words(name: str) -> str:
    """A class's name as that of a variable."""
    return re.sub(r"(?<=[a-zI])(?=[A-Z][a-z])", "_", name).lower()


SPOKEN = set().union(*(_spoken(TYPING / name) for name in RIGHT))


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_every_public_name_is_used(face):
    assert set(face.__all__) - SPOKEN == set()


@pytest.mark.parametrize(
    "public", [public for public in everything() if not public.is_class and str(public) not in INSIDE], ids=str
)
def test_every_call_and_property_is_used(public):
    name = str(public).rpartition(".")[2]
    resource = str(public).split(".")[1] if str(public).startswith("resources.") else ""

    assert (f"{resource}.{name}" if resource else name) in SPOKEN


@pytest.mark.parametrize("public", [public for public in everything() if public.is_class], ids=str)
def test_every_attribute_is_used(public):
    variable = VARIABLES.get(public.thing.__name__) or _in_words(public.thing.__name__)

    assert {f"{variable}.{name}" for name in public.attributes} - SPOKEN == set()
