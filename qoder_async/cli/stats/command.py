"""``qoder-async runs stats``."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  cyclopts reads the signature
from typing import TYPE_CHECKING, Annotated, Final

import attrs
from cyclopts import Parameter

from qoder_async.cli.arguments import groups
from qoder_async.cli.arguments.common import Common, Flag
from qoder_async.cli.arguments.counts import Count, check_positive
from qoder_async.cli.arguments.ids import check_deployments, each_once
from qoder_async.cli.arguments.moments import read_moment
from qoder_async.cli.exit_codes import ExitCode
from qoder_async.cli.failures import Failure, Stop, explain, usage
from qoder_async.cli.lists.scope import AT_ONCE
from qoder_async.cli.show.words import counted, some
from qoder_async.cli.stats.sources import count_file, count_live
from qoder_async.cli.stats.view import StatsView
from qoder_async.export.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qoder_async import QoderError


@Parameter(name="*", group=groups.COMMON)
@attrs.frozen(kw_only=True)
class StatsCommon(Common):
    """The common options, of which ``--json`` means figures.

    Attributes:
        base_url: The service's address; absent: QODER_BASE_URL, then Qoder's own.
        json: One JSON object per deployment and line, and nothing else.
        allow_insecure: Accept http:// to another machine; everyone on the way can read the token.
        timeout: Seconds for one attempt of a request; reads are tried up to 4 times.
    """

    json: Flag = False


STATS_COMMON: Final = StatsCommon()


async def stats(
    file: Path | None = None,
    /,
    *,
    deployment: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    since: str | None = None,
    until: str | None = None,
    concurrency: Count = AT_ONCE,
    common: StatsCommon = STATS_COMMON,
) -> None:
    """Show how the runs of each deployment went, the busiest one first.

    For example:
      qoder-async runs stats --since 1w
      qoder-async runs stats runs.parquet --since 30d
      qoder-async runs stats runs.db --json | jq -r .success_rate

    From a file that runs export or runs sync has made, in any of their
    formats; without FILE, from the service, whose lists of runs are walked
    for it.

    SUCCESS is the share of completed runs among those that completed, failed
    or were stopped. MEDIAN and P95 say how long completed runs took. PER DAY
    is a block for each day (UTC), a dot for none: those from --since to
    --until, but none to come, or up to the last day with runs, 30 at most.
    STATES counts runs by their status; where they have none (the lean shape)
    it is failed for a run that never started, and started for one whose
    session knows how it went. runs sync FILE --outcomes asks the sessions,
    and FILE tells then.

    Where a terminal is narrow, each deployment has two lines. Elsewhere: a
    line for each, fields separated by tabs: deployment, runs, success (0 to
    1), median and p95 in milliseconds, per day, states.

    --json: one object per deployment and line: deployment_id, runs, states
    (counts by state), success_rate (0 to 1, or null), median_ms and p95_ms
    (or null), first_at and last_at (or null), per_day (counts by date).

    A deployment that fails does not end the others: it is left out, and told
    at the end (exit code 5). A file that is none of these is exit code 2, one
    that is damaged 5.

    Args:
        file: The file; absent, the service is asked.
        deployment: Only this deployment (its id); may be repeated.
        since: Triggered at or after: 2h, 3d, 2026-11-01, RFC 3339.
        until: Triggered before.
        concurrency: How many deployments are walked at once.
        common: Which service, and how it is shown.
    """
    check_positive(concurrency=concurrency)
    check_deployments(deployment)
    after, before = read_moment(since, "--since"), read_moment(until, "--until")
    if after is not None and before is not None and before < after:
        raise usage("--until must not be before --since")
    wanted = each_once(deployment)
    statistics = Statistics(only=wanted, after=after, before=before)
    failures: Mapping[str, QoderError] = {}
    if file is not None:
        await count_file(file, statistics, as_json=common.json)
    else:
        failures = await count_live(
            common, statistics, deployments=wanted, after=after, before=before, concurrency=concurrency
        )
    results = [result for result in statistics.results() if result.deployment_id not in failures]
    StatsView(after=after, before=before, as_json=common.json).show(results)
    if statistics.unreadable:
        sys.stdout.flush()
        told = f"{counted(statistics.unreadable, 'run')} left out: no deployment or no time can be read of them"
        sys.stderr.write(f"qoder-async: {told}\n")
    if failures:
        raise Stop(_failed(failures, len(results)))


def _failed(failures: Mapping[str, QoderError], others: int) -> Failure:
    """Say which deployments are not among those that were shown, and what to do about it."""
    explained = {deployment_id: explain(error) for deployment_id, error in failures.items()}
    told = some({deployment_id: failure.message for deployment_id, failure in explained.items()})
    advice = dict.fromkeys(step for failure in explained.values() for step in failure.steps)
    count = f"{len(failures):,} of {counted(len(failures) + others, 'deployment')} failed"
    return Failure(ExitCode.API, count, (*told, *advice))
