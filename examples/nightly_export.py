"""A nightly job that keeps a SQLite file of all runs up to date, and reports on it.

    export QODER_ACCESS_TOKEN=pt-…                          # and QODER_BASE_URL, if not the usual one
    python examples/nightly_export.py runs.db

It exits with 0 where all is well, 1 where runs have failed in the last 24 hours, 2 where it was called wrongly, 5 where
the file could not be brought up to date, and 130 where a signal ended it. Whatever ended it, the next night goes on
from there. While one is at it, a second one says that the file "is being written by another process" and exits with 5.

The first night reads everything; where runs have no status, that takes a request for each run, 50 a second.
In a crontab, with the report mailed where something is wrong:

    15 3 * * *  python nightly_export.py runs.db >report.txt 2>>nightly.log || mail -s Runs me@example.org <report.txt
"""

import asyncio
import logging
import signal
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from qoder_async import AsyncQoder, ExportError, QoderError, sync_runs

log = logging.getLogger("nightly_export")

SEEN = """
WITH seen AS (
  SELECT id, deployment_id, name_of(deployment_id) AS deployment, session_id, state, seconds,
    coalesce(ended_at, time) AS ended, coalesce(error_message, 'it does not say why') AS error
  FROM results WHERE time >= :month
)
"""
SUCCESS = """
SELECT deployment, count(*) AS runs, sum(state = 'completed') AS completed, sum(state = 'failed') AS failed,
  round(100.0 * sum(state = 'completed') / sum(state IN ('completed', 'failed', 'stopped')), 1) AS "success %"
FROM seen GROUP BY deployment_id ORDER BY failed DESC, deployment
"""
FAILED = """
SELECT replace(substr(ended, 1, 16), 'T', ' '), deployment, error, session_id
FROM seen WHERE state = 'failed' AND ended >= :yesterday ORDER BY ended
"""
SLOWEST = """
, placed AS (
  SELECT *, count(*) OVER alike AS count, row_number() OVER (alike ORDER BY seconds) AS place
  FROM seen WHERE state = 'completed' WINDOW alike AS (PARTITION BY deployment_id)
)
SELECT round(avg(seconds) FILTER (WHERE place IN ((count + 1) / 2, count / 2 + 1)), 1) AS "median s",
  round(max(seconds), 1) AS "longest s", id AS "the longest run", deployment
FROM placed GROUP BY deployment_id ORDER BY "median s" DESC LIMIT 10
"""


async def sync(file: Path) -> tuple[bool, dict[str, str]]:
    """Bring the file up to date; say whether that went well for all deployments, and what they are called."""
    async with AsyncQoder() as qoder:
        names = {each.id: each.name async for each in qoder.deployments.list(include_archived=True)}
        try:
            report = await sync_runs(qoder, file, outcomes=True)
        except ExportError as error:
            if not error.failures:  # it is about the file, and not about some of the deployments
                raise
            log.error("%s", error)  # noqa: TRY400  its message says it all
            return False, names
    log.info("%s is up to date, with %s requests in %.1f s", file, report.requests, report.seconds)
    print(f"{report.rows} runs: {report.new} new, {report.updated} changed, {report.unfinished} going on")
    return True, names


async def sync_until_signal(file: Path) -> tuple[bool, dict[str, str]]:
    syncing = asyncio.create_task(sync(file))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, syncing.cancel)
    return await syncing


def report(file: Path, names: dict[str, str]) -> bool:
    """Print what people want to know; say whether runs have failed."""
    now = datetime.now(UTC)
    times = {"month": (now - timedelta(days=30)).isoformat(), "yesterday": (now - timedelta(days=1)).isoformat()}
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as runs:
        runs.create_function("name_of", 1, lambda deployment_id: names.get(deployment_id, deployment_id))
        print_table("The last 30 days", runs.execute(SEEN + SUCCESS, times))
        print_table("The slowest of these 30 days", runs.execute(SEEN + SLOWEST, times))
        failures = runs.execute(SEEN + FAILED, times).fetchall()
    print(f"\nFailed in the last 24 hours: {len(failures)}")
    for ended, deployment, error, session in failures:
        print(f"{ended}  {deployment}: {error}\n{' ' * 18}{session or 'It never had a session.'}")
    return bool(failures)


def print_table(title: str, found: sqlite3.Cursor) -> None:
    rows = [tuple(column for column, *_ in found.description)]
    rows += [tuple("" if value is None else value for value in row) for row in found]
    widths = [max(len(str(value)) for value in column) for column in zip(*rows, strict=True)]
    print(f"\n{title}")
    for row in rows:  # numbers stand on the right
        print("  ".join(f"{value:{width}}" for value, width in zip(row, widths, strict=True)).rstrip())


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if len(sys.argv) != 2:
        print("usage: nightly_export.py FILE.db", file=sys.stderr)
        return 2
    file = Path(sys.argv[1])
    try:
        is_whole, names = asyncio.run(sync_until_signal(file))
    except asyncio.CancelledError:
        log.warning("Ended by a signal; the next night goes on with %s", file)
        return 130
    except QoderError as error:
        log.error("%s", error)  # noqa: TRY400
        return 5
    has_failed = report(file, names)
    return 5 if not is_whole else int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
