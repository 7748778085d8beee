"""Narrows a command's output as a pipe at the end of the line asks: include, exclude, begin, section."""

import re

MODIFIERS = ("include", "exclude", "begin", "section")


class FilterError(Exception):
    """A pipe that cannot be applied; the message is what the device prints."""


def split_pipe(line: str) -> tuple[str, str]:
    """Return the command and what stands behind its first pipe, which may be nothing."""
    command, _, pipe = line.partition("|")
    return command.strip(), pipe.strip()


def apply_pipe(text: str, pipe: str) -> str:
    """Return the lines of a text that a pipe such as `include ^interface` lets through."""
    if not pipe:
        return text
    word, _, expression = pipe.partition(" ")
    modifiers = [modifier for modifier in MODIFIERS if modifier.startswith(word.lower())]
    if len(modifiers) != 1 or not expression:
        raise FilterError("% Incomplete command.\n" if modifiers else "% Invalid output modifier.\n")
    try:
        wanted = re.compile(expression.strip())
    except re.error as error:
        raise FilterError("% Failed to compile regular expression.\n") from error
    return "\n".join(_pick(text.split("\n"), modifiers[0], wanted))


def _pick(lines: list[str], modifier: str, wanted: re.Pattern[str]) -> list[str]:
    if modifier == "section":
        return _pick_sections(lines, wanted)
    if modifier == "begin":
        first = next((index for index, line in enumerate(lines) if wanted.search(line)), len(lines))
        return lines[first:]
    return [line for line in lines if bool(wanted.search(line)) is (modifier == "include")]


def _pick_sections(lines: list[str], wanted: re.Pattern[str]) -> list[str]:
    """Return whole sections whose head matches, and of the others the matching lines under their head."""
    picked: list[str] = []
    head, head_matches, head_shown = "", False, False
    for line in lines:
        if not line.startswith(" "):
            head, head_matches, head_shown = line, bool(wanted.search(line)), False
        elif not head_matches and not wanted.search(line):
            continue
        elif not head_shown and not head_matches:
            picked.append(head)
            head_shown = True
        if line.startswith(" ") or head_matches:
            picked.append(line)
    return picked
