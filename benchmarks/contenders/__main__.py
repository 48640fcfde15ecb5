"""Run one contender once, on a job that comes as JSON from stdin, and print one line of JSON.

The clock starts after the imports, the opening of the client and a warm-up.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys

from benchmarks.noise import fixed_work


def main() -> None:
    """Do the job."""
    job = json.load(sys.stdin)
    idle = fixed_work()
    module, _, name = job["entry"].partition(":")
    entry = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    task = importlib.import_module(f"benchmarks.tasks.{job['task']}")
    factory = _uvloop if job["uvloop"] else getattr(task, "new_loop", None)
    with asyncio.Runner(loop_factory=factory) as runner:
        figures = runner.run(task.measure(entry, **job["options"]))
    print(json.dumps({**figures, "idle_seconds": idle}))


def _uvloop() -> asyncio.AbstractEventLoop:
    from uvloop import new_event_loop

    return new_event_loop()


if __name__ == "__main__":
    main()
