"""Command line of the benchmark of exports."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from benchmarks.data import SHAPES

from .report import FORMATS, SYNC, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

_USUAL = Plan()


def read(arguments: Sequence[str]) -> tuple[Plan, bool]:
    """Read what to measure, and whether JSON is wanted."""
    options = vars(_parser().parse_args(arguments))
    as_json, shape = options.pop("json"), options.pop("shape")
    only = [*options.pop("format"), *([SYNC] if options.pop("sync") else [])]
    return Plan(shapes=[shape] if shape else SHAPES, only=only or _USUAL.only, **options), as_json


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks export",
        description="How fast whole run histories come into a file, how much memory that takes, and how late the "
        "event loop is meanwhile.",
        epilog="The service is simulated in a process of its own, in real time; each export runs in a fresh process "
        "without pacing. Every file is read again by other means than the library's.",
        argument_default=argparse.SUPPRESS,
    )
    one_of = f"one of {', '.join(FORMATS)}; may be said again (default: all, and sync)"
    parser.add_argument("--format", action="append", choices=FORMATS, metavar="NAME", default=[], help=one_of)
    parser.add_argument("--sync", action="store_true", default=False, help="sync, once and once more")
    parser.add_argument("--shape", choices=SHAPES, default=None, help="generation of the service (default: both)")
    for name, value, text in (
        ("runs", _USUAL.runs, "runs in all"),
        ("deployments", _USUAL.deployments, "deployments that share them"),
        ("max-concurrency", _USUAL.max_concurrency, "deployments at once"),
    ):
        parser.add_argument(f"--{name}", type=_positive, metavar="N", help=f"{text} (default: {value:,})")
    parser.add_argument("--folder", help="where the files are made, and removed again (default: the system's place)")
    parser.add_argument("--json", action="store_true", default=False, help="print JSON")
    return parser


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
