"""Watching: changes of runs, shown as they come, and the command that goes on from there."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import attrs

from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.following.changes import CHANGE_COLUMNS, ToldChange, write_change
from qoder_async.cli.show.idle import WhenIdle
from qoder_async.cli.show.output import Table, make_table
from qoder_async.cli.show.words import counted
from qoder_async.errors import QoderError
from qoder_async.following.watch_state import read_state

if TYPE_CHECKING:
    from datetime import datetime

    from qoder_async import RunChange, RunChanges
    from qoder_async.cli.arguments.common import FollowingCommon
    from qoder_async.cli.following.state_file import StateFile

_LONGEST_TO_COPY = 1000


@attrs.define(kw_only=True)
class Watch:
    """A watch of deployments.

    Attributes:
        deployments: Their ids; none for all.
        since: Where it begins: a time, or the state of an earlier watch.
        file: Where its state is kept, if it is.
        most: How many changes are shown at most.
        common: The common options.
    """

    deployments: tuple[str, ...]
    since: datetime | str | None
    file: StateFile | None
    most: int | None
    common: FollowingCommon
    _shown: int = 0
    _changes: RunChanges | None = None
    _failure: Stop | None = None
    _table: Table = attrs.field(factory=make_table)

    async def follow(self) -> None:
        """Show changes until there are enough.

        Raises:
            Stop: It was interrupted, or broke.
        """
        place = (self.file.read() if self.file else None) or self.since
        async with self.common.client() as qoder:
            changes = qoder.runs.watch(self.deployments or None, since=place)
            try:
                async with changes:
                    self._changes = changes
                    self._keep()
                    await self._show_all(changes)
                self._keep()
            except QoderError as error:
                self._keep()
                raise Stop(explain(error, attempt_option="--request-timeout").and_then(*self._onward())) from None
            except asyncio.CancelledError:
                self._keep()
                message = f"interrupted after {self._count()}"
                raise Stop(Failure(ExitCode.INTERRUPTED, message, self._onward())) from None
        if not self.common.json:
            self._table.remark("\n  ".join((f"{self._count()}; {self._onward()[0]}", *self._onward()[1:])))

    async def _show_all(self, changes: RunChanges) -> None:
        if not self.common.json:
            self._table.remark(f"Watching {self._what()}; Ctrl-C ends it.")
        keeping = WhenIdle(self._try_to_keep)
        async for change in changes:
            try:
                self._show(change)
            except OSError:
                self._changes = None  # its state covers a change that nobody has seen
                raise
            self._shown += 1
            keeping.soon()
            if self._failure is not None:
                raise self._failure
            if self._shown == self.most:
                return

    def _show(self, change: RunChange) -> None:
        if self.common.json:
            write_change(change)
            sys.stdout.flush()
        else:
            self._table.rows(CHANGE_COLUMNS, [ToldChange(change)])

    def _keep(self) -> None:
        if self.file is not None and self._changes is not None:
            self.file.write(self._changes.state)

    def _try_to_keep(self) -> None:
        try:
            self._keep()
        except Stop as failure:
            self._failure = failure

    def _onward(self) -> tuple[str, ...]:
        """Give the command that goes on, with what is to be said of it."""
        if self._changes is None:
            return ()  # it never began
        if self.file is not None:
            return (self._command(None),)
        state = self._changes.state
        found = read_state(state) if len(state) > _LONGEST_TO_COPY else None
        if found is None:
            return (self._command(state),)
        return (
            self._command(found.looked_at),
            "the exact place is too long to copy: runs that end meanwhile are missed; --state FILE keeps it",
        )

    def _command(self, since: datetime | str | None) -> str:
        options = {
            "since": since,
            "state": self.file and self.file.path,
            "max_changes": None if self.most is None else self.most - self._shown or self.most,
        }
        return f"go on: {command('runs', 'watch', *self.deployments, **options, **self.common.options())}"

    def _what(self) -> str:
        count = len(self.deployments)
        return counted(count, "deployment") if count else "all deployments"

    def _count(self) -> str:
        return counted(self._shown, "change")
