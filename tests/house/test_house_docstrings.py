"""What every public docstring says, so that nobody needs to open the source."""

from __future__ import annotations

import builtins
import re

import attrs
import pytest
from house_docstrings import SECTIONS, Public, everything

import qoder_async
from qoder_async import errors, simulator

PUBLIC = everything()
MADE_BY_THE_LIBRARY = {"ConcurrentMap", "EndingRuns", "FanOut", "RunChanges", "RunHistory"}
"""What calls of the library give, and nobody builds: the call explains the parameters."""
CHECKS = {"check_timeout", "check_poll", "check_on_update", "id_of", "make_pager", "read_time", "encode_query"}
"""What refuses an argument with a ``ConfigurationError``."""
SENDS = {"send", "read_file"}
"""What may fail with any ``QoderError``."""


def of(kind):
    """Parametrise a test over a part of what is public."""
    return pytest.mark.parametrize("public", [public for public in PUBLIC if kind(public)], ids=str)


def is_call(public: Public) -> bool:
    return not public.is_class and not public.is_property


def has_code(public: Public) -> bool:
    return not public.is_class or (public.is_built_by_hand and public.thing.__name__ not in MADE_BY_THE_LIBRARY)


def takes_arguments(public: Public) -> bool:
    return has_code(public) and not public.is_property and not is_error(public)


def is_error(public: Public) -> bool:
    """Whether it is one of our exceptions, which the library raises and whose attributes say what they hold."""
    return public.is_class and issubclass(public.thing, errors.QoderError)


def covers(named: list[str], name: str) -> bool:
    """Whether an exception, or one of its bases, is among those that are named."""
    kind = getattr(errors, name, None) or getattr(builtins, name, None)
    return name in named or (kind is not None and any(base.__name__ in named for base in kind.__mro__[:-3]))


def test_what_is_public_is_found():
    names = set(map(str, PUBLIC))

    assert {"client.AsyncQoder.request", "resources.runs.Runs.fan_out", "paging.Pager.collect"} <= names
    assert {"following.finished.FinishedRun.ok", "simulator.faults.Faults.add", "export.exporting.export_runs"} <= names
    assert len(PUBLIC) > 180


@of(lambda _: True)
def test_it_begins_with_one_sentence(public):
    assert public.summary.endswith(".")
    assert not re.search(r"[.!?] [A-Z]", public.summary)
    assert not re.search(r"^(This|The) (class|function|method) ", public.summary)


@of(lambda _: True)
def test_its_sections_are_known_and_in_their_order(public):
    titles = re.findall(r"^([A-Z][a-z]+):$", public.text, re.MULTILINE)

    assert titles == [title for title in SECTIONS if title in titles]
    assert all(public.section(title).strip() for title in titles)


@of(takes_arguments)
def test_every_parameter_is_explained_in_its_order(public):
    assert public.names_in("Args") == public.parameters


@of(lambda public: public.is_class)
def test_every_attribute_is_explained(public):
    explained = public.names_in("Attributes") + (public.names_in("Args") if attrs.has(public.thing) else [])
    inherited = [name for base in public.thing.__mro__[1:] for name in Public("", base).names_in("Attributes")]

    assert set(public.attributes) <= {*explained, *inherited}


@of(is_call)
def test_it_says_what_it_returns(public):
    gives_something = public.returns not in {"None", "NoReturn"}

    assert bool(public.section("Returns") or public.section("Yields")) == gives_something


@of(has_code)
def test_what_its_own_lines_raise_is_named(public):
    # How an iteration or an attribute says that it has nothing is no business of the reader's.
    raised = public.raised - {"StopAsyncIteration", "AttributeError"}

    assert [name for name in raised if not covers(public.names_in("Raises"), name)] == []


@of(lambda public: has_code(public) and not public.is_property)
def test_what_it_calls_may_raise_is_named(public):
    expected = {"ConfigurationError"} if public.calls & CHECKS else set()
    expected |= {"QoderError"} if public.calls & SENDS else set()

    assert [name for name in expected if not covers(public.names_in("Raises"), name)] == []


@of(lambda public: bool(public.section("Raises")))
def test_what_is_said_to_be_raised_can_be_caught(public):
    for name in public.names_in("Raises"):
        kind = getattr(qoder_async, name, None) or getattr(simulator, name, None) or getattr(builtins, name, None)
        assert issubclass(kind, Exception), name


# The reading itself


def _example(size, *, colour=None, **others) -> int:
    """Paint.

    Args:
        size: How large,
            in metres: two lines.
        colour: Which.
        **others: More.

    Returns:
        How much it takes.
    """
    if size < 0:
        raise ValueError(size)
    return round(size)


def test_a_docstring_is_read_as_it_stands():
    example = Public("example", _example)

    assert example.summary == "Paint."
    assert example.names_in("Args") == example.parameters == ["size", "colour", "others"]
    assert example.section("Returns") == "How much it takes."
    assert example.names_in("Raises") == []
    assert (example.raised, example.returns) == ({"ValueError"}, "int")
    assert "round" in example.calls
