"""Values as they may reach a node, for property tests, and a way to run a follow node on them as the engine does."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, get_type_hints

import msgspec
from hypothesis import strategies as st
from nornir.core.task import Result

from tasks.catalog import declared
from tasks.errors import NodeError

NAMES = st.sampled_from(["id", "name", "speed", "oper.link", "oper", "x"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["1", "10", "2.5", "Gi0/1", "Gi0/10", "", " "])
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4)
)
RECORDS = st.lists(st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=3), max_size=5), max_size=12)
ODD = st.sampled_from([datetime(2026, 1, 2, tzinfo=UTC), (1, (2,)), MappingProxyType({"id": 1}), b"bytes", 1j, {1: 2}])
ANYTHING = JSON | RECORDS | ODD | st.lists(ODD, max_size=3)


def run(node: Callable[..., Result], **parameters: Any) -> Result:
    """Run a follow node on parameters that are evaluated already."""
    kind = get_type_hints(node)["params"]
    return node(params=msgspec.convert(parameters, kind, strict=False))


def outputs(node: Callable[..., Result], **parameters: Any) -> dict[str, Any]:
    """Return what a follow node gives, all of its handles declared, and all of them there."""
    given: Mapping[str, Any] = run(node, **parameters).result
    assert set(given) == {handle.name for handle in declared(node).outputs}
    return dict(given)


def attempt(call: Callable[[], Any]) -> Any:
    """Return what a call gives, or the NodeError it raises."""
    try:
        return call()
    except NodeError as error:
        return error


def refusal(node: Callable[..., Result], **parameters: Any) -> tuple[str, str]:
    """Return the class and the message of what a follow node refuses."""
    error = attempt(lambda: run(node, **parameters))
    assert isinstance(error, NodeError), f"It was not refused: {error.result}"
    return error.error_class, error.message


def assert_survives(node: Callable[..., Result], **parameters: Any) -> None:
    """Assert that a follow node gives all its handles, in values that JSON can hold, or refuses with a sentence."""
    given = attempt(lambda: outputs(node, **parameters))
    if isinstance(given, NodeError):
        assert given.error_class in {"validation", "parse", "expression"}, given
        assert given.message
    else:
        assert msgspec.json.encode(given, enc_hook=str).startswith(b"{")
