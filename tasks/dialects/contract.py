"""What there is to know of a platform's command line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.errors import ErrorClass

REFUSED_WITHIN_LINES = 8
"""A device refuses a command in its first words; further down such words are part of what it was asked to show."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Words with which a device refuses a command, and what that means."""

    words: re.Pattern[str]
    error_class: ErrorClass


@dataclass(frozen=True, kw_only=True)
class FlatRules:
    """How lines act on a configuration that has no sections.

    ``settings`` find what a line is about, in their groups: a line takes the place of the one about the same.
    ``removals`` turn a line into the one it takes away, with all that begins like it.
    """

    settings: tuple[re.Pattern[str], ...] = ()
    removals: tuple[tuple[re.Pattern[str], str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a platform refuses, shows, takes and saves.

    ``noise`` are lines of a shown configuration that are no configuration, or change by themselves.
    ``opens`` are lines that begin a section even where what follows is not indented.
    ``hier_config`` is the platform's name in that library, which then predicts changes; ``one_value`` are the
    settings, each with the beginnings of its sections, of which it does not know that they have one value only.
    """

    refusals: tuple[Refusal, ...]
    show_config: str
    save: str
    config_refusal: str
    prompt_line: str
    noise: tuple[re.Pattern[str], ...] = ()
    opens: re.Pattern[str] | None = None
    hier_config: str | None = None
    one_value: tuple[tuple[str, ...], ...] = ()
    flat: FlatRules = field(default_factory=FlatRules)

    def refusal_in(self, output: str) -> tuple[ErrorClass, str] | None:
        """Return what it means that a device answered so, and its own words; None if it did what it was told."""
        for line in output.splitlines()[:REFUSED_WITHIN_LINES]:
            for refusal in self.refusals:
                if refusal.words.search(line):
                    return refusal.error_class, line.strip()
        return None

    def config_lines(self, text: str) -> Iterator[str]:
        """Yield the lines of a shown configuration that are configuration."""
        for line in text.splitlines():
            if line.strip() and not any(noise.match(line) for noise in self.noise):
                yield line.rstrip()
