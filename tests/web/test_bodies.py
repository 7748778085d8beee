"""Bodies become the declared type, or every wrong field of them is named."""

from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from app.core.errors import MalformedError, ValidationError
from app.core.wire import Input
from app.web.bodies import read_json


class Address(Input, frozen=True, kw_only=True):
    """A part."""

    city: Annotated[str, Meta(min_length=2)]
    zip_code: int


class Person(Input, frozen=True, kw_only=True):
    """A whole."""

    name: Annotated[str, Meta(max_length=5)]
    home: Address
    others: list[Address] = []
    second: Address | None = None
    third: Address | UnsetType | None = UNSET
    tags: list[str] = []
    weights: dict[str, float] = {}


HOME = {"city": "Bonn", "zip_code": 53111}


def faults(body: Any, declared: Any = Person) -> dict[str, str]:
    """Return what is wrong with a body."""
    with pytest.raises(ValidationError) as raised:
        read_json(msgspec.json.encode(body), declared)
    return {fault["field"]: fault["message"] for fault in raised.value.details}


def test_a_good_body_becomes_the_type() -> None:
    person = read_json(msgspec.json.encode({"name": "Anna", "home": HOME, "second": None}), Person)
    assert person == Person(name="Anna", home=Address(city="Bonn", zip_code=53111))
    assert person.third is UNSET


def test_every_wrong_field_is_found_at_every_depth() -> None:
    body = {
        "name": "Bartholomew",
        "home": {"city": "B", "zip": 1},
        "others": [HOME, {"city": 5, "zip_code": "53111"}],
        "second": {"city": "Bonn", "zip_code": None},
        "third": 7,
        "tags": ["a", 1],
        "weights": {"a": "heavy"},
        "unknown": True,
    }
    found = faults(body)
    assert sorted(found) == [
        "home.city",
        "home.zip",
        "home.zip_code",
        "name",
        "others[1].city",
        "others[1].zip_code",
        "second.zip_code",
        "tags[1]",
        "third",
        "unknown",
        "weights[...]",
    ]
    assert found["home.zip_code"] == "it is missing"
    assert found["unknown"].startswith("there is no such field")


@pytest.mark.parametrize("body", [None, 5, "text", [], True])
def test_something_else_than_an_object_is_named_as_a_whole(body: Any) -> None:
    assert list(faults(body)) == [""]


def test_a_list_of_bodies_names_the_entry() -> None:
    assert list(faults([HOME, {"city": "Bonn"}], list[Address])) == ["[1].zip_code"]


@pytest.mark.parametrize(
    "body", [b"{", b"{'a': 1}", b"nul", b'{"a": 1} trailing', b"\xff", b'"\\ud800"', b"[" * 10_000]
)
def test_text_that_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        read_json(body, Any)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "home", "others", "second", "tags", "city", "zip_code"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_a_body_is_refused_exactly_when_the_type_refuses_it(body: Any) -> None:
    encoded = msgspec.json.encode(body)
    try:
        expected = msgspec.json.decode(encoded, type=Person)
    except msgspec.ValidationError:
        assert faults(body)
    else:
        assert read_json(encoded, Person) == expected
