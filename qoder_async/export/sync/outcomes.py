"""How lean runs went: read from their sessions, by the rule that tells it to those who wait for runs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from qoder_async._paging.patience import is_passing_unless_understood, patiently
from qoder_async._wire.ids import is_id
from qoder_async.errors import NotFoundError, PermissionDeniedError
from qoder_async.export.sync.changes import Judged
from qoder_async.export.sync.tally import service_time
from qoder_async.export.write.columns import as_text
from qoder_async.following.reader import Reader
from qoder_async.following.rule import is_at_work, judge, unknown_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from qoder_async._http.transport import Transport
    from qoder_async.following.finished import FinishedRun
    from qoder_async.models import DeploymentRun

T = TypeVar("T")

_LATE = timedelta(minutes=1)
"""How long a session may be unknown after its run was made."""


class Outcomes:
    """Reads how lean runs went.

    Args:
        transport: What sends the requests.
        on_request: Is told of every request.
    """

    def __init__(self, transport: Transport, on_request: Callable[[], None]) -> None:
        self._transport = transport
        self._reader = Reader(transport, on_request)

    async def of(self, run: DeploymentRun) -> Judged | None:
        """Read how a run went: with one request where it has ended, with up to three otherwise.

        Args:
            run: A run without status.

        Returns:
            How it went, ``None`` as long as it goes on or nobody can tell.

        Raises:
            QoderError: A request failed.
        """
        finished = judge(run)
        if finished is None and run.session_id is not None:
            finished = await self._by_session(run, run.session_id)
        return None if finished is None else _judged(finished)

    async def _by_session(self, run: DeploymentRun, session_id: str) -> FinishedRun | None:
        if not is_id(session_id):  # what the service named is not safe in a path
            return unknown_end(run)
        try:
            turn = await self._patiently(partial(self._reader.turn, run))
            if (finished := turn.outcome(None)) is not None:
                return finished
            # Of a session that has come to rest nothing is missing in what is read after it.
            session = await self._patiently(partial(self._reader.session, session_id))
            if is_at_work(session):
                return None
            return (await self._patiently(partial(self._reader.turn, run))).outcome(session)
        except PermissionDeniedError:
            return unknown_end(run)
        except NotFoundError:
            return None if self._is_young(run) else unknown_end(run)

    def _is_young(self, run: DeploymentRun) -> bool:
        now = service_time(self._transport)
        return now is not None and now - run.created_at < _LATE

    async def _patiently(self, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await patiently(read, self._transport, is_passing_unless_understood)


def _judged(finished: FinishedRun) -> Judged:
    error = finished.error
    values = (
        str(finished.state),
        None if finished.ended_at is None else as_text(finished.ended_at),
        None if error is None else error.type,
        None if error is None else error.message,
        finished.stop_reason,
    )
    return Judged(finished.run.id, values)
