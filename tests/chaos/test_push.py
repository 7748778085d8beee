from collections import Counter
from collections.abc import Mapping

import pytest

from tests.chaos.push import Outcome, lines_of, violations

ONCE = Counter(lines_of(7))
TWICE = Counter({**ONCE, lines_of(7)[1]: 2})
HALF = Counter(lines_of(7)[:1])


def judged(status: str | None, got: Mapping[str, int]) -> list[str]:
    devices = {} if status is None else {"r1": status}
    outcome = Outcome(status="partial", devices=devices, errors={"r1": "timeout: no answer"}, took_s=1.0)
    return list(violations(["r1"], outcome, 7, {"r1": Counter(got)}))


@pytest.mark.parametrize(("status", "got"), [("success", ONCE), ("unknown", ONCE), ("unknown", HALF), ("unknown", {})])
def test_a_device_configured_once_or_unknown_is_accounted_for(status: str, got: Mapping[str, int]) -> None:
    assert judged(status, got) == []


@pytest.mark.parametrize(
    ("status", "got", "fault"),
    [
        ("success", {}, "r1 is reported configured and got {}"),
        ("success", HALF, "r1 is reported configured"),
        ("success", TWICE, "r1 got"),
        ("unknown", TWICE, "r1 got"),
        ("failed", {}, "r1 is reported failed: timeout: no answer"),
        (None, ONCE, "r1 is reported no result"),
    ],
)
def test_any_other_device_is_a_violation(status: str | None, got: Mapping[str, int], fault: str) -> None:
    (found,) = judged(status, got)
    assert found.startswith(fault)
