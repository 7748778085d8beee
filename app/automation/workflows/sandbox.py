"""The sandbox expressions run in: Jinja2's, with items before attributes and every growth bounded before it happens."""

from collections.abc import Hashable, Mapping
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.automation.workflows.growth import (
    MAX_RESULT,
    Weigher,
    check_statements,
    counted,
    gathered,
    guarded,
    joined,
    measured,
)

MAX_INTEGER_BITS = 4096
MAX_EXPONENT = 1024
MAX_PADDING = 10_000
MAX_RANGE = 100_000

PADDING_METHODS = frozenset({"center", "expandtabs", "ljust", "rjust", "zfill"})
REFUSED_METHODS = frozenset(
    {"encode", "format", "format_map", "from_bytes", "fromkeys", "maketrans", "mro", "to_bytes", "translate"}
)
REFUSED_FILTERS = ("attr", "center", "filesizeformat", "format", "pprint", "random", "urlize", "xmlattr")
MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})


class ExplainedUndefined(StrictUndefined):
    """A missing name is an error wherever it is used; only ``default(...)`` and ``is defined`` may look at it."""


class Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja2 environment for expressions that users write."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=ExplainedUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,
            finalize=measured,
        )
        kept: dict[str, Any] = {
            name: function for name, function in self.filters.items() if name not in REFUSED_FILTERS
        }
        self.filters = {name: guarded(name, function) for name, function in kept.items()}
        self.filters |= {"_counted": counted, "_joined": joined}
        tests: dict[str, Any] = dict(self.tests)
        self.tests = {name: guarded(f"is {name}", function) for name, function in tests.items()}
        self.globals = {"range": bounded_range, "dict": dict}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse a template, and refuse the statements whose growth cannot be seen."""
        template = super()._parse(source, name, filename)
        check_statements(template)
        return template

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        """Turn a template into Python, with the checks in it."""
        return super()._generate(Weigher().visit(source), name, filename, defer_init)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look in a mapping first, so that ``input.items`` is the handle, and then for its few harmless methods."""
        if not isinstance(obj, Mapping):
            return super().getattr(obj, attribute)
        if attribute in MAPPING_METHODS and attribute not in obj:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item; a mapping's methods are none."""
        if not isinstance(obj, Mapping):
            return super().getitem(obj, argument)
        if isinstance(argument, Hashable) and argument in obj:
            return obj[argument]
        known = ", ".join(sorted(str(key) for key in obj)[:12]) or "nothing"
        return self.undefined(hint=f"there is no {argument!r} here; there is {known}")

    def wrap_str_format(self, value: Any) -> Any:
        """Hand ``format`` on as it is, for ``is_safe_attribute`` to refuse: its padding has no bound."""
        del value
        return None

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse what begins with ``_`` and the methods whose growth cannot be bounded."""
        return attr not in REFUSED_METHODS and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Check what an operation would make before it makes it."""
        check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Check the width of padding and the size of replacements before the call."""
        if isinstance(getattr(obj, "__self__", None), str):
            args = tuple(gathered(value) if hasattr(value, "__next__") else value for value in args)
        check_call(obj, args)
        return super().call(context, obj, *args, **kwargs)


def bounded_range(*bounds: int) -> range:
    """Return a range of at most 100,000 numbers."""
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise SecurityError(f"a range of {len(numbers)} numbers is more than {MAX_RANGE}")
    return numbers


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Raise SecurityError where an operation would make something too large."""
    match operator:
        case "*":
            _check_product(left, right)
        case "**":
            _check_power(left, right)
        case "+" if _size(left) + _size(right) > MAX_RESULT:
            raise SecurityError(f"the result would be longer than {MAX_RESULT}")
        case "%" if isinstance(left, str | bytes):
            raise SecurityError("text formatting with % is not available; write {{ … }} instead")


def check_call(function: Any, arguments: tuple[Any, ...]) -> None:
    """Raise SecurityError where a text method would make something too large."""
    name, owner = getattr(function, "__name__", ""), getattr(function, "__self__", None)
    if not isinstance(owner, str):
        return
    if name in PADDING_METHODS and any(isinstance(width, int) and width > MAX_PADDING for width in arguments):
        raise SecurityError(f"a padding of more than {MAX_PADDING} characters")
    if name == "expandtabs" and owner.count("\t") * max((8, *arguments)) > MAX_RESULT:
        raise SecurityError(f"tabs to more than {MAX_RESULT} characters")
    if name in {"replace", "join"}:
        largest = max((_size(argument) for argument in arguments), default=0)
        if (len(owner) + 1) * (largest + 1) > MAX_RESULT * 16:
            raise SecurityError(f"{name} could make a text longer than {MAX_RESULT * 16}")


def explain(error: Exception) -> str:
    """Say what an evaluation stumbled over, without the sandbox's inside."""
    if isinstance(error, UndefinedError):
        return f"{error.message}. Use default(…) where it may be missing."
    if isinstance(error, SecurityError):
        return f"Refused: {error.message or error}."
    return f"{type(error).__name__}: {error}"


def _check_product(left: Any, right: Any) -> None:
    for text, count in ((left, right), (right, left)):
        if isinstance(text, str | bytes | list | tuple) and isinstance(count, int) and len(text) * count > MAX_RESULT:
            raise SecurityError(f"a repetition to {len(text) * count} is longer than {MAX_RESULT}")
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MAX_INTEGER_BITS:
        raise SecurityError(f"an integer of more than {MAX_INTEGER_BITS} bits")


def _check_power(base: Any, exponent: Any) -> None:
    if isinstance(exponent, int | float) and abs(exponent) > MAX_EXPONENT:
        raise SecurityError(f"an exponent above {MAX_EXPONENT}")
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > MAX_INTEGER_BITS:
        raise SecurityError(f"an integer of more than {MAX_INTEGER_BITS} bits")


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple) else 0
