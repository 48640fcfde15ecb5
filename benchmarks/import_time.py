"""How long `import qoder_async` takes beyond what `import aiohttp` takes anyway."""

from __future__ import annotations

import re
import subprocess
import sys
from statistics import median
from typing import Any

from .report import aligned, environment
from .server import ROOT

_LINE = re.compile(r"^import time: +\d+ \| +(\d+) \| (\w+)$", re.MULTILINE)
"""A top-level import: its cumulative microseconds and its name (what it imports in turn is indented)."""
BASELINE, MEASURED = "aiohttp", "qoder_async"


def measure(repeat: int) -> dict[str, list[float]]:
    """Import both in fresh processes, aiohttp first; the first process, not counted, fills caches."""
    rounds = [_import_once() for _ in range(repeat + 1)][1:]
    return {name: [one[name] for one in rounds] for name in (BASELINE, MEASURED)}


def _import_once() -> dict[str, float]:
    command = [sys.executable, "-X", "importtime", "-c", f"import {BASELINE}; import {MEASURED}"]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.rpartition("import time:")[2])
    return {name: int(microseconds) / 1000 for microseconds, name in _LINE.findall(done.stderr)}


def summary(figures: dict[str, list[float]], command: str) -> dict[str, Any]:
    """Everything measured, ready for JSON."""
    return {
        "command": command,
        "environment": environment(),
        "rounds": len(figures[MEASURED]),
        "milliseconds": {
            name: {"median": median(values), "min": min(values), "max": max(values)} for name, values in figures.items()
        },
    }


def table(summary: dict[str, Any]) -> str:
    """Lay a summary out as text."""
    labels = {BASELINE: f"import {BASELINE}", MEASURED: f"import {MEASURED}, beyond that"}
    rows = [["", "median ms", "min - max"]] + [
        [labels[name], f"{one['median']:.1f}", f"{one['min']:.1f} - {one['max']:.1f}"]
        for name, one in summary["milliseconds"].items()
    ]
    title = f"import time, {summary['rounds']} fresh processes, -X importtime"
    return "\n".join([title, "", *aligned(rows), "", summary["environment"], f"by: {summary['command']}"])
