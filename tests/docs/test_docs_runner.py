"""What runs the examples of a page fails where an example does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.doc_blocks import blocks_of, odd_blocks, prose_of
from support.doc_runs import PageRun

if TYPE_CHECKING:
    from qoder_async.simulator import Simulator

    World = tuple[Simulator, str, dict[str, Any]]


def page_of(text: str) -> Path:
    page = Path("page.md")
    page.write_text(text, "utf-8")
    return page


async def run(world: World, text: str) -> None:
    page = PageRun(*world)
    for block in blocks_of(page_of(text)):
        await page.run(block)


async def test_blocks_share_names_and_stand_in_notes_and_lists(world: World) -> None:
    text = (
        "- one\n  ```python\n  first = await qoder.deployments.get('dep_…')\n  ```\n\n"
        "````{note}\n```python\nsecond = [first.name]\n```\n````\n\n"
        ":::{tip}\n~~~python\nsecond.append('third')\n~~~\n:::\n"
    )
    await run(world, text)
    assert world[2]["second"] == ["nightly", "third"]


async def test_a_failing_block_names_its_place(world: World) -> None:
    with pytest.raises(ZeroDivisionError) as failed:
        await run(world, "# Title\n\n```python\nx = 1\n1 / 0\n```\n")
    assert failed.traceback[-1].lineno == 4  # counted from 0, in the page
    assert "page.md, line 3" in failed.value.__notes__[0]


async def test_files_are_kept_for_later_blocks(world: World) -> None:
    text = (
        "```python\n# bot.py\nANSWER = 42\n```\n"
        "```python\nimport asyncio\nfrom bot import ANSWER\n\nasync def main():\n    assert ANSWER == 42\n\n"
        "asyncio.run(main())\n```\n"
        '```toml\n[tool.pytest.ini_options]\nasyncio_mode = "auto"\n```\n'
        "```python\nfrom bot import ANSWER\n\nasync def test_it(qoder_simulator):\n"
        "    assert qoder_simulator.url and ANSWER == 42\n```\n"
    )
    await run(world, text)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import asyncio\nasync def main():\n    raise ValueError\nasyncio.run(main())", id="program"),
        pytest.param("import asyncio\nasync def main():\n    asyncio.sleep(0)\nasyncio.run(main())", id="warning"),
        pytest.param("def test_it():\n    assert False", id="test"),
        pytest.param("async def test_it(qoder_simulator):\n    pass", id="test without a setting or a mark"),
    ],
)
async def test_what_fails_in_a_process_fails(world: World, code: str) -> None:
    with pytest.raises(AssertionError, match=r"Error|Warning|failed|not natively supported"):
        await run(world, f"```python\n{code}\n```\n")


async def test_queries_are_asked(world: World) -> None:
    text = "```python\nawait sync_runs(qoder, 'runs.db')\n```\n```sql\nSELECT id FROM {};\n```\n"
    await run(world, text.replace("{}", "runs"))
    with pytest.raises(Exception, match="no such table: flights"):
        await run(world, text.replace("{}", "flights"))


@pytest.mark.parametrize("fence", ["py", "Python", "python3", "", "{code-block} python", "{testcode}"])
def test_a_block_that_would_be_passed_over_is_odd(world: World, fence: str) -> None:
    assert odd_blocks(page_of(f"text\n\n```{fence}\nx = 1\n```\n")) != []
    assert odd_blocks(page_of(f"````{{note}}\n```{fence}\nx = 1\n```\n````\n")) != []


def test_a_block_without_end_is_told(world: World) -> None:
    with pytest.raises(AssertionError, match=r"page\.md, line 3: the block never ends"):
        blocks_of(page_of("# Title\n\n```python\nx = 1\n"))


def test_prose_is_what_stands_between_blocks(world: World) -> None:
    page = page_of("one\n```text\n[a](b)\n```\n```{note}\ntwo\n```\n```{raw} html\n:file: x\n```\nthree\n")
    assert prose_of(page).split() == ["one", "```{note}", "two", "```", "three"]
