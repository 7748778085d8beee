"""The catalogue of node types: filled at process start, asked by everybody after."""

import difflib
import hashlib
import importlib.util
import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from tasks.errors import BadNodeType, DuplicateNodeType, UnknownNodeType
from tasks.node import NodeType

GROUP = "opsconductor.nodes"
FAILURE = "failure"
PRIVATE_PREFIX = "_opsconductor_nodes"
NEAR = 3

log = logging.getLogger("opsconductor.catalog")
NodeFunction = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A source of node types that could not be used, and why."""

    source: str
    message: str


class Catalog(Mapping[str, NodeType]):
    """Node types by id; an alias finds its type too, and is not listed."""

    def __init__(self, functions: Iterable[NodeFunction] = ()) -> None:
        self._types: dict[str, NodeType] = {}
        self._aliases: dict[str, str] = {}
        self.problems: list[Problem] = []
        for function in functions:
            self.add(function)

    def __getitem__(self, node_id: str) -> NodeType:
        found = self._types.get(self._aliases.get(node_id, node_id))
        if found is None:
            near = difflib.get_close_matches(node_id, [*self._types, *self._aliases], NEAR)
            hint = f" Near to it: {', '.join(near)}." if near else ""
            raise UnknownNodeType(f"There is no node type {node_id!r}.{hint}")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._types))

    def __len__(self) -> int:
        return len(self._types)

    def add(self, function: NodeFunction) -> None:
        """Take in a function that ``@node`` declared.

        Raises DuplicateNodeType when one of its ids is taken, and BadNodeType when its parameters have no JSON Schema.
        """
        node_type = declared(function)
        _require_schema(node_type)
        for taken_id in (node_type.id, *node_type.aliases):
            other = self._types.get(self._aliases.get(taken_id, taken_id))
            if other is not None and other is not node_type:
                raise DuplicateNodeType(
                    f"{taken_id} is declared twice: by {_whereabouts(other.function)} and by {_whereabouts(function)}. "
                    "Give one of them another id."
                )
        self._types[node_type.id] = node_type
        self._aliases.update(dict.fromkeys(node_type.aliases, node_type.id))

    def add_guests(self, functions: Iterable[NodeFunction], problems: Iterable[Problem]) -> None:
        """Take in what others provide: whatever is wrong with it is noted and logged, and the rest is there."""
        for problem in problems:
            self._note(problem)
        for function in functions:
            try:
                self.add(function)
            except BadNodeType as error:
                self._note(Problem(source=_whereabouts(function), message=str(error)))

    def describe(self) -> list[dict[str, Any]]:
        """Return every type as the API serves it, sorted by id."""
        return [describe(self[node_id]) for node_id in self]

    def _note(self, problem: Problem) -> None:
        self.problems.append(problem)
        log.error("node types left out: %s: %s", problem.source, problem.message)


def describe(node_type: NodeType) -> dict[str, Any]:
    """Return a node type as plain data, with the JSON Schema of its parameters."""
    triggers = node_type.triggers if node_type.is_trigger else (*node_type.triggers, FAILURE)
    return {
        "id": node_type.id,
        "version": node_type.version,
        "name": node_type.name,
        "description": node_type.description,
        "package": node_type.package,
        "category": node_type.category,
        "icon": node_type.icon,
        "color": node_type.color,
        "scope": node_type.scope,
        "parameters": node_type.schema(),
        "inputs": [asdict(handle) for handle in node_type.inputs],
        "outputs": [asdict(handle) for handle in node_type.outputs],
        "triggers": list(triggers),
        "open_triggers": node_type.open_triggers,
        "is_trigger": node_type.is_trigger,
        "aliases": list(node_type.aliases),
        "platforms": list(node_type.platforms),
        "changes_device": node_type.changes_device,
        "dry_run": node_type.dry_run,
        "idempotent": node_type.idempotent,
        "prerequisites": list(node_type.prerequisites),
    }


def declared(function: NodeFunction) -> NodeType:
    """Return what ``@node`` declared of a function; raises BadNodeType when it has not."""
    node_type = getattr(function, "__node__", None)
    if not isinstance(node_type, NodeType):
        name = getattr(function, "__qualname__", repr(function))
        raise BadNodeType(f"{name} is no node type. Put @node(...) of tasks.node above it.")
    return node_type


def collect(module: ModuleType) -> list[NodeFunction]:
    """Return the node functions of a module, in its order."""
    return [member for member in vars(module).values() if isinstance(getattr(member, "__node__", None), NodeType)]


def entry_points(group: str = GROUP) -> tuple[list[NodeFunction], list[Problem]]:
    """Load what installed packages offer under an entry point: each names a function or a module."""
    functions: list[NodeFunction] = []
    problems: list[Problem] = []
    for point in sorted(installed_entry_points(group=group), key=lambda point: (point.name, point.value)):
        source = f"entry point {point.name} = {point.value}"
        try:
            functions += _offered(point)
        except (Exception, SystemExit) as error:  # noqa: BLE001 — a guest's code may raise anything; it is reported
            problems.append(Problem(source=source, message=_reason(error)))
    return functions, problems


def folder(path: Path) -> tuple[list[NodeFunction], list[Problem]]:
    """Load the ``*.py`` files of a folder, each as a module of its own that nothing else can import by name."""
    if not path.is_dir():
        return [], [Problem(source=str(path), message="There is no such folder. Correct OPSCONDUCTOR_NODES_PATH.")]
    functions: list[NodeFunction] = []
    problems: list[Problem] = []
    for file in sorted(path.glob("*.py")):
        try:
            found = collect(_load(file))
        except (Exception, SystemExit) as error:  # noqa: BLE001 — a guest's code may raise anything; it is reported
            problems.append(Problem(source=str(file), message=_reason(error)))
            continue
        functions += found
        if not found:
            message = "It holds no node type. Put @node(...) of tasks.node above a function, or move the file away."
            problems.append(Problem(source=str(file), message=message))
    return functions, problems


def _offered(point: EntryPoint) -> list[NodeFunction]:
    loaded = point.load()
    if not isinstance(loaded, ModuleType):
        declared(loaded)
        return [loaded]
    found = collect(loaded)
    if not found:
        raise BadNodeType("The module holds no node type. Put @node(...) of tasks.node above a function.")
    return found


def _load(file: Path) -> ModuleType:
    digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
    name = f"{PRIVATE_PREFIX}_{digest}_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _require_schema(node_type: NodeType) -> None:
    try:
        node_type.schema()
    except TypeError as error:
        message = f"{node_type.id}: {node_type.params.__name__} has no JSON Schema: {error}. Correct its fields' types."
        raise BadNodeType(message) from error


def _whereabouts(function: NodeFunction) -> str:
    inner = inspect.unwrap(function)
    return f"{inner.__qualname__} in {inspect.getsourcefile(inner) or inner.__module__}"
