"""Which contenders take part: those asked for, or all of a case that are installed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .contenders import CONTENDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .contenders import Contender


def choose(asked: str | None, usual: Sequence[str], known: Mapping[str, Contender] = CONTENDERS) -> list[Contender]:
    """Take those asked for, or the usual ones; leave out, and say so, what is not installed unless it was asked for.

    Raises:
        SystemExit: What was asked for is not known, takes no part in this case, or is not installed.
    """
    names = asked.split(",") if asked else list(usual)
    if unknown := set(names) - set(usual):
        raise SystemExit(f"no such contender: {', '.join(sorted(unknown))} (known: {', '.join(usual)})")
    chosen = []
    for contender in (known[name] for name in names):
        missing = ", ".join(contender.missing)
        if not missing:
            chosen.append(contender)
        elif asked:
            raise SystemExit(f"{contender.name} needs {missing}, which is not installed")
        else:
            print(f"left out: {contender.name} (needs {missing}, which is not installed)", file=sys.stderr)
    return chosen
