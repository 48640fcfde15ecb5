"""``verify_export``: whether a file has what the service has."""

from __future__ import annotations

from contextlib import aclosing
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeVar

from qoder_async._many.deployment_ids import check_deployments, ids_of
from qoder_async._wire.ids import is_id
from qoder_async.concurrency import map_concurrently
from qoder_async.errors import QoderError
from qoder_async.export.liveness import Liveness
from qoder_async.export.progress import VerifiedWindow, VerifyReport
from qoder_async.export.read.reading import feed_runs
from qoder_async.export.read.recognition import recognise
from qoder_async.export.read.scope import read_scope
from qoder_async.export.target import check_path
from qoder_async.export.threads import in_thread
from qoder_async.export.verify.comparing import Comparing
from qoder_async.export.verify.plan import BEGINNING, FirstLook, SecondLook, Window
from qoder_async.options import whole_number

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
    from datetime import datetime

    from qoder_async._many.deployment_ids import Deployments
    from qoder_async.client import AsyncQoder
    from qoder_async.export.read.scope import Scope
    from qoder_async.models import Deployment

K = TypeVar("K")
T = TypeVar("T")

_AT_A_TIME = 300
"""For how many windows the ids are held at a time; for each such lot the file is read once more."""


async def verify_export(
    qoder: AsyncQoder,
    path: str | os.PathLike[str],
    *,
    windows: int = 20,
    deployments: Deployments | None = None,
    max_concurrency: int = 8,
) -> VerifyReport:
    """Compare a sample of a file with the service, and say what is missing.

    The runs of each deployment in the file are divided into windows of time of about 500 runs at most; some windows are
    drawn by lot, and all ids in them are compared. A window ends with the newest run that the file has of the
    deployment: what was triggered after the file was made is not missing from it. Only SQLite and Parquet say from when
    on their runs are. In other formats no window begins before the oldest run of the deployment. A run without
    ``triggered_at`` that was made within a minute after that bound may have been triggered before it, and is not
    missing.

    Args:
        qoder: The client.
        path: A file that ``export_runs`` or ``sync_runs`` has made, in any of their formats.
        windows: How many windows are compared; all of the file, if it has no more.
        deployments: Deployments that should be in the file: ids, deployments, or a pager of them. Where it has no run
            of one, all that the service has of it from before the newest run in the file is missing, of which 500 runs
            are told at most. ``None`` compares only what the file has.
        max_concurrency: How many deployments are read at once.

    Returns:
        What was compared and what came of it; ``report.is_complete`` tells whether nothing is missing.

    Raises:
        ConfigurationError: An argument cannot be meant, or an extra is not installed.
        ExportError: The file cannot be read, is no export, or is damaged.
        QoderError: The token is refused, the service was down for 5 minutes, or ``deployments`` could not be listed.

    Example:
        ```python
        report = await verify_export(qoder, "runs.jsonl", deployments=qoder.deployments.list(include_archived=True))
        print(report.is_complete, report.missing)
        ```
    """
    verification = Verification(qoder, path, windows=windows, deployments=deployments, max_concurrency=max_concurrency)
    return await verification.run()


