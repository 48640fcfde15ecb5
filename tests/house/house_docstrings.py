"""What is public, and what its docstrings say of it."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any

import attrs

import qoder_async
from qoder_async import errors, models, paging, simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FACES = (qoder_async, models, paging, errors, simulator)
"""The modules whose ``__all__`` is the public surface."""
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example")
RESOURCES = ("Deployments", "Runs", "Sessions")
"""What is reached through a client, by the names of its attributes."""


@attrs.frozen
class Public:
    """A public class, function, method or property.

    Attributes:
        name: Its dotted name.
        thing: The class or the function behind it.
        is_property: Whether it is read without a call.
    """

    name: str
    thing: Any
    is_property: bool = False

    def __str__(self) -> str:
        return self.name.removeprefix("qoder_async.")

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.thing)

    @property
    def text(self) -> str:
        return inspect.cleandoc(self.thing.__doc__ or "")

    @property
    def summary(self) -> str:
        return " ".join(self.text.partition("\n\n")[0].split())

    def section(self, title: str) -> str:
        """What stands under a title, without its indentation; empty where there is none."""
        found = re.search(rf"^{title}:\n((?:[ ].*\n?|\n)+)", self.text, re.MULTILINE)
        return textwrap.dedent(found[1]) if found else ""

    def names_in(self, title: str) -> list[str]:
        """The names that a section explains, in its order."""
        return re.findall(r"^\*{0,2}(\w+):", self.section(title), re.MULTILINE)

    @property
    def parameters(self) -> list[str]:
        """What a caller passes, in the signature's order."""
        names = list(inspect.signature(self._code).parameters)
        return [name for name in names if name not in {"self", "cls"} and not name.startswith("_")]

    @property
    def returns(self) -> str:
        """The annotation of what is returned, as it is written."""
        return str(self.thing.__annotations__.get("return", ""))

    @property
    def raised(self) -> set[str]:
        """The exceptions that its own lines name after ``raise``."""
        names = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                names.add(getattr(called, "id", ""))
        return {name for name in names if inspect.isclass(self._named(name))}

    @property
    def calls(self) -> set[str]:
        """The names of the functions and methods that its own lines call."""
        calls = (node.func for node in ast.walk(self._tree) if isinstance(node, ast.Call))
        return {getattr(called, "id", "") or getattr(called, "attr", "") for called in calls}

    @property
    def is_built_by_hand(self) -> bool:
        """Whether it is a class with a constructor that somebody wrote."""
        written = self.is_class and "__init__" in vars(self.thing) and not attrs.has(self.thing)
        return written and not getattr(self.thing, "_is_protocol", False)

    @property
    def attributes(self) -> list[str]:
        """The public attributes that a class has: its fields, or what its constructor sets."""
        if attrs.has(self.thing):
            names = [field.name for field in attrs.fields(self.thing)]
        elif self.is_built_by_hand:
            names = [node.attr for node in ast.walk(self._tree) if _is_set_on_self(node)]
        else:
            names = []
        return [name for name in names if not name.startswith("_")]

    def _named(self, name: str) -> object:
        module = importlib.import_module(self.thing.__module__)
        return getattr(module, name, None) or getattr(errors, name, None) or getattr(builtins, name, None)

    @property
    def _code(self) -> Callable[..., object]:
        return self.thing.__init__ if self.is_class else self.thing

    @property
    def _tree(self) -> ast.AST:
        return _tree_of(self._code)


def _tree_of(function: Callable[..., object]) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _is_set_on_self(node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
        return False
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _is_ours(thing: Any) -> bool:
    return (getattr(thing, "__module__", None) or "").startswith("qoder_async")


def _members(kind: type) -> Iterator[Public]:
    """The public methods and properties of a class, those of its bases among them."""
    for base in filter(_is_ours, kind.__mro__):
        for name, member in vars(base).items():
            if name.startswith("_"):
                continue
            full = f"{base.__module__}.{base.__qualname__}.{name}"
            if isinstance(member, property):
                yield Public(full, member.fget, is_property=True)
            elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
                yield Public(full, getattr(member, "__func__", member))


def everything() -> list[Public]:
    """All that is public: what the faces name, the resources of a client, and their members."""
    named = [getattr(face, name) for face in FACES for name in face.__all__]
    named += [getattr(importlib.import_module(f"qoder_async.resources.{name.lower()}"), name) for name in RESOURCES]
    found: dict[str, Public] = {}
    for thing in named:
        if not callable(thing) or not _is_ours(thing):
            continue  # a value, or a type that is a union of words
        full = f"{thing.__module__}.{thing.__qualname__}"
        found[full] = Public(full, thing)
        if inspect.isclass(thing):
            found.update((member.name, member) for member in _members(thing))
    return sorted(found.values(), key=str)
