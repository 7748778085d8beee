"""Keeps the configuration of a SAOS-like device: the changes typed so far, each setting once."""

import re
from dataclasses import dataclass, field

WORD = re.compile(r'"[^"]*"|\S+')
OBJECTS = (
    "aggregation", "dhcp", "interface", "ip", "lldp", "ntp", "port", "rstp", "snmp", "ssh", "syslog",
    "system", "traffic-profiling", "user", "virtual-switch", "vlan",
)  # fmt: skip
SELECTORS = ("port", "vlan", "vs", "interface", "server", "user", "agg", "standard-profile")
SETTING_VERBS = ("set", "unset")
STATE_VERBS = ("enable", "disable")
LIST_VERBS = {"remove": "add", "delete": "create"}
VERBS = (*SETTING_VERBS, *STATE_VERBS, *LIST_VERBS, *LIST_VERBS.values())


class RefusedChangeError(Exception):
    """A line that is no valid change."""


@dataclass(frozen=True, slots=True)
class Change:
    """A line taken apart: `port set port 1 description "x"` is object, verb, selector and settings."""

    subject: str
    verb: str
    selector: str
    settings: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Configuration:
    """The settings in the order of their first mention, as key and line."""

    _lines: dict[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines that make this configuration."""
        return tuple(self._lines.values())

    def value(self, subject: str, selector: str, name: str) -> str | None:
        """Return what a setting was set to, without quotes, or None."""
        line = self._lines.get(f"{subject} set {selector} {name}".replace("  ", " "))
        return WORD.findall(line)[-1].strip('"') if line else None

    def is_disabled(self, subject: str, selector: str) -> bool:
        """Tell whether something was disabled and not enabled since."""
        return self._lines.get(f"{subject} state {selector}") == f"{subject} disable {selector}"

    def apply(self, change: Change) -> None:
        """Make a change: settings replace one another, what is removed or deleted leaves nothing behind."""
        if change.verb in SETTING_VERBS:
            self._set(change)
        elif change.verb in STATE_VERBS:
            self._lines[f"{change.subject} state {change.selector}"] = _line(change, change.verb)
        elif change.verb in LIST_VERBS:
            self._take_back(change)
        else:
            line = _line(change, change.verb)
            self._lines[line] = line

    def _set(self, change: Change) -> None:
        head = " ".join(filter(None, (change.subject, "set", change.selector)))
        for name, value in change.settings:
            if change.verb == "set":
                self._lines[f"{head} {name}"] = f"{head} {name} {value}"
            else:
                self._lines.pop(f"{head} {name}", None)

    def _take_back(self, change: Change) -> None:
        """Remove the line that added this; a deletion takes along all lines about the deleted thing."""
        added = _line(change, LIST_VERBS[change.verb])
        about = re.compile(rf"\b{re.escape(change.selector)}(?= |$)")
        for key, line in list(self._lines.items()):
            if line == added or (change.verb == "delete" and about.search(line)):
                del self._lines[key]


def read_change(line: str) -> Change:
    """Take a line apart; raise RefusedChangeError if it is no change of a known object."""
    words = WORD.findall(line)
    place = next((index for index, word in enumerate(words) if word in VERBS), 0)
    if place == 0 or words[0] not in OBJECTS:
        raise RefusedChangeError(line)
    verb, rest = words[place], words[place + 1 :]
    has_selector = len(rest) > 1 and (verb not in SETTING_VERBS or rest[0] in SELECTORS)
    selector = " ".join(rest[:2]) if has_selector else ""
    settings = _settings(verb, rest[2:] if has_selector else rest)
    if not selector and not settings and verb not in STATE_VERBS:
        raise RefusedChangeError(line)
    return Change(" ".join(words[:place]), verb, selector, settings)


def _settings(verb: str, words: list[str]) -> tuple[tuple[str, str], ...]:
    if verb == "unset":
        return tuple((word, "") for word in words)
    if len(words) % 2:
        raise RefusedChangeError(" ".join(words))
    return tuple(zip(words[::2], words[1::2], strict=True))


def _line(change: Change, verb: str) -> str:
    settings = (word for pair in change.settings for word in pair)
    return " ".join(filter(None, (change.subject, verb, change.selector, *settings)))
