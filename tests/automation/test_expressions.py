from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.automation.workflows.expressions import (
    ExpressionError,
    Reference,
    evaluate,
    evaluate_expression,
    references,
)

SCOPE: dict[str, Any] = {
    "input": {"items": [1, 2, 3], "value": "1.10"},
    "nodes": {"show-ver": {"outputs": {"records": [{"version": "15.2"}]}, "status": "success"}},
    "host": {"name": "r1", "tags": ["core"]},
    "variables": {"limit": 5},
    "now": datetime(2026, 1, 2, tzinfo=UTC),
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ input.items }}", [1, 2, 3]),
        ("{{ input.value }}", "1.10"),
        ("{{ variables.limit * 2 }}", 10),
        ("{{ nodes['show-ver'].outputs.records[0].version }}", "15.2"),
        ("{{ host.tags | map('upper') }}", ["CORE"]),
        ("{{ 'core' in host.tags }}", True),
        ("limit is {{ variables.limit }}", "limit is 5"),
        ("{{ variables.limit }}{{ variables.limit }}", "55"),
        ("{{ variables.missing | default('none') }}", "none"),
        ("{{ '}}' }}", "}}"),
        ("no expression", "no expression"),
        ("{% for i in input['items'] %}{{ i }},{% endfor %}", "1,2,3,"),
    ],
)
def test_a_lone_expression_keeps_its_type_and_other_text_is_rendered(text: str, value: Any) -> None:
    assert evaluate(text, SCOPE) == value


@pytest.mark.parametrize(
    "text", ["variables.limit > 3", "{{ variables.limit > 3 }}", "{{ variables.limit }} > 3", "{{variables.limit}}>3"]
)
def test_an_expression_field_takes_braces_around_all_or_parts_of_it_or_none(text: str) -> None:
    assert evaluate_expression(text, SCOPE) is True


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{{ variables.nothing }}", "there is no 'nothing' here; there is limit"),
        ("{{ nonsense }}", "'nonsense' is undefined"),
        ("{{ 1 + }}", "not well formed"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ input.items.append(4) }}", "Refused"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ host.__init__ }}", "there is no '__init__' here"),
        ("{{ range.__globals__ }}", "unsafe"),
        ("{{ 'x' * 10000000 }}", "longer than"),
        ("{{ 10000000 * 'x' }}", "longer than"),
        ("{{ [0] * 10000000 }}", "longer than"),
        ("{{ 9 ** 99999 }}", "exponent"),
        ("{{ (2 ** 1000) ** 1000 }}", "bits"),
        ("{{ range(1000000) | list }}", "a range of"),
        ("{{ 'x'.ljust(1000000) }}", "padding"),
        ("{{ '{:>999999}'.format(1) }}", "unsafe"),
        ("{{ '%999999d' % 1 }}", "formatting with %"),
        ("{{ 'a' | format(1) }}", "No filter named 'format'"),
        ("{{ ('a' * 5000).replace('a', 'b' * 5000) }}", "longer than"),
        ("{{ cycler }}", "undefined"),
        ("{{ lipsum() }}", "undefined"),
    ],
)
def test_what_an_expression_may_not_do_is_an_error_that_says_so(text: str, part: str) -> None:
    with pytest.raises(ExpressionError, match=part.replace("(", r"\(")):
        evaluate(text, SCOPE)


def test_a_rendered_text_has_a_bound() -> None:
    with pytest.raises(ExpressionError, match="longer than"):
        evaluate("{% for i in range(2000) %}{{ 'x' * 1000 }}{% endfor %}.", SCOPE)


def test_references_name_nodes_and_scope_names_but_no_loop_variables() -> None:
    text = (
        "{% for r in nodes.a.outputs.records %}{{ r.x }}{{ host.name }}{% endfor %}{{ nodes['b c'].status }}{{ d.y }}"
    )
    assert set(references(text)) == {
        Reference("nodes", "a"),
        Reference("nodes", "b c"),
        Reference("host"),
        Reference("d"),
    }


def test_a_node_can_only_be_named_by_a_constant() -> None:
    with pytest.raises(ExpressionError, match="constant"):
        references("{{ nodes[host.name].status }}")


@given(st.text(max_size=60))
def test_any_text_is_evaluated_or_refused_with_an_expression_error(text: str) -> None:
    try:
        value = evaluate(text, SCOPE)
    except ExpressionError:
        return
    assert "{" in text or value == text


@pytest.mark.parametrize("text", ["{{ nodes | length }}", "{{ nodes.a.status ~ (nodes | list) }}"])
def test_all_nodes_are_meant_where_none_is_named(text: str) -> None:
    assert Reference("nodes") in references(text)


def test_a_node_that_is_named_does_not_mean_them_all() -> None:
    assert references("{{ nodes.a.status }}{{ nodes['b'].status }}") == [
        Reference("nodes", "a"),
        Reference("nodes", "b"),
    ]
