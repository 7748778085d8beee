from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.automation.executions import diffing
from app.automation.executions.diffing import compare

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab\n", max_size=4)
INNER = st.lists(SCALARS, max_size=4) | st.dictionaries(st.sampled_from("xyz"), SCALARS, max_size=3)
VALUES = SCALARS | INNER | st.lists(INNER, max_size=4) | st.dictionaries(st.sampled_from("xyz"), INNER, max_size=3)


def told(before: Any, after: Any) -> list[tuple[tuple[str | int, ...], str, Any, Any]]:
    return [(change.path, change.kind, change.before, change.after) for change in compare(before, after).changes]


def test_fields_that_came_went_and_changed_are_told_by_their_paths() -> None:
    before = {"same": 1, "gone": [1], "version": "15.1", "deep": {"a": {"b": 1}}}
    after = {"same": 1, "new": None, "version": "15.2", "deep": {"a": {"b": 2}}}
    assert told(before, after) == [
        (("deep", "a", "b"), "changed", 1, 2),
        (("gone",), "removed", [1], None),
        (("new",), "added", None, None),
        (("version",), "changed", "15.1", "15.2"),
    ]


def test_an_entry_put_in_front_is_one_difference() -> None:
    ports = [{"port": number, "up": True} for number in range(5)]
    assert told(ports, [{"port": 9, "up": False}, *ports]) == [((0,), "added", None, {"port": 9, "up": False})]
    assert told(ports, ports[1:]) == [((0,), "removed", ports[0], None)]
    assert told(ports, [*ports[:2], {"port": 2, "up": False}, *ports[3:]]) == [((2, "up"), "changed", True, False)]


def test_texts_of_several_lines_have_a_unified_diff() -> None:
    (change,) = compare({"text": "a\nb\nc\n"}, {"text": "a\nB\nc\n"}).changes
    assert (change.path, change.kind, change.before, change.after) == (("text",), "changed", None, None)
    assert change.text_diff is not None
    assert change.text_diff.splitlines() == ["--- before", "+++ after", "@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]


@pytest.mark.parametrize(
    ("before", "after"), [(True, 1), (0, False), (None, 0), ("1", 1), ([], {}), ("a\nb", "a\nb\n")]
)
def test_what_only_looks_alike_differs(before: Any, after: Any) -> None:
    assert len(compare(before, after).changes) == 1


def test_what_is_told_is_bounded() -> None:
    many = {str(number): number for number in range(diffing.MAX_CHANGES + 1)}
    comparison = compare(many, {})
    assert (len(comparison.changes), comparison.truncated) == (diffing.MAX_CHANGES, True)
    assert compare(dict(list(many.items())[1:]), {}).truncated is False
    long = list(range(diffing.MAX_LIST + 1))
    assert told(long, [*long[:-1], -1]) == [((diffing.MAX_LIST,), "changed", diffing.MAX_LIST, -1)]
    (cut,) = compare({"text": ""}, {"text": "x" * 10_000}).changes
    assert cut.after == f"{'x' * diffing.MAX_VALUE_CHARS}… (10000 characters)"
    (left_out,) = compare({}, {"list": ["x" * 100] * 100}).changes
    assert left_out.after == "… (100 entries)"


def test_texts_too_large_for_a_diff_are_said_to_differ() -> None:
    lines = "x\n" * (diffing.MAX_TEXT_LINES + 1)
    (change,) = compare(lines, f"{lines}y\n").changes
    assert (change.kind, change.text_diff) == ("changed", None)
    (change,) = compare("a\n" * 2000, "b\n" * 2000).changes
    assert change.text_diff is not None
    assert len(change.text_diff.splitlines()) == diffing.MAX_DIFF_LINES + 1


@given(VALUES, VALUES)
def test_values_differ_where_and_only_where_their_json_does(before: Any, after: Any) -> None:
    same = msgspec.json.encode(before, order="sorted") == msgspec.json.encode(after, order="sorted")
    assert (compare(before, after).changes == ()) == same
    assert compare(before, before).changes == ()
