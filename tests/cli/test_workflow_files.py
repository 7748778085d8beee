import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.automation.workflows.files import Format, ordered_definition, write_text
from app.cli.workflow_files import is_workflow_file, read_workflow
from app.core.errors import NotFoundError, ValidationError

numbers = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FORMS: tuple[Format, ...] = ("yaml", "json")
TRAPS = [
    "1.10",
    "0123",
    "1e5",
    "12:30",
    "2026-01-01",
    "yes",
    "no",
    "on",
    "null",
    "~",
    "true",
    "=",
    "",
    " a ",
    "a: b",
    "|x",
]


def workflow(**parameters: Any) -> dict[str, Any]:
    node = {"data": {"parameters": parameters, "nodeType": "ssh:command"}, "id": "a", "position": {"y": 1, "x": 0}}
    return {"name": "Check", "description": "", "tags": ["t"], "definition": {"edges": [], "nodes": [node]}}


def round_trip(path: Path, content: dict[str, Any], form: Format) -> dict[str, Any]:
    path.write_text(write_text(content, form), encoding="utf-8")
    return read_workflow(path)


@given(value=values)
def test_what_is_written_is_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.getbasetemp()
    for form in FORMS:
        assert round_trip(folder / f"w.{form}", workflow(value=value), form) == workflow(value=value)


@pytest.mark.parametrize("text", TRAPS)
def test_text_that_looks_like_something_else_stays_text(tmp_path: Path, text: str) -> None:
    found = round_trip(tmp_path / "w.yaml", workflow(command=text), "yaml")
    assert found["definition"]["nodes"][0]["data"]["parameters"]["command"] == text


def test_dates_and_yes_written_without_quotes_are_text(tmp_path: Path) -> None:
    path = tmp_path / "w.yml"
    path.write_text(
        "name: yes\ndescription: 2026-01-01\ndefinition: {at: 12:30, count: 5, ratio: 0.5, on: true, none: ~}\n"
    )
    found = read_workflow(path)
    assert (found["name"], found["description"]) == ("yes", "2026-01-01")
    assert found["definition"] == {"at": "12:30", "count": 5, "ratio": 0.5, "on": True, "none": None}


def test_a_file_is_written_in_a_fixed_order_with_commands_as_blocks() -> None:
    text = write_text(workflow(command="show version\nshow clock", timeout=5), "yaml")
    places = [
        text.index(key)
        for key in ("name:", "description:", "tags:", "nodes:", "id:", "nodeType:", "command:", "edges:")
    ]
    assert places == sorted(places)
    assert "command: |-\n" in text
    shuffled = json.loads(json.dumps(workflow(timeout=5, command="show version\nshow clock"), sort_keys=True))
    assert write_text(shuffled, "yaml") == text


def test_the_order_of_keys_makes_no_difference_between_definitions() -> None:
    one, other = {"nodes": [{"id": "a", "data": {}}], "edges": []}, {"edges": [], "nodes": [{"data": {}, "id": "a"}]}
    assert json.dumps(ordered_definition(one)) == json.dumps(ordered_definition(other))
    assert ordered_definition({"nodes": "nonsense"}) == {"nodes": "nonsense"}


def test_fields_left_out_are_filled(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text('{"name": "Check", "definition": {}}')
    assert read_workflow(path) == {"name": "Check", "description": "", "tags": [], "definition": {}}


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no file"):
        read_workflow(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("w.json", "{", "is not JSON"),
        ("w.yaml", "a: [", "line 1"),
        ("w.yaml", "name: a\nname: b\n", "line 2.*twice"),
        ("w.yaml", "1: a\n", "is not text"),
        ("w.yaml", "? [a]\n: b\n", "is not text"),
        ("w.yaml", "name: !!python/object:os.system x\n", "could not determine a constructor"),
        ("w.yaml", "just text", "holds no workflow"),
        ("w.yaml", "\x00", "not YAML that can be read"),
        ("w.yaml", b"\xff\xfe\xff", "cannot be read"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused_with_the_place(
    tmp_path: Path, name: str, text: str | bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValidationError, match=reason):
        read_workflow(path)


def test_every_wrong_field_is_told(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("nam: a\ndescription: [1]\ntags: x\ntemplate: maybe\n")
    with pytest.raises(ValidationError) as caught:
        read_workflow(path)
    fields = [fault["field"] for fault in caught.value.details]
    assert fields == ["nam", "description", "tags", "template", "name", "definition"]


def test_a_name_with_a_workflow_ending_is_a_file() -> None:
    assert [is_workflow_file(name) for name in ("a.yaml", "a.yml", "a.json", "Fleet check")] == [
        True,
        True,
        True,
        False,
    ]
