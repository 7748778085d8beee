from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import httpx
import msgspec
import pytest

from tests.support.graphs import step, workflow
from tests.support.working import ended, make_devices, run, start

pytestmark = pytest.mark.usefixtures("work")


async def stream(client: httpx.AsyncClient, path: str, after: str | None = None) -> AsyncIterator[dict[str, str]]:
    """Yield the events of a stream as fields."""
    headers = {"Last-Event-ID": after} if after else {}
    async with client.stream("GET", path, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async for text in answer.aiter_lines():
            if text:
                name, _, value = text.partition(": ")
                fields[name] = value
            elif fields:
                yield fields
                fields = {}


async def test_a_stream_tells_everything_in_order_and_ends_with_the_execution(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2"])
    definition = workflow(step("a", "lab:read", hosts={"r2": "fail:auth"}), edges=("start -> a",))
    execution = await run(admin, definition, ["r1", "r2"])
    seen = [event async for event in stream(admin, f"/automation/v1/executions/{execution['id']}/events")]
    assert [int(event["id"]) for event in seen] == list(range(1, len(seen) + 1))
    kinds = [event["event"] for event in seen]
    assert kinds[0] == "execution.queued"
    assert kinds[-1] == "execution.finished"
    assert sorted(kinds[2:-2]) == ["device.finished"] * 2 + ["device.started"] * 2
    failed = [msgspec.json.decode(event["data"]) for event in seen if '"failed"' in event["data"]]
    assert failed[0]["error"]["class"] == "auth"


async def test_a_stream_cut_ten_times_has_no_gap_and_no_duplicate(admin: httpx.AsyncClient, server_url: str) -> None:
    names = [f"r{number}" for number in range(8)]
    await make_devices(admin, names)
    definition = workflow(
        step("a", "lab:read", default="sleep:0.2"),
        step("b", "lab:read"),
        step("o", "lab:once"),
        edges=("start -> a", "a -> b", "b -> o"),
    )
    execution = await start(admin, definition, names)
    path = f"/automation/v1/executions/{execution['id']}/events"
    numbers: list[int] = []
    async with httpx.AsyncClient(base_url=server_url, headers=admin.headers) as client:
        for _ in range(10):
            taken = 0
            async for event in stream(client, path, str(numbers[-1]) if numbers else None):
                numbers.append(int(event["id"]))
                taken += 1
                if taken == 3:
                    break
        numbers.extend([int(event["id"]) async for event in stream(client, path, str(numbers[-1]))])
    await ended(admin, execution["id"])
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == 2 + 8 * 4 + 2 + 3 + 1


async def test_a_stream_cut_ten_times_while_nodes_run_goes_on_where_it_was(
    admin: httpx.AsyncClient, server_url: str, tmp_path: Path
) -> None:
    nodes = [f"n{number}" for number in range(10)]
    steps = [step(node_id, "lab:once", default=f"wait:{tmp_path / node_id}") for node_id in nodes]
    edges = tuple(f"{before} -> {after}" for before, after in pairwise(["start", *nodes]))
    execution = await start(admin, workflow(*steps, edges=edges))
    path = f"/automation/v1/executions/{execution['id']}/events"
    numbers: list[int] = []
    async with httpx.AsyncClient(base_url=server_url, headers=admin.headers) as client:
        for node_id in nodes:
            async for event in stream(client, path, str(numbers[-1]) if numbers else None):
                numbers.append(int(event["id"]))
                if event["event"] == "node.started":
                    assert msgspec.json.decode(event["data"])["node_id"] == node_id
                    break
            (tmp_path / node_id).touch()
        numbers.extend([int(event["id"]) async for event in stream(client, path, str(numbers[-1]))])
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == 2 + 10 * 3 + 1


@pytest.mark.parametrize("after", ["x", "-1", "1.5"])
async def test_a_last_event_id_that_is_no_number_is_refused(admin: httpx.AsyncClient, after: str) -> None:
    execution = await run(admin, workflow())
    answer = await admin.get(f"/automation/v1/executions/{execution['id']}/events", headers={"Last-Event-ID": after})
    assert answer.status_code == 400
