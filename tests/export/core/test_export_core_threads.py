"""Work in a thread: whoever waits for it waits to its end."""

from __future__ import annotations

import asyncio
import threading

import pytest

from qoder_async.export.threads import in_thread


async def test_it_runs_in_another_thread():
    assert await in_thread(threading.get_ident) != threading.get_ident()
    assert await in_thread(divmod, 17, 5) == (3, 2)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError])
async def test_what_it_raises(error):
    def fail():
        raise error

    with pytest.raises(error):
        await in_thread(fail)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("cancels", [1, 3])
async def test_cancelled_it_waits_for_the_end(fails, cancels):
    began, may_end, ended = threading.Event(), threading.Event(), []

    def work():
        began.set()
        may_end.wait(10)
        ended.append(1)
        if fails:
            raise ZeroDivisionError

    task = asyncio.create_task(in_thread(work))
    while not began.is_set():  # noqa: ASYNC110  it is a thread that sets it
        await asyncio.sleep(0.001)
    for _ in range(cancels):
        task.cancel()
        await asyncio.sleep(0.001)
        assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [1]
