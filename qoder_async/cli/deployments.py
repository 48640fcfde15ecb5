"""``qoder-async deployments``."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import attrs
from cyclopts import App

from qoder_async.cli.arguments import groups
from qoder_async.cli.arguments.common import COMMON, FOLLOWING, PAGING, Common, Flag, FollowingCommon, Paging
from qoder_async.cli.arguments.ids import check_deployments
from qoder_async.cli.arguments.next_command import command
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, usage
from qoder_async.cli.following.triggering import trigger, trigger_and_wait
from qoder_async.cli.following.waiting import DEFAULT_TIMEOUT
from qoder_async.cli.lists.walking import Listed
from qoder_async.cli.show.columns import DEPLOYMENT_COLUMNS, RUN_COLUMNS
from qoder_async.cli.show.fields import all_fields
from qoder_async.cli.show.output import make_output
from qoder_async.cli.show.terminal import is_terminal
from qoder_async.cli.show.text import clean

if TYPE_CHECKING:
    from qoder_async import Deployment, DeploymentRun

_HELP = """Agents with a prompt and perhaps a schedule.

For example:
  qoder-async deployments list --status active
  qoder-async deployments run dep_0199… --wait --timeout 10m
"""

app: App = App(name="deployments", help=_HELP, group_arguments=groups.ARGUMENTS, group_parameters=groups.OPTIONS)


@app.command(name="list")
async def list_deployments(
    *,
    status: str | None = None,
    include_archived: Flag = False,
    agent: str | None = None,
    paging: Paging = PAGING,
    common: Common = COMMON,
) -> None:
    """List deployments, the newest first.

    For example:
      qoder-async deployments list --status active
      qoder-async deployments list --include-archived --max-items 20
      qoder-async deployments list --json | jq -r .name

    On a terminal: a table. Elsewhere: a line for each, fields separated by
    tabs: id, name, status, schedule, zone, next run, agent.

    Args:
        status: active or paused.
        include_archived: Archived ones too.
        agent: Only those of this agent (its id).
        paging: How the list is walked.
        common: Which service, and how it is shown.
    """
    async with common.client() as qoder:
        pager = qoder.deployments.list(
            status=status, include_archived=include_archived, agent_id=agent, **paging.arguments()
        )
        filters = {"status": status, "include_archived": include_archived, "agent": agent}
        listed = Listed(
            words=("deployments", "list"), filters=filters, paging=paging, common=common, noun="deployments"
        )
        await listed.show(pager, DEPLOYMENT_COLUMNS)


@app.command
async def get(deployment: str, /, *, common: Common = COMMON) -> None:
    """Show all of a deployment; environment variables stay hidden.

    For example:
      qoder-async deployments get dep_0199…
      qoder-async deployments get dep_0199… --json | jq .schedule

    A line for each field; elsewhere than on a terminal its name, a tab and
    its value. --json prints the bytes of the service, and these hold the
    environment variables.

    Args:
        deployment: The deployment's id.
        common: Which service, and how it is shown.
    """
    check_deployments((deployment,))
    async with common.client() as qoder:
        found = await qoder.deployments.get(deployment)
    make_output(as_json=common.json).record(found, all_fields(found))


@app.command
async def run(
    deployment: str,
    /,
    *,
    wait: Flag = False,
    timeout: str | None = None,  # noqa: ASYNC109  the name of the option
    idempotency_key: str | None = None,
    common: FollowingCommon = FOLLOWING,
) -> int:
    """Trigger a run, and show it as the service has recorded it.

    For example:
      qoder-async deployments run dep_0199…
      qoder-async deployments run dep_0199… --wait --timeout 10m
      qoder-async deployments run dep_0199… --wait --json | jq -r .state

    On a terminal: all fields of the run. Elsewhere: one line, fields
    separated by tabs, which are those of: runs list.

    Without --wait it does not wait for the end of the run. The exit code is
    3 where the run was skipped, and 1 where it could not start.

    With --wait it names the run on standard error at once, and then shows
    how it ended, with the lines and the exit codes of: runs wait. Ctrl-C
    leaves the run alone, and says how to go on waiting.

    Args:
        deployment: The deployment's id.
        wait: Wait until the run has ended.
        timeout: With --wait: how long: 90, 10m, 2h, or none; by default 1h. Without: as --request-timeout.
        idempotency_key: The key of a trigger that is sent again; absent, a new one.
        common: Which service, and how it is shown.
    """
    check_deployments((deployment,))
    if wait:
        limit = DEFAULT_TIMEOUT if timeout is None else timeout
        return await trigger_and_wait(deployment, key=idempotency_key, patience=limit, common=common)
    plain = common.plain() if timeout is None else attrs.evolve(common.plain(), timeout=_attempt(timeout))
    triggered = await trigger(deployment, key=idempotency_key, common=plain)
    output = make_output(as_json=common.json)
    if is_terminal():
        output.record(triggered, all_fields(triggered))
    else:
        output.rows(RUN_COLUMNS, [triggered])
    code = _code(triggered)
    if code is ExitCode.FINE:
        output.remark(f"It goes on by itself; look again: {_look_again(triggered, plain)}")
    return code


@app.command
async def pause(deployment: str, /, *, common: Common = COMMON) -> None:
    """Pause a deployment: its schedule no longer fires.

    For example:
      qoder-async deployments pause dep_0199…
      qoder-async deployments pause dep_0199… --json | jq -r .status

    Args:
        deployment: The deployment's id.
        common: Which service, and how it is shown.
    """
    check_deployments((deployment,))
    async with common.client() as qoder:
        _show(await qoder.deployments.pause(deployment), common)


@app.command
async def unpause(deployment: str, /, *, common: Common = COMMON) -> None:
    """Let a paused deployment run again; what it missed is not caught up.

    For example:
      qoder-async deployments unpause dep_0199…
      qoder-async deployments unpause dep_0199… --json | jq -r .status

    Args:
        deployment: The deployment's id.
        common: Which service, and how it is shown.
    """
    check_deployments((deployment,))
    async with common.client() as qoder:
        _show(await qoder.deployments.unpause(deployment), common)


@app.command
def archive(
    deployment: str,
    /,
    *,
    yes: Flag = False,
    common: Common = COMMON,
) -> None:
    """Archive a deployment, for good: its schedule ends, and there is no way back.

    For example:
      qoder-async deployments archive dep_0199…
      qoder-async deployments archive dep_0199… --yes

    Args:
        deployment: The deployment's id.
        yes: Do not ask; needed where nobody can be asked.
        common: Which service, and how it is shown.
    """
    check_deployments((deployment,))
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise usage("archiving cannot be undone, and there is no terminal to ask on: say --yes if you mean it")
        # Asking blocks, so it happens between two event loops: Ctrl-C works as ever.
        found = asyncio.run(_read(deployment, common))
        _confirm(f"Archive {found.id} ({clean(found.name)})? It cannot be undone. [y/N] ")
    _show(asyncio.run(_archive(deployment, common)), common)


async def _read(deployment: str, common: Common) -> Deployment:
    async with common.client() as qoder:
        return await qoder.deployments.get(deployment)


async def _archive(deployment: str, common: Common) -> Deployment:
    async with common.client() as qoder:
        return await qoder.deployments.archive(deployment)


def _confirm(question: str) -> None:
    sys.stderr.write(question)
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Stop(Failure(ExitCode.USAGE, "nothing was archived"))


def _show(deployment: Deployment, common: Common) -> None:
    make_output(as_json=common.json).rows(DEPLOYMENT_COLUMNS, [deployment])


def _attempt(timeout: str) -> float:
    try:
        return float(timeout)
    except ValueError:
        raise usage(
            f"--timeout {timeout} says how long to wait: add --wait",
            "without it, --timeout is the seconds for one attempt of a request, such as 30",
        ) from None


def _code(run: DeploymentRun) -> ExitCode:
    if run.status == "skipped":
        return ExitCode.RUN_SKIPPED
    if run.status == "failed" or (run.error is not None and run.session_id is None):
        return ExitCode.RUN_FAILED
    return ExitCode.FINE


def _look_again(run: DeploymentRun, common: Common) -> str:
    return command("runs", "get", run.id, **common.options())
