"""`read` and `reads`: runs read by their ids, one after the other and many at once."""

from __future__ import annotations

from functools import partial
from operator import sub, truediv
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import harness, noise
from benchmarks.case import Case, add_usual, positive, say
from benchmarks.choice import choose
from benchmarks.comparison import (
    SCATTER_HEAD,
    SCATTER_NOTE,
    above_half,
    add_ratios,
    scatter,
    standing,
)
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.contenders.crowd import CONCURRENCY
from benchmarks.document import Document, Table
from benchmarks.environment import environment
from benchmarks.server import Stock, serving

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from benchmarks.data import Shape

_STOCK = 1000
"""Different runs that are read, again and again."""
_SLOW_PART = 5
"""A slow contender makes one call where the others make so many."""
_NAMES = tuple(name for name in CONTENDERS if name not in {"bare-json", "structs"})
_TITLES = {
    "read": "one run read after the other: microseconds a call (medians)",
    "reads": f"runs read, {CONCURRENCY} at once: microseconds a call (medians)",
}


def _add_options(parser: argparse.ArgumentParser, *, task: str, calls: int) -> None:
    add_usual(parser, _NAMES, repeat=5)
    parser.add_argument("--calls", type=positive, default=calls, help=f"of each {task} (default: {calls:,})")


def _summary(options: argparse.Namespace, command: str, *, task: str) -> dict[str, Any]:
    contenders = choose(options.contenders, _NAMES)
    found = [_of_shape(options, task, contenders, shape) for shape in options.shape]
    return {"command": command, "environment": environment(), "rounds": options.repeat, "task": task, "shapes": found}


def _of_shape(options: argparse.Namespace, task: str, contenders: list[Contender], shape: Shape) -> dict[str, Any]:
    # Where a crowd is what is measured, it is the same for all.
    part = max(1, options.calls // _SLOW_PART) if task == "read" else options.calls
    calls = {one.name: part if one.slow else options.calls for one in contenders}
    with serving(Stock(shape=shape, reads=_STOCK)) as url:

        def told(contender: Contender, _number: int) -> dict[str, Any]:
            return {"url": url, "calls": calls[contender.name], "stock": _STOCK}

        series = harness.measure(task, contenders, options.repeat, told, say)
    standings = []
    for one in series:
        count = calls[one.contender.name]
        each = [seconds / count * 1e6 for seconds in one.values("seconds")]
        cpu = median(one.values("cpu_seconds")) / count * 1e6
        standings.append({**standing(one, each), "calls": count, "cpu_us_per_call": cpu})
    _add_shares(standings)
    return {"shape": shape, "contenders": standings, "noise": harness.noise(series)}


def _add_shares(standings: Sequence[dict[str, Any]]) -> None:
    """Put the times in relation: to bare's, and as a part of raw's rate, which is the inverse of its time."""
    add_ratios(standings, ("bare", "qca-sdk", "raw"))
    values = {one["name"]: one["values"] for one in standings}
    for one in standings:
        if "raw" in values:
            one["ratios"]["raw"] = median(map(truediv, values["raw"], one["values"]))
        one["over_bare"] = median(map(sub, one["values"], values["bare"])) if "bare" in values else None


def _document(summary: dict[str, Any]) -> Document:
    title = f"{summary['task']}, {summary['rounds']} rounds in turn, each in a fresh process"
    return Document(
        title=title,
        tables=[_table(summary["task"], one) for one in summary["shapes"]],
        notes=[f"of raw: the share of the server's rate, as sockets that decode nothing meet it; {SCATTER_NOTE}"],
        environment=summary["environment"],
        command=summary["command"],
    )


def _table(task: str, found: dict[str, Any]) -> Table:
    head = ["contender", "calls", "us a call", "over bare", "x bare", "calls/s", "of raw", *SCATTER_HEAD, "client CPU"]
    rows = [head] + [
        [
            one["name"],
            f"{one['calls']:,}",
            f"{one['median']:,.1f}",
            "-" if one["over_bare"] is None else f"{one['over_bare']:+,.1f} us",
            f"{one['ratios']['bare']:.3g}" if "bare" in one["ratios"] else "-",
            f"{1e6 / one['median']:,.0f}",
            f"{one['ratios']['raw']:.0%}" if "raw" in one["ratios"] else "-",
            *scatter(one),
            f"{one['cpu_us_per_call']:,.1f} us",
        ]
        for one in found["contenders"]
    ]
    notes = [above_half(found["contenders"]), noise.line(found["noise"])]
    return Table(title=f"{found['shape']}, {_TITLES[task]}", rows=rows, notes=notes)


def _case(task: str, calls: int, about: str, short: Sequence[str]) -> Case:
    return Case(
        name=task,
        about=about,
        add_options=partial(_add_options, task=task, calls=calls),
        summary=partial(_summary, task=task),
        document=_document,
        short=short,
    )


READ = _case(
    "read",
    2000,
    "Read one run after the other, and see what a call costs beyond bare aiohttp. `bare` is session.get, read and "
    "orjson.loads; every run must be the one that was asked for.",
    ["--calls=500", "--repeat=3"],
)
READS = _case(
    "reads",
    5000,
    f"Read many runs, {CONCURRENCY} at once. `ours` gathers them all, max_connections={CONCURRENCY}; the others gather "
    "behind a semaphore; `raw` has as many connections, sends on all of them, and reads all answers.",
    ["--calls=1000", "--repeat=3"],
)
