"""Figures as people and programs read them."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .harness import Plan, Series

REFERENCES = ("bare", "qca-sdk")
_LIBRARIES = ("aiohttp", "msgspec", "orjson", "qca-sdk")


def summary(plan: Plan, series: Sequence[Series], command: str) -> dict[str, Any]:
    """Everything measured, ready for JSON."""
    medians = {one.contender.name: median(one.rates) for one in series}
    references = [name for name in REFERENCES if name in medians]
    return {
        "command": command,
        "environment": environment(),
        "shape": plan.shape,
        "page_size": plan.page_size,
        "rounds": plan.repeat,
        "contenders": [
            {
                "name": one.contender.name,
                "runs": one.runs,
                "runs_per_second": medians[one.contender.name],
                "min": min(one.rates),
                "max": max(one.rates),
                "cpu_us_per_run": median(one.cpu),
                "ratios": {name: medians[one.contender.name] / medians[name] for name in references},
                "rates": one.rates,
            }
            for one in series
        ],
    }


def table(summary: dict[str, Any]) -> str:
    """Lay a summary out as text."""
    header = ["contender", "runs", "median runs/s", "min - max", "spread", "client CPU"]
    header += [f"x {name}" for name in REFERENCES]
    rows = [header] + [
        [
            one["name"],
            f"{one['runs']:,}",
            f"{one['runs_per_second']:,.0f}",
            f"{one['min']:,.0f} - {one['max']:,.0f}",
            f"{(one['max'] - one['min']) / one['runs_per_second']:.0%}",
            f"{one['cpu_us_per_run']:.2f} us/run",
            *(f"{one['ratios'][name]:.2f}" if name in one["ratios"] else "-" for name in REFERENCES),
        ]
        for one in summary["contenders"]
    ]
    page_size, rounds = summary["page_size"], summary["rounds"]
    title = f"walk, {summary['shape']} runs, {page_size:,} a page, {rounds} rounds in turn"
    return "\n".join([title, "", *aligned(rows), "", summary["environment"], f"by: {summary['command']}"])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Pad the cells: the first column to the left, figures to the right; a rule under the first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def environment() -> str:
    """Say what the figures were measured with."""
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, {sys.platform} {platform.machine()}, {os.cpu_count()} cores; {', '.join(found)}"
