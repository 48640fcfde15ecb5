"""One look at runs of which only the session can tell how they go: lists first, and what they leave open singly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async.errors import NotFoundError, PermissionDeniedError, QoderError
from qoder_async.following.followed import Reach
from qoder_async.following.plan import cost_without, plan_look
from qoder_async.following.rule import is_at_work, lost
from qoder_async.following.walks import for_each, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.following.desk import Desk
    from qoder_async.following.followed import Followed
    from qoder_async.following.reader import Reader
    from qoder_async.models import Session
    from qoder_async.paging import Page


@attrs.frozen
class _Doubt:
    """A run of which a list did not settle whether it goes on.

    Attributes:
        followed: The run.
        session: Its session, where a list showed it just now.
        thoroughly: Whether the session itself has to be read as well.
        unlisted: Whether the list of the sessions at work does not show it.
    """

    followed: Followed
    session: Session | None = None
    thoroughly: bool = False
    unlisted: bool = False


@attrs.frozen
class LookAtSessions:
    """One look.

    Attributes:
        reader: Asks the service.
        desk: The books.
    """

    reader: Reader
    desk: Desk

    async def at(self, due: list[Followed]) -> None:
        """Look at the sessions of runs.

        Args:
            due: The runs; each is released as soon as there is nothing more to ask about it.
        """
        doubts: list[_Doubt] = []
        first = plan_look(due, lambda each: each.sessions_reach, everywhere=True)
        unanswered = await self._find(None, first.everywhere, doubts)
        second = plan_look(unanswered, lambda each: each.sessions_reach, everywhere=False)
        singly = [*first.singly, *second.singly]

        async def find_in_deployment(group: tuple[str, list[Followed]]) -> None:
            singly.extend(await self._find(*group, doubts))

        await for_each([*first.by_deployment.items(), *second.by_deployment.items()], find_in_deployment)
        doubts += [_Doubt(each, thoroughly=self.desk.may_serve_another(each)) for each in singly]
        await for_each(doubts, self._read)

    async def _find(self, deployment: str | None, wanted: Sequence[Followed], doubts: list[_Doubt]) -> list[Followed]:
        """Look for sessions in the list of those at work, and give the runs about which it says nothing."""
        if not wanted:
            return []
        missing: dict[str | None, list[Followed]] = {}
        for each in wanted:
            missing.setdefault(each.session_id, []).append(each)
        allowed = len(wanted) if deployment else cost_without(wanted)
        pages, is_whole = 0, False

        def take(page: Page[Session]) -> bool:
            nonlocal pages, is_whole
            pages += 1
            for session in page.items:
                for followed in missing.pop(session.id, ()):
                    self._note(followed, session, doubts)
            is_whole = not page.has_more
            return not missing or pages >= allowed

        try:
            await search(self.reader.sessions_at_work(deployment), take)
        except Exception as error:  # noqa: BLE001  also what a token provider raises belongs to those who wait
            for followed in _flat(missing):
                self.desk.fail(followed, error)
                self.desk.release(followed)
            return []
        if is_whole:
            doubts += [_Doubt(followed, thoroughly=True, unlisted=True) for followed in _flat(missing)]
            return []
        for followed in _flat(missing):
            followed.sessions_reach = Reach.NOTHING if deployment else Reach.DEPLOYMENT
        return _flat(missing)

    def _note(self, followed: Followed, session: Session, doubts: list[_Doubt]) -> None:
        self.desk.see_session(followed, session)
        if is_at_work(session) and not self.desk.may_serve_another(followed):
            self.desk.see_turn(followed, None, thoroughly=False)
            self.desk.release(followed)
        else:
            doubts.append(_Doubt(followed, session))

    async def _read(self, doubt: _Doubt) -> None:
        followed = doubt.followed
        try:
            await self._ask(doubt)
        except (NotFoundError, PermissionDeniedError) as error:
            # A session just after its trigger may not be there yet.
            if isinstance(error, PermissionDeniedError) or self.desk.is_session_gone(followed):
                self._end_unknown(followed)
        except Exception as error:  # noqa: BLE001  also what a token provider raises belongs to those who wait
            self.desk.fail(followed, error)
        self.desk.release(followed)

    async def _ask(self, doubt: _Doubt) -> None:
        """Read the session first, then what happened in it: nothing is missing then of one that has come to rest."""
        followed, session = doubt.followed, doubt.session
        run, session_id = followed.run, followed.session_id
        if run is None or session_id is None:  # an id that is not safe in a path
            self._end_unknown(followed)
            return
        if doubt.thoroughly and self.desk.wants(followed):
            session = await self.reader.session(session_id)
            self.desk.see_session(followed, session)
            if doubt.unlisted and is_at_work(session) and not self.desk.is_young(followed):
                followed.sessions_reach = Reach.NOTHING
        if not self.desk.wants(followed):
            return
        turn = await self.reader.turn(run)
        finished = turn.outcome(session)
        if finished is not None and self.desk.wants(followed) and (session is None or is_at_work(session)):
            finished = attrs.evolve(finished, session=await self._final(session_id) or session)
        self.desk.see_turn(followed, finished, thoroughly=session is not None)

    async def _final(self, session_id: str) -> Session | None:
        """Read what a session has come to; an end that is known does not wait for it."""
        try:
            return await self.reader.session(session_id)
        except QoderError:
            return None

    def _end_unknown(self, followed: Followed) -> None:
        assert followed.run is not None  # noqa: S101  nobody asks for the session of a run that was never seen
        self.desk.see_turn(followed, lost(followed.run, followed.session), thoroughly=True)


def _flat(groups: dict[str | None, list[Followed]]) -> list[Followed]:
    return [followed for group in groups.values() for followed in group]
