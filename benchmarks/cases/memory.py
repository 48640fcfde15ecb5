"""`memory`: what a walk through a very long history takes that keeps nothing of it."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import noise
from benchmarks.case import Case
from benchmarks.document import Document, Table

from . import long_walks

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Series

_MIB = 1 << 20
_LEAST_PAGES = 20
"""A shorter walk is all warm-up: nothing follows from it for a longer one."""


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    standing = partial(_standing, whole=options.runs, page_size=options.page_size)
    return long_walks.summary(options, command, task="memory", more={}, standing=standing)


def _standing(one: Series, runs: int, *, whole: int, page_size: int) -> dict[str, Any]:
    quarters = [int(median(each["quarters"][place] for each in one.rounds)) for place in range(4)]
    growths = one.values("growth")
    growth = median(growths)
    return {
        "before": int(median(one.values("before"))),
        "quarters": quarters,
        "growth": growth,
        "growth_min": min(growths),
        "growth_max": max(growths),
        "for_whole": growth if runs >= whole else _extrapolated(growth, quarters, runs, whole, page_size),
        "is_extrapolated": runs < whole,
    }


def _extrapolated(growth: float, quarters: list[int], runs: int, whole: int, page_size: int) -> float | None:
    """Say what a shorter walk would take that goes on to grow as in its second half."""
    if runs < _LEAST_PAGES * page_size:
        return None
    return growth + max(0, quarters[3] - quarters[1]) / (runs / 2) * (whole - runs)


def _document(summary: dict[str, Any]) -> Document:
    return Document(
        title=long_walks.title("memory: what is resident while a history is walked and nothing kept", summary),
        tables=[_table(summary["runs"], found) for found in summary["shapes"]],
        notes=["before: after three pages; by quarters: the most in each quarter of the time (medians)"],
        environment=summary["environment"],
        command=summary["command"],
    )


def _table(runs: int, found: dict[str, Any]) -> Table:
    standings = found["contenders"]
    goal = f"for {runs:,}"
    rows = [["contender", "runs", "before", "by quarters", "growth", "min - max", goal]] + [
        [
            one["name"],
            f"{one['runs']:,}",
            _mib(one["before"]),
            " ".join(f"{size / _MIB:.1f}" for size in one["quarters"]),
            _mib(one["growth"]),
            f"{one['growth_min'] / _MIB:.1f} - {one['growth_max'] / _MIB:.1f}",
            ("-" if one["for_whole"] is None else _mib(one["for_whole"])) + (" *" if one["is_extrapolated"] else ""),
        ]
        for one in standings
    ]
    notes = [noise.line(found["noise"])]
    if short := long_walks.names(standings, lambda one: one["is_extrapolated"]):
        notes.append(
            f"*: {short} walked less; extrapolated as if it went on to grow as in the second half of its "
            f"walk (-: a walk of less than {_LEAST_PAGES} pages says nothing)"
        )
    return Table(title=f"{found['shape']} runs, MiB", rows=rows, notes=notes)


def _mib(size: float) -> str:
    return f"{size / _MIB:.1f} MiB"


CASE = Case(
    name="memory",
    about="How much memory a walk through a very long history takes that keeps nothing of it. The server makes the "
    "pages on the way, every id different.",
    add_options=partial(long_walks.add_options, repeat=3),
    summary=_summary,
    document=_document,
    short=["--runs=200000", "--slow-runs=20000", "--repeat=1"],
)
