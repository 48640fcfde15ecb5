"""A process that has everything loaded, and forks a child for every errand: a start takes milliseconds.

Run as a script. Each line of its input is an errand; it answers with the child's number, then, once the child has
ended, with a line, and after another line of input with the child's exit code. Until then the number is nobody else's,
so that the child may safely be killed.
"""

from __future__ import annotations

import csv  # noqa: F401  what children would load
import gzip  # noqa: F401
import json
import os
import sqlite3  # noqa: F401
import sys

import kill_child


def main() -> None:
    """Serve until the input ends."""
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            os._exit(kill_child.run(json.loads(line)))
        _say(child)
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        _say("ended")
        sys.stdin.readline()
        _, status = os.waitpid(child, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(word: object) -> None:
    print(word, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
