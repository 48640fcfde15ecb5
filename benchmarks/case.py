"""What a case of the benchmarks is: options, figures, and how they are shown."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .data import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .data import Shape
    from .document import Document


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure.

    Attributes:
        name: What it is called on the command line.
        about: What it measures, for people.
        add_options: Adds its own options to a parser.
        summary: Measures; takes the options and the command, gives everything, ready for JSON.
        document: Lays a summary out.
        short: The arguments that make it short, for a run of all cases.
    """

    name: str
    about: str
    add_options: Callable[[argparse.ArgumentParser], None]
    summary: Callable[[argparse.Namespace, str], dict[str, Any]]
    document: Callable[[dict[str, Any]], Document]
    short: Sequence[str] = field(default=())


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def add_idle(parser: argparse.ArgumentParser) -> None:
    """Add for how long the loop is watched idle, to see what lateness is this machine's own."""
    parser.add_argument(
        "--idle", type=float, default=0.5, metavar="SECONDS", help="how long an idle loop is watched (default: 0.5)"
    )


def add_numbers(parser: argparse.ArgumentParser, *numbers: tuple[str, int, str]) -> None:
    """Add options that take whole numbers: the name of each, what it usually is, and what it means."""
    for name, usual, text in numbers:
        parser.add_argument(f"--{name}", type=positive, metavar="N", default=usual, help=f"{text} (default: {usual:,})")


def several(text: str) -> list[int]:
    """Read such numbers, comma-separated."""
    return [positive(one) for one in text.split(",")]


def shapes(text: str) -> list[Shape]:
    """Read generations of the service, comma-separated."""
    asked = text.split(",")
    if unknown := set(asked) - set(SHAPES):
        raise argparse.ArgumentTypeError(f"no such shape: {', '.join(sorted(unknown))} (known: {', '.join(SHAPES)})")
    return [shape for shape in SHAPES if shape in asked]


def add_usual(
    parser: argparse.ArgumentParser, names: Iterable[str], *, repeat: int, shape: Sequence[Shape] = SHAPES[:1]
) -> None:
    """Add the options of every case in which contenders take turns.

    Args:
        parser: Takes them.
        names: The contenders.
        repeat: How many rounds there usually are.
        shape: The generations of the service that are usually measured.
    """
    usual = ",".join(shape)
    parser.add_argument("--shape", type=shapes, default=shape, help=f"of {','.join(SHAPES)} (default: {usual})")
    parser.add_argument("--repeat", type=positive, default=repeat, metavar="N", help=f"rounds (default: {repeat})")
    parser.add_argument("--contenders", help=f"of {','.join(names)} (default: all that are installed)")


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)
