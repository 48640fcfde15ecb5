"""One look at runs of which only the session can tell how they go: lists first, and what they leave open singly."""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import attrs

from qoder_async._http.consequences import is_passing_error
from qoder_async.concurrency import for_each
from qoder_async.errors import NotFoundError, PermissionDeniedError, QoderError
from qoder_async.following.followed import Reach
from qoder_async.following.plan import cost_without, plan_look
from qoder_async.following.rule import is_at_work, unknown_end
from qoder_async.following.walks import Search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qoder_async.following.desk import Desk
    from qoder_async.following.followed import Followed
    from qoder_async.following.reader import Reader
    from qoder_async.following.rule import Turn
    from qoder_async.models import Session


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
        for each in due:
            if each.session_id is None:  # what the service named is not safe in a path
                self._end_unknown(each)
                self.desk.release(each)
        due = [each for each in due if each.session_id is not None]
        doubts: list[_Doubt] = []
        first = plan_look(due, lambda each: each.sessions_reach, now=self.desk.now(), everywhere=True)
        unanswered = await self._find(None, first.everywhere, doubts)
        second = plan_look(unanswered, lambda each: each.sessions_reach, now=self.desk.now(), everywhere=False)
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
        search = Search(self.reader.sessions_at_work(deployment))
        is_whole = await self._go_through(search, missing, allowed, doubts)
        if search.error is not None:
            self.desk.miss(_flat(missing), search.error)
            for followed in _flat(missing):
                self.desk.release(followed)
            return []
        if is_whole:
            doubts += [_Doubt(followed, thoroughly=True, unlisted=True) for followed in _flat(missing)]
            return []
        for followed in _flat(missing):
            followed.sessions_reach = Reach.NOTHING if deployment else Reach.DEPLOYMENT
        return _flat(missing)

    async def _go_through(
        self, search: Search[Session], missing: dict[str | None, list[Followed]], allowed: int, doubts: list[_Doubt]
    ) -> bool:
        """Note the sessions that a list shows, and tell whether it was read to its end."""
        async with aclosing(search.pages()) as pages:
            async for page in pages:
                allowed -= 1
                for session in page.items:
                    for followed in missing.pop(session.id, ()):
                        self._note(followed, session, doubts)
                if not page.has_more:
                    return True
                if not missing or not allowed:
                    return False
        return False

    def _note(self, followed: Followed, session: Session, doubts: list[_Doubt]) -> None:
        self.desk.see_session(followed, session)
        if is_at_work(session) and not self.desk.may_serve_another(followed):
            self.desk.see_turn(followed, None, thoroughly=False)
            self.desk.release(followed)
        else:
            doubts.append(_Doubt(followed, session))

    async def _read(self, doubt: _Doubt) -> None:
        followed = doubt.followed
        if self.desk.wants(followed):
            try:
                found = await self._ask(doubt)
            except (NotFoundError, PermissionDeniedError) as error:
                # A session just after its trigger may not be there yet.
                if isinstance(error, PermissionDeniedError) or self.desk.is_session_gone(followed):
                    self._end_unknown(followed)
            except Exception as error:  # noqa: BLE001  also what a token provider raises belongs to those who wait
                self.desk.fail(followed, error)
            else:
                await self._conclude(doubt, *found)
        self.desk.release(followed)

    async def _ask(self, doubt: _Doubt) -> tuple[Session | None, Turn | None]:
        """Read the session first, then what happened in it: nothing is missing then of one that has come to rest."""
        followed, session = doubt.followed, doubt.session
        assert followed.run is not None  # noqa: S101  only runs with a session come here
        assert followed.session_id is not None  # noqa: S101
        if doubt.thoroughly:
            try:
                session = await self.reader.session(followed.session_id)
            except QoderError as error:
                # Where it cannot be read for now, its events may tell enough.
                if not is_passing_error(error):
                    raise
                self.desk.heed(followed, error)
        return session, await self.reader.turn(followed.run) if self.desk.wants(followed) else None

    async def _conclude(self, doubt: _Doubt, session: Session | None, turn: Turn | None) -> None:
        followed = doubt.followed
        if session is not None and doubt.session is None:
            self.desk.see_session(followed, session)
        if session is not None and doubt.unlisted and is_at_work(session) and not self.desk.is_young(followed):
            followed.sessions_reach = Reach.NOTHING
        if turn is None:
            return
        finished = turn.outcome(session)
        if finished is not None and self.desk.wants(followed) and (session is None or is_at_work(session)):
            finished = attrs.evolve(finished, session=await self._final(followed.session_id) or session)
        self.desk.see_turn(followed, finished, thoroughly=session is not None)

    async def _final(self, session_id: str | None) -> Session | None:
        """Read what a session has come to; an end that is known does not depend on it."""
        with suppress(Exception):
            return None if session_id is None else await self.reader.session(session_id)
        return None

    def _end_unknown(self, followed: Followed) -> None:
        assert followed.run is not None  # noqa: S101  nobody asks for the session of a run that was never seen
        self.desk.see_turn(followed, unknown_end(followed.run, followed.session), thoroughly=True)


def _flat(groups: dict[str | None, list[Followed]]) -> list[Followed]:
    return [followed for group in groups.values() for followed in group]
