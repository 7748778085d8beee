"""The two bases of every type that crosses the API: what comes in is strict, what goes out names its fields."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of request bodies; an unknown field is an error."""

    def given(self) -> dict[str, Any]:
        """Return the fields that the caller sent: absent (UNSET) ones are left out, null ones are None."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in values.items() if value is not msgspec.UNSET}


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Base of answers; columns that a type does not name cannot leave the service."""

    @classmethod
    def of(cls, row: Mapping[str, Any], **more: Any) -> Self:
        """Build the answer from a row, taking the named fields alone."""
        return msgspec.convert({**row, **more}, cls)
