"""How large and how long an expression may grow: values are measured before they are written, steps are timed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2 import Undefined, nodes
from jinja2.exceptions import SecurityError, TemplateAssertionError
from jinja2.visitor import NodeTransformer

MAX_RESULT = 1_000_000
"""The longest text, in characters, or sequence, in items, that an operation may make."""
MAX_VALUE = 64 * MAX_RESULT
"""The largest value that an expression may hand on, in characters, once it is written out."""
MAX_CPU_S = 2.0
MAX_BATCH = 100_000
MAX_INDENT = 16
MAX_DIGITS = 300
STATEMENTS = (nodes.Output, nodes.For, nodes.If, nodes.Assign, nodes.With)
NUMBERS: Mapping[str, int] = {"batch": MAX_BATCH, "slice": MAX_BATCH, "tojson": MAX_INDENT, "round": MAX_DIGITS}
"""Filters whose numbers have a bound of their own."""
WRITTEN_OUT = frozenset({"escape", "e", "forceescape", "join", "list", "safe", "string", "tojson", "urlencode"})
MULTIPLYING = frozenset({"indent", "join", "replace", "wordwrap"})
"""Filters that put their arguments into the value many times."""

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


@contextmanager
def timed() -> Iterator[None]:
    """Allow what happens inside some seconds of this thread's own time."""
    token = _deadline.set(time.thread_time() + MAX_CPU_S)
    try:
        yield
    finally:
        _deadline.reset(token)


def tick() -> None:
    """Raise SecurityError when the time is over."""
    if time.thread_time() > _deadline.get():
        raise SecurityError(f"it takes more than {MAX_CPU_S:g} s")


def measure(value: Any, bound: int = MAX_RESULT) -> int:
    """Return about how long a value is when written out; raises UndefinedError where a part of it is missing.

    Raises SecurityError for more than a bound.
    A list may hold the same long text a thousand times: it is small until somebody writes it out.
    """
    length, pending = 0, [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str | bytes):
            length += len(item)
        elif isinstance(item, Mapping):
            length += len(item)
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, Sequence | AbstractSet):
            length += len(item)
            pending += item
        elif isinstance(item, Undefined):
            str(item)
        else:
            length += 1
        if length > bound:
            raise SecurityError(f"written out, it is longer than {bound}")
    return length


def gathered(items: Iterable[Any]) -> list[Any]:
    """Return what an iterator yields, as a list that is not too large."""
    found: list[Any] = []
    left = MAX_VALUE
    for item in items:
        tick()
        found.append(item)
        left -= 0 if isinstance(item, Undefined) else measure(item, left)
    return found


def measured(value: Any) -> Any:
    """Return a value that may be written into a text."""
    measure(value)
    return value


def joined(parts: Sequence[Any]) -> str:
    """Join what stands between ``~``."""
    measure(parts)
    return "".join(str(part) for part in parts)


def counted(items: Any) -> Iterator[Any]:
    """Yield what a ``for`` goes through, as long as there is time."""
    for item in items:
        tick()
        yield item


def guarded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that checks what it would make, and the time, before it is called."""
    passes = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        tick()
        head, rest = list(args[: passes + 1]), args[passes + 1 :]
        if hasattr(head[-1], "__next__"):
            head[-1] = gathered(head[-1])
        check_filter(name, head[-1], [*rest, *kwargs.values()])
        return function(*head, *rest, **kwargs)

    return call


def check_filter(name: str, value: Any, arguments: Sequence[Any]) -> None:
    """Raise SecurityError where a filter would make something too large."""
    if name in NUMBERS:
        for number in arguments:
            if isinstance(number, int | float) and abs(number) > NUMBERS[name]:
                raise SecurityError(f"{name} takes at most {NUMBERS[name]}")
    if name in WRITTEN_OUT:
        measure(value, MAX_VALUE if name == "list" else MAX_RESULT)
    if name in MULTIPLYING:
        largest = max((_extent(argument) for argument in arguments), default=0)
        if (_extent(value) + 1) * (largest + 1) > MAX_RESULT * 16:
            raise SecurityError(f"{name} could make a text longer than {MAX_RESULT * 16}")


def check_statements(template: nodes.Template) -> None:
    """Raise TemplateAssertionError for a statement other than for, if, set and with: the rest can hide its growth."""
    for statement in template.find_all(nodes.Stmt):
        line = statement.lineno or 1
        if not isinstance(statement, (*STATEMENTS, nodes.Template)):
            what = type(statement).__name__.lower()
            raise TemplateAssertionError(f"{what} is not available in expressions", line)
        if isinstance(statement, nodes.For) and statement.recursive:
            raise TemplateAssertionError("a recursive loop is not available in expressions", line)


class Weigher(NodeTransformer):
    """Puts the checks into a template: around what a ``for`` goes through, and in place of ``~``."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 — named after the class it visits
        """Count the rounds of a loop."""
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "_counted", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 — likewise
        """Measure before joining."""
        self.generic_visit(node)
        return nodes.Filter(nodes.List(node.nodes), "_joined", [], [], None, None, lineno=node.lineno)


def _extent(value: Any) -> int:
    if isinstance(value, int):
        return abs(value)
    return len(value) if hasattr(value, "__len__") else 0
