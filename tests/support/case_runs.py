"""Running graph cases: each is saved and started as a client would, answered or cancelled, run again, and compared."""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec

from app.automation.executions import events
from tests.support.cases import Case, Decision, Graph, Happened, differences
from tests.support.working import ENDED

AT_ONCE = 10
LONGEST_S = 90
LOOK_S = 0.2
MOST_EVENTS = 5000
NODE = re.compile(r"([\w-]+)(?:@([\w-]+))?\Z")
API = "/automation/v1"
Callers = Mapping[str, httpx.AsyncClient]
"""Clients by the name of their user; ``admin`` starts everything."""


async def run_cases(callers: Callers, cases: Sequence[Case], folder: Path) -> list[str]:
    """Run cases, several at a time, and return a line for each difference from what they expect."""
    room = asyncio.Semaphore(AT_ONCE)

    async def run(case: Case, own: Path) -> list[str]:
        async with room:
            try:
                return [f"{case.name}: {difference}" for difference in await _run(callers, case, own)]
            except AssertionError as error:
                return [f"{case.name}: {error}"]

    told = await asyncio.gather(*(run(case, folder / str(index)) for index, case in enumerate(cases)))
    return [text for texts in told for text in texts]


async def _run(callers: Callers, case: Case, own: Path) -> list[str]:
    admin = callers["admin"]
    execution = await (_run_for_real(callers, case) if case.mocks is None else _run_mocked(admin, case))
    found = list(differences(case, await _look(admin, execution, own)))
    if case.rerun is not None and not found:
        again = msgspec.structs.replace(case, expected=case.rerun.expected, devices=case.rerun.devices)
        answer = await admin.post(f"{API}/executions/{execution['id']}/rerun", json=case.rerun.asked())
        assert answer.is_success, f"it cannot be run again: {answer.text}"
        execution = await _end(admin, answer.json()["data"]["id"])
        found = [f"(rerun) {text}" for text in differences(again, await _look(admin, execution, own))]
    return found


async def _look(admin: httpx.AsyncClient, execution: dict[str, Any], own: Path) -> Happened:
    path = f"{API}/executions/{execution['id']}"
    results = (await admin.get(f"{path}/results", params={"limit": 500})).json()["data"]
    devices = (await admin.get(f"{path}/devices", params={"limit": 500})).json()["data"]
    journal = own / "journal"
    return Happened(
        execution=execution,
        results=results,
        devices={device["device"]["name"]: device["status"] for device in devices},
        events=await events.read(execution["id"], 0, MOST_EVENTS),
        journal=sorted(journal.read_text().splitlines()) if journal.exists() else [],
    )


async def _run_for_real(callers: Callers, case: Case) -> dict[str, Any]:
    admin = callers["admin"]
    for name, graph in case.workflows.items():
        await _save(admin, graph, name)
    workflow_id = await _save(admin, case, case.name[:150])
    body = {
        **({"targets": {"devices": case.devices}} if case.devices else {}),
        "variables": case.variables, "trigger": case.trigger, "trigger_node": case.trigger_node,
        "dry_run": case.dry_run,
    }  # fmt: skip
    is_left_alone = not case.decide and not case.cancel_when
    path = f"{API}/workflows/{workflow_id}/execute"
    answer = await admin.post(path, json=body, params={"wait": LONGEST_S} if is_left_alone else {})
    assert answer.status_code in ({200} if is_left_alone else {200, 202}), f"it did not end: {answer.text}"
    execution = dict(answer.json()["data"])
    if is_left_alone:
        return execution
    for decision in case.decide:
        await _decide(callers, execution["id"], decision)
    if case.cancel_when:
        await _cancel(admin, execution["id"], case.cancel_when)
    return await _end(admin, execution["id"])


async def _save(admin: httpx.AsyncClient, graph: Graph, name: str) -> str:
    body = {"name": name, "definition": graph.definition(), "settings": graph.settings}
    answer = await admin.post(f"{API}/workflows", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def _decide(callers: Callers, execution_id: str, decision: Decision) -> None:
    iterations: list[str] = []

    async def is_asked() -> bool:
        answer = await callers["admin"].get(f"{API}/approvals", params={"execution_id": execution_id, "status": "open"})
        found = [approval for approval in answer.json()["data"] if approval["node_id"] == decision.node]
        iterations.extend(approval["iteration"] for approval in found)
        return bool(found)

    await _until(is_asked, f"{decision.node} never asked")
    path = f"{API}/executions/{execution_id}/approvals/{decision.node}"
    said = {"decision": decision.decision, "comment": decision.comment, "iteration": iterations[0]}
    answer = await callers[decision.by].post(path, json=said)
    code = "" if answer.status_code == 200 else answer.json()["error"]["code"]
    assert code == decision.refused, f"{decision.by} was answered: {answer.text}"


async def _cancel(admin: httpx.AsyncClient, execution_id: str, moment: str) -> None:
    path = f"{API}/executions/{execution_id}"

    async def has_come() -> bool:
        if moment == "waiting":
            return bool((await admin.get(path)).json()["data"]["status"] == moment)
        place = NODE.match(moment)
        assert place is not None, f"{moment!r} is no node"
        rows = (await admin.get(f"{path}/results", params={"node": place[1]})).json()["data"]
        return any(place[2] in {None, row["device"] and row["device"]["name"]} for row in rows)

    await _until(has_come, f"{moment} never came")
    answer = await admin.post(f"{path}/cancel")
    assert answer.status_code in {200, 202}, answer.text


async def _end(admin: httpx.AsyncClient, execution_id: str) -> dict[str, Any]:
    """Wait for the end of an execution and return it."""
    path = f"{API}/executions/{execution_id}"

    async def has_ended() -> bool:
        return (await admin.get(path)).json()["data"]["status"] in ENDED

    await _until(has_ended, "it did not end")
    return dict((await admin.get(path)).json()["data"])


async def _until(is_so: Callable[[], Coroutine[Any, Any, bool]], failure: str) -> None:
    give_up_at = time.monotonic() + LONGEST_S
    while not await is_so():
        assert time.monotonic() < give_up_at, failure
        await asyncio.sleep(LOOK_S)


async def _run_mocked(admin: httpx.AsyncClient, case: Case) -> dict[str, Any]:
    body = {
        "definition": case.definition(), "devices": case.devices, "mocks": case.mocks, "variables": case.variables,
        "trigger": case.trigger, "trigger_node": case.trigger_node, "dry_run": case.dry_run,
    }  # fmt: skip
    answer = await admin.post(f"{API}/workflows/test", json=body, params={"wait": LONGEST_S})
    assert answer.status_code == 200, f"it did not end: {answer.text}"
    return dict(answer.json()["data"]["execution"])
