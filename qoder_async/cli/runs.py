"""``qoder-async runs``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from qoder_async.cli.columns import RUN_COLUMNS
from qoder_async.cli.common import COMMON, PAGING, Common, Paging
from qoder_async.cli.fields import all_fields
from qoder_async.cli.moments import read_moment
from qoder_async.cli.output import make_output
from qoder_async.cli.terminal import is_terminal
from qoder_async.cli.walking import Listed

app = App(name="runs", help="What deployments have done and are doing.")


@app.command(name="list")
async def list_runs(
    *,
    deployment: str | None = None,
    status: str | None = None,
    since: str | None = None,
    until: str | None = None,
    trigger_type: str | None = None,
    has_error: Annotated[bool | None, Parameter(negative="--no-error")] = None,
    paging: Paging = PAGING,
    common: Common = COMMON,
) -> None:
    """List runs, the newest first, as they come.

    On a terminal: a table. Elsewhere: a line for each, fields separated by
    tabs: id, status, trigger, time, milliseconds, deployment, session, error.

    Times are UTC: 2h is two hours ago, 2026-11-01 is that midnight, a time
    without an offset is UTC. Without --deployment, and with --trigger-type or
    --has-error, they are compared with the time the run was recorded, which
    is the time of its trigger or moments later.

    Example: qoder-async runs list --deployment dep_0199… --since 3d

    Example: qoder-async runs list --since 2026-11-01 --json | jq -r .id

    Args:
        deployment: Only runs of this deployment (its id).
        status: pending, running, completed, failed or skipped; not with the lean shape.
        since: Triggered at or after: 2h, 3d, 2026-11-01, RFC 3339.
        until: Triggered before.
        trigger_type: manual, schedule or retry.
        has_error: Only runs with an error, or only those without.
        paging: How the list is walked.
        common: Which service, and how it is shown.
    """
    after, before = read_moment(since, "--since"), read_moment(until, "--until")
    async with common.client() as qoder:
        if deployment is not None and trigger_type is None and has_error is None:
            pager = qoder.runs.list(
                deployment,
                status=status,
                triggered_after=after,
                triggered_before=before,
                **paging.arguments(),
            )
        else:
            pager = qoder.runs.list_all(
                deployment_id=deployment,
                status=status,
                trigger_type=trigger_type,
                has_error=has_error,
                created_after=after,
                created_before=before,
                **paging.arguments(),
            )
        filters = {
            "deployment": deployment,
            "status": status,
            "since": after,
            "until": before,
            "trigger_type": trigger_type,
            "has_error": has_error,
            "no_error": has_error is False,
        }
        listed = Listed(words=("runs", "list"), filters=filters, paging=paging, common=common, noun="runs")
        repeats_itself = deployment is not None and is_terminal()
        columns = [column for column in RUN_COLUMNS if not (repeats_itself and column.heading == "DEPLOYMENT")]
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

    Example: qoder-async runs get drun_0199…

    Args:
        run: Its id.
        deployment: Read it through its deployment (its id).
        common: Which service, and how it is shown.
    """
    async with common.client() as qoder:
        found = await qoder.runs.get(run, deployment_id=deployment)
    output = make_output(as_json=common.json)
    output.record(found, all_fields(found))
    if found.is_terminal is None:
        output.remark("This service's runs have no status: how one went is read from its session.")
