"""`walk`: iterate over a long history, against other ways to do it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks import harness, noise
from benchmarks.case import Case, add_usual, positive, say, several
from benchmarks.choice import choose
from benchmarks.comparison import (
    SCATTER_HEAD,
    SCATTER_NOTE,
    above_half,
    add_ratios,
    scatter,
    share_of,
    standing,
    times,
)
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.document import Document, Table
from benchmarks.environment import environment
from benchmarks.server import Stock, serving

if TYPE_CHECKING:
    import argparse

    from benchmarks.data import Shape

REFERENCES = ("bare", "qca-sdk", "raw")


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_usual(parser, CONTENDERS, repeat=5)
    parser.add_argument("--page-size", type=several, default=[1000], metavar="N,N", help="runs a page (default: 1000)")
    parser.add_argument("--runs", type=positive, default=100_000, help="length of the history (default: 100000)")
    parser.add_argument("--slow-runs", type=positive, default=10_000, help="at most so many for a slow one")
    parser.add_argument("--compression", choices=["gzip"], help="the server sends its pages compressed")


def _summary(options: argparse.Namespace, command: str) -> dict[str, Any]:
    contenders = choose(options.contenders, tuple(CONTENDERS))
    walks = [_walk(options, contenders, shape, page_size) for shape in options.shape for page_size in options.page_size]
    return {"command": command, "environment": environment(), "rounds": options.repeat, "walks": walks}


def _walk(options: argparse.Namespace, contenders: list[Contender], shape: Shape, page_size: int) -> dict[str, Any]:
    lengths = {one.name: min(options.runs, options.slow_runs) if one.slow else options.runs for one in contenders}
    walks = sorted({page_size, *lengths.values()})
    stock = Stock(shape=shape, page_size=page_size, walks=walks, gzip=options.compression == "gzip")
    with serving(stock) as url:

        def told(contender: Contender, number: int) -> dict[str, Any]:
            return {"url": url, "runs": lengths[contender.name], "page_size": page_size, "check": number == 0}

        say(f"{shape} runs, {page_size:,} a page")
        series = harness.measure("walk", contenders, options.repeat, told, say)
    return {
        "shape": shape,
        "page_size": page_size,
        "compression": options.compression,
        "contenders": _standings(series, lengths),
        "noise": harness.noise(series),
    }


def _standings(series: list[harness.Series], lengths: dict[str, int]) -> list[dict[str, Any]]:
    standings = []
    for one in series:
        runs = lengths[one.contender.name]
        rates = [runs / seconds for seconds in one.values("seconds")]
        cpu = median(one.values("cpu_seconds")) / runs * 1e6
        standings.append({**standing(one, rates), "runs": runs, "cpu_us_per_run": cpu})
    add_ratios(standings, REFERENCES)
    return standings


def _document(summary: dict[str, Any]) -> Document:
    return Document(
        title=f"walk, {summary['rounds']} rounds in turn, each in a fresh process: runs a second (medians)",
        tables=[_table(walk) for walk in summary["walks"]],
        notes=[f"of raw: the share of what the server gives to a socket that decodes nothing; {SCATTER_NOTE}"],
        environment=summary["environment"],
        command=summary["command"],
    )


def _table(walk: dict[str, Any]) -> Table:
    head = ["contender", "runs", "runs/s", "x bare", "x qca-sdk", "of raw", *SCATTER_HEAD, "client CPU"]
    rows = [head] + [
        [
            one["name"],
            f"{one['runs']:,}",
            f"{one['median']:,.0f}",
            times(one, "bare"),
            times(one, "qca-sdk"),
            share_of(one, "raw"),
            *scatter(one),
            f"{one['cpu_us_per_run']:.2f} us/run",
        ]
        for one in walk["contenders"]
    ]
    compressed = ", gzip (which raw unpacks, too)" if walk["compression"] else ""
    return Table(
        title=f"{walk['shape']} runs, {walk['page_size']:,} a page{compressed}",
        rows=rows,
        notes=[above_half(walk["contenders"]), noise.line(walk["noise"])],
    )


_KNOWN = "; ".join(f"{one.name}: {one.what}" for one in CONTENDERS.values())

CASE = Case(
    name="walk",
    about="Iterate over a long history, against other ways to do it. Each contender runs in a fresh process against a "
    "server in another; its clock starts after the imports and one warm-up page. Every walk must count every run, and "
    f"in the first round one more walk, untimed, must find every id once. {_KNOWN}.",
    add_options=_add_options,
    summary=_summary,
    document=_document,
    short=["--runs=20000", "--slow-runs=2000", "--repeat=3", "--shape=extended,lean", "--page-size=100,1000"],
)
