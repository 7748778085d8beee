"""What every parser offers, wherever it comes from, and the base of the records our own ones return."""

from typing import Any, Protocol

import msgspec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Parser(Protocol):
    """Turns what one command printed into records."""

    @property
    def id(self) -> str:
        """Name that stays the same for ever, such as `ciena_saos.port_show`."""

    @property
    def platform(self) -> str:
        """Platform slug, spelled as ntc-templates spells it."""

    @property
    def commands(self) -> tuple[str, ...]:
        """Forms of the command; a word in braces stands for any one word."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) that each record fulfils."""

    def parse(self, text: str) -> list[dict[str, Any]]:
        """Return the records in `text`; raise ParseError when it is not this command's whole output."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of our own records: every field is always present, and null when the device printed nothing."""
