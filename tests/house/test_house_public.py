"""The public face: names, docstrings, and the size of what is behind."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest
from house_plan import MODULES, OPTIONAL, ROOT, name_of

import qoder_async
from qoder_async import errors, models, paging, simulator

LONGEST = 400
DESIGN = [
    "AsyncQoder",
    "AttemptHook",
    "Moment",
    "OnProgress",
    "OnUpdate",
    "TokenProvider",
    "Cursor",
    "Outcome",
    "Page",
    "Pager",
    "Pace",
    "Poll",
    "RetryPolicy",
    "Response",
    "UNSET",
    "converter",
    "map_concurrently",
    "AgentRef",
    "Deployment",
    "DeploymentRun",
    "DeploymentStatus",
    "PausedReason",
    "RunError",
    "RunExtras",
    "RunStatus",
    "Schedule",
    "ChangeKind",
    "ConcurrentMap",
    "EndingRuns",
    "FanOut",
    "FanOutProgress",
    "FinishedRun",
    "RunChange",
    "RunChanges",
    "RunHistory",
    "RunState",
    "Session",
    "SessionEvent",
    "TriggerContext",
    "TriggerType",
    *errors.__all__,
]
"""What the design promises; what is still to be written is added with it."""


def test_all_is_sorted_and_names_nothing_twice():
    assert list(qoder_async.__all__) == sorted(set(qoder_async.__all__))


@pytest.mark.parametrize("name", qoder_async.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(qoder_async, name) is not None
    scope: dict = {}
    exec(f"from qoder_async import {name}", scope)
    assert name in scope


def test_all_is_complete():
    assert set(DESIGN) | set(models.__all__) | set(paging.__all__) <= set(qoder_async.__all__)


def _imported(body: list[ast.stmt]) -> dict[str, str | None]:
    """Where each name comes from."""
    return {
        alias.asname or alias.name: node.module
        for node in body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qoder_async")
        for alias in node.names
    }


def test_every_name_that_is_bound_is_public_or_private_on_purpose():
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    assert set(_imported(tree.body)) == set(qoder_async.__all__) - {"converter", *qoder_async._LATE}


def _for_checkers(tree: ast.Module) -> ast.If:
    """The part of a module that only type checkers read."""
    return next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")


def test_type_checkers_see_the_names_that_come_late_where_they_come_from():
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    for_checkers = _for_checkers(tree)
    assert _imported(for_checkers.body) == qoder_async._LATE
    assert set(qoder_async._LATE) < set(qoder_async.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="run_faster"):
        qoder_async.run_faster  # noqa: B018


@pytest.mark.parametrize("module", [errors, models, paging, simulator], ids=lambda module: module.__name__)
def test_the_parts_agree_with_their_all(module):
    assert list(module.__all__) == sorted(set(module.__all__))
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(module.__all__) <= set(dir(module))


def test_every_name_of_the_models_is_exported_and_no_other():
    tree = ast.parse((ROOT / "models" / "__init__.py").read_text("utf-8"))
    assert sorted(_imported(tree.body)) == list(models.__all__)


def test_the_simulator_says_the_same_to_type_checkers_and_to_programs():
    tree = ast.parse((ROOT / "simulator" / "__init__.py").read_text("utf-8"))
    for_checkers = _for_checkers(tree)
    homes = {name: f"qoder_async.simulator.{home}" for name, home in simulator._HOMES.items()}
    assert _imported(for_checkers.body) == homes
    assert list(homes) == list(simulator.__all__)


def test_every_exception_is_public_and_of_the_library():
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert {kind.__name__ for kind in classes} == set(errors.__all__)
    assert all(issubclass(kind, qoder_async.QoderError) for kind in classes)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_too_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.stem not in {"__main__", "pytest_plugin"}], ids=name_of
)
def test_every_module_imports_by_itself_and_says_what_it_is_for(path):
    try:
        module = importlib.import_module(f"qoder_async.{name_of(path)}".rstrip("."))
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"needs {error.name}")
    assert module.__doc__
    assert module.__doc__.strip()


def test_types_are_published():
    assert (ROOT / "py.typed").is_file()


def _undocumented(tree: ast.AST, path: str) -> list[str]:
    found = []
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not _is_overload(node):
            found.append(f"{path}:{node.lineno} {node.name}")
        if isinstance(node, ast.ClassDef):
            found += _undocumented(node, path)
    return found


def _is_overload(node: ast.AST) -> bool:
    return any(getattr(decorator, "id", "") == "overload" for decorator in getattr(node, "decorator_list", []))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_classes_and_functions_have_docstrings(path):
    assert _undocumented(ast.parse(path.read_text("utf-8")), str(path.relative_to(ROOT))) == []


def test_the_resources_document_their_endpoint():
    """A reader finds the request by its source line."""
    lacking = []
    for resource in ("deployments", "runs", "sessions"):
        module = importlib.import_module(f"qoder_async.resources.{resource}")
        kind = getattr(module, resource.capitalize())
        for name, method in inspect.getmembers(kind, inspect.isfunction):
            text = inspect.getdoc(method) or ""
            needs = not name.startswith("_") and name not in {
                "find_triggered",
                "run_and_wait",
                "wait",
                "as_completed",
                "watch",
                "fan_out",
                "history",
            }
            if needs and "Source: ``" not in text:
                lacking.append(f"{resource}.{name}")
    assert lacking == []
