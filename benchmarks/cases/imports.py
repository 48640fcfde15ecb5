"""`import`: what importing the package costs, beside its peers."""

from __future__ import annotations

import re
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import noise
from benchmarks.case import Case, positive, say
from benchmarks.choice import choose
from benchmarks.contenders import Contender
from benchmarks.document import Document, Table
from benchmarks.environment import environment
from benchmarks.server import ROOT

if TYPE_CHECKING:
    import argparse

_LINE = re.compile(r"^import time: +\d+ \| +(\d+) \| (\S+)$", re.MULTILINE)
"""A top-level import: its cumulative microseconds and its name (what it imports in turn is indented)."""
_WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "aiohttp": ("import aiohttp", ("aiohttp",)),
    "ours": ("import qoder_async", ("qoder_async",)),
    "ours-beyond": ("import qoder_async, beyond aiohttp", ("aiohttp", "qoder_async")),
    "qca-sdk": ("import qca.managed", ("qca.managed",)),
    "anthropic": ("import anthropic", ("anthropic",)),
}
"""By name, how they are called and what is imported in a process; the last of it is what is timed."""


_CONTENDERS = {name: Contender(name, "", (modules[-1],), title) for name, (title, modules) in _WAYS.items()}


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeat", type=positive, default=15, help="rounds (default: 15)")
    parser.add_argument("--contenders", help=f"of {','.join(_WAYS)} (default: all that are installed)")


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    contenders = choose(options.contenders, tuple(_CONTENDERS), _CONTENDERS)
    ways = dict(_WAYS[one.name] for one in contenders)
    for modules in ways.values():
        _import(modules)  # not counted: it fills caches
    times: dict[str, list[float]] = {name: [] for name in ways}
    idle = []
    for number in range(options.repeat):
        say(f"import {number + 1}/{options.repeat}")
        for name, modules in ways.items():
            idle.append(noise.fixed_work())
            times[name].append(_import(modules))
    return {
        "command": command,
        "environment": environment(),
        "rounds": options.repeat,
        "imports": [
            {"name": name, "median": median(each), "min": min(each), "max": max(each), "spread": noise.spread(each)}
            for name, each in times.items()
        ],
        "noise": noise.summed_up(idle),
    }


def _import(modules: tuple[str, ...]) -> float:
    """Import them in a fresh process, and give the milliseconds of the last."""
    command = [sys.executable, "-X", "importtime", "-c", "; ".join(f"import {module}" for module in modules)]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.rpartition("import time:")[2])
    found = {name: int(microseconds) / 1000 for microseconds, name in _LINE.findall(done.stderr)}
    return found[modules[-1]]


def _document(summary: dict[str, Any]) -> Document:
    rows = [["", "median ms", "min - max", "spread"]] + [
        [one["name"], f"{one['median']:.1f}", f"{one['min']:.1f} - {one['max']:.1f}", f"{one['spread']:.0%}"]
        for one in summary["imports"]
    ]
    return Document(
        title=f"import time, {summary['rounds']} fresh processes of each in turn, -X importtime",
        tables=[Table(title="", rows=rows, notes=[noise.line(summary["noise"])])],
        environment=summary["environment"],
        command=summary["command"],
    )


CASE = Case(
    name="import",
    about="What importing the package costs, beyond aiohttp and beside its peers. Each import in a fresh process, in "
    "turn; one of each, not counted, fills caches.",
    add_options=_add_options,
    summary=_summary,
    document=_document,
    short=["--repeat=5"],
)
