"""Lists, shown as they are walked, and the command that goes on where a walk broke."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import attrs

from qoder_async import Cursor
from qoder_async._wire.record_id import read_id
from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.show.idle import WhenIdle
from qoder_async.cli.show.json_lines import flush, write_record
from qoder_async.cli.show.output import make_output
from qoder_async.errors import ConfigurationError, QoderError, UnsupportedFilterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qoder_async import Pager
    from qoder_async.cli.arguments.common import Common, Paging
    from qoder_async.cli.show.columns import Column, R


@attrs.define(kw_only=True)
class Listed:
    """A list that is being shown.

    Attributes:
        words: The command, such as ``("runs", "list")``.
        filters: Its own options, as they were understood: ``2h`` is a point in time by now.
        paging: How it is walked.
        common: The common options.
        noun: What the records are called, in the plural.
        delivered: How many were shown.
        last_id: The id of the last one.
        following: Where the list goes on after what was wanted of it.
    """

    words: tuple[str, ...]
    filters: Mapping[str, object]
    paging: Paging
    common: Common
    noun: str
    delivered: int = 0
    last_id: str | None = None
    following: Cursor | None = None

    async def show(self, pager: Pager[R], columns: Sequence[Column[R]]) -> None:
        """Walk it and show each record as it comes.

        Args:
            pager: The list.
            columns: What people see of a record.

        Raises:
            Stop: The walk broke or was interrupted.
        """
        try:
            if self.common.json:
                await self._show_bytes(pager)
            else:
                await self._show_rows(pager, columns)
        except (ConfigurationError, UnsupportedFilterError):
            raise
        except QoderError as error:
            raise Stop(explain(error).and_then(*self._onward(error.cursor))) from None
        except asyncio.CancelledError:
            message = f"interrupted after {self.delivered:,} {self.noun}"
            raise Stop(Failure(ExitCode.INTERRUPTED, message, self._onward(self._place()))) from None

    async def _show_bytes(self, pager: Pager[R]) -> None:
        last = b""
        flushing = WhenIdle(flush)
        try:
            async with aclosing(pager.raw()) as records:
                async for raw in records:
                    write_record(raw)
                    flushing.soon()
                    self.delivered += 1
                    last = raw
        finally:
            self.last_id = read_id(last)

    async def _show_rows(self, pager: Pager[R], columns: Sequence[Column[R]]) -> None:
        output = make_output(as_json=False)
        async with aclosing(pager.pages()) as pages:
            async for page in pages:
                output.rows(columns, page.items)
                self.delivered += len(page.items)
                if page.items:
                    self.last_id = page.items[-1].id
                self.following = page.next_cursor
        if not self.delivered:
            output.remark(f"No {self.noun}.")
        elif self.following is not None:
            rest = attrs.evolve(self.paging, max_items=None)
            onward = self._command(rest.options(cursor=self.following, delivered=0))
            output.remark(f"{self.delivered:,} {self.noun}; there are more:\n  {onward}")
        else:
            output.remark(f"{self.delivered:,} {self.noun}")

    def _place(self) -> Cursor | None:
        """Find where an interrupted walk goes on."""
        goes_back = (self.paging.cursor or "").startswith("before_id")
        return Cursor("after_id", self.last_id) if self.last_id and not goes_back else None

    def _onward(self, cursor: Cursor | None) -> tuple[str, ...]:
        if cursor is None:
            return ()
        return (f"go on: {self._command(self.paging.options(cursor=cursor, delivered=self.delivered))}",)

    def _command(self, paging: Mapping[str, object]) -> str:
        return command(*self.words, **self.filters, **paging, **self.common.options())
