"""Command line of the benchmark of many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.case import Case, add_numbers, say, several
from benchmarks.data import SHAPES

from . import report
from .report import EXPERIMENTS, Plan
from .worlds import SPREADS

if TYPE_CHECKING:
    import argparse

_USUAL = Plan()
_NAMES = {field.name for field in attrs.fields(Plan)} - {"shapes", "latency"}


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    given = {name: value for name, value in vars(options).items() if name in _NAMES and value is not None}
    shapes = [options.shape] if options.shape else SHAPES
    return report.summary(Plan(shapes=shapes, latency=options.latency_ms / 1000, **given), command, say)


def _add_options(parser: argparse.ArgumentParser) -> None:
    one_of = f"one of {', '.join(EXPERIMENTS)}; may be said again (default: all)"
    parser.add_argument("--only", action="append", choices=EXPERIMENTS, metavar="NAME", help=one_of, default=None)
    parser.add_argument("--shape", choices=SHAPES, default=None, help="generation of the service (default: both)")
    spreads = f"history: how its runs lie in time, {', '.join(SPREADS)}; may be said again (default: all)"
    parser.add_argument("--spread", dest="spreads", action="append", choices=SPREADS, metavar="NAME", help=spreads)
    parser.add_argument(
        "--latency-ms", type=float, default=_USUAL.latency * 1000, help="fan-out, history (default: 50)"
    )
    add_numbers(
        parser,
        ("repeat", _USUAL.repeat, "rounds where times are compared"),
        ("deployments", _USUAL.deployments, "fan-out: how many, three pages each"),
        ("max-concurrency", _USUAL.max_concurrency, "fan-out, many-empty: deployments at once"),
        ("in-turn", _USUAL.in_turn, "fan-out: one in so many is gone through one after the other"),
        ("pages", _USUAL.pages, "history: how long it is, in pages of 100"),
        ("slices", _USUAL.slices, "history: windows at once"),
        ("many", _USUAL.many, "many-empty: deployments"),
        ("one-in", _USUAL.one_in, "many-empty: one in so many has runs"),
        ("guarded", _USUAL.guarded, "gateway: deployments"),
        ("rate", _USUAL.rate, "gateway: requests a second"),
    )
    for name, values, text in (
        ("page-sizes", _USUAL.page_sizes, "fan-out: runs a page"),
        ("crowds", _USUAL.crowds, "gateway: deployments at once"),
    ):
        usual = ",".join(map(str, values))
        parser.add_argument(f"--{name}", type=several, metavar="N,N", default=values, help=f"{text} (default: {usual})")


CASE = Case(
    name="many",
    about="Very many deployments, and one very long history. fan-out: many deployments, against a gather of collect() "
    "and against one after the other. history: one long history as windows in parallel, against the plain walk. "
    "many-empty: the memory that very many deployments take. gateway: a service that resets what comes too fast. The "
    "service is simulated in a process of its own, in real time; each client runs in a fresh process, and its clock "
    "starts after the imports and a warm-up. Every way must find every run; in the first round it goes once more, "
    "untimed, to see that each comes once.",
    add_options=_add_options,
    summary=_summary,
    document=report.document,
    short=(
        *("--repeat=1", "--deployments=200", "--page-sizes=100", "--pages=40", "--spread=even", "--many=10000"),
        *("--guarded=60", "--crowds=16"),
    ),
)
