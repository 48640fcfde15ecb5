"""What is said of a fan-out: how far it is, what failed, and the commands that go on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from qoder_async import Cursor
from qoder_async._paging.run_lists import shifted, time_of
from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.failures import explain
from qoder_async.cli.show.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from qoder_async import DeploymentRun, QoderError
    from qoder_async.cli.arguments.common import Common, Paging
    from qoder_async.cli.lists.scope import Scope
    from qoder_async.fanout import FanOutProgress

_NO_WAY_ON = "in order of arrival there is no place to go on from: begin again, or with --newest, which has one"


@attrs.frozen(kw_only=True)
class Wanted:
    """The runs of many deployments that were asked for.

    Attributes:
        scope: The deployments.
        status: How the runs stand.
        since: From when on, inclusive.
        until: Until when, exclusive.
        paging: How the lists are walked, and how many runs are wanted in all.
        common: The common options.
    """

    scope: Scope
    status: str | None
    since: datetime | None
    until: datetime | None
    paging: Paging
    common: Common


@attrs.define(kw_only=True)
class Shown:
    """What was shown of it.

    Attributes:
        wanted: What was asked for.
        is_all: Whether all lists have come to their ends.
        runs: How many runs were shown.
    """

    wanted: Wanted
    is_all: bool = False
    runs: int = 0
    _last: DeploymentRun | None = None
    _last_ids: dict[str, str] = attrs.field(factory=dict)
    """The run that was shown last of each deployment."""

    def note(self, runs: Sequence[DeploymentRun]) -> None:
        """Note what was shown.

        Args:
            runs: Some runs, in order.
        """
        self.runs += len(runs)
        self._last = runs[-1]
        self._last_ids.update((run.deployment_id, run.id) for run in runs)

    def count(self) -> str:
        """Say how much was shown."""
        return f"{counted(self.runs, 'run')} of {counted(len(self._last_ids), 'deployment')}"

    def summary(self) -> str:
        """Say to people how much was shown, and where it goes on."""
        if not self.runs:
            return "No runs."
        if self.is_all:
            return self.count()
        return "\n  ".join((f"{self.count()}; there may be more", *self.onward()))

    def so_far(self) -> tuple[str, ...]:
        """Say how much was shown before the walk broke."""
        return (f"shown before that: {self.count()}", *self.onward()) if self.runs else ()

    def onward(self) -> tuple[str, ...]:
        """Give the command that goes on, with what is to be said of it."""
        if self._last is None:
            return ()
        if not self.wanted.scope.newest:
            return (_NO_WAY_ON,)
        onward = self._command(self.wanted.scope.options(), until=self._just_after(self._last), cursor=None)
        return (f"go on: {onward}", "the runs of the last second come again")

    def failed(self, failures: Mapping[str, QoderError]) -> tuple[str, ...]:
        """Say which deployments failed and why, each with the command that goes on, and what to do about it.

        Args:
            failures: Why, by their ids.

        Returns:
            A line for each, and then one for each kind of failure.
        """
        told: list[str] = []
        advice: dict[type[QoderError], tuple[str, ...]] = {}
        for deployment_id, error in failures.items():
            failure = explain(error)
            cursor = self._place(deployment_id, error)
            onward = self._command({"deployment": deployment_id}, until=self.wanted.until, cursor=cursor)
            told.append(f"{deployment_id}: {failure.message}; go on: {onward}")
            advice.setdefault(type(error), failure.steps)
        return (*told, *dict.fromkeys(step for steps in advice.values() for step in steps))

    def _place(self, deployment_id: str, error: QoderError) -> Cursor | None:
        """Find where a deployment's list goes on: the newest first, some of what came before the error may be left."""
        if self.is_all or not self.wanted.scope.newest:
            return error.cursor
        last_id = self._last_ids.get(deployment_id)
        return None if last_id is None else Cursor("after_id", last_id)

    def _just_after(self, last: DeploymentRun) -> datetime:
        """Find the time before which everything is that was not shown.

        Several runs may share the time of the last one, and where they do not say when they were triggered, that may
        have been up to a second after the time they have.
        """
        until = shifted(time_of(last).replace(microsecond=0), timedelta(seconds=1))
        return until if self.wanted.until is None else min(until, self.wanted.until)

    def _command(self, whose: Mapping[str, object], *, until: datetime | None, cursor: Cursor | None) -> str:
        wanted = self.wanted
        paging = wanted.paging.options(cursor=cursor, delivered=self.runs)
        paging["max_items"] = paging["max_items"] or wanted.paging.max_items  # as many again, once all were shown
        times = {"status": wanted.status, "since": wanted.since, "until": until}
        return command("runs", "list", **whose, **times, **paging, **wanted.common.options())


def progress(of: FanOutProgress, failed: int) -> str:
    """Say how far a fan-out is.

    Args:
        of: What it says itself.
        failed: How many of them have failed.

    Returns:
        A line.
    """
    total = of.deployments_total
    done = f"{of.deployments_done:,}" if total is None else f"{of.deployments_done:,} of {total:,}"
    plural = "s" * ((of.deployments_done if total is None else total) != 1)
    told = [f"{done} deployment{plural} done", counted(of.runs, "run"), counted(of.requests, "request")]
    if failed:
        told.append(f"{failed:,} failed")
    return ", ".join(told)
