"""transform:set-fields, transform:rename-keys and transform:split."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import items as bounds
from tasks.transform_fields import transform_rename_keys, transform_set_fields, transform_split
from tests.support.node_values import ANYTHING, NAMES, RECORDS, assert_survives, outputs, refusal, run

PORTS = [{"port": "1", "oper": {"link": "up"}}, {"port": "2", "oper": {"link": "down"}}]
DEVICES = [
    {"name": "sw1", "ports": ["1", "2"], "site": {"name": "A", "tags": ["x"]}},
    {"name": "sw2", "ports": [], "site": {"name": "B", "tags": ["y", "z"]}},
]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"fields": {"vlan": 5}}, [{**PORTS[0], "vlan": 5}, {**PORTS[1], "vlan": 5}]),
        ({"fields": {"port": None}}, [{**PORTS[0], "port": None}, {**PORTS[1], "port": None}]),
        (
            {"copy_fields": {"link": "oper.link"}, "fields": {"x": 1}, "keep_only_set": True},
            [{"link": "up", "x": 1}, {"link": "down", "x": 1}],
        ),
        ({"mode": "expression", "expression": {"oper": 1}}, [{"port": "1", "oper": 1}, {"port": "2", "oper": 1}]),
        (
            {"mode": "expression", "expression": [{"n": 1}, {"n": 2}], "keep_only_set": True},
            [{"n": 1}, {"n": 2}],
        ),
        ({"items": {"a": 1}, "fields": {"b": 2}}, {"a": 1, "b": 2}),
        ({"items": [], "fields": {"b": 2}}, []),
    ],
)
def test_fields_are_set(params: dict[str, Any], expected: Any) -> None:
    assert outputs(transform_set_fields, **{"items": PORTS, **params}) == {"items": expected}


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "fields and copy_fields are both empty"),
        ({"copy_fields": {"a": "colour"}}, "copy_fields: items[0] has no 'colour'"),
        ({"mode": "expression"}, "expression gave None, which is no array"),
        ({"mode": "expression", "expression": [{}]}, "expression gave 1 objects for 2 items"),
        ({"mode": "expression", "expression": [{}, 5]}, "expression[1] is 5, which is no object"),
        ({"items": "text", "fields": {"a": 1}}, "items gave 'text', which is no array"),
        ({"items": [1], "fields": {"a": 1}}, "items[0] is 1, which is no object"),
        ({"items": None, "fields": {"a": 1}}, "items gave None"),
    ],
)
def test_fields_that_cannot_be_set_are_told(params: dict[str, Any], words: str) -> None:
    error_class, message = refusal(transform_set_fields, **{"items": PORTS, **params})
    assert error_class == "validation"
    assert words in message


def test_the_items_given_stay_as_they_were() -> None:
    outputs(transform_set_fields, items=PORTS, fields={"port": "changed"})
    outputs(transform_rename_keys, items=PORTS, renames={"port": "name"})
    outputs(transform_split, items=DEVICES, field_to_split="site.tags")
    assert PORTS[0] == {"port": "1", "oper": {"link": "up"}}
    assert DEVICES[0]["site"] == {"name": "A", "tags": ["x"]}


def test_a_large_value_is_not_set_on_many_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HEAVIEST", 1000)
    assert "would hold more" in refusal(transform_set_fields, items=[{}] * 20, fields={"a": "x" * 100})[1]
    parts = [{"parts": [1] * 20, "text": "x" * 100}]
    assert "would hold more" in refusal(transform_split, items=parts, field_to_split="parts")[1]


@pytest.mark.parametrize(
    ("items", "params", "expected"),
    [
        (PORTS[:1], {"renames": {"port": "name"}}, [{"name": "1", "oper": {"link": "up"}}]),
        ({"a": 1, "b": 2}, {"renames": {"a": "b", "b": "a"}}, {"b": 1, "a": 2}),
        ([{"a": 1}, {"b": 1}], {"renames": {"a": "c"}, "if_missing": "skip"}, [{"c": 1}, {"b": 1}]),
        ({"a.b": 1}, {"renames": {"a.b": "a"}}, {"a": 1}),
        ([], {"renames": {"a": "b"}}, []),
    ],
)
def test_fields_are_renamed(items: Any, params: dict[str, Any], expected: Any) -> None:
    assert outputs(transform_rename_keys, items=items, **params) == {"items": expected}


@pytest.mark.parametrize(
    ("items", "renames", "words"),
    [
        ([{"a": 1}, {"b": 1}], {"a": "c"}, "items[1] has no field 'a'"),
        ([{"a": 1, "b": 2}], {"a": "b"}, "items[0] would have two fields 'b'"),
        ([{"a": 1, "b": 2}], {"a": "c", "b": "c"}, "items[0] would have two fields 'c'"),
        ("text", {"a": "b"}, "is no array"),
    ],
)
def test_fields_that_cannot_be_renamed_are_told(items: Any, renames: dict[str, str], words: str) -> None:
    error_class, message = refusal(transform_rename_keys, items=items, renames=renames)
    assert error_class == "validation"
    assert words in message


def test_there_is_something_to_rename_and_to_split() -> None:
    with pytest.raises(msgspec.ValidationError, match="renames"):
        run(transform_rename_keys, items=PORTS, renames={})
    with pytest.raises(msgspec.ValidationError, match="field_to_split"):
        run(transform_split, items=PORTS, field_to_split="")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            {"field_to_split": "ports"},
            [
                {"name": "sw1", "site": DEVICES[0]["site"], "ports": "1"},
                {"name": "sw1", "site": DEVICES[0]["site"], "ports": "2"},
            ],
        ),
        ({"field_to_split": "ports", "include_parent": False}, ["1", "2"]),
        (
            {"field_to_split": "ports", "include_parent": False, "destination_field": "port"},
            [{"port": "1"}, {"port": "2"}],
        ),
        (
            {"items": DEVICES[:1], "field_to_split": "site.tags", "destination_field": "tag"},
            [{"name": "sw1", "ports": ["1", "2"], "site": {"name": "A"}, "tag": "x"}],
        ),
        (
            {"items": DEVICES[0], "field_to_split": "site.tags"},
            [{"name": "sw1", "ports": ["1", "2"], "site": {"name": "A"}, "tags": "x"}],
        ),
        ({"items": {"a.b": [1]}, "field_to_split": "a.b"}, [{"a.b": 1}]),
        ({"items": [{"ports": None}, {}], "field_to_split": "ports", "if_missing": "skip"}, []),
    ],
)
def test_arrays_inside_items_are_split(params: dict[str, Any], expected: Any) -> None:
    assert outputs(transform_split, **{"items": DEVICES, **params}) == {"items": expected}


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([{}], "items[0] has no 'ports' to split"),
        ([{"ports": [1]}, {"ports": None}], "items[1] has no 'ports' to split"),
        ([{"ports": "1,2"}], "items[0]: ports gave '1,2', which is no array"),
        ([5], "items[0] is 5, which is no object"),
    ],
)
def test_what_cannot_be_split_is_told(items: Any, words: str) -> None:
    error_class, message = refusal(transform_split, items=items, field_to_split="ports")
    assert error_class == "validation"
    assert words in message


def test_a_split_into_too_many_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_ITEMS", 3)
    assert (
        "items holds 4 items" in refusal(transform_split, items=[{"p": [1, 2]}, {"p": [3, 4]}], field_to_split="p")[1]
    )


@given(RECORDS, st.dictionaries(NAMES, NAMES, min_size=1, max_size=3))
def test_renaming_keeps_every_value_or_refuses(items: list[dict[str, Any]], renames: dict[str, str]) -> None:
    targets = [renames.get(name, name) for item in items for name in item]
    assert_survives(transform_rename_keys, items=items, renames=renames, if_missing="skip")
    if all(len({renames.get(name, name) for name in item}) == len(item) for item in items):
        renamed = outputs(transform_rename_keys, items=items, renames=renames, if_missing="skip")["items"]
        assert [list(map(repr, item.values())) for item in renamed] == [list(map(repr, it.values())) for it in items]
        assert [name for item in renamed for name in item] == targets


@given(RECORDS)
def test_a_split_gives_every_part_once_and_in_order(items: list[dict[str, Any]]) -> None:
    whole: list[dict[str, Any]] = [{"id": place, "parts": list(item.values())} for place, item in enumerate(items)]
    split = outputs(transform_split, items=whole, field_to_split="parts")["items"]
    assert repr([part["parts"] for part in split]) == repr([part for item in whole for part in item["parts"]])
    assert [part["id"] for part in split] == sorted(part["id"] for part in split)


@given(ANYTHING, ANYTHING, st.dictionaries(NAMES, ANYTHING, max_size=3), st.dictionaries(NAMES, NAMES, max_size=2))
def test_whatever_comes_in_is_set_or_refused(items: Any, expression: Any, fields: Any, copied: Any) -> None:
    assert_survives(transform_set_fields, items=items, fields=fields, copy_fields=copied)
    assert_survives(transform_set_fields, items=items, mode="expression", expression=expression)


@given(ANYTHING, NAMES | st.text(min_size=1, max_size=5), st.booleans(), st.sampled_from(["fail", "skip"]))
def test_whatever_comes_in_is_split_and_renamed_or_refused(items: Any, name: str, parent: bool, missing: str) -> None:
    assert_survives(transform_split, items=items, field_to_split=name, include_parent=parent, if_missing=missing)
    assert_survives(transform_rename_keys, items=items, renames={name: "new"}, if_missing=missing)
