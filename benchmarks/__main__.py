"""Command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from typing import TYPE_CHECKING

from . import harness, import_time, report
from .contenders import CONTENDERS, Contender
from .data import SHAPES

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for, and print the figures."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    if options.benchmark == "import":
        summary = import_time.summary(import_time.measure(options.repeat or 15), command)
        text = import_time.table(summary)
    else:
        plan = _plan(options)
        summary = report.summary(plan, harness.measure(plan, progress=_say), command)
        text = report.table(summary)
    print(json.dumps(summary, indent=2) if options.json else text)


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(f"{one.name} ({one.what})" for one in CONTENDERS.values())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="walk: iterate over a long history, against other ways to do it. "
        "import: what importing the package costs.",
        epilog=f"Contenders: {names}. Each runs in a fresh process against a server in another; its clock "
        "starts after the imports and one warm-up page. Every walk must count every run, and in the first "
        "round one more walk, untimed, must find every id once.",
    )
    parser.add_argument("benchmark", nargs="?", choices=["walk", "import"], default="walk")
    parser.add_argument("--shape", choices=SHAPES, default="extended", help="generation of the records")
    parser.add_argument("--runs", type=_positive, default=100_000, help="length of the history")
    parser.add_argument("--slow-runs", type=_positive, default=10_000, help="at most so many for a slow one")
    parser.add_argument("--page-size", type=_positive, default=1000)
    parser.add_argument("--repeat", type=_positive, help="rounds (default: 5; import: 15)")
    parser.add_argument("--contenders", help="comma-separated (default: all that are installed)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _plan(options: argparse.Namespace) -> harness.Plan:
    return harness.Plan(
        shape=options.shape,
        runs=options.runs,
        slow_runs=options.slow_runs,
        page_size=options.page_size,
        repeat=options.repeat or 5,
        contenders=_contenders(options.contenders),
    )


def _contenders(asked: str | None) -> list[Contender]:
    """Take those asked for, or all; leave out, and say so, what is not installed unless it was asked for."""
    names = asked.split(",") if asked else list(CONTENDERS)
    if unknown := set(names) - set(CONTENDERS):
        raise SystemExit(f"no such contender: {', '.join(sorted(unknown))} (known: {', '.join(CONTENDERS)})")
    missing = {name: CONTENDERS[name].needs for name in names if not CONTENDERS[name].available}
    for name, module in missing.items():
        if asked:
            raise SystemExit(f"{name} needs the module {module}, which is not installed")
        _say(f"left out: {name} (needs the module {module}, which is not installed)")
    return [CONTENDERS[name] for name in names if name not in missing]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
