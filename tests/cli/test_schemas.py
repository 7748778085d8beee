from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from app.cli.schemas import parameter_rows, type_of


class Case(msgspec.Struct):
    """A case."""

    value: int


class Parameters(msgspec.Struct, kw_only=True):
    """Parameters of many kinds."""

    command: Annotated[str, Meta(description="What to run.")]
    method: Literal["auto", "tcp"] = "auto"
    count: Annotated[int, Meta(ge=1, le=10)] = 3
    at_least: Annotated[float, Meta(ge=0.5)] = 1.0
    port: int | None = None
    cases: list[Case] = []
    names: dict[str, str] = {}


def test_each_parameter_is_a_row_in_words() -> None:
    (schema,), components = msgspec.json.schema_components([Parameters], ref_template="#/$defs/{name}")
    rows = parameter_rows({**components["Parameters"], "$defs": components})
    assert {row[0]: row[1:] for row in rows} == {
        "command": ("string", "yes", "", "What to run."),
        "method": ("auto | tcp", "", '"auto"', ""),
        "count": ("integer 1..10", "", "3", ""),
        "at_least": ("number 0.5..", "", "1.0", ""),
        "port": ("integer or null", "", "null", ""),
        "cases": ("array of object", "", "[]", ""),
        "names": ("object", "", "{}", ""),
    }
    assert schema == {"$ref": "#/$defs/Parameters"}


def test_what_may_be_anything_is_called_so() -> None:
    assert type_of({}, {}) == "any"
    assert parameter_rows({}) == []
