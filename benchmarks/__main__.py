"""Command line of the benchmarks: `python -m benchmarks NAME`, with options of that case."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

from . import document
from .case import say
from .cases.registry import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .case import Case

_COMMAND = ["python", "-m", "benchmarks"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for, and print the figures."""
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0] if arguments else ""
    if name == "all":
        _all(arguments[1:])
    elif name in CASES:
        options = _parser(CASES[name]).parse_args(arguments[1:])
        _print(options, CASES[name], _summary(CASES[name], options, arguments[1:]))
    else:
        _help().parse_args(arguments)


def _all(arguments: Sequence[str]) -> None:
    """Run every case, in its short form or, with ``--full``, as it is by itself."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks all", description="Every case, one after another.")
    parser.add_argument("--full", action="store_true", help="as long as each is by itself (default: short forms)")
    parser.add_argument("--only", help="these, comma-separated (default: all)")
    _add_shown(parser)
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else list(CASES)
    if unknown := set(names) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))} (known: {', '.join(CASES)})")
    measured = {}
    for case, summary in _measured([CASES[name] for name in names], full=options.full):
        measured[case.name] = summary
        if not options.json:  # what is done is not lost if the next fails
            _print(options, case, summary)
            print()
    if options.json:
        print(json.dumps(measured, indent=2))


def _measured(cases: Sequence[Case], *, full: bool) -> Iterator[tuple[Case, dict[str, Any]]]:
    for case in cases:
        say(f"{case.name}:")
        arguments = [] if full else case.short
        yield case, _summary(case, _parser(case).parse_args(arguments), arguments)


def _summary(case: Case, options: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    return case.summary(options, shlex.join([*_COMMAND, case.name, *arguments]))


def _print(options: argparse.Namespace, case: Case, summary: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(summary, indent=2))
    else:
        print((document.markdown if options.markdown else document.text)(case.document(summary)), flush=True)


def _help() -> argparse.ArgumentParser:
    names = "\n".join(f"  {case.name:<8}  {case.about.partition('.')[0]}" for case in CASES.values())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{names}\n  all       Every case, one after another\n\nNAME --help says more about one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[*CASES, "all"])
    return parser


def _parser(case: Case) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {case.name}", description=case.about)
    case.add_options(parser)
    _add_shown(parser)
    return parser


def _add_shown(parser: argparse.ArgumentParser) -> None:
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print JSON")
    shown.add_argument("--markdown", action="store_true", help="print tables for a README")


if __name__ == "__main__":
    main()
