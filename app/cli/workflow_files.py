"""Workflow files on disk: which names are theirs, and reading one with every fault of its form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.automation.workflows.files import Format, read_text
from app.core.errors import Fault, NotFoundError, ValidationError

SUFFIXES = (".yaml", ".yml", ".json")
FIELDS: Mapping[str, tuple[type, str]] = {
    "name": (str, "text"),
    "description": (str, "text"),
    "folder": (str, "text"),
    "tags": (list, "a list"),
    "template": (bool, "true or false"),
    "settings": (dict, "an object"),
    "definition": (dict, "an object"),
}


def is_workflow_file(name: str) -> bool:
    """Say whether a name is that of a workflow file rather than of a workflow."""
    return name.endswith(SUFFIXES)


def form_of(path: Path) -> Format:
    """Return the form that a file's ending stands for."""
    return "json" if path.suffix == ".json" else "yaml"


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
    text = _text(path)
    try:
        return read_text(text, form_of(path))
    except ValidationError as error:
        raise ValidationError(f"{path}: {error.message}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {path}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValidationError(f"{path} cannot be read: {error}.") from error
