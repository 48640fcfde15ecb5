"""Runs the cells of a notebook without Jupyter: ``python notebook_runner.py CELLS.json FOLDER``.

Writes as JSON what each cell has shown, which is what it printed and its last expression. Pictures go to the folder.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import json
import sys
from pathlib import Path
from typing import Any

CELLS, FOLDER = map(Path, sys.argv[1:])


async def run_all(cells: list[str]) -> list[str]:
    names: dict[str, Any] = {}
    return [await run(cell, names) for cell in cells]


async def run(code: str, names: dict[str, Any]) -> str:
    """Run a cell, and give what it has shown."""
    body = ast.parse(code).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        await evaluate(ast.Module(body, []), "exec", names)
        value = None if last is None else await evaluate(ast.Expression(last.value), "eval", names)
        shown.write("" if value is None else f"{value}\n")
    keep_pictures()
    return shown.getvalue()


async def evaluate(tree: ast.Module | ast.Expression, mode: str, names: dict[str, Any]) -> Any:
    value = eval(compile(tree, "cell", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    return await value if inspect.iscoroutine(value) else value


def keep_pictures() -> None:
    """Write what was drawn, and begin anew, as a notebook does after each cell."""
    if (plt := sys.modules.get("matplotlib.pyplot")) is not None:
        for number in plt.get_fignums():
            plt.figure(number).savefig(FOLDER / f"picture-{len(list(FOLDER.glob('picture-*')))}.png")
        plt.close("all")


sys.stdout.write(json.dumps(asyncio.run(run_all(json.loads(CELLS.read_text("utf-8"))))))
