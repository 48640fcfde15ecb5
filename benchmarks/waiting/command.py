"""Command line of the benchmark of waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.case import Case, add_numbers, say, shapes
from benchmarks.data import SHAPES

from . import report
from .report import Plan

if TYPE_CHECKING:
    import argparse

_USUAL = Plan()


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    plan = Plan(
        shapes=options.shape,
        runs=options.runs,
        deployments=options.deployments,
        repeat=options.repeat,
        waiters=options.waiters,
    )
    return report.summary(plan, command, say)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shape", type=shapes, default=SHAPES, help=f"of {', '.join(SHAPES)} (default: both)")
    add_numbers(
        parser,
        ("runs", _USUAL.runs, "runs awaited together"),
        ("deployments", _USUAL.deployments, "whose runs they are"),
        ("repeat", _USUAL.repeat, "runs awaited alone, of each length; a quarter of it of an hour"),
    )
    parser.add_argument("--waiters", type=int, default=_USUAL.waiters, help="how many crowd on one client; 0: none")


CASE = Case(
    name="waiting",
    about="What it costs to wait for runs, and how late their ends are noticed, against a loop for each run. In "
    "virtual time, but for the crowd on one client.",
    add_options=_add_options,
    summary=_summary,
    document=report.document,
    short=["--runs=100", "--deployments=10", "--repeat=2", "--waiters=0"],
)
