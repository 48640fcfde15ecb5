"""Command line of the soaks: `python -m benchmarks.soak`; exit code 1 where something grows or is wrong."""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.data import SHAPES

from . import cancelled, waiters, watching
from .findings import text
from .service import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .findings import Findings

SOAKS = ("cancelled", "watching", "waiters")


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print the figures of start and end, and judge.

    Args:
        arguments: What follows the command; by default that of this process.

    Returns:
        0 where all is well, 1 where something grows or is wrong.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(arguments)
    if options.soak == "all":
        return max(_apart(name, arguments) for name in SOAKS)
    summary = _soak(options).summary()
    print(json.dumps(summary) if options.json else text(summary), flush=True)
    return 1 if summary["wrong"] else 0


def _apart(name: str, arguments: Sequence[str]) -> int:
    """Soak in a fresh process: its memory is its own."""
    others = [argument for argument in arguments if argument != "all"]
    command = [sys.executable, "-m", "benchmarks.soak", name, *others]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _soak(options: argparse.Namespace) -> Findings:
    if options.soak == "cancelled":
        plan = cancelled.Plan(
            requests=options.requests, connections=options.connections, shape=options.shape, seed=options.seed
        )
        return cancelled.soak(plan)
    if options.soak == "watching":
        return watching.soak(
            watching.Plan(
                seconds=options.seconds,
                deployments=options.deployments,
                rate=options.rate,
                faults=options.faults,
                slowest_look=options.slowest_look,
                patience=options.patience,
                shape=options.shape,
                seed=options.seed,
            )
        )
    plan_of_waiters = waiters.Plan(
        waiters=options.waiters, rounds=options.rounds, span=options.span, shape=options.shape, seed=options.seed
    )
    return waiters.soak(plan_of_waiters)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("soak", nargs="?", choices=[*SOAKS, "all"], default="all", help="which (default: all)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--shape", choices=SHAPES, default=SHAPES[0], help="generation of the service")
    parser.add_argument("--seed", type=int, default=1, help="decides what comes by chance (default: 1)")
    for name, of, text_ in (
        ("requests", cancelled.Plan(), "cancelled: how many requests"),
        ("connections", cancelled.Plan(), "cancelled: over how many connections"),
        ("seconds", watching.Plan(), "watching: how long"),
        ("deployments", watching.Plan(), "watching: how many deployments"),
        ("rate", watching.Plan(), "watching: how many runs begin each second"),
        ("faults", watching.Plan(), "watching: the share of requests that are spoilt"),
        ("slowest-look", watching.Plan(), "watching: the longest wait between two looks, in seconds"),
        ("patience", watching.Plan(), "watching: seconds in which all must be told, once the service is well again"),
        ("waiters", waiters.Plan(), "waiters: how many at once"),
        ("rounds", waiters.Plan(), "waiters: how often"),
        ("span", waiters.Plan(), "waiters: seconds within which the runs end"),
    ):
        usual = getattr(of, name.replace("-", "_"))
        help_text = f"{text_} (default: {usual:,})"
        parser.add_argument(f"--{name}", type=type(usual), metavar="N", default=usual, help=help_text)
    return parser


if __name__ == "__main__":
    logging.getLogger("qoder_async").setLevel(logging.CRITICAL)  # what fails is counted, not told one by one
    sys.exit(main())
