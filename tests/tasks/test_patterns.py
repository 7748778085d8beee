"""Which regular expressions of users are taken: those that cannot exhaust the memory."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from tasks import context
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.patterns import compiled, shown
from tests.support.node_values import attempt


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"\d{1,3}(\.\d{1,3}){3}", "10.0.0.1"),
        (r"([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}", "2001:db8:0:0:0:0:0:1"),
        ("((a{100}){10}){5}", "a" * 5000),
        ("(?:a{0,1000}){0,1000}", "aa"),
        (r"(?P<name>a)(?P=name)\1", "aaa"),
        ("(a)?(?(1)b|c)", "ab"),
        ("(?i-s:A)", "a"),
        (r"\(?x", "(x"),
        (r"[[]{3}[]x]{2}[^]]", "[[[]xa"),
        (r"[(?R)]+\]{2}", "(R?)]]"),
        (r"(?#(?R[)a", "a"),
        (r"a{,3}\{2000\}", "aa{2000}"),
        ("", ""),
    ],
)
def test_ordinary_patterns_are_taken(pattern: str, text: str) -> None:
    assert compiled(pattern).fullmatch(text)


@pytest.mark.parametrize(
    "pattern",
    [
        "(((a{1000}){1000}){1000}){1000}",
        "a{100001}",
        "a{99999999999999999999}",
        "(?:a{1000}b){1000,}",
        "((a|b){1000}c{5}){100}",
        r"(?:\d{1000}[a-z]{1000}){100}",
        "(?#[)((a{1000}){1000})",
        r"[\]]((a{1000}){1000})[\]]",
        "[]]((a{1000}){1000})[]]",
        "(?<=a{1000}){1000}",
        ")((a{1000}){1000})",
    ],
)
def test_repeats_that_multiply_are_refused(pattern: str) -> None:
    with pytest.raises(NodeError, match="repeats more than 100000 times in all") as raised:
        compiled(pattern)
    assert raised.value.error_class == "validation"


@pytest.mark.parametrize(
    "pattern", ["(?R)", "(?0)", "(?1)(a)", "(a)(?-1)", "(?+1)(a)", "(?P<x>a)(?&x)", "(?P<x>a)(?P>x)"]
)
def test_recursion_is_refused(pattern: str) -> None:
    with pytest.raises(NodeError, match=r"mine: .* recurses. Write it without"):
        compiled(pattern, parameter="mine")


@pytest.mark.parametrize("pattern", ["(?x) #[\n((a{1000}){1000})#]", "(?V1)[[a]--[b]]", "(?ix:a)", "(?i-x:a)"])
def test_what_changes_how_a_pattern_is_read_is_refused(pattern: str) -> None:
    with pytest.raises(NodeError, match="the flags x and V are not taken"):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["(", "[", "a)", "*", "\\", "(?P<a>x)(?P<a-b>y)", "a{2}{3}", r"\p{Nothing}"])
def test_what_is_no_pattern_is_told(pattern: str) -> None:
    with pytest.raises(NodeError, match="is no regular expression") as raised:
        compiled(pattern)
    assert raised.value.error_class == "validation"


def test_a_pattern_has_a_longest_length() -> None:
    assert compiled("a" * 1000).fullmatch("a" * 1000)
    with pytest.raises(NodeError, match="longer than 1000 characters"):
        compiled("a" * 1001)


@given(st.text("ab()[]{}?*+|\\^$.0129,:<>=!Pix#", max_size=30) | st.text(max_size=10))
def test_whatever_pattern_comes_in_is_taken_or_refused(pattern: str) -> None:
    taken = attempt(lambda: compiled(pattern))
    assert isinstance(taken, regex.Pattern) or taken.error_class == "validation"


def test_what_is_cut_off_shows_no_part_of_a_secret() -> None:
    secret = "Quetzalcoatl-" * 10
    context.enter(NodeContext(masked=lambda text: text.replace(secret, "********")))
    try:
        assert shown(f"token {secret}") == "'token ********'"
    finally:
        context.enter(NodeContext())
    assert shown("x" * 100).endswith("x…")
