"""The experiments, one after another, and their figures as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.data import SHAPES, Shape
from benchmarks.document import Document, Table
from benchmarks.environment import environment
from benchmarks.noise import Listener, line

from . import experiments
from .worlds import SPREAD_TEXTS, SPREADS, Spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXPERIMENTS = ("fan-out", "history", "many-empty", "gateway")
_EMPTY_RUNS = 5
"""Runs of a deployment that is not empty, where most are."""
_WAY_TEXTS = {"fan_out": "runs.fan_out", "gathered": "gather of collect()", "in_turn": "one after the other"}
_MIB = 1 << 20


@attrs.frozen(kw_only=True)
class Plan:
    """What to measure.

    Attributes:
        only: The names of the experiments.
        shapes: The generations of the service.
        repeat: How many rounds where times are compared.
        latency: Seconds that an answer takes at least, in ``fan-out`` and ``history``.
        deployments: How many are fanned out over, three pages each.
        page_sizes: Runs a page, for each of which ``fan-out`` is measured.
        max_concurrency: How many deployments at once, in ``fan-out`` and ``many-empty``.
        in_turn: One in so many is gone through one after the other.
        pages: How long the history is, in pages of 100.
        slices: How many windows of it are fetched at once.
        spreads: How its runs lie in time, for each of which ``history`` is measured.
        many: How many deployments there are of which most are empty.
        one_in: One in so many of them is not.
        guarded: How many deployments lie behind the gateway.
        rate: How many requests a second it lets through.
        crowds: With how many deployments at once it is met.
    """

    only: Sequence[str] = EXPERIMENTS
    shapes: Sequence[Shape] = SHAPES
    repeat: int = 3
    latency: float = 0.05
    deployments: int = 1000
    page_sizes: Sequence[int] = (100, 10)
    max_concurrency: int = 64
    in_turn: int = 20
    pages: int = 100
    slices: int = 8
    spreads: Sequence[Spread] = SPREADS
    many: int = 100_000
    one_in: int = 20
    guarded: int = 500
    rate: int = 20
    crowds: Sequence[int] = (16, 500)


def summary(plan: Plan, command: str, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure what was asked for, ready for JSON."""
    measures = {"fan-out": _fan_out, "history": _history, "many-empty": _many_empty, "gateway": _gateway}
    listener = Listener(progress)
    found = {name: measures[name](plan, listener) for name in EXPERIMENTS if name in plan.only}
    return {
        "command": command,
        "environment": environment(),
        "rounds": plan.repeat,
        "experiments": found,
        "noise": listener.figures(),
    }


def _fan_out(plan: Plan, say: Callable[[str], None]) -> list[dict[str, Any]]:
    return [
        experiments.fan_out(
            shape,
            deployments=plan.deployments,
            page_size=page_size,
            max_concurrency=plan.max_concurrency,
            latency=plan.latency,
            one_in=plan.in_turn,
            repeat=plan.repeat,
            say=say,
        )
        for shape in plan.shapes
        for page_size in plan.page_sizes
    ]


def _history(plan: Plan, say: Callable[[str], None]) -> list[dict[str, Any]]:
    return [
        experiments.history(
            shape,
            spread=spread,
            pages=plan.pages,
            page_size=100,
            slices=plan.slices,
            latency=plan.latency,
            repeat=plan.repeat,
            say=say,
        )
        for shape in plan.shapes
        for spread in plan.spreads
    ]


def _many_empty(plan: Plan, say: Callable[[str], None]) -> list[dict[str, Any]]:
    return [
        experiments.many_empty(
            shape,
            deployments=plan.many,
            one_in=plan.one_in,
            runs=_EMPTY_RUNS,
            max_concurrency=plan.max_concurrency,
            say=say,
        )
        for shape in plan.shapes
    ]


def _gateway(plan: Plan, say: Callable[[str], None]) -> list[dict[str, Any]]:
    return [
        experiments.gateway(shape, deployments=plan.guarded, rate=plan.rate, max_concurrency=crowd, say=say)
        for shape in plan.shapes
        for crowd in plan.crowds
    ]


def document(summary: dict[str, Any]) -> Document:
    """Lay a summary out."""
    tables = {
        "fan-out": _fan_out_table,
        "history": _history_table,
        "many-empty": _empty_table,
        "gateway": _gateway_table,
    }
    rounds = f"fan-out (but one after the other) and history: medians of {summary['rounds']} rounds in turn"
    laid_out = []
    for name, results in summary["experiments"].items():
        title, rows, note = tables[name](results)
        laid_out.append(Table(title=f"{name}: {title}", rows=rows, notes=[note]))
    return Document(
        title=f"many at once, each client in a fresh process; {rounds}",
        tables=laid_out,
        notes=[line(summary["noise"])],
        environment=summary["environment"],
        command=summary["command"],
    )


