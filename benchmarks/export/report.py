"""The exports and the syncs, one after another, and their figures as people and programs read them."""

from __future__ import annotations

import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.data import SHAPES, Shape
from benchmarks.document import Document, Table
from benchmarks.environment import environment
from benchmarks.many.load import answers_per_second
from benchmarks.many.service import Service, serving
from benchmarks.many.worlds import World
from benchmarks.noise import Listener, line

from . import client
from .client import Job
from .counting import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FORMATS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "parquet", "sqlite")
SYNC = "sync"
_NEEDS = {"jsonl.zst": "zstandard", "parquet": "pyarrow"}
_PAGE_SIZES: dict[Shape, int] = {"extended": 1000, "lean": 100}
_PROBES = 200
"""How many answers are waited for to see how fast the service is, thrice: it has to warm up."""
_MIB = 1 << 20


@attrs.frozen(kw_only=True)
class Plan:
    """What to measure.

    Attributes:
        only: The formats, and ``sync``.
        shapes: The generations of the service.
        runs: How many runs there are in all.
        deployments: How many deployments share them.
        max_concurrency: How many deployments are fetched at once.
        repeat: How many rounds of all of them.
        idle: Seconds for which each loop is watched before it has anything to do.
        folder: Where the files are made, and removed again; ``None`` for the system's own place.
    """

    only: Sequence[str] = (*FORMATS, SYNC)
    shapes: Sequence[Shape] = SHAPES
    runs: int = 1_000_000
    deployments: int = 500
    max_concurrency: int = 8
    repeat: int = 1
    idle: float = 0.5
    folder: str | None = None


