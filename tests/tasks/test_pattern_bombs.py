import pytest

from tasks.conditions import holds
from tasks.errors import NodeError


@pytest.mark.parametrize("bomb", ["(?R)", "(((a{1000}){1000}){1000}){1000}", "a{100001}"])
def test_a_condition_refuses_a_pattern_that_would_eat_the_memory(bomb: str) -> None:
    with pytest.raises(NodeError) as refused:
        holds("matches", "aaa", bomb)
    assert refused.value.error_class == "validation"


def test_a_text_too_long_to_match_is_refused() -> None:
    with pytest.raises(NodeError, match="characters can be matched"):
        holds("matches", "a" * 1_000_001, "a")