def _fan_out_table(results: Sequence[dict[str, Any]]) -> tuple[str, list[list[str]], str]:
    one = results[0]
    title = (
        f"{one['deployments']:,} deployments of 3 pages, {one['latency'] * 1000:g} ms an answer, "
        f"{one['max_concurrency']} at once, pace=None"
    )
    rows = [["shape", "a page", "way", "took", "min - max", "x ideal", "client CPU", "CPU/request", "runs/s"]]
    for one in results:
        for way, figures in one["ways"].items():
            rows.append(
                [
                    one["shape"],
                    str(one["page_size"]),
                    _WAY_TEXTS[way] + (f", 1 in {figures['scale']:g}, scaled" if figures["scale"] > 1 else ""),
                    f"{figures['seconds']:.2f} s",
                    f"{figures['min']:.2f} - {figures['max']:.2f}",
                    f"{figures['ratio']:.2f}",
                    f"{figures['cpu_seconds']:.2f} s",
                    f"{figures['cpu_seconds'] / one['requests'] * 1e6:,.0f} us",
                    f"{figures['runs'] * figures['scale'] / figures['seconds']:,.0f}",
                ]
            )
    slowest = min(one["service_answers_per_second"] for one in results)
    need = max(one["requests"] / one["ideal"] for one in results)
    note = (
        f"ideal: {results[0]['requests']:,} requests / {results[0]['max_concurrency']} x the latency = "
        f"{results[0]['ideal']:.2f} s, {need:,.0f} requests/s; the service can answer {slowest:,.0f}/s"
        f"{', so that it is the limit' if slowest < need else ''}"
    )
    return title, rows, note


def _history_table(results: Sequence[dict[str, Any]]) -> tuple[str, list[list[str]], str]:
    one = results[0]
    title = (
        f"one deployment of {one['runs']:,} runs, {one['page_size']} a page, {one['latency'] * 1000:g} ms an answer, "
        f"{one['slices']} slices, pace=None"
    )
    head = ["shape", "runs", "runs.list", "requests", "runs.history", "min - max", "requests", "faster", "client CPU"]
    rows = [head]
    for one in results:
        plain, sliced = one["ways"]["in_turn"], one["ways"]["history"]
        rows.append(
            [
                one["shape"],
                one["spread"],
                f"{plain['seconds']:.2f} s",
                f"{plain['requests']:,.0f}",
                f"{sliced['seconds']:.2f} s",
                f"{sliced['min']:.2f} - {sliced['max']:.2f}",
                f"{sliced['requests']:,.0f}",
                f"{one['times_faster']:.1f} x",
                f"{plain['cpu_seconds']:.2f} / {sliced['cpu_seconds']:.2f} s",
            ]
        )
    spreads = dict.fromkeys(one["spread"] for one in results)
    return title, rows, "; ".join(f"{spread}: {SPREAD_TEXTS[spread]}" for spread in spreads)


def _empty_table(results: Sequence[dict[str, Any]]) -> tuple[str, list[list[str]], str]:
    one = results[0]
    title = (
        f"{one['deployments']:,} deployments, one in {one['one_in']} with {_EMPTY_RUNS} runs, listed on the way, "
        f"{one['max_concurrency']} at once, no latency"
    )
    head = ["shape", "took", "deployments/s", "requests", "client CPU", "memory before", "most", "growth", "after"]
    rows = [head] + [
        [
            one["shape"],
            f"{one['seconds']:.1f} s",
            f"{one['deployments_per_second']:,.0f}",
            f"{one['requests']:,}",
            f"{one['cpu_seconds']:.1f} s",
            *(f"{size / _MIB:.1f} MiB" for size in (one["memory"]["before"], one["memory"]["most"], one["growth"])),
            f"{one['memory']['after'] / _MIB:.1f} MiB",
        ]
        for one in results
    ]
    return title, rows, "memory: what is resident of the client; before: after a warm-up with one in 100 deployments"


def _gateway_table(results: Sequence[dict[str, Any]]) -> tuple[str, list[list[str]], str]:
    one = results[0]
    title = (
        f"{one['deployments']:,} deployments of one page, {one['rate']} requests a second let through in a strict "
        "window, the others reset; default pace"
    )
    head = ["shape", "at once", "took", "x ideal", "requests", "refused", "share", "after 1 s", "failures"]
    rows = [head] + [
        [
            one["shape"],
            f"{one['max_concurrency']:,}",
            f"{one['seconds']:.1f} s",
            f"{one['ratio']:.2f}",
            f"{one['requests']:,}",
            f"{one['refused']:,}",
            f"{one['refused_share']:.1%}",
            f"{one['later_refused_share']:.1%}",
            f"{one['failures']:,}",
        ]
        for one in results
    ]
    return title, rows, f"ideal: {one['deployments']:,} requests / {one['rate']} a second = {one['ideal']:.1f} s"
