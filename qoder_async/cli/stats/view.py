"""Statistics as lines: of JSON, of fields with tabs between them, or on a terminal."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

import attrs

from qoder_async.cli.show.columns import Column
from qoder_async.cli.show.json_lines import write_object
from qoder_async.cli.show.output import make_table
from qoder_async.cli.show.terminal import is_terminal
from qoder_async.cli.show.text import clean
from qoder_async.cli.show.words import NOTHING, counted, duration
from qoder_async.cli.stats.sparkline import choose_days, sparkline
from qoder_async.export.read.seen import STARTED
from qoder_async.export.statistics import COMPLETED, DeploymentStatistics, success_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from qoder_async.cli.show.output import Table

_Read = Column[DeploymentStatistics]
_INDENT = 2
_LEAN = """\
Most of these runs do not say how they went, but their sessions do:
  qoder-async runs sync FILE --outcomes
  qoder-async runs stats FILE"""


@attrs.frozen(kw_only=True)
class StatsView:
    """How statistics are shown.

    Attributes:
        after: From when on runs were counted.
        before: Until when.
        as_json: Whether JSON was asked for.
        today: The present day in UTC.
    """

    after: datetime | None
    before: datetime | None
    as_json: bool
    today: date = attrs.field(factory=lambda: datetime.now(UTC).date())

    def show(self, results: Sequence[DeploymentStatistics]) -> None:
        """Show the statistics of some deployments.

        Args:
            results: The statistics.
        """
        if self.as_json:
            for result in results:
                write_object(**_fields(result))
            return
        with_runs = chain.from_iterable(result.per_day for result in results)
        days = choose_days(with_runs, self.after, self.before, today=self.today)
        table = make_table()
        if is_terminal():
            days = _show_on_terminal(table, days, results)
        else:
            table.rows(_columns(days), results)
        table.remark(_summary(results, days))


def _columns(days: Sequence[date]) -> tuple[_Read, ...]:
    return (
        _Read(heading="DEPLOYMENT", rank=0, read=lambda result: result.deployment_id),
        _Read(heading="RUNS", rank=1, read=lambda result: str(result.runs), show=lambda result: f"{result.runs:,}"),
        _Read(
            heading="SUCCESS",
            rank=2,
            read=lambda result: NOTHING if result.success_rate is None else f"{result.success_rate:.4f}",
            show=lambda result: _percent(result.success_rate),
        ),
        _took("MEDIAN", 3, lambda result: result.median_ms),
        _took("P95", 4, lambda result: result.p95_ms),
        _Read(heading="PER DAY", rank=5, read=lambda result: sparkline(result.per_day, days) or NOTHING),
        _Read(
            heading="STATES",
            rank=6,
            read=lambda result: ",".join(f"{state}={count}" for state, count in result.states.items()) or NOTHING,
            show=_states,
        ),
    )


def _took(heading: str, rank: int, read: Callable[[DeploymentStatistics], float | None]) -> _Read:
    def in_full(result: DeploymentStatistics) -> str:
        return NOTHING if (milliseconds := read(result)) is None else str(round(milliseconds))

    def brief(result: DeploymentStatistics) -> str:
        return duration(None if (milliseconds := read(result)) is None else round(milliseconds))

    return _Read(heading=heading, rank=rank, read=in_full, show=brief)


def _states(result: DeploymentStatistics) -> str:
    return ", ".join(f"{count:,} {state}" for state, count in result.states.items()) or NOTHING


def _percent(rate: float | None) -> str:
    return NOTHING if rate is None else f"{100 * rate:.1f} %"


def _show_on_terminal(table: Table, days: list[date], results: Sequence[DeploymentStatistics]) -> list[date]:
    """Show a line for each, or two where all of it does not fit into one; give the days that were shown."""
    from qoder_async.cli.show.layout import lay_out  # noqa: PLC0415  only terminals pay for its import
    from qoder_async.cli.show.render import make_console  # noqa: PLC0415

    if not results:
        return days
    width = make_console().width
    days = days[-max(1, width - _INDENT) :]
    columns = _columns(days)
    values = [[column.brief(result) for column in columns] for result in results]
    if len(lay_out(columns, values, width)) == len(columns):
        table.rows(columns, results)
        return days
    *figures, per_day, states = columns
    widest = [max(len(row[index]) for row in values) for index in range(len(figures))]
    figures = [attrs.evolve(column, at_least=wide) for column, wide in zip(figures, widest, strict=True)]
    for result in results:
        table.rows(figures, [result])
        table.remark(_second_line(per_day.brief(result), clean(states.brief(result)), width))
    return days


def _second_line(per_day: str, states: str, width: int) -> str:
    """Put what is below the figures on one line; where it is too long, the states end early."""
    line = " " * _INDENT + per_day
    room = width - len(line) - _INDENT
    if room < len(states):
        states = f"{states[: room - 1]}…" if room > 1 else ""
    return f"{line}{' ' * _INDENT}{states}" if states else line


def _summary(results: Sequence[DeploymentStatistics], days: Sequence[date]) -> str:
    """Say to people what it comes to."""
    states: Counter[str] = Counter()
    for result in results:
        states.update(result.states)
    if not states:
        return "No runs."
    told = f"{counted(states.total(), 'run')} of {counted(len(results), 'deployment')}"
    if (rate := success_rate(states)) is not None:
        told += f", success {_percent(rate)}"
    if days:
        told += f"\nper day (UTC): {days[0]} to {days[-1]}"
    is_lean = 2 * states[STARTED] > states.total() and not states[COMPLETED]
    return f"{told}\n{_LEAN}" if is_lean else told


def _fields(result: DeploymentStatistics) -> dict[str, object]:
    return {
        "deployment_id": result.deployment_id,
        "runs": result.runs,
        "states": dict(result.states),
        "success_rate": result.success_rate,
        "median_ms": result.median_ms,
        "p95_ms": result.p95_ms,
        "first_at": result.first_at,
        "last_at": result.last_at,
        "per_day": {day.isoformat(): count for day, count in result.per_day.items()},
    }
