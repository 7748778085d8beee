"""How a function becomes a node type: ``@node``, parameters as a Struct, handles, and what a node returns."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, cast, get_type_hints

import msgspec
from nornir.core.task import Result, Task

from tasks.errors import BadNodeType

Scope = Literal["device", "once", "follow"]
HandleType = Literal["trigger", "any", "string", "number", "boolean", "object", "array", "records"]
F = TypeVar("F", bound=Callable[..., Any])
Migration = Callable[[dict[str, Any]], dict[str, Any]]

Expression = Annotated[
    Any,
    msgspec.Meta(
        extra={"evaluate": "expression"},
        extra_json_schema={"format": "expression"},
    ),
]
"""A parameter that is an expression: ``{{ … }}`` around it is optional, and its value keeps its type."""

Verbatim = Annotated[str, msgspec.Meta(extra={"evaluate": "never"})]
"""A text parameter that is handed to the node as it was written, ``{{ … }}`` included."""

ItemExpression = Annotated[
    str,
    msgspec.Meta(
        max_length=10_000,
        extra={"evaluate": "item"},
        extra_json_schema={"format": "expression"},
    ),
]
"""An expression that the node evaluates itself, by ``NodeContext.evaluate``, with ``item``, ``index`` and ``items``."""

Code = Annotated[str, msgspec.Meta(extra={"evaluate": "code"}, extra_json_schema={"format": "code"})]
"""A script of tasks.scripts, whose expressions the node evaluates itself."""


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every node's parameters; field docs and bounds become its JSON Schema.

    Text that holds ``{{ … }}`` is rendered before the node sees it, unless the field is Verbatim, or one whose
    expressions the node evaluates itself.
    """


@dataclass(frozen=True)
class Handle:
    """A named place where an edge begins or ends, with the type of what flows through it."""

    name: str
    type: HandleType = "any"
    description: str = ""
    many: bool = False
    """An input that collects the values of all its edges into an array."""


