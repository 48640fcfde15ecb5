"""Uses that Python cannot mean: the error says what to write instead."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Iterable, Sized

import pytest

from qoder_async import AsyncQoder, ConfigurationError, Pager

WALKED = r"is walked with async for; await ….collect\(\) gives a list"
BLOCKS = {
    "as_completed": (lambda qoder: qoder.runs.as_completed(["drun_1"]), "EndingRuns", "ending"),
    "fan_out": (lambda qoder: qoder.runs.fan_out(["dep_1"]), "FanOut", "runs"),
    "history": (lambda qoder: qoder.runs.history("dep_1"), "RunHistory", "runs"),
    "watch": (lambda qoder: qoder.runs.watch(["dep_1"]), "RunChanges", "changes"),
}


@pytest.fixture
def qoder(make_client) -> AsyncQoder:
    return make_client()


@pytest.fixture
def pager(qoder) -> Pager:
    return qoder.runs.list("dep_1")


async def test_a_client_is_entered_with_async_with(qoder):
    with pytest.raises(TypeError, match=r"^AsyncQoder needs async with: async with AsyncQoder\(…\) as qoder$"), qoder:
        pytest.fail("the block was entered")


@pytest.mark.parametrize(
    "use",
    [
        lambda pager: pager[0],
        lambda pager: pager[:3],
        lambda pager: [each for each in pager],  # noqa: C416  it is the loop that is tried
        list,
        lambda pager: "drun_1" in pager,
        lambda pager: [*pager],
    ],
    ids=["item", "slice", "for", "list", "in", "star"],
)
async def test_a_pager_is_no_list(pager, use):
    with pytest.raises(TypeError, match=rf"^Pager {WALKED}$"):
        use(pager)


async def test_a_pager_is_only_what_it_is(pager):
    """What asks an object what it can do, as frameworks do, must not be told more than is true."""
    assert pager
    assert isinstance(pager, AsyncIterable)
    assert not isinstance(pager, Iterable | Sized | Awaitable)


@pytest.mark.parametrize("name", BLOCKS)
async def test_a_block_that_is_used_otherwise_says_how_it_is_used(qoder, name):
    make, kind, what = BLOCKS[name]
    words = rf"^{kind} is used in two steps: async with … as {what}, and in it async for … in {what}$"
    block = make(qoder)
    with pytest.raises(TypeError, match=words), block:
        pytest.fail("the block was entered")
    with pytest.raises(TypeError, match=words):
        list(block)
    with pytest.raises(TypeError, match=words):
        block[0]
    assert not isinstance(block, Iterable | Awaitable)


@pytest.mark.parametrize("name", BLOCKS)
async def test_a_block_that_was_not_entered_says_so(qoder, name):
    make, *_ = BLOCKS[name]
    with pytest.raises(ConfigurationError, match=rf"^{name} must be entered before it is iterated: async with … as"):
        await anext(aiter(make(qoder)))
