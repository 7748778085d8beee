"""What is asked of a table: conditions, an order, and a bound; and what its API gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from app.core.errors import ValidationError
from app.core.wire import Output

MOST_ROWS = 100_000
ColumnName = Annotated[str, Meta(min_length=1, max_length=200, description="A column's name.")]
Operator = Literal[
    "equals", "not_equals", "greater_than", "less_than", "at_least", "at_most", "contains", "in", "is_empty",
    "is_not_empty",
]  # fmt: skip
Combine = Literal["and", "or"]


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a column."""

    column: ColumnName
    operator: Annotated[
        Operator,
        Meta(
            description="contains: a text within a text in any case, or an entry of an array; in: one of an array's "
            "values; is_empty: null, missing, or an empty text."
        ),
    ] = "equals"
    value: Annotated[Any, Meta(description="What the column is compared with; nothing for is_empty.")] = None


class SortColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column, and which way its values go."""

    column: ColumnName
    direction: Annotated[Literal["asc", "desc"], Meta(description="asc: smallest first; desc: largest first.")] = "asc"


class DataTableRead(Output, frozen=True, kw_only=True):
    """A table of the users' own; without key columns each row stands for itself."""

    id: UUID
    name: str
    key_columns: list[str]
    created_at: datetime


class RowRead(Output, frozen=True, kw_only=True):
    """A row of a user's own table."""

    id: UUID
    fields: dict[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which rows are meant: those for which all conditions hold, or one of them."""

    conditions: Sequence[Condition] = ()
    combine: Combine = "and"

    @classmethod
    def one_of(cls, column: str, values: Sequence[Any]) -> "Where":
        """Mean the rows whose column has one of some values."""
        return cls(conditions=[Condition(column=column, operator="in", value=list(values))])

    def require(self) -> "Where":
        """Return it as it is; raises ValidationError where it would mean every row."""
        if not self.conditions:
            message = "is empty, which would mean every row. Say which rows are meant."
            raise ValidationError.of("where", message)
        return self


@dataclass(frozen=True, kw_only=True)
class Caller:
    """On whose behalf a node works, in which execution, and whether all of it is only to be said."""

    user_id: UUID
    execution: str = ""
    node: str = ""
    dry_run: bool = False
