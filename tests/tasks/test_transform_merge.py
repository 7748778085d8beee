"""transform:merge in each of its modes."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import items as bounds
from tasks import transform_merge as module
from tasks.transform_merge import transform_merge
from tests.support.node_values import ANYTHING, NAMES, RECORDS, assert_survives, outputs, refusal, run

SEEN = [{"id": 1, "name": "sw1", "os": "9.1"}, {"id": 2, "name": "sw2"}, {"name": "sw3"}]
KNOWN = [{"id": 2, "name": "SW2", "site": "B"}, {"id": 1.0, "site": "A"}, {"id": 4, "site": "D"}, {"id": None}]
MODES = st.sampled_from(["append", "combine_by_position", "combine_by_key", "keep_matches", "enrich"])
CLASHES = st.sampled_from(["prefer_input1", "prefer_input2", "add_suffix"])


def merged(mode: str, first: Any = SEEN, second: Any = KNOWN, **params: Any) -> dict[str, Any]:
    return outputs(transform_merge, input1=first, input2=second, mode=mode, **params)


def test_arrays_are_appended_whatever_they_hold() -> None:
    given = merged("append", [1, "a"], [{"b": 2}, None])
    assert given == {"items": [1, "a", {"b": 2}, None], "only_input1": [], "only_input2": []}


def test_items_are_combined_by_position_and_the_rest_stays() -> None:
    first, second = [{"a": 1}, {"a": 2}], [{"b": 1}]
    assert merged("combine_by_position", first, second) == {
        "items": [{"a": 1, "b": 1}, {"a": 2}],
        "only_input1": [{"a": 2}],
        "only_input2": [],
    }
    assert merged("combine_by_position", second, first) == {
        "items": [{"b": 1, "a": 1}, {"a": 2}],
        "only_input1": [],
        "only_input2": [{"a": 2}],
    }
    assert merged("combine_by_position", [], []) == {"items": [], "only_input1": [], "only_input2": []}


PAIRS = [{"id": 1, "name": "sw1", "os": "9.1", "site": "A"}, {"id": 2, "name": "sw2", "site": "B"}]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("keep_matches", PAIRS),
        ("enrich", [*PAIRS, {"name": "sw3"}]),
        ("combine_by_key", [*PAIRS, {"name": "sw3"}, {"id": 4, "site": "D"}, {"id": None}]),
    ],
)
def test_items_are_combined_by_key(mode: str, expected: list[Any]) -> None:
    assert merged(mode) == {
        "items": expected,
        "only_input1": [{"name": "sw3"}],
        "only_input2": [{"id": 4, "site": "D"}, {"id": None}],
    }


def test_every_item_of_a_key_is_combined_with_every_other() -> None:
    first, second = [{"id": 1, "a": 1}, {"id": 1, "a": 2}], [{"id": 1, "b": 1}, {"id": 1, "b": 2}]
    items = merged("keep_matches", first, second)["items"]
    assert [(item["a"], item["b"]) for item in items] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_keys_may_have_different_names_and_lie_deeper() -> None:
    first, second = [{"host": "sw1"}], [{"device": {"name": "sw1"}, "site": "A"}]
    given = merged("keep_matches", first, second, key_field_1="host", key_field_2="device.name")
    assert given["items"] == [{"host": "sw1", "device": {"name": "sw1"}, "site": "A"}]


@pytest.mark.parametrize("first", [None, float("nan")])
def test_nothing_equals_no_key(first: Any) -> None:
    assert merged("keep_matches", [{"id": first}], [{"id": first}])["items"] == []


@pytest.mark.parametrize(
    ("mode", "clash_handling", "expected"),
    [
        ("keep_matches", "prefer_input1", {"id": 1, "a": 1, "b": 1}),
        ("keep_matches", "prefer_input2", {"id": 1, "a": 2, "b": 1}),
        ("keep_matches", "add_suffix", {"id": 1, "a_1": 1, "a_2": 2, "b": 1}),
        ("combine_by_position", "add_suffix", {"id_1": 1, "id_2": 1, "a_1": 1, "a_2": 2, "b": 1}),
    ],
)
def test_fields_of_both_are_handled_as_asked(mode: str, clash_handling: str, expected: Any) -> None:
    given = merged(mode, [{"id": 1, "a": 1}], [{"id": 1, "a": 2, "b": 1}], clash_handling=clash_handling)
    assert given["items"] == [expected]


def test_a_suffix_that_is_taken_is_told() -> None:
    first, second = [{"a": 1, "a_1": 0}], [{"a": 2}]
    error_class, message = refusal(
        transform_merge, input1=first, input2=second, mode="combine_by_position", clash_handling="add_suffix"
    )
    assert error_class == "validation"
    assert "two fields 'a_1'" in message


@pytest.mark.parametrize(
    ("first", "second", "mode", "words"),
    [
        (None, [], "append", "input1 gave None"),
        ([], {"a": 1}, "append", "input2 gave"),
        ([{}], [5], "enrich", "input2[0] is 5"),
        (["x"], [], "combine_by_position", "input1[0] is 'x'"),
    ],
)
def test_what_cannot_be_merged_is_told(first: Any, second: Any, mode: str, words: str) -> None:
    error_class, message = refusal(transform_merge, input1=first, input2=second, mode=mode)
    assert error_class == "validation"
    assert words in message


def test_a_mode_or_key_that_is_none_is_refused() -> None:
    for params in ({"mode": "union"}, {"key_field_1": ""}, {"clash_handling": "both"}):
        with pytest.raises(msgspec.ValidationError):
            run(transform_merge, input1=[], input2=[], **params)


def test_keys_that_match_in_too_many_ways_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ITEMS", 3)
    many = [{"id": 1}] * 2
    assert "match in more than 3 ways" in refusal(transform_merge, input1=many, input2=many, mode="enrich")[1]


def test_a_result_that_holds_too_much_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "HEAVIEST", 1000)
    first, second = [{"id": 1}] * 20, [{"id": 1, "text": "x" * 100}]
    assert "would hold more" in refusal(transform_merge, input1=first, input2=second, mode="enrich")[1]
    monkeypatch.setattr(bounds, "MOST_ITEMS", 20)
    assert "items holds 21 items" in refusal(transform_merge, input1=first, input2=second)[1]


@given(RECORDS, RECORDS, CLASHES)
def test_merging_has_as_many_items_as_its_mode_says(first: Any, second: Any, clash_handling: str) -> None:
    assert len(merged("append", first, second)["items"]) == len(first) + len(second)
    if clash_handling != "add_suffix":
        combined = merged("combine_by_position", first, second, clash_handling=clash_handling)
        assert len(combined["items"]) == max(len(first), len(second))


@given(RECORDS, RECORDS, NAMES, NAMES)
def test_by_key_nothing_is_lost_and_the_modes_agree(first: Any, second: Any, key_1: str, key_2: str) -> None:
    keys = {"key_field_1": key_1, "key_field_2": key_2}
    matches, enriched, whole = (
        merged(mode, first, second, **keys) for mode in ("keep_matches", "enrich", "combine_by_key")
    )
    assert len(enriched["items"]) == len(matches["items"]) + len(enriched["only_input1"])
    assert len(whole["items"]) == len(enriched["items"]) + len(whole["only_input2"])
    alone = [id(item) for item in whole["only_input1"] + whole["only_input2"]]
    assert set(alone) <= {id(item) for item in whole["items"]}


@given(ANYTHING, ANYTHING, MODES, CLASHES, NAMES)
def test_whatever_comes_in_is_merged_or_refused(first: Any, second: Any, mode: str, clash: str, key: str) -> None:
    params = {"mode": mode, "clash_handling": clash, "key_field_1": key, "key_field_2": key}
    assert_survives(transform_merge, input1=first, input2=second, **params)


@given(RECORDS, RECORDS, MODES, CLASHES, NAMES)
def test_whatever_records_come_in_are_merged_or_refused(
    first: Any, second: Any, mode: str, clash: str, key: str
) -> None:
    params = {"mode": mode, "clash_handling": clash, "key_field_1": key, "key_field_2": key}
    assert_survives(transform_merge, input1=first, input2=second, **params)
