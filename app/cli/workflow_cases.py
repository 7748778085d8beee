"""Test files of workflows: which workflow, and cases of devices, mocks and what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.cli.workflow_files import is_workflow_file, read_content, read_workflow
from app.core.errors import Fault, ValidationError

SHARED = ("devices", "mocks", "variables", "trigger", "trigger_node", "dry_run", "expect")
WHOLE = ("workflow", "definition", "cases", *SHARED)
KINDS: Mapping[str, tuple[type, str]] = {
    "workflow": (str, "text"),
    "definition": (dict, "an object"),
    "cases": (list, "a list"),
    "name": (str, "text"),
    "devices": (list, "a list"),
    "mocks": (dict, "an object"),
    "variables": (dict, "an object"),
    "trigger": (dict, "an object"),
    "trigger_node": (str, "text"),
    "dry_run": (bool, "true or false"),
    "expect": (dict, "an object"),
}


@dataclass(frozen=True, kw_only=True)
class CaseFile:
    """What a test file holds: a definition, or the name of a saved workflow, and the bodies of tests by case."""

    definition: Mapping[str, Any] | None
    workflow: str | None
    cases: Mapping[str, dict[str, Any]]


def read_cases(path: Path) -> CaseFile:
    """Return the cases of a test file; raises NotFoundError, ValidationError with every fault.

    What stands beside the cases holds for all of them; their own mocks and variables are put over it.
    """
    content = read_content(path)
    if not isinstance(content, dict):
        raise ValidationError(f"{path} holds no tests: it must be an object with {', '.join(WHOLE)}.")
    faults = [*_faults(content, WHOLE, ""), *_workflow_faults(content)]
    own = content.get("cases", [{"name": path.stem}])
    for index, case in enumerate(own if isinstance(own, list) else []):
        faults += _case_faults(case, f"cases[{index}]")
    if faults:
        raise ValidationError(f"{path} holds no tests that can be read.", faults)
    cases = {str(case["name"]): _body(content, case) for case in own}
    if len(cases) < len(own):
        raise ValidationError.of("cases", f"two cases of {path} have the same name")
    if not cases:
        raise ValidationError.of("cases", f"{path} has no case")
    definition, name = content.get("definition"), content.get("workflow")
    if name is not None and is_workflow_file(name):
        definition, name = read_workflow(path.parent / name)["definition"], None
    return CaseFile(definition=definition, workflow=name, cases=cases)


def _body(shared: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in {**shared, **case}.items() if name in SHARED}
    for name in ("mocks", "variables"):
        if name in body:
            body[name] = {**shared.get(name, {}), **case.get(name, {})}
    return body


def _workflow_faults(content: Mapping[str, Any]) -> list[Fault]:
    if ("workflow" in content) == ("definition" in content):
        return [Fault(field="workflow", message="name a workflow or its file, or give its definition; one of them")]
    return []


def _case_faults(case: Any, place: str) -> list[Fault]:
    if not isinstance(case, dict):
        return [Fault(field=place, message="must be an object")]
    missing = [] if "name" in case else [Fault(field=f"{place}.name", message="is missing")]
    return [*missing, *_faults(case, ("name", *SHARED), f"{place}.")]


def _faults(content: Mapping[str, Any], known: tuple[str, ...], place: str) -> list[Fault]:
    faults = [
        Fault(field=f"{place}{name}", message=f"is not part of a test file; here it holds {', '.join(known)}")
        for name in content
        if name not in known
    ]
    for name in known:
        kind, called = KINDS[name]
        if name in content and not isinstance(content[name], kind):
            faults.append(Fault(field=f"{place}{name}", message=f"must be {called}"))
    return faults
