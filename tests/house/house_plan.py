"""The library's modules, what they import, and where each belongs."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import qoder_async

ROOT = Path(qoder_async.__file__).parent
PACKAGE = "qoder_async"
MODULES = sorted(ROOT.rglob("*.py"))

LAYERS = [
    {"cli"},
    {"export"},
    {"client"},
    {"resources"},
    {"following", "fanout", "history"},
    {"paging"},
    {"_http"},
    {"_wire"},
    {"models"},
    {"errors", "options"},
]
"""Each part may import what stands below it, and parts of its own layer."""
PART_OF = {"_paging": "paging", "_many": "fanout", "_concurrency": "concurrency", "_misuse": "errors"}
"""Private modules that are part of another."""
APART = {
    "concurrency": set(),
    "simulator": set(),
    "_version": set(),
    "telemetry": {"_http", "_wire", "errors", "_version"},
}
"""Parts beside the layers and what each imports; any part may import them but for the exceptions below."""
ONLY_FOR = {"simulator": {"cli"}, "telemetry": set(), "": {"cli"}}
"""Parts that only some parts may import; the empty one is the package's own face, ``from qoder_async import …``."""


OPTIONAL = {"cyclopts", "rich", "pyarrow", "zstandard", "opentelemetry", "uvloop", "brotli", "pytest", "pytest_asyncio"}
"""What only extras bring."""
_TOPS = {path.relative_to(ROOT).with_suffix("").parts[0] for path in MODULES} - {"__init__"}


def name_of(path: Path) -> str:
    """The dotted name of a module below the package, empty for its ``__init__``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part that a module, or a name in it, belongs to; empty for the package's own ``__init__``."""
    top = module.partition(".")[0]
    return PART_OF.get(top, top) if top in _TOPS else ""


def allowed(part: str) -> set[str]:
    """The parts that a part may import."""
    if part in APART:
        return APART[part] | {part}
    depth = next(number for number, layer in enumerate(LAYERS) if part in layer)  # StopIteration: no place yet
    free = set(APART) - set(ONLY_FOR)
    return set().union(*LAYERS[depth:], free, {name for name, users in ONLY_FOR.items() if part in users})


class _Imports(ast.NodeVisitor):
    """Collects absolute names of what is imported when the code runs."""

    def __init__(self, path: Path) -> None:
        name = f"{PACKAGE}.{name_of(path)}".rstrip(".")
        self._here = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.found: list[tuple[int, str]] = []

    def visit_If(self, node: ast.If) -> None:
        test = node.test
        name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
        for child in node.orelse if name == "TYPE_CHECKING" else [*node.body, *node.orelse]:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [(node.lineno, alias.name) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        here = self._here.split(".")
        base = here[: len(here) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        # `from package import module` names the module; `from module import name` adds nothing that matters.
        self.found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]


def imports_of(path: Path, source: str | None = None) -> list[tuple[int, str]]:
    """The lines and absolute names of what a module imports when it runs."""
    return _read(path) if source is None else _find(path, source)


@cache
def _read(path: Path) -> list[tuple[int, str]]:
    return _find(path, path.read_text("utf-8"))


def _find(path: Path, source: str) -> list[tuple[int, str]]:
    collector = _Imports(path)
    collector.visit(ast.parse(source))
    return collector.found


def own_imports(path: Path, source: str | None = None) -> list[tuple[int, str]]:
    """Those of the library itself, as dotted names below the package."""
    names = [(line, name) for line, name in imports_of(path, source) if name.partition(".")[0] == PACKAGE]
    return [(line, name.removeprefix(PACKAGE).lstrip(".")) for line, name in names]


def foreign_imports(path: Path) -> set[str]:
    """The top-level packages of others."""
    return {name.partition(".")[0] for _, name in imports_of(path)} - {PACKAGE, "__future__"}
