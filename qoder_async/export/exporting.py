"""``export_runs``: whole run histories into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qoder_async._many.deployment_ids import check_deployments
from qoder_async._wire.query import check_window, read_time
from qoder_async.errors import ConfigurationError
from qoder_async.export.checkpoint import Filters
from qoder_async.export.formats import choose_format
from qoder_async.export.job import ExportJob
from qoder_async.export.lock import FileLock
from qoder_async.export.publishing import writer_of
from qoder_async.export.target import check_path
from qoder_async.export.threads import in_thread
from qoder_async.options import whole_number

if TYPE_CHECKING:
    import os

    from qoder_async._many.deployment_ids import Deployments
    from qoder_async._wire.query import Moment
    from qoder_async.client import AsyncQoder
    from qoder_async.export.formats import Format
    from qoder_async.export.progress import ExportReport, OnProgress


async def export_runs(
    qoder: AsyncQoder,
    path: str | os.PathLike[str],
    *,
    deployments: Deployments | None = None,
    format: Format | None = None,  # noqa: A002  the public name
    triggered_after: Moment | None = None,
    triggered_before: Moment | None = None,
    resume: bool = True,
    max_concurrency: int = 8,
    on_progress: OnProgress | None = None,
) -> ExportReport:
    """Export the runs of many deployments into one file, which is there only when it is whole.

    What comes goes to a spool beside the target (``NAME.spool``), with a checkpoint (``NAME.checkpoint``) every two
    seconds. If the export ends early, for whatever reason, the same call goes on from there: no run is lost and none
    is in the file twice. The rows of a deployment stand together in no promised order among the others, the newest of
    a deployment first. Runs that are triggered meanwhile may be in the file or not.

    Args:
        qoder: The client.
        path: The target. Its ending tells the format: ``.jsonl``, ``.jsonl.gz``, ``.jsonl.zst``, ``.csv``,
            ``.parquet``, ``.db`` or ``.sqlite``. An earlier export there is replaced at the end; any other file is
            refused, and so is one that ``sync_runs`` keeps.
        deployments: Whose runs: ids, deployments, or a pager of them. ``None`` for all, archived ones included.
        format: ``jsonl``, ``jsonl.gz``, ``jsonl.zst``, ``csv``, ``parquet`` or ``sqlite``, where the ending does not
            tell.
        triggered_after: Only runs triggered at or after this time: an aware datetime or an RFC 3339 text.
        triggered_before: Only runs triggered before this time.
        resume: Go on with an export that ended early. ``False`` throws away what it had.
        max_concurrency: How many deployments are read at once.
        on_progress: Is called with an ``ExportProgress`` now and then; may be async. What it raises ends the export.

    Returns:
        What was made.

    Raises:
        ConfigurationError: An argument cannot be meant, or an extra is not installed.
        ExportError: The target or the checkpoint does not fit, the disk is full, somebody else is at it, or
            deployments failed (``error.failures``): what came of the others is kept for the next call.
        QoderError: The token is refused, or the service was down for 5 minutes; what came is kept for the next call.

    Example:
        ```python
        report = await export_runs(qoder, "runs.parquet", triggered_after="2026-11-01T00:00:00Z")
        print(report.rows)
        ```
    """
    target = check_path(path)
    chosen = choose_format(Path(path), format)
    after = read_time(triggered_after, "triggered_after")
    before = read_time(triggered_before, "triggered_before")
    check_window(after, before, ("triggered_after", "triggered_before"))
    if not isinstance(resume, bool):
        raise ConfigurationError(f"resume must be True or False, got {resume!r}")
    if on_progress is not None and not callable(on_progress):
        raise ConfigurationError(f"on_progress must be a function of an ExportProgress, got {on_progress!r}")
    whole_number(max_concurrency, "max_concurrency", minimum=1)
    source = qoder.deployments.list(include_archived=True) if deployments is None else check_deployments(deployments)
    transport = qoder._transport  # noqa: SLF001  the client is ours
    filters = Filters(base_url=str(transport.settings.base_url), triggered_after=after, triggered_before=before)
    write = await in_thread(writer_of, chosen)  # importing a library may take a while
    export = ExportJob(target, chosen, write, filters, transport.clock, wants_all=deployments is None)
    with FileLock(target):
        return await export.run(qoder, source, resume=resume, max_concurrency=max_concurrency, on_progress=on_progress)
