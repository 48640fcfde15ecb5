"""``qoder-async runs``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  cyclopts reads the signature
from typing import Annotated

from cyclopts import App, Parameter

from qoder_async.cli.arguments import groups
from qoder_async.cli.arguments.common import COMMON, FOLLOWING, PAGING, Common, Flag, FollowingCommon, Paging
from qoder_async.cli.arguments.counts import Count, OptionalCount, check_positive
from qoder_async.cli.arguments.ids import check_deployments, check_runs
from qoder_async.cli.arguments.moments import read_moment
from qoder_async.cli.export.commands import export, sync
from qoder_async.cli.following.state_file import StateFile
from qoder_async.cli.following.waiting import DEFAULT_TIMEOUT, wait_for
from qoder_async.cli.following.watching import Watch
from qoder_async.cli.lists.fan_out_steps import Wanted
from qoder_async.cli.lists.fanning_out import show_fan_out
from qoder_async.cli.lists.scope import AT_ONCE, Scope
from qoder_async.cli.lists.walking import Listed
from qoder_async.cli.show.columns import RUN_COLUMNS
from qoder_async.cli.show.fields import all_fields
from qoder_async.cli.show.output import make_output
from qoder_async.cli.show.terminal import is_terminal
from qoder_async.cli.stats.command import stats
from qoder_async.cli.verify.command import verify

_HELP = """What deployments have done and are doing.

For example:
  qoder-async runs list --since 2h
  qoder-async runs wait drun_0199… --timeout 10m
  qoder-async runs sync runs.db && qoder-async runs stats runs.db
