"""The catalogue: ids and aliases, what it tells of a type, and what third parties bring."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import jsonschema
import pytest
from msgspec import Meta

from tasks import catalog
from tasks.catalog import Catalog, Problem, collect, describe, entry_points, folder
from tasks.errors import BadNodeType, DuplicateNodeType, UnknownNodeType
from tasks.node import Handle, NodeType, Params, node, outcome

GREETING = '''\
from typing import Annotated

from msgspec import Meta

from tasks.node import Handle, Params, node


class GreetParams(Params):
    name: Annotated[str, Meta(min_length=1, description="Whom to greet.")]


@node("guest:greet", name="Greet", category="Guests", scope="follow", outputs=(Handle("text", "string"),))
def greet(params: GreetParams) -> dict[str, str]:
    """Greet somebody."""
    return {"text": f"Hello, {params.name}!"}
'''


class EmptyParams(Params, frozen=True, kw_only=True):
    """Nothing to say."""


def declare(node_id: str, **more: Any) -> Callable[..., Any]:
    @node(node_id, name="Lab", category="Lab", scope="follow", **more)
    def lab(params: EmptyParams) -> Any:
        """Do nothing."""
        return outcome()

    return lab


def write(path: Path, **files: str) -> Path:
    for stem, text in files.items():
        (path / f"{stem}.py").write_text(text)
    return path


def test_types_are_found_by_id_and_by_alias_and_listed_once() -> None:
    filled = Catalog([declare("lab:one", aliases=("lab:uno",)), declare("lab:two")])
    assert list(filled) == ["lab:one", "lab:two"]
    assert len(filled) == 2
    assert filled["lab:uno"] is filled["lab:one"]
    assert "lab:uno" in filled
    assert filled.get("lab:three") is None


def test_an_unknown_id_is_told_with_what_is_near() -> None:
    with pytest.raises(UnknownNodeType, match=r"There is no node type 'lab:on'\. Near to it: lab:one\."):
        Catalog([declare("lab:one")])["lab:on"]


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        (declare("lab:one"), declare("lab:one"), "lab:one"),
        (declare("lab:one"), declare("lab:two", aliases=("lab:one",)), "lab:one"),
        (declare("lab:one", aliases=("lab:uno",)), declare("lab:uno"), "lab:uno"),
        (declare("lab:one", aliases=("lab:uno",)), declare("lab:two", aliases=("lab:uno",)), "lab:uno"),
    ],
)
def test_an_id_that_is_taken_is_refused_naming_both_functions(first: Any, second: Any, taken: str) -> None:
    with pytest.raises(DuplicateNodeType) as raised:
        Catalog([first, second])
    assert str(raised.value).count("declare.<locals>.lab in ") == 2
    assert str(raised.value).startswith(f"{taken} is declared twice")


def test_the_same_function_may_come_twice() -> None:
    function = declare("lab:one")
    assert len(Catalog([function, function])) == 1


def test_a_function_without_a_declaration_is_refused() -> None:
    with pytest.raises(BadNodeType, match="test_a_function_without_a_declaration_is_refused is no node type"):
        Catalog([test_a_function_without_a_declaration_is_refused])


def test_parameters_that_json_cannot_describe_are_refused() -> None:
    class Strange(Params, frozen=True, kw_only=True):
        """What nobody could send."""

        when: Annotated[str, Meta(ge=1)]

    @node("lab:strange", name="Lab", category="Lab", scope="follow")
    def strange(params: Strange) -> Any:
        """Do nothing."""

    with pytest.raises(BadNodeType, match="lab:strange: Strange has no JSON Schema"):
        Catalog([strange])


def test_a_description_is_plain_data_with_a_json_schema() -> None:
    function = declare(
        "lab:one",
        aliases=("lab:uno",),
        inputs=(Handle("data", many=True),),
        outputs=(Handle("text", "string", "Words."),),
    )
    described = describe(catalog.declared(function))
    jsonschema.Draft202012Validator.check_schema(described.pop("parameters"))
    assert described == {
        "id": "lab:one",
        "version": 1,
        "name": "Lab",
        "description": "Do nothing.",
        "package": "core",
        "category": "Lab",
        "icon": "circle",
        "color": "#64748b",
        "scope": "follow",
        "inputs": [{"name": "data", "type": "any", "description": "", "many": True}],
        "outputs": [{"name": "text", "type": "string", "description": "Words.", "many": False}],
        "triggers": ["success", "failure"],
        "open_triggers": None,
        "is_trigger": False,
        "aliases": ["lab:uno"],
        "platforms": [],
        "changes_device": False,
        "dry_run": False,
        "idempotent": True,
        "prerequisites": [],
    }


def test_a_trigger_has_no_failure_to_follow() -> None:
    assert describe(catalog.declared(declare("lab:go", is_trigger=True)))["triggers"] == ["success"]


def test_functions_of_a_module_are_collected_in_order() -> None:
    module = ModuleType("lab")
    vars(module).update({"b": declare("lab:b"), "number": 5, "a": declare("lab:a"), "params": EmptyParams})
    assert [catalog.declared(function).id for function in collect(module)] == ["lab:b", "lab:a"]


def test_a_folder_of_files_brings_node_types(tmp_path: Path) -> None:
    (function,), problems = folder(write(tmp_path, greeting=GREETING))
    assert problems == []
    node_type = Catalog([function])["guest:greet"]
    assert node_type.function(node_type.params(name="you")) == {"text": "Hello, you!"}
    assert describe(node_type)["parameters"]["properties"]["name"]["description"] == "Whom to greet."


def test_two_folders_may_hold_files_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    functions, _ = folder(write(tmp_path / "a", same=GREETING))
    others, _ = folder(write(tmp_path / "b", same=GREETING.replace("guest:greet", "guest:other")))
    assert list(Catalog([*functions, *others])) == ["guest:greet", "guest:other"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("answer = 42\n", "holds no node type"),
        (GREETING.replace("guest:greet", "Greet"), "is no node id"),
        (GREETING.replace("params: GreetParams", "params: dict"), "needs an argument `params`"),
        (GREETING.replace('    """Greet somebody."""\n', ""), "docstring"),
        (GREETING.replace("GreetParams(Params)", "GreetParams"), "needs an argument `params`"),
    ],
)
def test_a_broken_file_is_reported_and_the_rest_is_there(tmp_path: Path, text: str, words: str) -> None:
    functions, (problem,) = folder(write(tmp_path, a_broken=text, b_good=GREETING))
    assert [catalog.declared(function).id for function in functions] == ["guest:greet"]
    assert problem.source == str(tmp_path / "a_broken.py")
    assert words in problem.message


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    functions, (problem,) = folder(tmp_path / "missing")
    assert functions == []
    assert "OPSCONDUCTOR_NODES_PATH" in problem.message


def test_guests_cannot_take_an_id_and_the_others_come_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled = Catalog([declare("guest:greet")])
    ours = filled["guest:greet"]
    theirs, problems = folder(write(tmp_path, a=GREETING, b=GREETING.replace("guest:greet", "guest:other")))
    filled.add_guests(theirs, [*problems, Problem(source="elsewhere", message="it broke")])
    assert filled["guest:greet"] is ours
    assert "guest:other" in filled
    assert [problem.source for problem in filled.problems] == ["elsewhere", f"greet in {tmp_path / 'a.py'}"]
    assert "guest:greet is declared twice" in caplog.text


def install(monkeypatch: pytest.MonkeyPatch, path: Path, *values: str) -> None:
    """Pretend that packages under ``path`` are installed with some entry points."""
    monkeypatch.syspath_prepend(str(path))
    points = [EntryPoint(name=f"point{index}", value=value, group=catalog.GROUP) for index, value in enumerate(values)]
    monkeypatch.setattr(catalog, "installed_entry_points", lambda *, group: points if group == catalog.GROUP else [])


@pytest.mark.parametrize("value", ["guest_of_{}", "guest_of_{}:greet"])
def test_an_entry_point_names_a_module_or_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    name = f"entry_{'function' if ':' in value else 'module'}"
    install(monkeypatch, write(tmp_path, **{f"guest_of_{name}": GREETING}), value.format(name))
    (function,), problems = entry_points()
    assert problems == []
    assert catalog.declared(function).id == "guest:greet"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_package_anywhere", "ModuleNotFoundError"),
        ("guest_of_faults:no_such_name", "AttributeError"),
        ("guest_of_faults:plain", "plain is no node type"),
        ("guest_of_faults_without", "holds no node type"),
    ],
)
def test_a_broken_entry_point_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    files = {"guest_of_faults": f"{GREETING}\n\ndef plain(): ...\n", "guest_of_faults_without": "answer = 42\n"}
    install(monkeypatch, write(tmp_path, **files), value)
    functions, (problem,) = entry_points()
    assert functions == []
    assert words in problem.message
    assert value in problem.source


def test_a_device_node_names_the_host_of_its_result() -> None:
    class Somewhere:
        host = "sw1"

    @node("lab:device", name="Lab", category="Lab", scope="device")
    def visit(task: Any, params: EmptyParams) -> Any:
        """Visit a device."""
        return outcome({"seen": True})

    node_type: NodeType = catalog.declared(visit)
    assert node_type.function(Somewhere(), params=EmptyParams()).host == "sw1"
