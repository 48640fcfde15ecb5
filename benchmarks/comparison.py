"""Contenders side by side: medians, spreads and ratios of what they measured."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from .noise import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .harness import Series

HALF = 0.5


def standing(one: Series, values: Sequence[float]) -> dict[str, Any]:
    """Sum up one contender: the median of its rounds, how they differ, and how the machine did meanwhile."""
    return {
        "name": one.contender.name,
        "median": median(values),
        "min": min(values),
        "max": max(values),
        "spread": spread(values),
        "idle_spread": spread(one.values("idle_seconds")),
        "values": list(values),
    }


def add_ratios(standings: Sequence[dict[str, Any]], references: Sequence[str]) -> None:
    """Put everyone in relation to the references that took part.

    Each round has a ratio of its own, and the median of these counts: within a round the machine is the most alike.
    """
    found = {one["name"]: one["values"] for one in standings}
    for one in standings:
        one["ratios"] = {name: _ratio(one["values"], found[name]) for name in references if name in found}


def _ratio(values: Sequence[float], references: Sequence[float]) -> float:
    return median([value / reference for value, reference in zip(values, references, strict=True)])


def share_of(one: dict[str, Any], name: str) -> str:
    """Say which share of a reference this is."""
    ratio = one["ratios"].get(name)
    return "-" if ratio is None else f"{ratio:.0%}"


def times(one: dict[str, Any], name: str) -> str:
    """Say how many times a reference this is."""
    ratio = one["ratios"].get(name)
    return "-" if ratio is None else f"{ratio:.3g}"


def scatter(one: dict[str, Any]) -> list[str]:
    """Give the cells for how far the rounds lie apart, and the machine's own times beside them."""
    return [f"{one['spread']:.0%}", f"{one['idle_spread']:.0%}"]


SCATTER_HEAD = ["spread", "machine"]
SCATTER_NOTE = (
    "x: the median of the ratios within each round; spread: from the least to the most of the rounds, as a share of "
    "the median; machine: the same of a fixed piece of pure Python that was timed before each of them"
)


def above_half(standings: Sequence[dict[str, Any]]) -> str:
    """Say who uses more than half of what the server can give, so that it may be what bounds them."""
    used = {one["name"]: one["ratios"]["raw"] for one in standings if "raw" in one["ratios"] and one["name"] != "raw"}
    near = [f"{name} ({share:.0%})" for name, share in used.items() if share > HALF]
    if not used:
        return "raw took no part, so nobody knows how near the server's limit this is"
    if near:
        return f"MORE THAN HALF of what the server gives to raw is used by {', '.join(near)}"
    return f"nobody but raw uses more than half of what the server can give: {max(used.values()):.0%} at most"
