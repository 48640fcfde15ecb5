"""Runs out of a Parquet file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from qoder_async.export.extras import missing_extra
from qoder_async.export.read.compressed import DamagedError
from qoder_async.export.read.recognition import METADATA_KEY
from qoder_async.export.read.seen import SeenRun, see_row, state_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

_COLUMNS = (
    "id",
    "deployment_id",
    "time",
    "status",
    "session_id",
    "error_type",
    "error_message",
    "duration_ms",
)
_AT_ONCE = 2_500
"""How many rows become Python's own values at a time: fewer take longer, more hold other threads up."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_parquet(path: Path, most: int) -> Generator[list[SeenRun], None, None]:
    """Read the runs of a Parquet file.

    Args:
        path: The file.
        most: How many runs are given at a time.

    Yields:
        Some runs at a time.

    Raises:
        OSError: It cannot be read.
        DamagedError: It is no longer what was written.
        ConfigurationError: The extra is not installed.
    """
    pa, parquet = _import()
    reason = ""
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            if file.num_row_groups == 0:  # which older versions cannot iterate
                return
            for batch in file.iter_batches(batch_size=_AT_ONCE, columns=[*_COLUMNS, "extra"], use_threads=False):
                runs = list(_see(batch, pa))
                for start in range(0, len(runs), most):
                    yield runs[start : start + most]
    except OSError as error:
        if error.errno is not None:
            raise
        reason = str(error)  # what pyarrow found in the file, and not what the system says
    except (pa.ArrowException, KeyError, ValueError, OverflowError) as error:
        reason = str(error)
    if reason:
        raise DamagedError(reason)


def read_parquet_scope(path: Path) -> str | None:
    """Read what was exported to a Parquet file.

    Args:
        path: The file.

    Returns:
        JSON, ``None`` where it does not say.

    Raises:
        OSError: It cannot be read.
        DamagedError: It is no longer what was written.
        ConfigurationError: The extra is not installed.
    """
    pa, parquet = _import()
    reason = ""
    try:
        scope = (parquet.read_schema(path).metadata or {}).get(METADATA_KEY)
        return None if scope is None else scope.decode()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = str(error)
    raise DamagedError(reason)


def _import() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415  an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError:
        raise missing_extra("pyarrow") from None
    return pa, parquet


def _see(batch: Any, pa: Any) -> Iterator[SeenRun]:
    times = batch.column("time").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    columns = [times if name == "time" else batch.column(name) for name in _COLUMNS]
    values = [_plain(column, pa).to_pylist() for column in columns]
    extra = batch.column("extra")  # seldom wanted, and long
    for index, (run_id, deployment, moment, status, session, error, message, duration) in enumerate(
        zip(*values, strict=True)
    ):
        state = state_of(status, has_error=error is not None or message is not None, has_session=session is not None)
        whole = extra[index].as_py() if deployment is None or moment is None else None
        time = None if moment is None else _EPOCH + timedelta(microseconds=moment)
        yield see_row(run_id, deployment, time, state, duration, whole)


def _plain(column: Any, pa: Any) -> Any:
    """Give a column without its dictionary, whose values would be looked up one by one."""
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
