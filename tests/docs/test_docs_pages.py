"""Every example of every page of the docs runs, against the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.doc_blocks import blocks_of, odd_blocks
from support.doc_runs import PageRun

if TYPE_CHECKING:
    from qoder_async.simulator import Simulator

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.relative_to(DOCS).parts)


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: name_of(page) if page != README else page.name)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert odd_blocks(page) == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "page", [page for page in PAGES if name_of(page).partition("/")[0] != "notebooks"], ids=name_of
)
async def test_page(page: Path, world: tuple[Simulator, str, dict[str, Any]]) -> None:
    run = PageRun(*world)
    for block in blocks_of(page):
        await run.run(block)
