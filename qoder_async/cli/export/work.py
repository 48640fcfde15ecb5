"""An export or a sync from its start to its report, and what is said where it does not get that far."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import attrs

from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.export.notices import each_kind_once
from qoder_async.cli.export.progress import make_teller
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.show.notices import fewer
from qoder_async.cli.show.words import counted, some
from qoder_async.errors import ConfigurationError, ExportError, QoderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from qoder_async import AsyncQoder
    from qoder_async.cli.arguments.common import Common
    from qoder_async.export.progress import ExportProgress, OnProgress

R = TypeVar("R")


@attrs.define(kw_only=True)
class Work:
    """An export or a sync that was asked for.

    Attributes:
        kind: Which of them.
        path: The target.
        again: The command that goes on.
        common: The common options.
    """

    kind: Literal["export", "sync"]
    path: Path
    again: str
    common: Common
    _last: ExportProgress | None = None

    async def run(
        self, start: Callable[[AsyncQoder, OnProgress], Awaitable[R]], sum_up: Callable[[R, Path], tuple[str, ...]]
    ) -> R:
        """Do it, and tell how far it is and what came of it.

        Args:
            start: Starts it, with a client and what wants to know how far it is.
            sum_up: Says what came of it.

        Returns:
            The report.

        Raises:
            Stop: It failed or was interrupted.
        """
        teller = make_teller(self.path, as_json=self.common.json)

        def saw(progress: ExportProgress) -> None:
            self._last = progress
            teller.saw(progress)

        async with self.common.client() as qoder:
            try:
                with fewer(), each_kind_once():
                    async with teller.shown():
                        report = await start(qoder, saw)
            except ConfigurationError:
                raise
            except QoderError as error:
                raise Stop(self._explain(error)) from None
            except asyncio.CancelledError:
                raise Stop(self._interrupted()) from None
        teller.end(sum_up(report, self.path))
        return report

    def _explain(self, error: QoderError) -> Failure:
        if isinstance(error, ExportError) and error.failures:
            return self._failed(error)
        failure = explain(error)
        if self._has_begun:
            return failure.and_then(*self._kept(), self._onward())
        # What is refused before anything was asked of the service is the target, or what was typed.
        return attrs.evolve(failure, code=ExitCode.USAGE) if isinstance(error, ExportError) else failure

    def _failed(self, error: ExportError) -> Failure:
        """Say which deployments failed, and that nothing of the others is lost."""
        explained = {deployment_id: explain(why) for deployment_id, why in error.failures.items()}
        told = some({deployment_id: failure.message for deployment_id, failure in explained.items()})
        advice = dict.fromkeys(step for failure in explained.values() for step in failure.steps)
        total = self._last and self._last.deployments_total
        count = (
            f"{len(explained):,} of {counted(total, 'deployment')}" if total else counted(len(explained), "deployment")
        )
        return Failure(ExitCode.API, f"{count} failed", (*told, *self._kept(), self._onward(), *advice))

    def _interrupted(self) -> Failure:
        message = "; ".join(("interrupted", *self._kept()))
        return Failure(ExitCode.INTERRUPTED, message, (self._onward(),))

    @property
    def _has_begun(self) -> bool:
        return self._last is not None and bool(self._last.rows or self._last.requests)

    def _onward(self) -> str:
        return f"go on: {self.again}"

    def _kept(self) -> tuple[str, ...]:
        """Say how much of what was fetched is safe."""
        if not self._has_begun:
            return ()
        if self.kind == "sync":
            return (f"what was written to {self.path} is safe",)
        from qoder_async.export.checkpoint import read_checkpoint  # noqa: PLC0415  only this case needs it

        target = os.path.realpath(self.path)
        try:
            kept = read_checkpoint(Path(f"{target}.checkpoint"))
        except (OSError, ExportError):
            kept = None
        if kept is None or not kept.rows:
            return ()
        safe = f"{counted(kept.rows, 'run')} {'is' if kept.rows == 1 else 'are'} safe beside {self.path}"
        return (f"all {safe}, which is still to be written" if kept.whole_of else safe,)
