"""Workflows as text: YAML or JSON that reads back as it was, written the same way every time."""

import json
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import yaml

from app.core.errors import ValidationError

Format = Literal["yaml", "json"]
LINE_CHARS = 110
MAX_YAML_CHARS = 1_000_000
MAX_SIZE = 10_000_000
"""How many values and characters a text may mean; YAML's aliases can make very much of very little."""
NODE = ("id", "type", "position", "data")
NODE_DATA = ("nodeType", "label", "description", "parameters", "options")
EDGE = ("id", "source", "sourceHandle", "target", "targetHandle")
BLOCK_TEXT = re.compile(r"[\n\t -~\xa0-\ud7ff]*")
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
    """Writes YAML that people like to read: text of several lines as a block, nothing by reference."""

    def ignore_aliases(self, _: Any) -> bool:
        """Write every value out where it stands."""
        return True

    def analyze_scalar(self, scalar: str) -> Any:
        """Let text of several lines be a block with tabs and blanks at the ends of lines too, as devices print them."""
        analysis = super().analyze_scalar(scalar)
        analysis.allow_block = analysis.allow_block or (analysis.multiline and BLOCK_TEXT.fullmatch(scalar) is not None)
        return analysis


for _tag, _pattern, _first in SCALARS:
    WorkflowLoader.add_implicit_resolver(_tag, _pattern, _first)
    WorkflowDumper.add_implicit_resolver(_tag, _pattern, _first)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if ODD_BREAKS & set(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


WorkflowDumper.add_representer(str, _represent_text)


def read_text(text: str, form: Format) -> Any:
    """Return the value that a text holds; raises ValidationError saying what cannot be read, and in which line."""
    if form == "yaml" and len(text) > MAX_YAML_CHARS:
        raise ValidationError(f"YAML of more than {MAX_YAML_CHARS:,} characters is not read. Use JSON.")
    try:
        value = _parsed(text, form)
    except RecursionError as error:
        raise ValidationError("it nests too deep.") from error
    _require_bounds(value)
    return value


def write_text(workflow: Mapping[str, Any], form: Format) -> str:
    """Return the text of a workflow; the same workflow always gives the same text, and defaults are left out."""
    content = {
        "name": workflow["name"],
        "description": workflow["description"],
        **({"folder": workflow["folder"]} if workflow.get("folder") else {}),
        "tags": list(workflow["tags"]),
        **({"template": True} if workflow.get("template") else {}),
        **({"settings": _ordered(workflow["settings"], ())} if workflow.get("settings") else {}),
        "definition": ordered_definition(workflow["definition"]),
    }
    if form == "json":
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


def _parsed(text: str, form: Format) -> Any:
    try:
        if form == "json":
            return json.loads(text, parse_constant=_refuse_constant)
        return yaml.load(text, Loader=WorkflowLoader)  # noqa: S506 — WorkflowLoader is a SafeLoader
    except ValueError as error:
        raise ValidationError(f"it is not JSON: {error}.") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ValidationError(f"line {line} is not YAML that can be read: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ValidationError(f"it is not YAML that can be read: {error}.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _require_bounds(value: Any) -> None:
    """Raise ValidationError where a value is larger than a workflow can be, or holds itself or infinity."""
    size, pending = 0, [value]
    while pending:
        found = pending.pop()
        size += 1 + (_length(found) if isinstance(found, str) else 0)
        if size > MAX_SIZE:
            raise ValidationError("it means more than a workflow can hold, or something that holds itself.")
        if isinstance(found, float) and not math.isfinite(found):
            raise ValidationError("it holds a number that is larger than numbers can be.")
        if isinstance(found, Mapping):
            pending.extend(found.keys())
            pending.extend(found.values())
        elif isinstance(found, list):
            pending.extend(found)


def _length(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise ValidationError(f"it holds half a character in {text!a}.") from error
