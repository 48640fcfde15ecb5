"""Tries an operation again and again, cut short at each of its steps in turn, and looks at what is left."""

from __future__ import annotations

import asyncio
import os
from contextvars import Context
from typing import TYPE_CHECKING, Any

import attrs

from support.leftovers import open_descriptors
from support.reliability_cancel_places import place
from support.reliability_cancel_steps import Steps, counting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    from support.reliability_cancel_operations import Operation
    from support.reliability_cancel_places import Place

THOROUGH = bool(os.environ.get("RELIABILITY_THOROUGH"))
_MOST = 10_000


@attrs.frozen
class Trial:
    """One of them.

    Attributes:
        on: Where.
        operation: The operation.
        given: What was prepared for it.
        number: At which step it is cut short.
    """

    on: Place
    operation: Operation
    given: Any
    number: int

    def work(self) -> Coroutine[Any, Any, Any]:
        """The operation itself."""
        return self.operation.act(self.on, self.given)  # type: ignore[return-value]

    def check(self, result: Any) -> None:
        """Check what came of it when nothing got in between."""
        self.operation.check(self.on, self.given, result)


def numbers(dense: int, growth: float) -> Iterator[int]:
    """Each number up to ``dense``, then at growing distances."""
    number = 1
    while number < _MOST:
        yield number
        number += 1 if THOROUGH or number < dense else max(1, round(number * growth))
    raise AssertionError("it never came to its end")


async def sweep(
    operation: Operation,
    shape: str,
    folder: Path,
    cut_short: Callable[[Trial], Awaitable[Steps]],
    at: Iterator[int],
    *,
    with_threads: bool,
) -> int:
    """Try an operation until it comes to its end.

    Args:
        operation: The operation.
        shape: Of the service.
        folder: For files.
        cut_short: Begins it, cuts it short at the step if there is one, and waits for its end.
        at: The steps.
        with_threads: Whether it uses threads.

    Returns:
        How often it was cut short.
    """
    tried = 0
    async with place(shape, folder, with_threads=with_threads) as on:
        with counting():
            for number in at:
                given = await operation.prepare(on)
                await on.renew()
                steps = await cut_short(Trial(on, operation, given, number))
                on.sim.faults.clear()
                await check_after(on, operation, given, steps)
                if not steps.has_struck:
                    break
                tried += 1
    return tried


async def check_after(on: Place, operation: Operation, given: Any, steps: Steps) -> None:
    """Check what must hold once it has ended, however."""
    await on.assert_nothing_is_left(steps)
    if isinstance(given, dict) and "folder" in given:
        names = {path.name for path in given["folder"].iterdir()}
        assert names <= given["allowed"], names
        assert [leads_to for leads_to in open_descriptors() if leads_to.startswith(str(on.folder))] == []
    if on.qoder._transport.lifetime.is_over:
        await on.renew()
        on.sim.faults.clear()
    await on.assert_works_at_once()
    if operation.again and steps.has_struck:
        operation.check(on, given, await on.run(operation.act(on, given)))  # type: ignore[arg-type]


def begin_to_cancel(
    work: Coroutine[Any, Any, Any], number: int, is_again: Callable[[int], bool] = lambda later: False
) -> tuple[Steps, asyncio.Task[Any]]:
    """Begin something that is cancelled at a step.

    Args:
        work: What is begun.
        number: The step.
        is_again: Whether it is cancelled again so many steps later.

    Returns:
        Its steps, and its task.
    """
    steps = Steps(number, lambda: task.cancel(), lambda later: is_again(later) and task.cancel())  # noqa: PLW0108  it is made below
    task = steps.begin(work)
    return steps, task


def uncounted(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Begin something that is no part of the operation."""
    return asyncio.get_running_loop().create_task(work, context=Context())
