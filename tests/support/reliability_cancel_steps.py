"""Strikes at the nth time that any task of an operation gives control away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OPERATION: ContextVar[Steps | None] = ContextVar("_OPERATION", default=None)


class Steps:
    """Counts the steps of an operation: of its task and of all tasks that it makes, in the order in which they come.

    Args:
        number: At which step to strike.
        strike: What to do then, from within the step.
        again: What to do at each later step, if anything.

    Attributes:
        tasks: The tasks, those that were begun by others while they worked for it among them.
    """

    def __init__(
        self, number: int, strike: Callable[[], object], again: Callable[[int], object] = lambda _: None
    ) -> None:
        self.tasks: list[asyncio.Task[Any]] = []
        self.count = 0
        self._number = number
        self._strike = strike
        self._again = again

    @property
    def has_struck(self) -> bool:
        """Whether the operation came so far."""
        return self.count >= self._number

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin the operation; the loop must count."""
        before = _OPERATION.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            _OPERATION.reset(before)

    def step(self) -> None:
        """Take note of one."""
        self.count += 1
        if self.count == self._number:
            self._strike()
        elif self.count > self._number:
            self._again(self.count - self._number)


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine whose steps count."""

    def __init__(self, inner: Coroutine[Any, Any, Any], steps: Steps) -> None:
        self._inner = inner
        self._steps = steps
        # By which others tell whose task it is.
        self.cr_code = getattr(inner, "cr_code", None)
        self.__qualname__ = self.__name__ = getattr(inner, "__qualname__", repr(inner))

    def send(self, value: Any) -> Any:
        waited_for = self._inner.send(value)
        self._steps.step()
        return waited_for

    def throw(self, *error: Any) -> Any:
        waited_for = self._inner.throw(*error)
        self._steps.step()
        return waited_for

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        raise AssertionError("only tasks run it")


def _make_task(loop: asyncio.AbstractEventLoop, work: Any, **settings: Any) -> asyncio.Task[Any]:
    context = settings.get("context")
    steps = _OPERATION.get() if context is None else context.get(_OPERATION)
    if steps is None:
        return asyncio.Task(work, loop=loop, **settings)
    task: asyncio.Task[Any] = asyncio.Task(_Counted(work, steps), loop=loop, **settings)
    steps.tasks.append(task)
    return task


@contextmanager
def counting() -> Iterator[None]:
    """Let the running loop count the steps of what :meth:`Steps.begin` begins."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(_make_task)
    try:
        yield
    finally:
        loop.set_task_factory(before)
