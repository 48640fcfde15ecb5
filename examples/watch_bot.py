"""A bot that tells of each run that fails, once, and goes on after a restart where it left off.

    export QODER_ACCESS_TOKEN=pt-…                          # and QODER_BASE_URL, if not the usual one
    python examples/watch_bot.py watch.state                # all deployments
    python examples/watch_bot.py watch.state dep_… dep_…    # some of them

It notifies, then notes in the file how far it has come. Only a crash between the two has a failure told twice; none is
left out. Whatever ends the watch ends the bot: have it started again by what starts your other services.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from qoder_async import AsyncQoder, RunFailedError

log = logging.getLogger("watch_bot")


def notify(failure: RunFailedError) -> None:
    """Tell somebody; yours would send a message."""
    print(failure, flush=True)


def load(file: Path) -> str | None:
    return file.read_text("utf-8") if file.exists() else None


def save(file: Path, state: str) -> None:
    """Replace the file at once, so that it is whole at any time."""
    new = file.with_name(f"{file.name}.new")
    with new.open("w", encoding="utf-8") as stream:
        stream.write(state)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)


async def watch(file: Path, deployments: list[str] | None) -> None:
    async with AsyncQoder() as qoder, qoder.runs.watch(deployments, since=load(file)) as changes:
        save(file, changes.state)
        log.info("Watching")
        async for change in changes:
            # Nothing is awaited in here: a signal ends the wait for the next change, and never what belongs together.
            if change.finished is not None:
                try:
                    change.finished.raise_for_failure()
                except RunFailedError as failure:
                    notify(failure)
            save(file, changes.state)


async def watch_until_signal(file: Path, deployments: list[str] | None) -> None:
    watching = asyncio.create_task(watch(file, deployments))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    log.info("Ended; it goes on from %s", file)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    if len(sys.argv) < 2:
        sys.exit("usage: watch_bot.py STATE_FILE [DEPLOYMENT_ID…]")
    asyncio.run(watch_until_signal(Path(sys.argv[1]), sys.argv[2:] or None))


if __name__ == "__main__":
    main()
