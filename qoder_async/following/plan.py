"""Which lists and single reads cover the runs that are due with the fewest requests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from qoder_async.following.followed import Reach

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from qoder_async.following.followed import Followed

_WORTH_A_LIST = 3
"""How many requests a list of everything has to replace: its first page is larger than a few single reads."""
_BLIND_PAGES = 2
"""How many pages without any of the runs of which the age is not known are read before they are read singly."""


@attrs.frozen
class Plan:
    """How to look.

    Attributes:
        everywhere: Look for these in the list of all deployments.
        by_deployment: Look for these in the lists of their deployments.
        singly: Read these one by one.
    """

    everywhere: list[Followed] = attrs.field(factory=list)
    by_deployment: dict[str, list[Followed]] = attrs.field(factory=dict)
    singly: list[Followed] = attrs.field(factory=list)


def plan_look(due: Iterable[Followed], reach_of: Callable[[Followed], Reach], *, now: float, everywhere: bool) -> Plan:
    """Choose how to look at what is due.

    Args:
        due: What is due.
        reach_of: Gives the largest list in which it pays to look for a run.
        now: The time, in the clock's seconds.
        everywhere: Whether the list of all deployments may be used.

    Returns:
        The plan.
    """
    plan = Plan()
    groups: dict[str, list[Followed]] = {}
    strays: list[Followed] = []
    for each in due:
        if each.alone_until > now or reach_of(each) is Reach.NOTHING:
            plan.singly.append(each)
        elif (deployment := each.deployment_id) is None:
            strays.append(each)
        else:
            groups.setdefault(deployment, []).append(each)
    if everywhere:
        near = [each for group in (*groups.values(), strays) for each in group if reach_of(each) is Reach.EVERYTHING]
        if cost_without(near) >= _WORTH_A_LIST:
            plan.everywhere.extend(near)
            taken = {each.id for each in near}
            strays = [each for each in strays if each.id not in taken]
            groups = {key: rest for key, group in groups.items() if (rest := [e for e in group if e.id not in taken])}
    for deployment, group in groups.items():
        if len(group) > 1:
            plan.by_deployment[deployment] = group
        else:
            plan.singly.extend(group)
    plan.singly.extend(strays)
    return plan


def cost_without(due: Iterable[Followed]) -> int:
    """Say what a look costs without the list of all deployments.

    Args:
        due: What is due.

    Returns:
        Requests: one for each deployment, and one for each run of which the deployment is not known.
    """
    deployments = [each.deployment_id for each in due]
    return len(set(deployments) - {None}) + deployments.count(None)


def pays_to_go_on(*, pages: int, missing: Collection[Followed], found: int, of_all: bool) -> bool:
    """Say whether to read one more page of a list: it may cost what it saves.

    Runs of which nothing is known but an id may be anywhere, so that the list of all has to show some of them to be
    worth reading on.

    Args:
        pages: How many pages were read.
        missing: What was looked for and not found yet.
        found: How many were found of which nothing was known but an id.
        of_all: Whether it is the list of all deployments.

    Returns:
        Whether it pays.
    """
    if not of_all:
        return pages < len(missing)
    known = {each.deployment_id for each in missing} - {None}
    is_blind = any(each.deployment_id is None for each in missing)
    return pages < len(known) + (found + _BLIND_PAGES if is_blind else 0)
