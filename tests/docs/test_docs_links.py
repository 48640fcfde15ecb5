"""Every link from a page to a page leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from support.doc_blocks import blocks_of, prose_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("benchmarks", "docs", "examples", "tests")
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md")))
    if "_build" not in page.relative_to(ROOT).parts
)
LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
NAMED = re.compile(r"^\(([\w-]+)\)=\s*$", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
CODE = re.compile(r"(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:")


def test_there_are_links() -> None:
    assert sum(len(links_of(page)) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert [f"{link}: {reason}" for link in links_of(page) if (reason := what_is_wrong(page, link))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_are_shown_are_there(page: Path) -> None:
    shown = re.findall(
        r"^`{3,}\{(?:literalinclude|include|image|figure)\} (\S+)", page.read_text("utf-8"), re.MULTILINE
    )
    assert [name for name in shown if not (page.parent / name).exists()] == []


def test_every_page_stands_in_one_list_of_contents() -> None:
    listed = [
        (page.parent / line).resolve()
        for page in PAGES
        for block in blocks_of(page)
        if block.language == "{toctree}"
        for line in block.body.split("\n")
        if line and not line.startswith(":")
    ]
    pages = [page.with_suffix("") for page in PAGES if page.is_relative_to(DOCS) and page != DOCS / "index.md"]
    assert sorted(listed) == sorted(pages)


def links_of(page: Path) -> list[str]:
    text = CODE.sub("code", prose_of(page))
    return [link for link in LINK.findall(text) if not ELSEWHERE.match(link)]


def what_is_wrong(page: Path, link: str) -> str | None:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.is_relative_to(ROOT):
        return "it leads out of the repository"
    if not target.exists():
        return "there is no such file"
    if anchor and (target.suffix != ".md" or anchor not in anchors_of(target)):
        return "there is no such heading"
    return None


@cache
def anchors_of(page: Path) -> set[str]:
    """List what a link may name in a page: its headings, as GitHub and MyST spell them, and its own names."""
    text = prose_of(page)
    return set(NAMED.findall(text)) | {slug(heading) for heading in HEADING.findall(text)}


def slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower().replace("`", "")).strip().replace(" ", "-")
