"""Turns the words that SAOS prints in table cells into values."""

import re

from parsers.tables import Row

_DURATION = re.compile(r"(?:([0-9]{1,6})d)?\s*(?:([0-9]{1,6})h)?\s*(?:([0-9]{1,6})m)?\s*(?:([0-9]{1,6})s)?")
_SECONDS = (86_400, 3_600, 60, 1)
_NUMBER = re.compile(r"([-+]?[0-9]{1,9}(?:\.[0-9]{1,9})?)(?:\s{0,3}(?:nm|dBm))?")
_ABSENT = frozenset({"-", "--", "---", "----", "n/a", "-inf", "-inf dbm"})
_FLAGS = {"on": True, "yes": True, "ena": True, "off": False, "no": False, "dis": False}


def duration_s(text: str | None, row: Row) -> int | None:
    """Return the seconds in a duration such as `30d 2h24m21s`; raise ParseError for other text."""
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        raise row.refuse(f"{text!r} is no duration such as '30d 2h24m21s'")
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True))


def flag(text: str | None, row: Row) -> bool | None:
    """Return whether a cell says on or off; raise ParseError for other words."""
    if text is None:
        return None
    if text.lower() not in _FLAGS:
        raise row.refuse(f"{text!r} is none of {', '.join(_FLAGS)}")
    return _FLAGS[text.lower()]


def number(text: str | None, row: Row) -> float | None:
    """Return a cell's number without its unit, or None for a dash; raise ParseError for other text."""
    if text is None or text.lower() in _ABSENT:
        return None
    found = _NUMBER.fullmatch(text)
    if not found:
        raise row.refuse(f"{text!r} is no number")
    return float(found.group(1))
