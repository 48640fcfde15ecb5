"""What a soak found: figures of start and end, what was counted, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.environment import environment

if TYPE_CHECKING:
    from .record import Record
    from .vitals import Vitals

_MIB = 1 << 20
_ALLOWED = 8.0
"""MiB by which the memory may rise once it is warm."""
_ALLOWED_SHARE = 0.10
"""The same, as a share of the memory at the start, where that is more."""

_ALLOWED_OBJECTS = 10_000
"""Objects that may be added: what is imported and cached late, and the runs of one look. A run is about five."""


@attrs.frozen(kw_only=True)
class Findings:
    """What one soak found.

    Attributes:
        name: Which soak.
        about: What was done, in a sentence.
        start: The process at rest before.
        end: The process at rest after.
        facts: What was counted and measured on the way, ready for JSON.
        wrong: What should not be, a sentence each; none if all is well.
    """

    name: str
    about: str
    start: Vitals
    end: Vitals
    facts: dict[str, Any]
    wrong: list[str]

    def summary(self) -> dict[str, Any]:
        """Give everything, ready for JSON."""
        return {**attrs.asdict(self), "environment": environment()}


def findings(
    name: str,
    about: str,
    start: Vitals,
    end: Vitals,
    record: Record,
    facts: dict[str, Any],
    wrong: list[str],
    growth: tuple[float, float] | None = None,
) -> Findings:
    """Judge what grew, and put everything together.

    Args:
        name: Which soak.
        about: What was done.
        start: The process before.
        end: The process after.
        record: What was measured meanwhile.
        facts: What was counted meanwhile.
        wrong: What is wrong already.
        growth: MiB by which the memory rose, and within how many seconds; by default once the record is warm.
    """
    rise, lasted = record.growth(warm_up=0.4) if growth is None else growth
    typical, worst = record.lag_p99
    measured = {
        "lag_p99_typical_ms": round(typical, 1),
        "lag_p99_worst_ms": round(worst, 1),
        "most_rss_mib": round(record.most_rss / _MIB, 1),
        "most_sockets": record.most_sockets,
        "most_tasks": record.most_tasks,
        "warm_growth_mib": round(rise, 2),
        "warm_seconds": round(lasted, 1),
    }
    complaints = [*wrong, *_left_over(start, end), *_grown(start, rise, lasted)]
    return Findings(name=name, about=about, start=start, end=end, facts={**facts, **measured}, wrong=complaints)


def _left_over(start: Vitals, end: Vitals) -> list[str]:
    allowed = {"sockets": 0, "tasks": 0, "objects": _ALLOWED_OBJECTS}
    pairs = {name: (getattr(start, name), getattr(end, name)) for name in allowed}
    return [
        f"{name} are not back to the start: {before:,} then, {after:,} now"
        for name, (before, after) in pairs.items()
        if after > before + allowed[name]
    ]


def _grown(start: Vitals, rise: float, lasted: float) -> list[str]:
    allowed = max(_ALLOWED, start.rss / _MIB * _ALLOWED_SHARE)
    if rise <= allowed:
        return []
    return [f"memory rises: {rise:.1f} MiB in {lasted:.0f} s once warm, {allowed:.1f} allowed"]


def text(summary: dict[str, Any]) -> str:
    """Lay a summary out for people.

    Args:
        summary: What ``Findings.summary`` gave.
    """
    start, end = summary["start"], summary["end"]
    rows = [
        ("", "start", "end"),
        ("RSS", f"{start['rss'] / _MIB:.1f} MiB", f"{end['rss'] / _MIB:.1f} MiB"),
        *((name, f"{start[name]:,}", f"{end[name]:,}") for name in ("sockets", "tasks", "threads", "objects")),
        ("loop lag p99", f"{start['lag_p99']:.2f} ms", f"{end['lag_p99']:.2f} ms"),
        ("requests", f"{start['requests']:,}", f"{end['requests']:,}"),
    ]
    lines = [f"{summary['name']}: {summary['about']}", ""]
    lines += [f"  {name:<14}{before:>12}{after:>12}" for name, before, after in rows]
    lines += ["", *(f"  {name}: {value}" for name, value in summary["facts"].items())]
    lines += ["", *(f"WRONG: {one}" for one in summary["wrong"]), *([] if summary["wrong"] else ["nothing grew"])]
    return "\n".join([*lines, summary["environment"]])
