"""What `stall` and `memory` share: their options, and walks of histories whose pages are made on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks import harness
from benchmarks.case import add_usual, positive, say
from benchmarks.choice import choose
from benchmarks.environment import environment
from benchmarks.server import Stock, serving

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from benchmarks.contenders import Contender

NAMES = ("ours", "bare", "bare-json", "qca-sdk", "anthropic", "anthropic-aiohttp")


def add_options(parser: argparse.ArgumentParser, *, repeat: int) -> None:
    """Add them."""
    add_usual(parser, NAMES, repeat=repeat)
    parser.add_argument("--runs", type=positive, default=1_000_000, help="length of the history (default: 1000000)")
    parser.add_argument("--slow-runs", type=positive, default=50_000, help="at most so many for a slow one")
    parser.add_argument("--page-size", type=positive, default=1000, help="runs a page (default: 1000)")


def summary(
    options: argparse.Namespace,
    command: str,
    *,
    task: str,
    more: dict[str, Any],
    standing: Callable[[harness.Series, int], dict[str, Any]],
) -> dict[str, Any]:
    """Measure with everybody, and sum up each with `standing`, which takes the series and the length of its walks."""
    contenders = choose(options.contenders, NAMES)
    lengths = {one.name: _whole_pages(options, slow=one.slow) for one in contenders}
    found = []
    for shape in options.shape:
        endless = sorted({options.page_size, *lengths.values()})
        with serving(Stock(shape=shape, page_size=options.page_size, endless=endless)) as url:

            def told(contender: Contender, _number: int, url: str = url) -> dict[str, Any]:
                return {"url": url, "runs": lengths[contender.name], "page_size": options.page_size, **more}

            series = harness.measure(task, contenders, options.repeat, told, say)
        standings = [
            {"name": one.contender.name, "runs": (runs := lengths[one.contender.name]), **standing(one, runs)}
            for one in series
        ]
        found.append({"shape": shape, "contenders": standings, "noise": harness.noise(series)})
    return {
        "command": command,
        "environment": environment(),
        "rounds": options.repeat,
        "runs": options.runs,
        "page_size": options.page_size,
        "shapes": found,
    }


def _whole_pages(options: argparse.Namespace, *, slow: bool) -> int:
    page_size: int = options.page_size
    runs: int = min(options.runs, options.slow_runs) if slow else options.runs
    return max(1, runs // page_size) * page_size


def title(what: str, summary: dict[str, Any]) -> str:
    """Say what the figures are of."""
    return f"{what}, {summary['page_size']:,} runs a page, {summary['rounds']} rounds in turn, each in a fresh process"


def names(standings: Sequence[dict[str, Any]], condition: Callable[[dict[str, Any]], bool]) -> str:
    """Name those of whom something holds."""
    return ", ".join(one["name"] for one in standings if condition(one))