def summary(plan: Plan, command: str, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure what was asked for, ready for JSON."""
    say = Listener(progress)
    found = [{"shape": shape, "page_size": _PAGE_SIZES[shape], **_of_shape(plan, shape, say)} for shape in plan.shapes]
    return {
        "command": command,
        "environment": environment("pyarrow", "zstandard"),
        "rounds": plan.repeat,
        "deployments": plan.deployments,
        "max_concurrency": plan.max_concurrency,
        "services": found,
        "noise": say.figures(),
    }


def _of_shape(plan: Plan, shape: Shape, say: Callable[[str], None]) -> dict[str, Any]:
    runs = max(1, plan.runs // plan.deployments)
    world = World(shape=shape, deployments=plan.deployments, runs=runs)
    say(f"{shape}: a service of {world.all_runs:,} runs of {plan.deployments:,} deployments starts")
    with serving(world) as service, tempfile.TemporaryDirectory(dir=plan.folder) as folder:
        probe = partial(answers_per_second, service, _PROBES, 2 * plan.max_concurrency, _PAGE_SIZES[shape])
        answers = max(probe() for _ in range(3))
        rounds: dict[str, list[dict[str, Any]]] = {}
        for _ in range(plan.repeat):
            for what, job in _jobs(plan, world, service, Path(folder), say):
                figures = client.run(job)
                rounds.setdefault(what, []).append(figures)
                say(_in_short(figures))
    measured = [{"what": what, **_middle(each)} for what, each in rounds.items()]
    return {"runs": world.all_runs, "service_answers_per_second": answers, "jobs": measured}


def _middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the round whose time is the median, and how many rows a second all of them had."""
    ordered = sorted(rounds, key=lambda one: one["seconds"]["whole"])
    return {**ordered[len(ordered) // 2], "rates": [_rate(one) for one in rounds]}


def _rate(one: dict[str, Any]) -> float:
    rate: float = one["rows"] / one["seconds"]["whole"]
    return rate


def _jobs(
    plan: Plan, world: World, service: Service, folder: Path, say: Callable[[str], None]
) -> Iterator[tuple[str, Job]]:
    """Give one job after another; when the next is asked for, the file of the last is checked and removed."""
    for name in plan.only:
        if name in _NEEDS and find_spec(_NEEDS[name]) is None:
            say(f"left out: {name} (needs the module {_NEEDS[name]}, which is not installed)")
            continue
        target = folder / ("runs.db" if name == SYNC else f"runs.{name}")
        for what in ("sync, first", "sync, nothing new") if name == SYNC else (name,):
            say(f"{world.shape}: {what}")
            job = Job(
                url=service.url,
                target=str(target),
                format=None if name == SYNC else name,
                runs=world.all_runs,
                max_concurrency=plan.max_concurrency,
                idle=plan.idle,
            )
            yield what, job
        _check(target, name, world.all_runs)
        target.unlink()


def _check(target: Path, name: str, runs: int) -> None:
    rows, different = count(target, "sqlite" if name == SYNC else name)
    if rows != runs or different != runs:
        raise SystemExit(f"{name}: {rows} rows, {different} different ones, of {runs} runs")


def _in_short(one: dict[str, Any]) -> str:
    peak = _mib(one["memory"]["peak"])
    return f"  {_rate(one):,.0f} rows/s, {peak} MiB at most, {one['late']['all']['p99']:.1f} ms late at p99"


def document(summary: dict[str, Any]) -> Document:
    """Lay a summary out."""
    title = (
        f"export and sync, {summary['deployments']:,} deployments, {summary['max_concurrency']} at once, pace=None, "
        f"{summary['rounds']} rounds in turn (the one with the median time is shown), each in a "
        "fresh process; every file was read again by other means: each run once"
    )
    note = (
        "before, fetching, writing, peak: MiB resident, the most in each quarter of the rows (-: it passed unseen); "
        "late: ms by which the loop came late to what was due every 5 ms; own: the part of that in which the loop's "
        "thread was working; idle: the lateness of an idle loop"
    )
    return Document(
        title=title,
        tables=[table for service in summary["services"] for table in _tables(service)],
        notes=[note, line(summary["noise"])],
        environment=summary["environment"],
        command=summary["command"],
    )


def _tables(service: dict[str, Any]) -> list[Table]:
    answers = service["service_answers_per_second"]
    limit = f"the service can answer {answers:,.0f} requests/s, {answers * service['page_size']:,.0f} runs/s"
    title = f"{service['shape']}: {service['runs']:,} runs, {service['page_size']} a page"
    return [
        Table(title=title, rows=_speeds(service["jobs"])),
        Table(title="", rows=_loads(service["jobs"]), notes=[limit]),
    ]


def _speeds(jobs: Sequence[dict[str, Any]]) -> list[list[str]]:
    rows = [
        ["", "took", "fetching", "rows/s", "writing", "rows/s", "whole rows/s", "min - max", "CPU", "requests", "file"]
    ]
    for one in jobs:
        seconds = one["seconds"]
        rows.append(
            [
                one["what"],
                f"{seconds['whole']:.1f} s",
                *_phase(one["rows"], seconds["fetching"]),
                *_phase(one["rows"], seconds["writing"]),
                f"{_rate(one):,.0f}",
                f"{min(one['rates']):,.0f} - {max(one['rates']):,.0f}",
                f"{one['cpu_seconds']:.1f} s",
                f"{one['requests']:,}",
                f"{one['bytes'] / _MIB:,.1f} MiB",
            ]
        )
    return rows


def _phase(rows: int, seconds: float) -> list[str]:
    return [f"{seconds:.1f} s", f"{rows / seconds:,.0f}"] if seconds >= 0.05 else ["-", "-"]


def _loads(jobs: Sequence[dict[str, Any]]) -> list[list[str]]:
    rows = [["", "before", "fetching", "writing", "peak", "late p50", "p99", "max", "own p99", "idle p99"]]
    for one in jobs:
        memory, late, idle = one["memory"], one["late"], one["idle_late"]
        rows.append(
            [
                one["what"],
                _mib(memory["before"]),
                *(_quarters(memory["quarters"].get(phase)) for phase in ("fetching", "writing")),
                _mib(memory["peak"]),
                *(f"{late['all'][name]:.1f}" for name in ("p50", "p99", "max")),
                f"{late['own']['p99']:.1f}",
                f"{idle['all']['p99']:.1f}",
            ]
        )
    return rows


def _quarters(sizes: Sequence[int] | None) -> str:
    return " ".join(_mib(size) if size else "-" for size in sizes or ())


def _mib(size: int) -> str:
    return f"{size / _MIB:.0f}"
