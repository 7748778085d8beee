"""Graph cases: each entry of each file in cases/ runs through the real engine; to add one, write it there."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from app.automation.executions.events import Event
from tests.support.callers import AsUser
from tests.support.case_runs import run_cases
from tests.support.cases import Case, Happened, differences, read_cases
from tests.support.working import make_devices

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
DEVICES = ("r1", "r2", "r3", "r4")
APPROVERS = ("bob", "eve")
APPROVERS_MAY = ("automation.execution.view", "automation.execution.approve")


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_every_case_happens_as_written(
    admin: httpx.AsyncClient, as_user: AsUser, path: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(DEVICES, start=1):
        more = {"site": "ber" if number % 2 else "ham", "tags": [f"t{number}"], "data": {"rack": number}}
        await make_devices(admin, [name], **more)
    callers = {name: await as_user(*APPROVERS_MAY, username=name) for name in APPROVERS}
    told = await run_cases({"admin": admin, **callers}, read_cases(path, tmp_path), tmp_path)
    assert not told, "\n".join(["", *told])


def test_there_are_many_cases_and_no_two_of_one_name(tmp_path: Path) -> None:
    names = [case.name for path in FILES for case in read_cases(path, tmp_path)]
    assert len(names) >= 200
    assert len(set(names)) == len(names)


RAW: dict[str, Any] = {
    "name": "sample",
    "nodes": {"a": "lab:read", "b": {"type": "lab:once"}},
    "edges": ["start -> a", "a -> b"],
    "devices": ["r1", "r2"],
    "expected": {"execution": "partial", "nodes": {"a": {"*": "success", "r2": "failed/auth"}, "b": "success"}},
}


def row(node_id: str, device: str, status: str, error: str = "", **more: Any) -> dict[str, Any]:
    told = {"class": error, "message": "it fails"} if error else None
    at = {"name": device} if device else None
    return {"node_id": node_id, "device": at, "status": status, "iteration": "", "error": told, **more}


HAPPENED = Happened(
    execution={
        "status": "partial",
        "error": None,
        "nodes": [
            {"node_id": "a", "scope": "device", "counts": {"succeeded": 1, "failed": 1, "unknown": 0}},
            {"node_id": "b", "scope": "once", "counts": {"succeeded": 1, "failed": 0, "unknown": 0}},
        ],
    },
    results=[
        row("start", "", "success"),
        row("a", "r1", "success", outputs={"text": "1"}, branch=None, attempt=1),
        row("a", "r2", "failed", "auth"),
        row("b", "", "success"),
    ],
    devices={"r1": "success", "r2": "failed"},
    events=[
        Event("device.started", {"node_id": "a", "device": "r1"}, 1),
        Event("device.finished", {"node_id": "a", "device": "r1"}, 2),
        Event("node.started", {"node_id": "b", "device": ""}, 3),
        Event("execution.finished", {"status": "partial"}, 4),
    ],
    journal=["r1 x"],
)
EXPECTED = RAW["expected"]
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "execution": ({"execution": "failed"}, "the execution is partial, not failed"),
    "error": ({"error": "auth"}, "without 'auth'"),
    "node": ({"nodes": {"a": "success", "b": "success"}}, "a on r2 is failed/auth, not success"),
    "class": ({"nodes": {"a": {"r1": "success", "r2": "failed/dns"}, "b": "success"}}, "failed/auth, not failed/dns"),
    "device left out": ({"nodes": {"a": {"r1": "success"}, "b": "success"}}, "a on r2 is failed/auth, and the case"),
    "node left out": ({"nodes": {"a": {"*": "success", "r2": "failed"}}}, "the case says nothing of ['b']"),
    "foreign node": ({"nodes": {**EXPECTED["nodes"], "x": "none"}}, "something of ['x']"),
    "no result": ({"nodes": {**EXPECTED["nodes"], "b": {"-": "success", "r1": "failed"}}}, "b on r1 left no result"),
    "unexpected": ({"nodes": {**EXPECTED["nodes"], "b": "none"}}, "b on - is success, and the case does not expect it"),
    "rounds": ({"rounds": {"b": {"-": {"l:0": "success"}}}}, "b on - in l:0 left no result"),
    "device": ({"devices": {"r1": "failed"}}, "device r1 is success, not failed"),
    "output": ({"outputs": {"a": {"r1": {"text": 1}}}}, "a.text on r1 is '1', not 1"),
    "branch": ({"branches": {"a": {"r1": "left"}}}, "a on r1 has the branch None, not 'left'"),
    "attempt": ({"attempts": {"a": {"r1": 2}}}, "a on r1 has the attempt 1, not 2"),
    "message": ({"messages": {"a": {"r2": "it works"}}}, "a on r2 says 'it fails', without 'it works'"),
    "order": ({"order": ["b < a@r1"]}, "never happened"),
    "order turned": ({"order": ["start b < start a"]}, "was not kept"),
    "order of rounds": ({"order": ["a in l:0 < b"]}, "never happened"),
    "course": ({"course": ["running", "partial"]}, "the execution stood ['partial'], not ['running', 'partial']"),
    "journal": ({"journal": []}, "the journal holds ['r1 x'], not []"),
}  # fmt: skip


def case_expecting(**more: Any) -> Case:
    return msgspec.convert({**RAW, "expected": {**EXPECTED, **more}}, Case)


def test_a_case_that_happens_as_written_has_no_difference() -> None:
    case = case_expecting(
        order=["a@r1 < b", "end a < start b@-"], outputs={"a": {"r1": {"text": "1"}}}, journal=["r1 x"]
    )
    assert list(differences(case, HAPPENED)) == []


@pytest.mark.parametrize("kind", WRONG)
def test_a_difference_is_told_with_node_and_device(kind: str) -> None:
    expected, told = WRONG[kind]
    found = list(differences(case_expecting(**expected), HAPPENED))
    assert any(told in difference for difference in found), found


def test_counters_that_do_not_add_up_are_told() -> None:
    doubled = msgspec.structs.replace(HAPPENED, results=[*HAPPENED.results, row("a", "r1", "success")])
    assert "a counts 1 succeeded, and has 2 such results" in list(differences(case_expecting(), doubled))


def test_a_case_with_a_typing_error_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `ordre`"):
        case_expecting(ordre=[])
