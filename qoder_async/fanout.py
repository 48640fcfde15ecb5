"""The runs of many deployments at once."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

import attrs

from qoder_async._many.deployment_ids import Deployments, check_deployments, ids_of
from qoder_async._many.fanout_orders import AsTheyCome, NewestOnesFirst, Tally
from qoder_async._many.runs_block import RunsBlock
from qoder_async._paging.settings import patient
from qoder_async.errors import ConfigurationError
from qoder_async.options import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qoder_async.errors import QoderError
    from qoder_async.models import DeploymentRun
    from qoder_async.paging import Pager

__all__ = ["Deployments", "FanOut", "FanOutProgress"]

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


class FanOut(RunsBlock):
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
        self._tally = tally = Tally(raises=on_failure == "raise")
        self._failures = MappingProxyType(tally.failures)
        source = _ORDERS[order](
            ids_of(check_deployments(deployments), on_request=tally.note_request, on_total=tally.note_total),
            lambda deployment_id: patient(runs_of(deployment_id), tally.note_request),
            tally,
            max_concurrency,
        )
        super().__init__("fan_out", source)

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


def _check_choice(value: object, argument: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{argument} must be {' or '.join(map(repr, allowed))}, got {value!r}")
