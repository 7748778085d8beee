"""JSON Schemas of parameters, as a table for people."""

import json
from collections.abc import Mapping
from typing import Any


def parameter_rows(schema: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Return a row for each parameter: name, type, whether it is needed, default, description."""
    required = set(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    return [
        (
            name,
            type_of(field, definitions),
            "yes" if name in required else "",
            json.dumps(field["default"], ensure_ascii=False) if "default" in field else "",
            str(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]


def type_of(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the type of a value in words: ``integer 1..600``, ``auto | icmp | tcp``, ``array of string``."""
    if "$ref" in field:
        return type_of(definitions.get(field["$ref"].rpartition("/")[2], {}), definitions)
    if "enum" in field:
        return " | ".join(map(str, field["enum"]))
    if "anyOf" in field:
        return " or ".join(type_of(option, definitions) for option in field["anyOf"])
    kind = field.get("type", "any")
    if kind == "array":
        return f"array of {type_of(field.get('items', {}), definitions)}"
    if kind in {"integer", "number"}:
        return f"{kind}{_bounds(field)}"
    return str(kind)


def _bounds(field: Mapping[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is None and high is None:
        return ""
    return f" {'' if low is None else low}..{'' if high is None else high}"
