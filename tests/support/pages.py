"""The documentation's pages, as tests read them: sections, code blocks, tables, and what stands in code marks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)[^)]*\)")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, and its text."""

    language: str
    text: str


def read(name: str) -> str:
    """Return a page by its path in the repository."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    """Return a page's path in the repository."""
    return str(page.relative_to(REPOSITORY))


def section(page: str, heading: str) -> str:
    """Return what stands below a heading, down to the next one of its level."""
    level = heading.split(" ", 1)[0]
    _, found, rest = f"\n{page}".partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading!r}"
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, *languages: str) -> list[Block]:
    """Return the blocks of code in a text, of some languages or of all."""
    found = [Block(language, body) for language, body in BLOCK.findall(text)]
    return [block for block in found if not languages or block.language in languages]


def prose(text: str) -> str:
    """Return a text without its blocks of code."""
    return BLOCK.sub("", text)


def marked(text: str) -> list[str]:
    """Return what stands in code marks outside blocks."""
    return CODE.findall(prose(text))


def links(text: str) -> list[str]:
    """Return where a text's links lead, without the parts behind `#`."""
    return LINK.findall(prose(text))


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each table row of a text, headings and rules left out."""
    lines = [line.strip() for line in text.splitlines()]
    for place, line in enumerate(lines):
        is_rule = set(line) <= set("|-: ")
        is_heading = place + 1 < len(lines) and lines[place + 1].startswith("|-")
        if line.startswith("|") and not is_rule and not is_heading:
            yield [cell.strip() for cell in line.strip("|").split("|")]


def steps(text: str) -> list[str]:
    """Return the entries of a text's numbered list, each with the lines that belong to it."""
    entries = re.split(r"^(\d+)\. ", text, flags=re.MULTILINE)[1:]
    assert entries[::2] == [str(number) for number in range(1, len(entries) // 2 + 1)]
    return entries[1::2]
