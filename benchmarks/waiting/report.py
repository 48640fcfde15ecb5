"""The experiments, one after another, and their figures as people and programs read them.

The peer is a loop for each run. apify-client, which waits for runs of another service (`run(…).wait_for_finish()`), is
left out: it asks that service to hold the request until the run has ended (`waitForFinish=999999`), and sleeps for a
quarter of a second between two such requests. Against a service that cannot hold a request, as this one, that would
count four requests a second for each run, which is not how its users meet it; against one that can, it would count
requests that this service does not answer. Its transport takes no clock either, so that it could not wait in virtual
time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.data import SHAPES, Shape
from benchmarks.document import Document, Table
from benchmarks.environment import environment

from . import crowd, experiments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HOUR = 3600.0
_WAYS = ("library", "loops")


@attrs.frozen
class Plan:
    """What to measure.

    Attributes:
        shapes: The generations of the service.
        runs: How many runs are awaited together.
        deployments: Over how many deployments.
        repeat: How many runs are awaited alone, for each duration; a quarter of it for an hour.
        waiters: How many waiters crowd on one client; 0 to leave that out.
    """

    shapes: Sequence[Shape] = SHAPES
    runs: int = 1000
    deployments: int = 50
    repeat: int = 20
    waiters: int = 10_000


def summary(plan: Plan, command: str, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure everything, ready for JSON."""
    alone, block, arrivals, crowds = [], [], [], []
    for shape in plan.shapes:
        for duration in experiments.ALONE:
            progress(f"{shape}: one run of {duration:g} s alone")
            repeat = plan.repeat if duration < _HOUR else max(1, plan.repeat // 4)
            alone.append(asyncio.run(experiments.alone(shape, duration, repeat)))
        progress(f"{shape}: {plan.runs} runs in one block")
        block.append(asyncio.run(experiments.block(shape, plan.runs, plan.deployments)))
        progress(f"{shape}: {plan.runs} runs as they come")
        arrivals.append(asyncio.run(experiments.arrivals(shape, plan.runs, plan.deployments)))
        if plan.waiters:
            progress(f"{shape}: {plan.waiters} waiters")
            crowds.append(crowd.measure(shape, plan.waiters))
    return {
        "command": command,
        "environment": environment(),
        "deployments": plan.deployments,
        "alone": alone,
        "block": block,
        "arrivals": arrivals,
        "crowd": crowds,
    }


def document(summary: dict[str, Any]) -> Document:
    """Lay a summary out."""
    over = f"runs of 5 s to 10 min over {summary['deployments']} deployments"
    parts = [
        (f"{over}, begun at once, awaited in one block", _compared(summary["block"])),
        (f"{over}, begun within 10 min, each awaited by itself", _compared(summary["arrivals"])),
        ("a run awaited alone (requests for each run)", _alone(summary["alone"])),
        ("waiters on one client in real time, runs of 30 to 60 s of one deployment", _crowds(summary["crowd"])),
    ]
    return Document(
        title="waiting: the library, and as its peer a loop for each run at the same cadence",
        tables=[Table(title=title, rows=rows) for title, rows in parts if len(rows) > 1],
        environment=summary["environment"],
        command=summary["command"],
    )


def _compared(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    head = ["shape", "runs", "requests", "of loops", "ratio", "delay p50 / p95", "of loops"]
    return [head] + [
        [
            one["shape"],
            f"{one['runs']:,}",
            *(f"{one[way]['requests']:,}" for way in _WAYS),
            f"{one['ratio']:.1%}",
            *(_delays(one[way]) for way in _WAYS),
        ]
        for one in results
    ]


def _alone(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    head = ["shape", "run takes", "requests", "of a loop", "delay p50 / p95", "of a loop"]
    return [head] + [
        [
            one["shape"],
            f"{one['duration']:,.0f} s",
            *(f"{one[way]['requests'] / one['runs']:.1f}" for way in _WAYS),
            *(_delays(one[way]) for way in _WAYS),
        ]
        for one in results
    ]


def _crowds(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    head = ["shape", "waiters", "requests", "client CPU", "took", "loop lag p50 / p99 / max"]
    return [head] + [
        [
            one["shape"],
            f"{one['runs']:,}",
            f"{one['requests']:,}",
            f"{one['cpu_seconds']:.1f} s",
            f"{one['seconds']:.0f} s",
            " / ".join(f"{one[f'loop_lag_{which}'] * 1000:.0f}" for which in ("p50", "p99", "max")) + " ms",
        ]
        for one in results
    ]


def _delays(way: dict[str, float]) -> str:
    return f"{way['delay_p50']:.1f} / {way['delay_p95']:.1f} s"
