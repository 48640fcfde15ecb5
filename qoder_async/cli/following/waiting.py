"""Waiting for runs: each is shown as it ends, and the command that goes on where not all have ended."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from qoder_async.cli.arguments.moments import read_duration
from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain
from qoder_async.cli.following.endings import ENDING_COLUMNS, write_ending
from qoder_async.cli.following.verdict import verdict
from qoder_async.cli.show.columns import run_state
from qoder_async.cli.show.live_line import Line, make_line, redrawn
from qoder_async.cli.show.output import Table, make_table
from qoder_async.cli.show.words import NOTHING, counted, whole_duration
from qoder_async.errors import BadRequestError, NotFoundError, QoderError, RunTimeoutError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from contextlib import AbstractAsyncContextManager

    from qoder_async import DeploymentRun, FinishedRun, RunState
    from qoder_async.cli.arguments.common import FollowingCommon

DEFAULT_TIMEOUT = "1h"
_MOST_TOLD = 10


async def wait_for(run_ids: Collection[str], *, patience: str, common: FollowingCommon) -> ExitCode:
    """Wait for runs and show each as it ends.

    Args:
        run_ids: The runs.
        patience: How long in all, as it was typed.
        common: The common options.

    Returns:
        The exit code.

    Raises:
        Stop: Not all of them have ended.
    """
    limit = read_duration(patience, "--timeout")
    async with common.client() as qoder:
        awaited = Awaited(patience=patience, common=common)
        ending = qoder.runs.as_completed(run_ids, timeout=limit, on_update=awaited.saw)
        awaited.run_ids = ending.pending
        has_run_out = False
        try:
            async with awaited.shown(), ending:
                async for finished in ending:
                    awaited.give(finished)
        except RunTimeoutError:
            has_run_out = True
        except QoderError as error:
            raise Stop(awaited.explain(error).and_then(*awaited.onward(ending.pending, ending.failures))) from None
        except asyncio.CancelledError:
            raise Stop(awaited.interrupted(ending.pending, ending.failures)) from None
    return awaited.settle(ending.pending if has_run_out else (), ending.failures)


@attrs.define(kw_only=True)
class Awaited:
    """Runs that are awaited.

    Attributes:
        patience: How long, as it was typed.
        common: The common options.
        run_ids: The runs.
        states: How those that have ended did so.
    """

    patience: str
    common: FollowingCommon
    run_ids: tuple[str, ...] = ()
    states: list[RunState] = attrs.field(factory=list)
    _last: DeploymentRun | None = None
    _seen: set[str] = attrs.field(factory=set)
    _started: float = attrs.field(factory=time.monotonic)
    _table: Table = attrs.field(factory=make_table)
    _line: Line = attrs.field(
        init=False, default=attrs.Factory(lambda self: make_line(as_json=self.common.json), takes_self=True)
    )

    def shown(self) -> AbstractAsyncContextManager[None]:
        """Keep people informed as long as the block lasts."""
        return redrawn(self._line, self._redraw)

    def saw(self, run: DeploymentRun) -> None:
        """Take note of how a run stands."""
        self._last = run
        self._seen.add(run.id)
        self._redraw()

    def give(self, finished: FinishedRun) -> None:
        """Show how a run ended."""
        self._line.hide()
        if self.common.json:
            write_ending(finished)
            sys.stdout.flush()
        else:
            self._table.rows(ENDING_COLUMNS, [finished])
        self.states.append(finished.state)
        if self._last is not None and self._last.id == finished.run.id:
            self._last = None
        self._redraw()

    def settle(self, pending: Collection[str], unfollowed: Mapping[str, Exception]) -> ExitCode:
        """Sum it up.

        Args:
            pending: The runs that had not ended when the time ran out.
            unfollowed: Why runs could not be followed, by their ids.

        Returns:
            The exit code.

        Raises:
            Stop: Not all of them have ended.
        """
        code = verdict(self.states, has_unfollowed=bool(unfollowed), has_run_out=bool(pending))
        if pending or unfollowed:
            raise Stop(self._failure(code, pending, unfollowed))
        if len(self.states) > 1 and not self.common.json:
            counts = Counter(map(str, self.states))
            told = ", ".join(f"{count:,} {state}" for state, count in counts.most_common())
            self._table.remark(f"{len(self.states):,} runs: {told}")
        return code

    def interrupted(self, pending: Collection[str], unfollowed: Mapping[str, Exception]) -> Failure:
        """Say that the runs go on, as far as they were seen."""
        message = f"interrupted; {self._told_of(pending)}" if pending else "interrupted"
        return Failure(ExitCode.INTERRUPTED, message, self.onward(pending, unfollowed))

    def explain(self, error: QoderError) -> Failure:
        """Put an exception of the library into the words of this command."""
        return explain(error, attempt_option="--request-timeout")

    def onward(self, pending: Collection[str], unfollowed: Mapping[str, Exception]) -> tuple[str, ...]:
        """Give the command that goes on with the runs for which that makes sense."""
        hopeful = {
            run_id for run_id, error in unfollowed.items() if not isinstance(error, NotFoundError | BadRequestError)
        }
        left = [run_id for run_id in self.run_ids if run_id in pending or run_id in hopeful]
        if not left:
            return ()
        options = {**patience_option(self.patience), **self.common.options()}
        return (f"go on: {command('runs', 'wait', *left, **options)}",)

    def _failure(self, code: ExitCode, pending: Collection[str], unfollowed: Mapping[str, Exception]) -> Failure:
        failures = {run_id: self._explain_any(error) for run_id, error in unfollowed.items()}
        advice = dict.fromkeys(step for failure in failures.values() for step in failure.steps)
        steps = (*self.onward(pending, unfollowed), *advice)
        if not pending and len(self.run_ids) == 1:
            return Failure(code, next(iter(failures.values())).message, steps)
        message = [f"the time ran out (--timeout {self.patience}): {self._told_of(pending)}"] if pending else []
        if unfollowed:
            message.append(f"{len(unfollowed):,} of {self._all()} cannot be followed")
        told = [f"{run_id}: {failure.message}" for run_id, failure in failures.items()]
        more = len(told) - _MOST_TOLD
        if more > 0:
            told[_MOST_TOLD:] = [f"and {more:,} more"]
        return Failure(code, "; ".join(message), (*told, *steps))

    def _explain_any(self, error: Exception) -> Failure:
        return self.explain(error) if isinstance(error, QoderError) else Failure(ExitCode.API, repr(error))

    def _told_of(self, pending: Collection[str]) -> str:
        """Say that runs go on that were seen, and that of the others nothing is known: they may not exist."""
        seen = len(self._seen.intersection(pending))
        unseen = len(pending) - seen
        told = []
        if seen:
            verb = "goes on by itself" if seen == 1 else "go on by themselves"
            told.append(f"{self._so_many(seen)} had not ended, and {verb}")
        if unseen:
            verb, them = ("was", "it") if unseen == 1 else ("were", "them")
            told.append(f"{self._so_many(unseen)} {verb} not seen: nothing is known of {them}")
        return "; ".join(told)

    def _so_many(self, count: int) -> str:
        return self.run_ids[0] if len(self.run_ids) == 1 else f"{count:,} of {self._all()}"

    def _all(self) -> str:
        return counted(len(self.run_ids), "run")

    def _redraw(self) -> None:
        if len(self.states) < len(self.run_ids):
            elapsed = time.monotonic() - self._started
            self._line.show(progress(len(self.states), len(self.run_ids), elapsed, self._last))


def patience_option(patience: str) -> dict[str, object]:
    """Give the option that says how long, for a command to copy, if it was set."""
    return {"timeout": None if patience == DEFAULT_TIMEOUT else patience}


def progress(ended: int, total: int, elapsed: float, last: DeploymentRun | None) -> str:
    """Say how far a wait is.

    Args:
        ended: How many runs have ended.
        total: Of how many.
        elapsed: Seconds since the wait began.
        last: The run that was heard of last.

    Returns:
        A line.
    """
    head = f"{ended:,} of {total:,} ended, " if total > 1 else ""
    head += whole_duration(elapsed)
    if last is None:
        return head
    state = run_state(last)
    return f"{head}: {last.id} {'going on' if state == NOTHING else state}"
