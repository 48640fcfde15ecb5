"""Triggering a run, and what to do where nobody knows whether it was started."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from qoder_async.cli.arguments.moments import read_duration
from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop
from qoder_async.cli.following.waiting import Awaited, patience_option
from qoder_async.cli.show.text import clean
from qoder_async.errors import AmbiguousTriggerError, ConfigurationError, QoderError, RunTimeoutError
from qoder_async.resources._lost_triggers import earliest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qoder_async import DeploymentRun
    from qoder_async.cli.arguments.common import Common, FollowingCommon


@attrs.frozen(kw_only=True)
class Trigger:
    """A trigger of a deployment.

    Attributes:
        deployment: The deployment's id.
        key: Its key, minted here so that it is known should the command be interrupted.
        common: The common options of commands that look at lists.
        resend: The options with which it is sent again, besides the key.
        started: When the command began.
    """

    deployment: str
    key: str
    common: Common
    resend: Mapping[str, object]
    started: datetime = attrs.field(factory=lambda: datetime.now(UTC))

    def lost(self, error: AmbiguousTriggerError) -> Stop:
        """Say that the answer was lost."""
        failure = Failure(
            ExitCode.API,
            f"the answer to the trigger was lost ({error.reason}): a run may have been started, or not; "
            "the trigger was not sent again",
        )
        return Stop(failure.and_then(*self._look_first(earliest(error.sent_at, error.clock_ahead))))

    def interrupted(self) -> Stop:
        """Say that the command was interrupted before there was an answer."""
        failure = Failure(ExitCode.INTERRUPTED, "interrupted: a run may have been started, or not")
        return Stop(failure.and_then(*self._look_first(earliest(self.started, None))))

    def _look_first(self, sent: datetime) -> tuple[str, str]:
        since = sent.replace(microsecond=0)
        look = command("runs", "list", deployment=self.deployment, since=since, **self.common.options())
        resend = command("deployments", "run", self.deployment, idempotency_key=self.key, **self.resend)
        return (
            f"look first, a run may show up a little late: {look}",
            f"if there is none, send it again with the same key: {resend}",
        )


async def trigger(deployment: str, *, key: str | None, common: Common) -> DeploymentRun:
    """Trigger a run.

    Args:
        deployment: The deployment's id.
        key: The key of a trigger that is sent again, ``None`` for a new one.
        common: The common options.

    Returns:
        The run as the service has recorded it.

    Raises:
        Stop: Nobody knows whether it was started.
    """
    sent = Trigger(deployment=deployment, key=_key(key), common=common, resend=common.options())
    async with common.client() as qoder:
        try:
            return await qoder.deployments.run(deployment, idempotency_key=sent.key)
        except AmbiguousTriggerError as error:
            raise sent.lost(error) from None
        except asyncio.CancelledError:
            raise sent.interrupted() from None


async def trigger_and_wait(deployment: str, *, key: str | None, patience: str, common: FollowingCommon) -> ExitCode:
    """Trigger a run, wait for its end and show it; standard error names the run as soon as there is one.

    Args:
        deployment: The deployment's id.
        key: The key of a trigger that is sent again, ``None`` for a new one.
        patience: How long to wait, as it was typed.
        common: The common options.

    Returns:
        The exit code.

    Raises:
        Stop: The run has not ended, or nobody knows whether it was started.
    """
    limit = read_duration(patience, "--timeout")
    resend = {"wait": True, **patience_option(patience), **common.options()}
    sent = Trigger(deployment=deployment, key=_key(key), common=common.plain(), resend=resend)
    awaited = Awaited(patience=patience, common=common)

    def saw(run: DeploymentRun) -> None:
        if not awaited.run_ids:
            awaited.run_ids = (run.id,)
            _name(run)
        awaited.saw(run)

    pending: tuple[str, ...] = ()
    unfollowed: dict[str, Exception] = {}
    async with common.client() as qoder:
        try:
            async with awaited.shown():
                finished = await qoder.deployments.run_and_wait(
                    deployment, timeout=limit, on_update=saw, idempotency_key=sent.key
                )
                awaited.give(finished)
        except AmbiguousTriggerError as error:
            raise sent.lost(error) from None
        except asyncio.CancelledError:
            raise (Stop(awaited.interrupted(awaited.run_ids, {})) if awaited.run_ids else sent.interrupted()) from None
        except RunTimeoutError:
            pending = awaited.run_ids
        except ConfigurationError:
            raise
        except QoderError as error:
            if not awaited.run_ids:
                raise Stop(awaited.explain(error)) from None
            unfollowed = {awaited.run_ids[0]: error}
    return awaited.settle(pending, unfollowed)


def _key(given: str | None) -> str:
    return str(uuid.uuid4()) if given is None else given


def _name(run: DeploymentRun) -> None:
    """Make a run known, whatever happens to this process."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"qoder-async: triggered {clean(run.id)}\n")
        sys.stderr.flush()
