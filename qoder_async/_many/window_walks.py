"""The windows of a history, walked at once and delivered one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING

import attrs

from qoder_async._concurrency.workers import Handed, Workers
from qoder_async._many.windows import MOST_PAGES, Window, Windows
from qoder_async.errors import QoderError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from datetime import datetime
    from typing import Any

    from qoder_async._wire.cursors import Cursor
    from qoder_async.models import DeploymentRun
    from qoder_async.paging import Page, Pager

_MOST_HELD = MOST_PAGES + MOST_PAGES // 2
"""How many pages are held for each window that is walked at once, before what lies ahead has to wait."""


class FiltersIgnoredError(Exception):
    """The service does not heed the bounds of windows."""


@attrs.frozen
class _Came:
    """What came of a request.

    Attributes:
        window: The window it was for, ``None`` where it was for the time at which the history may have begun.
        page: A page, ``None`` where there are no more.
        error: Why there are no more, if it is not the end.
        floor: When the history may have begun, ``None`` where nobody knows.
    """

    window: Window | None
    page: Page[DeploymentRun] | None = None
    error: QoderError | None = None
    floor: datetime | None = None


@attrs.define
class _Held:
    """What is there of a window.

    Attributes:
        pages: The runs of each page that waits for its turn, the newest last.
        worker: Who waits before the next page is fetched.
        next_cursor: Where the next page begins, ``None`` for the first.
        is_done: Whether nothing more will come.
        error: Why, if it is not the end. Its cursor is ``None`` where the next page as a whole did not come.
    """

    pages: deque[list[DeploymentRun]] = attrs.field(factory=deque)
    worker: Handed[_Came] | None = None
    next_cursor: Cursor | None = None
    is_done: bool = False
    error: QoderError | None = None


class WindowWalks:
    """Walks windows.

    Args:
        plan: The windows.
        pager_of: Gives the list of a window's runs.
        read_floor: Reads when the history may have begun, ``None`` where the plan knows or needs it not.
        at_once: How many windows are walked at once.
    """

    def __init__(
        self,
        plan: Windows,
        pager_of: Callable[[Window], Pager[DeploymentRun]],
        read_floor: Callable[[], Coroutine[Any, Any, datetime]] | None,
        at_once: int,
    ) -> None:
        self._plan = plan
        self._pager_of = pager_of
        self._read_floor = read_floor
        self._most_held = _MOST_HELD * at_once
        self._held: dict[Window, _Held] = {}
        self._pages_held = 0
        self._first: Window | None = None
        self._heeds_bounds = False
        self._begun: asyncio.Queue[Window] = asyncio.Queue()
        self._workers = Workers(self._fetch, self._wanted(), max_concurrency=at_once)

    def start(self) -> None:
        """Begin."""
        self._let_go_on()
        self._workers.start()

    async def next_page(self) -> tuple[Window, list[DeploymentRun]] | None:
        """Wait for the next page in the order of the windows.

        Returns:
            The window and the runs of the page, the newest last; nothing at the end.

        Raises:
            QoderError: The window that is next cannot be walked to its end.
            FiltersIgnoredError: Windows do not help here.
        """
        while (handed := self._workers.take_at_once()) is not None:
            self._note(handed)
        while (head := self._plan.head) is not None:
            held = self._held[head]
            if held.pages:
                runs = held.pages.popleft()
                self._pages_held -= 1
                self._let_go_on()
                return head, runs
            if not held.is_done:
                if (handed := await self._workers.take()) is None:
                    return None  # the block was left by another task
                self._note(handed)
            elif held.error is not None:
                if self._is_in_doubt(head, held.error):
                    raise FiltersIgnoredError
                raise held.error
            else:
                self._plan.drop_head()
                del self._held[head]
                self._let_go_on()
        return None

    async def aclose(self) -> None:
        """End what is under way."""
        await self._workers.aclose()

    async def _wanted(self) -> AsyncGenerator[Window | None, None]:
        """Give what is to be asked for: windows, and once nothing, which is when the history may have begun."""
        yield await self._begun.get()
        if self._read_floor is not None:
            yield None
        while True:
            yield await self._begun.get()

    async def _fetch(self, window: Window | None, hand_over: Callable[[_Came], Handed[_Came]]) -> None:
        if window is None:
            hand_over(_Came(None, floor=await self._floor()))
            return
        failure: QoderError | None = None
        try:
            async with aclosing(self._pager_of(window).pages()) as pages:
                async for page in pages:
                    await hand_over(_Came(window, page)).wait()
                    if window.is_over and page.has_more:
                        break  # what follows is another window's
        except QoderError as error:
            failure = error
        hand_over(_Came(window, error=failure))

    async def _floor(self) -> datetime | None:
        assert self._read_floor is not None  # noqa: S101  else nobody asks
        try:
            return await self._read_floor()
        except QoderError:
            return None  # it serves to plan only, and the list of runs will tell what is wrong

    def _note(self, handed: Handed[_Came]) -> None:
        came = handed.value
        if came.window is None:
            self._plan.set_floor(came.floor)
            handed.release()
        elif came.page is not None:
            self._note_page(came.window, came.page)
            self._held[came.window].worker = handed
        else:
            held = self._held[came.window]
            held.is_done, held.error = True, came.error
            if came.error is not None and came.error.cursor == held.next_cursor:
                came.error.cursor = None
            self._plan.note_end(came.window)
            handed.release()
        self._let_go_on()

    def _note_page(self, window: Window, page: Page[DeploymentRun]) -> None:
        self._held[window].next_cursor = page.next_cursor
        if not page.items:
            return
        if window.is_violated_by(page.items):
            raise FiltersIgnoredError
        self._heeds_bounds = self._heeds_bounds or window is not self._first
        self._plan.note_page(window, page.items, has_more=page.has_more)
        self._held[window].pages.append(page.items[::-1])
        self._pages_held += 1

    def _is_in_doubt(self, window: Window, error: QoderError) -> bool:
        """Tell whether a record that breaks a window need not lie in it, since nothing shows that bounds are heeded."""
        is_later = window is not self._first
        return error.cursor is not None and window.newest is None and is_later and not self._heeds_bounds

    def _let_go_on(self) -> None:
        """Let everybody go on for whom there is room; who is next has room always."""
        while self._may_begin() and (window := self._plan.begin_next()) is not None:
            self._first = self._first or window
            self._held[window] = _Held()
            self._begun.put_nowait(window)
        for window, held in self._held.items():
            if held.worker is not None and self._has_room_for(window):
                held.worker.release()
                held.worker = None

    def _has_room_for(self, window: Window | None) -> bool:
        return self._pages_held < self._most_held or window is self._plan.head

    def _may_begin(self) -> bool:
        return self._pages_held < self._most_held or self._plan.head not in self._held
