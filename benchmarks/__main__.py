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
from .export import command as export_command
from .export import report as export
from .many import command as many_command
from .many import report as many
from .waiting import report as waiting

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for, and print the figures."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks", *arguments])
    if arguments[:1] == ["many"]:  # with a command line of its own
        plan, as_json = many_command.read(arguments[1:])
        summary = many.summary(plan, command, _say)
        print(json.dumps(summary, indent=2) if as_json else many.table(summary))
    elif arguments[:1] == ["export"]:
        wanted, as_json = export_command.read(arguments[1:])
        summary = export.summary(wanted, command, _say)
        print(json.dumps(summary, indent=2) if as_json else export.table(summary))
    else:
        _measure(_parser().parse_args(arguments), command)


def _measure(options: argparse.Namespace, command: str) -> None:
    if options.benchmark == "import":
        summary = import_time.summary(import_time.measure(options.repeat or 15), command)
        text = import_time.table(summary)
    elif options.benchmark == "waiting":
        summary = waiting.summary(_waiting_plan(options), command, _say)
        text = waiting.table(summary)
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
        "import: what importing the package costs. waiting: what it costs to wait for runs, and how late their "
        "ends are noticed, against a loop for each run. many: very many deployments, and one very long history "
        "(`many --help`). export: whole histories in files (`export --help`).",
        epilog=f"Contenders: {names}. Each runs in a fresh process against a server in another; its clock "
        "starts after the imports and one warm-up page. Every walk must count every run, and in the first "
        "round one more walk, untimed, must find every id once.",
    )
    parser.add_argument("benchmark", nargs="?", choices=["walk", "import", "waiting", "many", "export"], default="walk")
    parser.add_argument("--shape", choices=SHAPES, help="generation of the records (default: extended; waiting: both)")
    parser.add_argument("--runs", type=_positive, help="length of the history (default: 100000; waiting: 1000 runs)")
    parser.add_argument("--deployments", type=_positive, default=50, help="waiting: whose runs they are")
    parser.add_argument("--waiters", type=int, default=10_000, help="waiting: how many crowd on one client; 0: none")
    parser.add_argument("--slow-runs", type=_positive, default=10_000, help="at most so many for a slow one")
    parser.add_argument("--page-size", type=_positive, default=1000)
    parser.add_argument("--repeat", type=_positive, help="rounds (default: 5; import: 15; waiting: 20)")
    parser.add_argument("--contenders", help="comma-separated (default: all that are installed)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _plan(options: argparse.Namespace) -> harness.Plan:
    return harness.Plan(
        shape=options.shape or "extended",
        runs=options.runs or 100_000,
        slow_runs=options.slow_runs,
        page_size=options.page_size,
        repeat=options.repeat or 5,
        contenders=_contenders(options.contenders),
    )


def _waiting_plan(options: argparse.Namespace) -> waiting.Plan:
    return waiting.Plan(
        shapes=[options.shape] if options.shape else SHAPES,
        runs=options.runs or 1000,
        deployments=options.deployments,
        repeat=options.repeat or 20,
        waiters=options.waiters,
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
