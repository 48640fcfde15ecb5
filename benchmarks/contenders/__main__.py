"""Run one contender once, and print one line of JSON.

The clock starts after the imports, the opening of the client and one warm-up page.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import time

from benchmarks.data import walk_id

from . import CONTENDERS, OpenWalker


async def measure(
    open_walker: OpenWalker, base_url: str, runs: int, page_size: int, *, check: bool
) -> dict[str, float]:
    """Walk once and give seconds of wall and processor time."""
    async with open_walker(base_url, page_size) as walker:
        await walker.count(walk_id(page_size))
        wall, processor = time.perf_counter(), time.process_time()
        counted = await walker.count(walk_id(runs))
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - processor
        if counted != runs:
            raise SystemExit(f"counted {counted} runs of {runs}")
        if check:
            ids = await walker.ids(walk_id(runs))
            if len(ids) != runs or len(set(ids)) != runs:
                raise SystemExit(f"{len(ids)} ids, {len(set(ids))} of them distinct, of {runs}")
    return {"runs": runs, "seconds": seconds, "cpu_seconds": cpu_seconds}


def main() -> None:
    """Read the arguments that the harness gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--page-size", type=int, required=True)
    parser.add_argument("--check", action="store_true", help="walk once more, untimed, and check the ids")
    options = parser.parse_args()
    module = importlib.import_module(f"{__package__}.{CONTENDERS[options.name].module}")
    walk = measure(module.open_walker, options.url, options.runs, options.page_size, check=options.check)
    print(json.dumps(asyncio.run(walk)))


if __name__ == "__main__":
    main()
