"""Prepares the docstrings for Sphinx: fenced blocks, types of attributes, and constructors that nobody calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_type_hints

import attrs
from sphinx.util.typing import stringify_annotation

from qoder_async._http.attempt import AttemptHook
from qoder_async._http.tokens import TokenProvider
from qoder_async._many.deployment_ids import Deployments
from qoder_async._wire.cursors import CursorParameter
from qoder_async._wire.query import Moment
from qoder_async.export.formats import Format
from qoder_async.export.progress import OnProgress
from qoder_async.following.waiting import OnUpdate
from qoder_async.simulator.rate_limit import Refusal

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MADE_BY_HAND = {
    "AcceleratedClock",
    "AsyncQoder",
    "Cursor",
    "ManualClock",
    "OpenTelemetry",
    "Pace",
    "Poll",
    "ProblemError",
    "RateLimit",
    "RetryPolicy",
    "Simulator",
}
"""Classes whose constructors users call; of the others only attributes and methods are shown."""
FENCE = re.compile(r"^(\s*)```(\w*)\s*$")
ATTRIBUTE = re.compile(r"^    (\w+):(?= )")
ALIASES = {
    "AttemptHook": AttemptHook,
    "CursorParameter": CursorParameter,
    "Deployments": Deployments,
    "Format": Format,
    "Moment": Moment,
    "OnProgress": OnProgress,
    "OnUpdate": OnUpdate,
    "Refusal": Refusal,
    "TokenProvider": TokenProvider,
}
"""Names of types that stand in signatures: a reader sees at once what they mean."""
KEYWORDS = re.compile(r": ~?[\w.]*Unpack\[.*?\]")
"""What a type checker wants to know of `**changes`, whose names stand in the docstring."""
ALIAS = re.compile(rf"(?<![\w.'\"])({'|'.join(ALIASES)}|Unset)\b(?!\()")
DEFAULT = re.compile(r"attr_dict\['(\w+)'\]\.default")
"""How attrs writes the default of a field into the constructors that it makes."""
BEFORE_NAPOLEON = 400


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what is done to each docstring and signature."""
    app.connect("autodoc-process-docstring", _fences, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", _class_text, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", _colons, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True}


def _fences(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Turn blocks as Markdown writes them into directives."""
    made: list[str] = []
    inside = False
    for line in lines:
        fence = FENCE.match(line)
        if fence is None:
            made.append(f"    {line}" if inside and line else line)
        elif inside:
            inside = False
        else:
            made += [f"{fence[1]}.. code-block:: {fence[2] or 'text'}", ""]
            inside = True
    lines[:] = made


def _colons(_app: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """Keep napoleon from taking a sentence for a type, where a colon stands in it."""
    if what in ("attribute", "data", "property") and lines:
        lines[0] = f": {lines[0]}"
    for at, line in enumerate(lines[:-1]):
        if line in ("Returns:", "Yields:"):
            lines[at + 1] = f"    : {lines[at + 1].strip()}"


def _class_text(_app: Sphinx, what: str, name: str, obj: Any, _options: object, lines: list[str]) -> None:
    """Give attributes their types, and leave out the arguments of a constructor that only the library calls."""
    if what not in ("class", "exception"):
        return
    if "Args:" in lines and name.rpartition(".")[2] not in MADE_BY_HAND:
        start, end = _section(lines, "Args:")
        if attrs.has(obj):
            lines[start] = "Attributes:"
        else:
            del lines[start:end]
    while "Attributes:" in lines:
        start, end = _section(lines, "Attributes:")
        described = lines[start + 1 : end]
        del lines[start:end]
        lines += ["", *_directives(described, _types_of(obj))]


def _directives(described: list[str], types: dict[str, str]) -> list[str]:
    """Write each attribute as a directive, so that it can be linked to and searched for."""
    made: list[str] = []
    for line in described:
        name, colon, text = line.strip().partition(": ")
        if ATTRIBUTE.match(line) and colon:
            made += ["", f".. py:attribute:: {name}", *([f"   :type: {types[name]}"] if name in types else []), ""]
            line = text  # noqa: PLW2901
        made.append(f"   {line.strip()}")
    return made


def _section(lines: list[str], heading: str) -> tuple[int, int]:
    start = lines.index(heading)
    end = next((at for at in range(start + 1, len(lines)) if lines[at] and not lines[at].startswith(" ")), len(lines))
    return start, end


def _types_of(kind: type) -> dict[str, str]:
    """Find the types of attributes, of the class or else of the arguments that they are made from."""
    found: dict[str, str] = {}
    for source in [kind.__init__, *reversed(kind.__mro__)]:
        try:
            types = get_type_hints(source)
        except (NameError, TypeError):  # names that are there for type checkers only
            types = getattr(source, "__annotations__", {})
        found |= {name: _spell(hint) for name, hint in types.items()}
    for name, part in vars(kind).items():
        if isinstance(part, property) and "return" in getattr(part.fget, "__annotations__", {}):
            found[name] = _spell(part.fget.__annotations__["return"])
    return found


def _spell(hint: Any) -> str:
    if isinstance(hint, str):
        return _without_aliases(hint)
    return re.sub(r"(?<!')~?\b(?:\w+\.)+(?=\w)", "", stringify_annotation(hint, "smart"))


def _without_aliases(text: str) -> str:
    return ALIAS.sub(
        lambda found: _spell(ALIASES[found[1]]) if found[1] in ALIASES else "UNSET", KEYWORDS.sub("", text)
    )


def _signature(
    _app: Sphinx, what: str, name: str, obj: Any, _options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Leave out the constructors of what the library makes, and spell aliases and defaults out."""
    if what in ("class", "exception") and name.rpartition(".")[2] not in MADE_BY_HAND:
        return "", None
    if signature and what == "class" and attrs.has(obj):
        signature = DEFAULT.sub(lambda found: repr(attrs.fields_dict(obj)[found[1]].default), signature)
    return signature and _without_aliases(signature), returns and _without_aliases(returns)
