"""What tests look for after the library has worked is found while it works."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from concurrency_support import forever
from support.leftovers import client_tasks, is_the_librarys, names_in, open_files, open_generators

from qoder_async import map_concurrently


async def test_tasks_and_generators_are_found_as_long_as_they_are_there():
    async with map_concurrently(lambda _: forever(), [1, 2], max_concurrency=3):
        while len(client_tasks()) < 2:  # noqa: ASYNC110  no clock brings it: the loop has to turn
            await asyncio.sleep(0)
        assert all(map(is_the_librarys, client_tasks()))
        assert len(open_generators()) == 0  # all keys were taken
    assert client_tasks() == open_generators() == []


async def test_a_source_that_was_not_read_to_its_end_is_an_open_generator():
    async with map_concurrently(lambda _: forever(), [1, 2], max_concurrency=1):
        while not open_generators():  # noqa: ASYNC110  no clock brings it: the loop has to turn
            await asyncio.sleep(0)
    assert open_generators() == []


async def test_tasks_of_others_are_nobodys():
    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    assert not is_the_librarys(task)
    assert client_tasks() == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not say what is open")
def test_an_open_file_is_found(tmp_path):
    path = tmp_path / "runs"
    with path.open("w"):
        assert open_files(tmp_path) == [str(path)]
    assert open_files(tmp_path) == []
    assert names_in(tmp_path) == ["runs"]