class Verification:
    """A comparison that goes on.

    Args:
        qoder: The client.
        path: The file.
        windows: How many windows are compared.
        deployments: Deployments that should be in the file, ``None`` for those that are.
        max_concurrency: How many deployments are read at once.

    Attributes:
        windows_total: How many windows of the file are compared, ``None`` as long as it was not read.
        windows_done: How many were compared.
    """

    def __init__(
        self,
        qoder: AsyncQoder,
        path: str | os.PathLike[str],
        *,
        windows: int,
        deployments: Deployments | None,
        max_concurrency: int,
    ) -> None:
        self._path = check_path(path)
        self._most = whole_number(windows, "windows", minimum=1)
        self._expected = None if deployments is None else check_deployments(deployments)
        self._max_concurrency = whole_number(max_concurrency, "max_concurrency", minimum=1)
        transport = qoder._transport  # noqa: SLF001  the client is ours
        self._clock = transport.clock
        self._look = FirstLook()
        self._service = Comparing(transport, self._look.oddities)
        self._liveness = Liveness(qoder, self._service.note_request, max_concurrency=self._max_concurrency)
        self._failures: dict[str, str] = {}
        self._compared: list[VerifiedWindow] = []
        self._doubles = 0
        self.windows_total: int | None = None
        self.windows_done = 0

    @property
    def rows(self) -> int:
        """How many runs of the file were read."""
        return self._look.rows

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._service.requests

    async def run(self) -> VerifyReport:
        """Compare.

        Returns:
            What came of it.

        Raises:
            ExportError: The file cannot be read, is no export, or is damaged.
            QoderError: The token is refused, the service was down for 5 minutes, or the deployments could not be
                listed.
        """
        scope = await in_thread(self._scope)
        await feed_runs(self._path, self._look.take)
        floor = None if scope is None else scope.after or BEGINNING
        drawn = await in_thread(self._look.draw, self._most, floor)
        self.windows_total = len(drawn)
        rest = iter(drawn)
        while part := list(islice(rest, _AT_A_TIME)):
            await self._compare(part)
        if self._expected is not None:
            await self._look_for_absent(self._expected, floor or BEGINNING)
        return VerifyReport(
            path=str(self._path),
            rows=self._look.rows,
            doubles=self._doubles,
            deployments=len(self._look.deployments),
            windows=tuple(self._compared),
            failures=dict(self._failures),
            requests=self.requests,
        )

    def _scope(self) -> Scope | None:
        return read_scope(self._path, recognise(self._path))

    async def _compare(self, windows: list[Window]) -> None:
        """Compare some windows of the file."""
        look = SecondLook(windows)
        await feed_runs(self._path, look.take)
        self._doubles += len(look.doubles)
        of_one = [list(group) for _, group in groupby(windows, key=lambda window: window.deployment_id)]

        async def compare(mine: list[Window]) -> None:
            await self._attempt(mine[0].deployment_id, self._service.compare(mine))
            self.windows_done += len(mine)

        await self._each(compare, of_one)
        self._compared += [_told(window) for window in windows if window.is_compared]

    async def _look_for_absent(
        self, expected: Iterable[str | Deployment] | AsyncIterable[str | Deployment], start: datetime
    ) -> None:
        """Find runs of deployments of which the file should have some and has none."""
        end = self._look.newest or self._clock.wall()
        known = set(self._look.deployments)
        found: list[Window] = []

        async def absent() -> AsyncGenerator[str, None]:
            ids = ids_of(expected, on_request=self._service.note_request, on_total=lambda _: None)
            async with aclosing(ids):
                async for deployment_id in ids:
                    if deployment_id not in known:
                        yield deployment_id

        async def look(deployment_id: str) -> None:
            window = await self._attempt(deployment_id, self._service.find_absent(deployment_id, start, end))
            if window is not None and window.missing:
                found.append(window)

        await self._each(look, absent())
        self._compared += map(_told, sorted(found, key=lambda window: window.deployment_id))

    async def _each(self, work: Callable[[K], Awaitable[None]], keys: Iterable[K] | AsyncIterable[K]) -> None:
        async with map_concurrently(work, keys, max_concurrency=self._max_concurrency) as outcomes:
            async for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error

    async def _attempt(self, deployment_id: str, reading: Awaitable[T]) -> T | None:
        """Read something of a deployment; nothing where that fails, which does not end the others."""
        try:
            found = await reading
        except QoderError as error:
            # The file may come from anywhere: an id that is safe in no path ends nothing but itself.
            if is_id(deployment_id) and await self._liveness.is_over(error):
                raise
            self._failures[deployment_id] = str(error)
            return None
        self._liveness.note_answer()
        return found


def _told(window: Window) -> VerifiedWindow:
    return VerifiedWindow(
        deployment_id=window.deployment_id,
        start=window.start,
        end=window.end,
        in_file=window.in_file,
        at_service=window.at_service,
        missing=tuple(window.missing),
        unknown=tuple(sorted(window.left)),
    )
