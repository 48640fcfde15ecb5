"""The runs of many deployments at once."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sized
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from qoder_async._fanout_orders import AsTheyCome, NewestOnesFirst, Order, Tally
from qoder_async._wire.ids import id_of
from qoder_async.concurrency import iterate
from qoder_async.errors import ConfigurationError, QoderError
from qoder_async.models import Deployment, DeploymentRun
from qoder_async.options import whole_number
from qoder_async.paging import Pager, patient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping
    from types import TracebackType
    from typing import Self

__all__ = ["FanOut", "FanOutProgress"]

Deployments = str | Deployment | Iterable[str | Deployment] | AsyncIterable[str | Deployment]
"""Deployments, or their ids; a pager of deployments is one."""
OrderName = Literal["arrival", "newest"]
OnFailure = Literal["collect", "raise"]

_ORDERS: Mapping[OrderName, type[AsTheyCome | NewestOnesFirst]] = {"arrival": AsTheyCome, "newest": NewestOnesFirst}


@attrs.frozen(kw_only=True)
class FanOutProgress:
    """How far a fan-out is.

    Attributes:
        deployments_done: Deployments of which nothing more will be asked, those that failed among them.
        deployments_total: How many deployments there are, ``None`` as long as they were not all taken.
        runs: Runs that were delivered.
        pages: Pages of runs that came.
        requests: Requests that were sent, also for deployments, and also those that were sent again.
    """

    deployments_done: int = 0
    deployments_total: int | None = None
    runs: int = 0
    pages: int = 0
    requests: int = 0


class FanOut:
    """The runs of many deployments: ``async with`` begins to fetch them, ``async for`` gives each.

    A deployment that fails does not end the others: see :attr:`failures`.
    """

    def __init__(
        self,
        deployments: Deployments,
        runs_of: Callable[[str], Pager[DeploymentRun]],
        *,
        max_concurrency: int,
        order: OrderName,
        on_failure: OnFailure,
    ) -> None:
        whole_number(max_concurrency, "max_concurrency", minimum=1)
        _check_choice(order, "order", get_args(OrderName))
        _check_choice(on_failure, "on_failure", get_args(OnFailure))
        self._tally = Tally(raises=on_failure == "raise")
        self._failures = MappingProxyType(self._tally.failures)
        self._order: Order = _ORDERS[order](
            _ids(_check_deployments(deployments), self._tally),
            lambda deployment_id: patient(runs_of(deployment_id), self._tally.note_request),
            self._tally,
            max_concurrency,
        )
        self._has_begun = False
        self._has_left = False
        self._is_awaited = False
        self._delivered = 0
        self._runs: list[DeploymentRun] = []
        """What comes next, the first last."""

    def __repr__(self) -> str:
        return f"<FanOut {self.progress!r}, {len(self._failures)} failed>"

    @property
    def failures(self) -> Mapping[str, QoderError]:
        """Why deployments were given up, by their ids: ``runs.list(id, cursor=error.cursor)`` goes on from there."""
        return self._failures

    @property
    def progress(self) -> FanOutProgress:
        """How far it is, also after the end."""
        tally = self._tally
        return FanOutProgress(
            deployments_done=tally.deployments_done,
            deployments_total=tally.deployments_total,
            runs=self._delivered,
            pages=tally.pages,
            requests=tally.requests,
        )

    async def __aenter__(self) -> Self:
        if self._has_begun or self._has_left:
            raise ConfigurationError("fan_out can be entered only once; call it anew")
        self._has_begun = True
        self._order.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it before the block is left, also for another task that iterates; doing so again does nothing."""
        self._has_left = True
        self._runs.clear()
        if self._has_begun:
            await self._order.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DeploymentRun:
        if not self._runs:
            self._runs = await self._next_runs()
        run = self._runs.pop()
        self._delivered += 1
        if not self._runs:
            self._order.release()
        return run

    async def _next_runs(self) -> list[DeploymentRun]:
        if not self._has_begun:
            raise ConfigurationError("fan_out must be entered before it is iterated: async with … as walk")
        if self._is_awaited:
            raise RuntimeError("Only one task may iterate at a time")
        self._is_awaited = True
        try:
            runs = [] if self._has_left else await self._order.next_runs()
        except Exception:
            await self.aclose()
            raise
        finally:
            self._is_awaited = False
        if not runs:
            raise StopAsyncIteration
        return runs


async def _ids(
    deployments: Iterable[str | Deployment] | AsyncIterable[str | Deployment], tally: Tally
) -> AsyncGenerator[str, None]:
    """Give the ids of deployments, each once."""
    seen = set[str]()
    if isinstance(deployments, Pager):
        deployments = patient(deployments, tally.note_request)
    elif isinstance(deployments, list):
        tally.deployments_total = len(set(deployments))
    async with aclosing(iterate(deployments)) as things:
        async for thing in things:
            deployment_id = id_of(thing, Deployment, "deployments")
            if deployment_id not in seen:
                seen.add(deployment_id)
                yield deployment_id
    tally.deployments_total = len(seen)


def _check_deployments(
    deployments: Deployments,
) -> Iterable[str | Deployment] | AsyncIterable[str | Deployment]:
    """Refuse what cannot be meant, as far as it can be seen before anything is asked for."""
    if isinstance(deployments, str | Deployment):
        deployments = (deployments,)
    if not isinstance(deployments, Iterable | AsyncIterable) or isinstance(deployments, bytes):
        raise ConfigurationError(
            "deployments must be ids, deployments or a pager of them such as qoder.deployments.list(), "
            f"got {deployments!r}"
        )
    if isinstance(deployments, Sized) and isinstance(deployments, Iterable):
        return [id_of(thing, Deployment, "deployments") for thing in deployments]
    return deployments


def _check_choice(value: object, argument: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{argument} must be {' or '.join(map(repr, allowed))}, got {value!r}")
