"""What a child does: one export or one sync, on a clock that runs fast; it may have its own end prepared."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
from kill_strikes import Strikes
from support.clock import use_clock

from qoder_async import AsyncQoder
from qoder_async._http.clock import Clock

try:
    from qoder_async.export.exporting import export_runs
except ModuleNotFoundError:
    export_runs = None
try:
    from qoder_async.export.sync.syncing import sync_runs
except ModuleNotFoundError:
    sync_runs = None


@attrs.frozen(kw_only=True)
class Errand:
    """What a child is to do.

    Attributes:
        url: The service.
        target: The file, alone in its folder.
        format: The format of an export; ``sync`` to sync the file instead.
        report: Where the report is written in the end.
        speed: How many seconds of the client's clock pass in a second.
        calls: Where the calls that the child makes in the folder are written in the end, if that is wanted.
        at: The call at which the child is struck, and which of its kind, counted from 1.
        how: How it is struck, as ``Strikes`` says.
    """

    url: str
    target: str
    format: str
    report: str
    speed: float = 1.0
    calls: str | None = None
    at: tuple[str, int] | None = None
    how: str = "kill"


class FastClock(Clock):
    """A clock that runs faster than time does."""

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def now(self) -> float:
        return time.monotonic() * self._speed

    def wall(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


def run(fields: dict[str, Any]) -> int:
    """Do an errand, and give the exit code."""
    errand = Errand(**fields)
    strikes = None
    if errand.calls or errand.at:
        strikes = Strikes(Path(errand.target).parent, errand.at and tuple(errand.at), errand.how)
        strikes.install()
    logging.getLogger("qoder_async").setLevel(logging.ERROR)
    try:
        report = asyncio.run(_work(errand))
    except BaseException:  # noqa: BLE001  the parent tells
        traceback.print_exc()
        return 1
    told = {name: getattr(report, name) for name in ("rows", "resumed_rows") if hasattr(report, name)}
    Path(errand.report).write_text(json.dumps(told))
    if errand.calls and strikes is not None:
        Path(errand.calls).write_text(json.dumps(strikes.calls))
    return 0


async def _work(errand: Errand) -> Any:
    qoder = use_clock(AsyncQoder("pt-kill", base_url=errand.url, pace=None), FastClock(errand.speed))
    async with qoder:
        if errand.format == "sync":
            return await sync_runs(qoder, errand.target, max_concurrency=4)
        return await export_runs(qoder, errand.target, format=errand.format, max_concurrency=4)
