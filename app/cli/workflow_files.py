"""Workflows as files: YAML or JSON with name, description, tags and definition, written the same way every time."""

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from app.core.errors import Fault, NotFoundError, ValidationError

SUFFIXES = (".yaml", ".yml", ".json")
LINE_CHARS = 110
FIELDS: Mapping[str, tuple[type, str]] = {
    "name": (str, "text"),
    "description": (str, "text"),
    "tags": (list, "a list"),
    "definition": (dict, "an object"),
}
NODE = ("id", "type", "position", "data")
NODE_DATA = ("nodeType", "label", "description", "parameters", "options")
EDGE = ("id", "source", "sourceHandle", "target", "targetHandle")
ODD_BREAKS = set("\r\x85\u2028\u2029")
"""What YAML takes for line breaks too, and folds unless it is escaped."""
SCALARS = (
    ("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"),
        list("-0123456789"),
    ),
)
"""What an unquoted value may mean besides text (YAML 1.2, 10.2): no dates, no yes and no, no 10:30 in base 60."""


class WorkflowLoader(yaml.SafeLoader):
    """Reads YAML whose values are JSON's, and refuses a key that stands twice."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping; raises ConstructorError where a key is no text or stands twice."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                problem = f"{key!r} stands here twice" if isinstance(key, str) else f"the key {key!r} is not text"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


class WorkflowDumper(yaml.SafeDumper):
    """Writes YAML that people like to read: text of several lines as a block."""


for _tag, _pattern, _first in SCALARS:
    WorkflowLoader.add_implicit_resolver(_tag, _pattern, _first)
    WorkflowDumper.add_implicit_resolver(_tag, _pattern, _first)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if ODD_BREAKS & set(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


WorkflowDumper.add_representer(str, _represent_text)


def is_workflow_file(name: str) -> bool:
    """Say whether a name is that of a workflow file rather than of a workflow."""
    return name.endswith(SUFFIXES)


def read_workflow(path: Path) -> dict[str, Any]:
    """Return the workflow in a file, fields left out filled; raises NotFoundError, ValidationError with every fault."""
    content = read_content(path)
    if not isinstance(content, dict):
        raise ValidationError(f"{path} holds no workflow: it must be an object with {', '.join(FIELDS)}.")
    faults = [
        Fault(field=str(name), message=f"is not part of a workflow file; it holds {', '.join(FIELDS)}")
        for name in content
        if name not in FIELDS
    ]
    for name, (kind, called) in FIELDS.items():
        if name in content and not isinstance(content[name], kind):
            faults.append(Fault(field=name, message=f"must be {called}"))
    faults += [Fault(field=name, message="is missing") for name in ("name", "definition") if name not in content]
    if faults:
        raise ValidationError(f"{path} holds no workflow that can be read.", faults)
    return {"description": "", "tags": [], **content}


def read_content(path: Path) -> Any:
    """Return what a YAML or JSON file holds; raises NotFoundError, or ValidationError with the line."""
    return _parsed(path, _text(path))


def write_workflow(workflow: Mapping[str, Any], *, as_json: bool) -> str:
    """Return the text of a workflow's file; the same workflow always gives the same text."""
    content = {
        "name": workflow["name"],
        "description": workflow["description"],
        "tags": list(workflow["tags"]),
        "definition": ordered_definition(workflow["definition"]),
    }
    if as_json:
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.dump(content, Dumper=WorkflowDumper, sort_keys=False, allow_unicode=True, width=LINE_CHARS)
    return text


def ordered_definition(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with its keys in the order they are written in."""
    ordered: dict[str, Any] = _ordered(definition, ("nodes", "edges", "viewport"))
    if isinstance(definition.get("nodes"), list):
        ordered["nodes"] = [_ordered_node(node) for node in definition["nodes"]]
    if isinstance(definition.get("edges"), list):
        ordered["edges"] = [_ordered(edge, EDGE) for edge in definition["edges"]]
    return ordered


def _ordered_node(node: Any) -> Any:
    ordered = _ordered(node, NODE)
    if isinstance(ordered, dict) and "data" in ordered:
        ordered["data"] = _ordered(ordered["data"], NODE_DATA)
    return ordered


def _ordered(value: Any, first: Sequence[str]) -> Any:
    """Return a value with the keys of its objects sorted, those named in ``first`` before all others."""
    if isinstance(value, Mapping):
        keys = [*(key for key in first if key in value), *sorted(key for key in value if key not in first)]
        return {key: _ordered(value[key], ()) for key in keys}
    return [_ordered(item, ()) for item in value] if isinstance(value, list) else value


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(f"{path} cannot be read: {error}.") from error


def _parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text) if path.suffix == ".json" else yaml.load(text, Loader=WorkflowLoader)  # noqa: S506 — WorkflowLoader is a SafeLoader
    except ValueError as error:
        raise ValidationError(f"{path} is not JSON: {error}.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValidationError(f"{path}, line {line}, is not YAML that can be read: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ValidationError(f"{path} is not YAML that can be read: {error}.") from error