"""

app: App = App(name="runs", help=_HELP, group_arguments=groups.ARGUMENTS, group_parameters=groups.OPTIONS)
app.command(export)
app.command(sync)
app.command(stats)
app.command(verify)


@app.command(name="list")
async def list_runs(
    *,
    deployment: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    all_deployments: Flag = False,
    newest: Flag = False,
    concurrency: Count = AT_ONCE,
    status: str | None = None,
    since: str | None = None,
    until: str | None = None,
    trigger_type: str | None = None,
    has_error: Annotated[bool | None, Parameter(negative="--no-error")] = None,
    paging: Paging = PAGING,
    common: Common = COMMON,
) -> None:
    """List runs, the newest first, as they come.

    For example:
      qoder-async runs list --since 2h --status failed
      qoder-async runs list --deployment dep_0199… --since 3d --json | jq -r .id
      qoder-async runs list --all-deployments --newest --max-items 50

    On a terminal: a table. Elsewhere: a line for each, fields separated by
    tabs: id, status, trigger, time, milliseconds, deployment, session, error.

    Without --deployment, the service's one list of all runs is walked. With
    several of them, or with --all-deployments, the lists of the deployments
    are walked at once: each page is shown as it comes, the newest runs of a
    deployment first; with --newest the newest of all come first, once there
    is a page of each deployment. A deployment that fails does not end the
    others: at the end, each is told with the command that goes on (exit
    code 5). --max-items counts over all; --cursor is for one list only, and
    so are --trigger-type and --has-error.

    Times are UTC: 2h is two hours ago, 2026-11-01 is that midnight, a time
    without an offset is UTC. Without --deployment, and with --trigger-type or
    --has-error, they are compared with the time the run was recorded, which
    is the time of its trigger or moments later.

    Args:
        deployment: Only runs of this deployment (its id); may be repeated.
        all_deployments: The runs of each deployment, archived ones too, many lists at once.
        newest: The newest runs of all these deployments first.
        concurrency: How many deployments are walked at once.
        status: pending, running, completed, failed or skipped; not with the lean shape.
        since: Triggered at or after: 2h, 3d, 2026-11-01, RFC 3339.
        until: Triggered before.
        trigger_type: manual, schedule or retry.
        has_error: Only runs with an error, or only those without.
        paging: How the list is walked.
        common: Which service, and how it is shown.
    """
    check_deployments(deployment)
    scope = Scope(deployments=deployment, all_deployments=all_deployments, newest=newest, concurrency=concurrency)
    has_error_option = "--no-error" if has_error is False else "--has-error"
    scope.check(
        cursor=paging.cursor,
        single={"--trigger-type": trigger_type is not None, has_error_option: has_error is not None},
    )
    after, before = read_moment(since, "--since"), read_moment(until, "--until")
    if scope.is_fan_out:
        wanted = Wanted(scope=scope, status=status, since=after, until=before, paging=paging, common=common)
        await show_fan_out(wanted)
        return
    filters = {
        "deployment": scope.deployment,
        "status": status,
        "since": after,
        "until": before,
        "trigger_type": trigger_type,
        "has_error": has_error,
        "no_error": has_error is False,
    }
    listed = Listed(words=("runs", "list"), filters=filters, paging=paging, common=common, noun="runs")
    repeats_itself = scope.deployment is not None and is_terminal()
    columns = [column for column in RUN_COLUMNS if not (repeats_itself and column.heading == "DEPLOYMENT")]
    async with common.client() as qoder:
        if scope.deployment is not None and trigger_type is None and has_error is None:
            pager = qoder.runs.list(
                scope.deployment,
                status=status,
                triggered_after=after,
                triggered_before=before,
                **paging.arguments(),
            )
        else:
            pager = qoder.runs.list_all(
                deployment_id=scope.deployment,
                status=status,
                trigger_type=trigger_type,
                has_error=has_error,
                created_after=after,
                created_before=before,
                **paging.arguments(),
            )
        await listed.show(pager, columns)


@app.command
async def get(
    run: str,
    /,
    *,
    deployment: str | None = None,
    common: Common = COMMON,
) -> None:
    """Show all of a run.

    For example:
      qoder-async runs get drun_0199…
      qoder-async runs get drun_0199… --json | jq .error

    A line for each field; elsewhere than on a terminal its name, a tab and
    its value.

    Args:
        run: The run's id.
        deployment: Read it through its deployment (its id).
        common: Which service, and how it is shown.
    """
    check_runs((run,))
    async with common.client() as qoder:
        found = await qoder.runs.get(run, deployment_id=deployment)
    output = make_output(as_json=common.json)
    output.record(found, all_fields(found))
    if found.is_terminal is None:
        output.remark("This service's runs have no status: how one went is read from its session.")


@app.command
async def wait(
    *runs: Annotated[str, Parameter(required=True)],
    timeout: str = DEFAULT_TIMEOUT,  # noqa: ASYNC109  the name of the option
    common: FollowingCommon = FOLLOWING,
) -> int:
    """Wait until runs have ended, and show each as it ends.

    For example:
      qoder-async runs wait drun_0199… --timeout 10m
      qoder-async runs wait drun_0199… drun_019a… --json | jq -r .state

    On a terminal: a table, and below it how far it is. Elsewhere: one line
    for each run as it ends, fields separated by tabs: id, state,
    milliseconds, time of its end, deployment, session, why.

    States: completed, failed, skipped, stopped (its session came to rest
    before the work was done), unknown (its session is gone or may not be
    read, so that nobody can tell).

    --json: one object per line for each run as it ends: run and session (or
    null) with the very bytes of the service, and state, error (type and
    message, or null), stop_reason, ended_at.

    Exit codes: 0 all completed, 1 one failed, 3 one was skipped or stopped,
    4 the time ran out, 5 one could not be followed or its state is unknown.
    Where several apply, what is not known outweighs what is: 5, then 4, then
    1, then 3. The lines of all that have ended are there in any case.

    When the time runs out, and after Ctrl-C (130), the runs go on by
    themselves; the command that goes on waiting is printed. Of a run that was
    not seen by then nothing is known: it may not exist.

    Args:
        runs: The runs' ids.
        timeout: How long, for all of them: 90, 90s, 10m, 1h30m, or none.
        common: Which service, and how it is shown.
    """
    check_runs(runs)
    return await wait_for(runs, patience=timeout, common=common)


@app.command
async def watch(
    *deployments: str,
    since: str | None = None,
    state: Path | None = None,
    max_changes: OptionalCount = None,
    common: FollowingCommon = FOLLOWING,
) -> None:
    """Watch runs being created, changing and finishing, until Ctrl-C.

    For example:
      qoder-async runs watch
      qoder-async runs watch dep_0199… --since 2h
      qoder-async runs watch --state bot.state --json | jq -r .kind

    On a terminal: a table that grows. Elsewhere: one line for each change as
    it comes, fields separated by tabs: time, change (created, changed or
    finished), run, state, deployment, session, why. The time is that of the
    service where it tells one, otherwise that of this machine.

    --json: one object per line for each change as it comes: kind (created,
    changed or finished), run and session (or null) with the very bytes of
    the service, and state, error (type and message, or null), stop_reason,
    ended_at, which are those of: runs wait.

    Every creation and every finish comes once. With --state the watch goes
    on where it was, even after it was killed: the file is replaced after the
    lines that it covers, so that lines may come twice then, and none is
    missed.

    Ctrl-C (exit code 130) prints the command that goes on from there.

    Args:
        deployments: The deployments' ids; without any, all are watched.
        since: Begin with the runs triggered since then (2h, 3d, 2026-11-01, RFC 3339), or where another watch was.
        state: Keep the place in this file; --since counts only where there is none in it yet.
        max_changes: End after so many.
        common: Which service, and how it is shown.
    """
    check_deployments(deployments)
    check_positive(max_changes=max_changes)
    is_state = since is not None and since.lstrip().startswith("{")
    watched = Watch(
        deployments=deployments,
        since=since if is_state else read_moment(since, "--since"),
        file=None if state is None else StateFile(state),
        most=max_changes,
        common=common,
    )
    await watched.follow()
