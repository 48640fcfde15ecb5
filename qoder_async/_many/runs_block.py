"""``async with`` around ``async for``: runs that are fetched in the background while they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qoder_async._misuse import refuse_block
from qoder_async.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from qoder_async.models import DeploymentRun


class RunSource(Protocol):
    """What fetches the runs."""

    def start(self) -> None:
        """Begin."""

    async def next_runs(self) -> list[DeploymentRun]:
        """Wait for the next runs.

        Returns:
            Some runs, the first of them last; none at the end.
        """
        ...

    def release(self) -> None:
        """Note that these runs were delivered."""

    async def aclose(self) -> None:
        """End what is under way, and wait for it."""


class RunsBlock:
    """Runs that are fetched while they are used: ``async with`` begins to fetch them, ``async for`` gives each.

    Args:
        name: The method that made it.
        source: What fetches them.
    """

    def __init__(self, name: str, source: RunSource) -> None:
        self._name = name
        self._source = source
        self._has_begun = False
        self._has_left = False
        self._is_waiting = False
        self._delivered = 0
        self._runs: list[DeploymentRun] = []
        """What comes next, the first last."""

    async def __aenter__(self) -> Self:
        if self._has_begun or self._has_left:
            raise ConfigurationError(f"{self._name} can be entered only once; call it anew")
        self._has_begun = True
        self._source.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    if not TYPE_CHECKING:
        __enter__ = __exit__ = __getitem__ = refuse_block("runs")

    async def aclose(self) -> None:
        """End it before the block is left, also for another task that iterates; doing so again does nothing."""
        self._has_left = True
        self._runs.clear()
        if self._has_begun:
            await self._source.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DeploymentRun:
        if not self._runs:
            self._runs = await self._next_runs()
        run = self._runs.pop()
        self._delivered += 1
        if not self._runs:
            self._source.release()
        return run

    async def _next_runs(self) -> list[DeploymentRun]:
        if not self._has_begun:
            raise ConfigurationError(f"{self._name} must be entered before it is iterated: async with … as …")
        if self._is_waiting:
            raise RuntimeError("Only one task may iterate at a time")
        self._is_waiting = True
        try:
            runs = [] if self._has_left else await self._source.next_runs()
        except Exception:
            await self.aclose()
            raise
        finally:
            self._is_waiting = False
        if self._has_left or not runs:
            raise StopAsyncIteration
        return runs
