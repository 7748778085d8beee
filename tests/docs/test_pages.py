"""All pages: links lead somewhere, commands and variables exist, decisions have one form, nothing is out of place."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from app.cli.entry import main
from tests.support.pages import BLOCK, PAGES, REPOSITORY, blocks, links, marked, name_of, read

COMMAND = re.compile(r"^\s*(?:\S*/)?opsconductor (.+)$")
VARIABLE = re.compile(r"\b(?:OPSCONDUCTOR|API|CREDENTIAL|LOG|PG|REDIS)_[A-Z_]*[A-Z]\b")
SOURCES = [file for room in ("app", "tasks") for file in (REPOSITORY / room).rglob("*.py")]
HEADS = ("Context", "Decision", "Why", "Consequences")
DECISIONS = sorted((REPOSITORY / "docs/decisions").glob("*.md"))


def told_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every call of the command line that a page shows, with the page's name."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [
            line for block in blocks(text, "sh", "bash") for line in re.sub(r"\\\n\s*", "", block.text).splitlines()
        ]
        for line in [*lines, *marked(text)]:
            found = COMMAND.match(re.sub(r"^(?:\w+=\S+ )*", "", line).partition("$(")[0])
            if found:
                yield name_of(page), shlex.split(found[1])


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """Follow words into the command they name, and return it with the words that are left."""
    command: click.Command = main
    while isinstance(command, click.Group) and words:
        step = command.get_command(click.Context(command), words[0])
        assert step is not None, f"there is no command {words[0]!r}"
        command, words = step, words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_within_the_repository_leads_to_something(page: Path) -> None:
    for target in links(page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
        text = (page.parent / target if target else page).read_text(encoding="utf-8")
        anchors = {
            re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
            for line in BLOCK.sub("", text).splitlines()
            if line.startswith("#")
        }
        assert heading in anchors, f"{target}#{heading}"


def test_every_command_shown_exists_with_its_options() -> None:
    told = list(told_commands())
    assert len(told) > 15
    for name, words in told:
        command, rest = resolve(words)
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--json"}
        assert {word for word in rest if word.startswith("--")} <= known, f"{name}: {words}"
        if rest and not any(isinstance(parameter, click.Argument) for parameter in command.params):
            assert rest[0].startswith("--"), f"{name}: {words}"


def test_every_variable_named_is_read_by_the_code() -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in SOURCES)
    for page in PAGES:
        for name in set(VARIABLE.findall(page.read_text(encoding="utf-8"))):
            assert f'"{name}"' in source, f"{name_of(page)}: {name}"


def test_the_pages_know_nothing_of_where_they_were_written() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|Users)/|localhost:\d", page.read_text(encoding="utf-8")), name_of(
            page
        )


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_says_why_in_about_ten_lines(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^- \*\*(\w+)\.\*\*", text, re.MULTILINE) == list(HEADS)
    assert len(text.splitlines()) <= 12
    assert re.match(rf"# {int(page.name[:4])}\. ", text)


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_rooms_of_the_architecture_page_are_those_of_the_tree() -> None:
    text = read("docs/architecture.md")
    told = {
        name
        for name in marked(text)
        if name.startswith("app/") or name in {"inventory/", "tasks/", "parsers/", "worker.py"}
    }
    rooms = {f"app/{one.name}/" for one in (REPOSITORY / "app").iterdir() if (one / "__init__.py").exists()}
    areas = {
        f"app/automation/{one.name}/"
        for one in (REPOSITORY / "app/automation").iterdir()
        if (one / "__init__.py").exists()
    }
    files = {"app/main.py", "app/palette.py", "worker.py"}
    assert told - {"app/demo/network"} == (rooms - {"app/automation/"}) | areas | files | {
        "inventory/",
        "tasks/",
        "parsers/",
    }
