"""`stall`: how late the event loop is while a long history is walked."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import noise
from benchmarks.case import Case, add_idle
from benchmarks.document import Document, Table

from . import long_walks

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness import Series

_PLACES = ("p50", "p99", "max")


def _standing(one: Series, _runs: int) -> dict[str, Any]:
    passes = [seconds * 1000 for seconds in one.values("longest_pass")]
    figures = {kind: _medians(one, kind) for kind in ("late", "own", "resting")}
    return {**figures, "longest_pass": median(passes), "longest_passes": passes, "spread": noise.spread(passes)}


def _medians(one: Series, kind: str) -> dict[str, float]:
    return {place: median(each[kind][place] for each in one.rounds) for place in _PLACES}


def _add_options(parser: argparse.ArgumentParser) -> None:
    long_walks.add_options(parser, repeat=3)
    add_idle(parser)


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    return long_walks.summary(options, command, task="stall", more={"idle": options.idle}, standing=_standing)


def _document(summary: dict[str, Any]) -> Document:
    note = (
        "late: ms by which the loop came late to what was due every 5 ms; own: the part of that in which the loop's "
        "thread was working; idle: the lateness of an idle loop; longest pass: ms of thread time between two looks of "
        "the loop at its sockets, the longest of a walk, with its spread over the rounds"
    )
    return Document(
        title=long_walks.title("stall: how late the loop is while a history is walked (medians)", summary),
        tables=[_table(found) for found in summary["shapes"]],
        notes=[note],
        environment=summary["environment"],
        command=summary["command"],
    )


def _table(found: dict[str, Any]) -> Table:
    rows = [["contender", "runs", "late p50", "p99", "max", "own p99", "longest pass", "spread", "idle p99"]] + [
        [
            one["name"],
            f"{one['runs']:,}",
            *(f"{one['late'][place]:.1f} ms" for place in _PLACES),
            f"{one['own']['p99']:.1f} ms",
            f"{one['longest_pass']:.1f} ms",
            f"{one['spread']:.0%}",
            f"{one['resting']['p99']:.1f} ms",
        ]
        for one in found["contenders"]
    ]
    return Table(title=f"{found['shape']} runs", rows=rows, notes=[noise.line(found["noise"])])


CASE = Case(
    name="stall",
    about="How late the event loop is while a long history is walked, and how long it is kept at most in one pass.",
    add_options=_add_options,
    summary=_summary,
    document=_document,
    short=["--runs=200000", "--slow-runs=5000", "--repeat=2"],
)
