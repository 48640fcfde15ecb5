"""A report on all deployments: how their runs stand, when the last one was, and when the last one failed.

    export QODER_ACCESS_TOKEN=pt-…                          # and QODER_BASE_URL, if not the usual one
    python examples/fan_out_report.py                       # over all runs
    python examples/fan_out_report.py --since 2026-11-01    # over those triggered since then (UTC)
    python examples/fan_out_report.py --markdown >report.md

The lists of all deployments are read at once, and nothing is kept but the counts. Where runs have no status, "started"
says that one has a session; what became of it there, examples/nightly_export.py finds out.

It exits with 0, or with 5 where some could not be read to the end: each of these is told with the command that goes on.
"""

import argparse
import asyncio
import logging
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import attrs

from qoder_async import AsyncQoder, DeploymentRun, FanOut, QoderError

NEVER = datetime.min.replace(tzinfo=UTC)


@attrs.define
class Tally:
    """What is counted of a deployment."""

    name: str
    states: Counter[str] = attrs.field(factory=Counter)
    last_run: datetime = NEVER
    last_failure: datetime = NEVER

    def add(self, run: DeploymentRun) -> None:
        state = str(run.status or ("started" if run.session_id else "failed"))
        triggered_at = run.triggered_at or run.created_at
        self.states[state] += 1
        self.last_run = max(self.last_run, triggered_at)
        if state == "failed":
            self.last_failure = max(self.last_failure, triggered_at)


async def count(tallies: dict[str, Tally], since: datetime | None) -> dict[str, QoderError]:
    """Count the runs of each deployment, and tell why some could not be read to the end."""
    async with AsyncQoder() as qoder:
        async for deployment in qoder.deployments.list():
            tallies[deployment.id] = Tally(deployment.name)
        async with qoder.runs.fan_out(tallies, triggered_after=since, page_size=1000) as walk:
            showing = asyncio.create_task(show_progress(walk, len(tallies)))
            try:
                async for run in walk:
                    tallies[run.deployment_id].add(run)
            finally:
                showing.cancel()
                await asyncio.wait([showing])
    return dict(walk.failures)


async def show_progress(walk: FanOut, deployments: int) -> None:
    """Show how far it is, on a terminal, until it is cancelled."""
    if not sys.stderr.isatty():
        return
    try:
        while True:
            done = walk.progress
            text = f"{done.runs} runs, {done.deployments_done} of {deployments} deployments"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            await asyncio.sleep(0.1)
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def table(tallies: list[Tally]) -> list[list[str | int]]:
    """Put what was counted in rows: those that failed last come first."""
    tallies = sorted(tallies, key=lambda tally: (tally.last_failure, tally.last_run), reverse=True)
    states = sorted({state for tally in tallies for state in tally.states})
    rows: list[list[str | int]] = [["deployment", *states, "last run", "last failure (UTC)"]]
    for tally in tallies:
        counts = [tally.states[state] for state in states]
        rows.append([tally.name, *counts, short(tally.last_run), short(tally.last_failure)])
    return rows


def short(moment: datetime) -> str:
    """Write a time as ``ls`` does: with the hour, or with the year where that is long ago."""
    if moment == NEVER:
        return ""
    is_recent = datetime.now(UTC) - moment < timedelta(days=180)
    return f"{moment.astimezone(UTC):{'%b %d %H:%M' if is_recent else '%b %d  %Y'}}"


def print_table(rows: list[list[str | int]], *, markdown: bool) -> None:
    widths = [max(len(str(value)) for value in column) for column in zip(*rows, strict=True)]
    if markdown:
        rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    for row in rows:  # numbers stand on the right
        texts = [f"{value:{width}}" for value, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(texts)} |" if markdown else "  ".join(texts).rstrip())


def print_failures(failures: dict[str, QoderError], tallies: dict[str, Tally], since: datetime | None) -> None:
    if failures:
        print("\nNot read to the end, so that there may be more runs than were counted:")
    for deployment_id, error in failures.items():
        command = f"qoder-async runs list --deployment {deployment_id}"
        command += f" --since {since:%Y-%m-%dT%H:%M:%SZ}" if since else ""
        command += f" --cursor '{error.cursor}'" if error.cursor else ""
        print(f"\n- {tallies[deployment_id].name}: {error}\n\n      {command}")


def utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description="A report on the runs of all deployments.")
    parser.add_argument("--since", type=utc, help="only runs triggered since then, such as 2026-11-01")
    parser.add_argument("--markdown", action="store_true", help="print the table for Markdown")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)  # what the library warns of stands in the report
    tallies: dict[str, Tally] = {}
    try:
        failures = asyncio.run(count(tallies, options.since))
    except QoderError as error:
        print(error, file=sys.stderr)
        return 5
    except KeyboardInterrupt:
        return 130
    print_table(table(list(tallies.values())), markdown=options.markdown)
    print_failures(failures, tallies, options.since)
    return 5 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
