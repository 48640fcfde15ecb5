"""Command line of the benchmark of exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.case import Case, add_idle, add_numbers, say
from benchmarks.data import SHAPES

from . import report
from .report import FORMATS, SYNC, Plan

if TYPE_CHECKING:
    import argparse

_USUAL = Plan()


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    only = [*options.format, *([SYNC] if options.sync else [])]
    plan = Plan(
        shapes=[options.shape] if options.shape else SHAPES,
        only=only or _USUAL.only,
        runs=options.runs,
        deployments=options.deployments,
        max_concurrency=options.max_concurrency,
        repeat=options.repeat,
        idle=options.idle,
        folder=options.folder,
    )
    return report.summary(plan, command, say)


def _add_options(parser: argparse.ArgumentParser) -> None:
    one_of = f"one of {', '.join(FORMATS)}; may be said again (default: all, and sync)"
    parser.add_argument("--format", action="append", choices=FORMATS, metavar="NAME", default=[], help=one_of)
    parser.add_argument("--sync", action="store_true", default=False, help="sync, once and once more")
    parser.add_argument("--shape", choices=SHAPES, default=None, help="generation of the service (default: both)")
    add_numbers(
        parser,
        ("runs", _USUAL.runs, "runs in all"),
        ("deployments", _USUAL.deployments, "deployments that share them"),
        ("max-concurrency", _USUAL.max_concurrency, "deployments at once"),
        ("repeat", _USUAL.repeat, "rounds in turn"),
    )
    add_idle(parser)
    parser.add_argument("--folder", help="where the files are made, and removed again (default: the system's place)")


CASE = Case(
    name="export",
    about="How fast whole run histories come into a file, how much memory that takes, and how late the event loop is "
    "meanwhile. The service is simulated in a process of its own, in real time; each export runs in a fresh process "
    "without pacing. Every file is read again by other means than the library's.",
    add_options=_add_options,
    summary=_summary,
    document=report.document,
    short=["--runs=50000", "--deployments=50"],
)
