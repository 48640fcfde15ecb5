"""Command line of the benchmark of many at once."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from benchmarks.data import SHAPES

from .report import EXPERIMENTS, Plan
from .worlds import SPREADS

if TYPE_CHECKING:
    from collections.abc import Sequence

_USUAL = Plan()


def read(arguments: Sequence[str]) -> tuple[Plan, bool]:
    """Read what to measure, and whether JSON is wanted."""
    options = vars(_parser().parse_args(arguments))
    as_json = options.pop("json")
    shape, milliseconds = options.pop("shape"), options.pop("latency_ms")
    shapes = [shape] if shape else SHAPES
    return Plan(shapes=shapes, latency=milliseconds / 1000, **options), as_json


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks many",
        description="fan-out: many deployments, against a gather of collect() and against one after the other. "
        "history: one long history as windows in parallel, against the plain walk. many-empty: the memory that very "
        "many deployments take. gateway: a service that resets what comes too fast.",
        epilog="The service is simulated in a process of its own, in real time; each client runs in a fresh process, "
        "and its clock starts after the imports and a warm-up. Every way must find every run; in the first round it "
        "goes once more, untimed, to see that each comes once.",
        argument_default=argparse.SUPPRESS,
    )
    one_of = f"one of {', '.join(EXPERIMENTS)}; may be said again (default: all)"
    parser.add_argument("--only", action="append", choices=EXPERIMENTS, metavar="NAME", help=one_of)
    parser.add_argument("--shape", choices=SHAPES, default=None, help="generation of the service (default: both)")
    spreads = f"history: how its runs lie in time, {', '.join(SPREADS)}; may be said again (default: all)"
    parser.add_argument("--spread", dest="spreads", action="append", choices=SPREADS, metavar="NAME", help=spreads)
    parser.add_argument(
        "--latency-ms", type=float, default=_USUAL.latency * 1000, help="fan-out, history (default: 50)"
    )
    for name, value, text in (
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
    ):
        parser.add_argument(f"--{name}", type=_positive, metavar="N", help=f"{text} (default: {value:,})")
    for name, values, text in (
        ("page-sizes", _USUAL.page_sizes, "fan-out: runs a page"),
        ("crowds", _USUAL.crowds, "gateway: deployments at once"),
    ):
        usual = ",".join(map(str, values))
        parser.add_argument(f"--{name}", type=_several, metavar="N,N", help=f"{text} (default: {usual})")
    parser.add_argument("--json", action="store_true", default=False, help="print JSON")
    return parser


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _several(text: str) -> list[int]:
    return [_positive(one) for one in text.split(",")]