@dataclass(frozen=True, kw_only=True)
class NodeType:
    """All that the palette, the API, the CLI and the engine know of a node type."""

    id: str
    name: str
    description: str
    category: str
    scope: Scope
    params: type[Params]
    function: Callable[..., Any] = field(repr=False)
    version: int = 1
    migrations: Mapping[int, Migration] = field(default_factory=dict, repr=False)
    """By version: what makes parameters written for it those of the next one; a copy of them is handed in."""
    outdated: str = ""
    """What to change in a workflow by hand, where no migration leads on from the version it was written for."""
    package: str = "core"
    icon: str = "circle"
    color: str = "#64748b"
    platforms: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ("success",)
    inputs: tuple[Handle, ...] = ()
    outputs: tuple[Handle, ...] = ()
    prerequisites: tuple[str, ...] = ()
    changes_device: bool = False
    dry_run: bool = False
    """The function itself honours ``NodeContext.dry_run``; a changing node that does not is refused in a dry run."""
    idempotent: bool = True
    fences_itself: bool = False
    """The function calls ``before_change`` itself, right before it sends; else the engine does, before the call."""
    is_trigger: bool = False
    sets_variables: bool = False
    loops: bool = False
    """The engine runs what ``each`` (or ``try``) leads to once for each of the ``rounds`` that the function returns.

    Beside ``rounds`` it may return ``continue_on_error``, ``until_success`` with ``delays_s``, or ``catches``.
    """
    may_go_first: bool = False
    """Where its parameter ``mode`` is ``first``, a node runs as soon as one edge to it is taken."""
    only_steers: bool = False
    """A once node that touches nothing outside, so that it runs for real in a test too."""
    parks: bool | str = False
    """The function may return ``tasks.parking.park(…)``: it is called again later, and no worker is held meanwhile.

    The name of a parameter: it may where that one is set.
    """
    open_triggers: str | None = None
    """A prefix of further trigger handles that the parameters decide on, such as ``case_``: one for each entry of
    ``cases``, or ``branches`` of them. Where the function names none of them, all are taken."""
    aliases: tuple[str, ...] = ()
    """Further ids under which a workflow may name this type."""

    def may_park(self, parameters: Mapping[str, Any]) -> bool:
        """Say whether a node of this type may be parked, with these parameters as they are written."""
        return parameters.get(self.parks, False) is not False if isinstance(self.parks, str) else self.parks

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema 2020-12 of the parameters."""
        (schema,), components = msgspec.json.schema_components([self.params], ref_template="#/$defs/{name}")
        own = components.pop(self.params.__name__, schema)
        document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **own}
        return {**document, "$defs": components} if components else document


def node(
    id: str,  # noqa: A002 — the field's own word for it
    *,
    name: str,
    category: str,
    scope: Scope,
    description: str = "",
    **more: Any,
) -> Callable[[F], F]:
    """Declare a function a node type; ``more`` are the other fields of NodeType.

    The function's ``params`` annotation is its parameter Struct. Its first argument is a Nornir ``Task`` in device
    scope and a ``NodeContext`` in once scope; in follow scope it takes the parameters alone.
    """

    def declare(function: F) -> F:
        described = description or inspect.getdoc(function) or ""
        if not described:
            raise BadNodeType(f"{id}: give {function.__name__} a docstring; it is what the palette shows.")
        if ":" not in id or id != id.lower():
            raise BadNodeType(f"{id!r} is no node id; it reads family:verb in lower case, for example ssh:command.")
        declared = _naming_its_host(function) if scope == "device" else function
        node_type = NodeType(
            id=id,
            name=name,
            description=described.split("\n\n", 1)[0].replace("\n", " "),
            category=category,
            scope=scope,
            params=_params_of(function, id),
            function=declared,
            **more,
        )
        _require_way_on(node_type)
        declared.__node__ = node_type  # type: ignore[attr-defined]
        return declared

    return declare


def outcome(
    outputs: Mapping[str, Any] | None = None,
    *,
    branch: str | None = None,
    changed: bool = False,
    diff: str = "",
    failed: bool = False,
    exception: BaseException | None = None,
) -> Result:
    """Build what a node returns: its data handles, and the trigger handle it takes where that is not ``success``."""
    return Result(
        host=None,
        result=dict(outputs or {}),
        changed=changed,
        diff=diff,
        failed=failed or exception is not None,
        exception=exception,
        branch=branch,
    )


def _require_way_on(node_type: NodeType) -> None:
    """Refuse a newer version that leaves the workflows of older ones without a migration and without a word."""
    older = range(1, node_type.version)
    strange = sorted(set(node_type.migrations) - set(older))
    if strange:
        raise BadNodeType(
            f"{node_type.id}: a migration begins at version {strange[0]}; this is version {node_type.version}, "
            "and its migrations begin at those before it."
        )
    without = [version for version in older if version not in node_type.migrations]
    if without and not node_type.outdated:
        raise BadNodeType(
            f"{node_type.id}: nothing leads from version {without[0]} to the next one. Give migrations={{{without[0]}: "
            "function}, or say in outdated what to change by hand."
        )


def _naming_its_host(function: F) -> F:
    """Let a device node's result name its host, which Nornir's threaded runner asks for."""

    @functools.wraps(function)
    def run(task: Task, *args: Any, **kwargs: Any) -> Any:
        result = function(task, *args, **kwargs)
        if isinstance(result, Result) and result.host is None:
            result.host = task.host
        return result

    return cast(F, run)


def _params_of(function: Callable[..., Any], node_id: str) -> type[Params]:
    annotation = get_type_hints(function).get("params")
    if not (isinstance(annotation, type) and issubclass(annotation, Params)):
        raise BadNodeType(
            f"{node_id}: {function.__name__} needs an argument `params` annotated with a subclass of tasks.node.Params."
        )
    return annotation
