"""`decode`: what making bytes into runs costs by itself."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import harness, noise
from benchmarks.case import Case, add_usual, positive, say
from benchmarks.choice import choose
from benchmarks.comparison import SCATTER_HEAD, SCATTER_NOTE, add_ratios, scatter, standing, times
from benchmarks.data import SHAPES
from benchmarks.decoders import DECODERS
from benchmarks.document import Document, Table
from benchmarks.environment import environment

if TYPE_CHECKING:
    import argparse

    from benchmarks.contenders import Contender
    from benchmarks.data import Shape

REFERENCES = ("orjson", "structs", "qca-sdk")


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_usual(parser, DECODERS, repeat=5, shape=SHAPES)
    parser.add_argument("--runs", type=positive, default=1000, help="runs in the page (default: 1000)")
    parser.add_argument("--pages", type=positive, default=50, help="how often it is decoded (default: 50)")
    parser.add_argument("--slow-pages", type=positive, default=5, help="at most so often by a slow one (default: 5)")


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    contenders = choose(options.contenders, tuple(DECODERS), DECODERS)
    found = [_of_shape(options, contenders, shape) for shape in options.shape]
    settings = {"rounds": options.repeat, "runs": options.runs}
    return {"command": command, "environment": environment(), **settings, "shapes": found}


def _of_shape(options: argparse.Namespace, contenders: list[Contender], shape: Shape) -> dict[str, Any]:
    pages = {one.name: min(options.pages, options.slow_pages) if one.slow else options.pages for one in contenders}

    def told(contender: Contender, _number: int) -> dict[str, Any]:
        return {"shape": shape, "runs": options.runs, "pages": pages[contender.name]}

    series = harness.measure("decode", contenders, options.repeat, told, say)
    standings = []
    for one in series:
        count = pages[one.contender.name] * options.runs
        each = [seconds / count * 1e6 for seconds in one.values("seconds")]
        cpu = median(one.values("cpu_seconds")) / count * 1e6
        standings.append({**standing(one, each), "pages": pages[one.contender.name], "cpu_us_per_run": cpu})
    add_ratios(standings, REFERENCES)
    return {"shape": shape, "contenders": standings, "noise": harness.noise(series)}


def _document(summary: dict[str, Any]) -> Document:
    return Document(
        title=(
            f"decode, a page of {summary['runs']:,} runs, no wire, {summary['rounds']} rounds in turn, each in a fresh "
            "process: microseconds a run (medians)"
        ),
        tables=[_table(found) for found in summary["shapes"]],
        notes=[SCATTER_NOTE],
        environment=summary["environment"],
        command=summary["command"],
    )


def _table(found: dict[str, Any]) -> Table:
    head = ["decoder", "pages", "us a run", "x orjson", "x structs", "x qca-sdk", *SCATTER_HEAD]
    rows = [head] + [
        [
            one["name"],
            f"{one['pages']:,}",
            f"{one['median']:,.2f}",
            *(times(one, name) for name in REFERENCES),
            *scatter(one),
        ]
        for one in found["contenders"]
    ]
    return Table(title=f"{found['shape']} runs", rows=rows, notes=[noise.line(found["noise"])])


_KNOWN = "; ".join(f"{one.name}: {one.what}" for one in DECODERS.values())

CASE = Case(
    name="decode",
    about=f"What making bytes into runs costs by itself, without a wire. {_KNOWN}.",
    add_options=_add_options,
    summary=_summary,
    document=_document,
    short=["--pages=20", "--slow-pages=2", "--repeat=3"],
)
