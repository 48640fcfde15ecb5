"""Whose runs ``runs list`` lists, and what cannot be meant together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import attrs

from qoder_async.cli.arguments.counts import check_positive
from qoder_async.cli.arguments.ids import each_once
from qoder_async.cli.failures import usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qoder_async import AsyncQoder
    from qoder_async.fanout import Deployments

AT_ONCE = 16


@attrs.frozen(kw_only=True)
class Scope:
    """Whose runs are listed.

    Attributes:
        deployments: The ids of the deployments that were named, each once.
        all_deployments: Whether the list of every deployment is walked.
        newest: Whether the newest run of all comes first.
        concurrency: How many lists are walked at once.
    """

    deployments: tuple[str, ...] = attrs.field(converter=each_once)
    all_deployments: bool
    newest: bool
    concurrency: int

    @property
    def is_fan_out(self) -> bool:
        """Whether several lists are walked at once."""
        return self.all_deployments or len(self.deployments) > 1

    @property
    def deployment(self) -> str | None:
        """The deployment, where it is one; ``None`` for the one list of all runs."""
        return self.deployments[0] if self.deployments else None

    @property
    def order(self) -> Literal["arrival", "newest"]:
        """The order of the runs, as the library calls it."""
        return "newest" if self.newest else "arrival"

    def source(self, qoder: AsyncQoder) -> Deployments:
        """Give the deployments as the library takes them: archived ones have runs, too."""
        return qoder.deployments.list(include_archived=True) if self.all_deployments else self.deployments

    def options(self) -> dict[str, object]:
        """Give the options of a command for the same deployments."""
        return {
            "deployment": self.deployments,
            "all_deployments": self.all_deployments,
            "newest": self.newest,
            "concurrency": None if self.concurrency == AT_ONCE else self.concurrency,
        }

    def check(self, *, cursor: str | None, single: Mapping[str, bool]) -> None:
        """Refuse what cannot be meant together.

        Args:
            cursor: Where the list is to begin, if that was said.
            single: The filters that only single lists have, and whether they were set.

        Raises:
            Stop: Two options contradict each other.
        """
        check_positive(concurrency=self.concurrency)
        if self.all_deployments and self.deployments:
            raise usage("--all-deployments has the runs of every --deployment, too: write one or the other")
        if self.newest and not self.is_fan_out:
            raise usage(self._needless_newest())
        if not self.is_fan_out:
            return
        if cursor is not None:
            raise usage(f"--cursor is a place in one list, which {self._several()} is not: write one --deployment")
        for option, is_set in single.items():
            if is_set:
                raise usage(f"{option} does not go with {self._several()}: {self._instead(option)}")

    def _needless_newest(self) -> str:
        if self.deployments:
            return "--newest is for several deployments: leave it out, one deployment's newest run comes first anyway"
        return "--newest is for several deployments: write --all-deployments --newest"

    def _several(self) -> str:
        return "--all-deployments" if self.all_deployments else "several --deployment"

    def _instead(self, option: str) -> str:
        if self.all_deployments:
            return f"leave out --all-deployments, qoder-async runs list {option} has the runs of all"
        return "write a command for each --deployment"
