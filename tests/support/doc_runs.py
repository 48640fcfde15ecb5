"""The examples of a page, run in order as their reader would run them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qoder_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from qoder_async.simulator import Simulator
    from support.doc_blocks import Block

PATIENCE = 45
_FILE = re.compile(r"# ([\w/]+\.py)\n")
_PYTEST = ("-m", "pytest", "-q", "-W", "error", "-W", "ignore::pytest.PytestDeprecationWarning")
"""pytest-asyncio tells of a default that will change, unless a setting is made that no reader needs."""
_PLUGIN = ("-p", "no:cacheprovider", "-p", "no:qoder_async", "-p", "qoder_async.simulator.pytest_plugin")
"""The plugin by its name: the package may be imported from a checkout, without its entry points."""
_IGNORED = "ignore:Setting custom Request._transport_sockname"
"""aiohttp 3.14.1 warns of an attribute of its own."""


class PageRun:
    """One page: a namespace, a service, and the current folder, which is empty at first.

    A block whose first line is a comment with the name of a file is kept under this name, so that later ones may
    import it.
    """

    def __init__(self, sim: Simulator, deployment: str, names: dict[str, Any]) -> None:
        self._sim = sim
        self._deployment = deployment
        self._names = names

    async def run(self, block: Block) -> None:
        """Run a block, if it is one that runs."""
        try:
            if block.language == "python":
                await self._python(block)
            elif block.language == "sql":
                await asyncio.to_thread(_query, block.body)
            elif block.language == "toml" and "[tool.pytest" in block.body:
                _keep("pyproject.toml", block.body)
        except BaseException as error:
            error.add_note(f"the block of {block.place}:\n\n{block.body}")
            raise

    async def _python(self, block: Block) -> None:
        code = with_real_ids(block.body, self._sim, self._deployment)
        named = _FILE.match(code)
        name = named[1] if named else None
        if name is not None:
            _keep(name, code)
        async with busy(self._sim, self._deployment, code):
            if "def test_" in code:
                await _run_tests(name or _keep("test_page.py", code))
            elif "asyncio.run(" in code:
                await succeeds("-X", "dev", name or _keep("program.py", code))
            else:
                await execute(code, self._names, str(block.page), block.line)


def _keep(name: str, text: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return name


async def _run_tests(name: str) -> None:
    settings = "pyproject.toml"
    if not os.access(settings, os.F_OK):
        _keep(settings, "")  # or pytest would look for settings further up
    await succeeds("-X", "dev", *_PYTEST, "-W", _IGNORED, *_PLUGIN, name)


def with_real_ids(code: str, sim: Simulator, deployment: str) -> str:
    """Put ids that exist in the place of those that are only begun."""
    return code.replace("dep_…", deployment).replace("drun_…", sim.run_ids(deployment)[0])


async def execute(code: str, names: dict[str, Any], file: str = "example", line: int = 0) -> None:
    """Run code that may await at its top; tracebacks name the line of the page."""
    compiled = compile("\n" * line + code, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        await result


async def succeeds(*arguments: str) -> str:
    """Run Python in a process of its own, and check that it ends well and complains of nothing."""
    home = str(Path(qoder_async.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": home, "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": _IGNORED}
    environment.pop("PYTHONSAFEPATH", None)  # a page's files import each other
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            said = (await process.communicate())[0].decode("utf-8", "replace")
    except BaseException:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode == 0, f"it ended with {process.returncode}:\n{said}"
    assert not re.search(r"Traceback|\w*Warning:|never retrieved|never awaited|Unclosed", said), said
    return said


@asynccontextmanager
async def busy(sim: Simulator, deployment: str, code: str) -> AsyncGenerator[None]:
    """Let runs come and fail while somebody watches."""

    async def work() -> None:
        while True:
            await asyncio.sleep(0.02)
            sim.insert_run(deployment, state="failed")

    worker = asyncio.create_task(work()) if "runs.watch(" in code else None
    try:
        yield
    finally:
        if worker is not None:
            worker.cancel()


def _query(text: str) -> None:
    """Ask the newest database that the page has made."""
    files = sorted(Path().glob("*.db"), key=lambda path: path.stat().st_mtime)
    assert files, "no database was made before these queries"
    with closing(sqlite3.connect(files[-1])) as connection:
        for query in text.split(";"):
            if query.strip():
                connection.execute(query).fetchall()
