"""Files of executions: what nodes write is there for other workers, for readers, and no longer than the execution."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.automation.executions import artifacts
from app.automation.executions.artifacts import CHUNK_BYTES, Writing
from app.core import database
from tasks.artifacts import Limits, WriteMode
from tasks.errors import NodeError
from tests.support.callers import AsUser
from tests.support.graphs import step, workflow
from tests.support.working import make_devices, results, run, start

DEVICE = {"scope": "device"}
LIMITS = Limits(file_bytes=4 * CHUNK_BYTES, total_bytes=6 * CHUNK_BYTES)


@pytest.fixture
async def execution_id(admin: httpx.AsyncClient) -> UUID:
    """Start an execution that has ended when it begins."""
    return UUID((await start(admin, workflow()))["id"])


async def write(execution_id: UUID, path: str, content: bytes, mode: WriteMode = "overwrite") -> None:
    writing = Writing(execution_id=execution_id, node_id="a", path=path, content=content, mode=mode)
    await artifacts.write(writing, LIMITS)


async def chunks() -> int:
    row = await database.fetch_one("SELECT count(*) AS count FROM artifact_chunks")
    return 0 if row is None else int(row["count"])


async def download(client: httpx.AsyncClient, execution_id: Any, path: str) -> httpx.Response:
    return await client.get(f"/automation/v1/executions/{execution_id}/artifacts/{path}")


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 5])
async def test_a_file_comes_back_as_it_was_written(admin: httpx.AsyncClient, execution_id: UUID, size: int) -> None:
    content = os.urandom(size)
    await write(execution_id, "firmware/image é.bin", content)
    assert await artifacts.read(execution_id, "firmware/image é.bin") == content
    answer = await download(admin, execution_id, "firmware/image é.bin")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''image%20%C3%A9.bin"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_content_is_kept_once_and_dropped_with_its_last_file(execution_id: UUID) -> None:
    same = bytes(CHUNK_BYTES)
    await write(execution_id, "a", same + b"1")
    await write(execution_id, "b", same + same + b"2")
    assert await chunks() == 3
    await write(execution_id, "b", same)
    assert await chunks() == 2
    await artifacts.delete(execution_id, "a")
    assert (await chunks(), await artifacts.read(execution_id, "b")) == (1, same)
    await artifacts.delete(execution_id, "b")
    assert await chunks() == 0


async def test_what_is_appended_stands_behind_the_rest(execution_id: UUID) -> None:
    whole = os.urandom(CHUNK_BYTES + 10)
    await write(execution_id, "log", whole[:-20], "append")
    await write(execution_id, "log", whole[-20:], "append")
    assert await artifacts.read(execution_id, "log") == whole
    assert await chunks() == 2


async def test_files_go_with_their_execution(execution_id: UUID) -> None:
    await write(execution_id, "a", b"1")
    await database.execute("DELETE FROM executions WHERE id = $1", execution_id)
    assert (await chunks(), await artifacts.list_files(execution_id, "")) == (0, [])


async def test_limits_are_kept(execution_id: UUID) -> None:
    await write(execution_id, "a", bytes(4 * CHUNK_BYTES))
    for path, size, mode in (
        ("b", 4 * CHUNK_BYTES + 1, "overwrite"),
        ("a", 1, "append"),
        ("b", 3 * CHUNK_BYTES, "append"),
    ):
        with pytest.raises(NodeError, match="bytes"):
            await write(execution_id, path, bytes(size), mode)  # type: ignore[arg-type]
    with pytest.raises(NodeError, match="has a file a already"):
        await write(execution_id, "a", b"", "create_only")
    assert [(entry.path, entry.size_bytes) for entry in await artifacts.list_files(execution_id, "")] == [
        ("a", 4 * CHUNK_BYTES)
    ]


async def test_what_is_not_there_is_said(admin: httpx.AsyncClient, execution_id: UUID) -> None:
    await write(execution_id, "b", b"1")
    for use in (artifacts.read, artifacts.delete):
        with pytest.raises(NodeError, match="has no file a; it has b"):
            await use(execution_id, "a")
    assert [entry.path for entry in await artifacts.list_files(execution_id, "b")] == ["b"]
    assert await artifacts.list_files(execution_id, "%") == []
    answer = await download(admin, execution_id, "a")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ARTIFACT_NOT_FOUND")
    other = await download(admin, "0190f1e0-0000-7000-8000-000000000000", "b")
    assert (other.status_code, other.json()["error"]["code"]) == (404, "ARTIFACT_NOT_FOUND")
    listed = await admin.get("/automation/v1/executions/0190f1e0-0000-7000-8000-000000000000/artifacts")
    assert (listed.status_code, listed.json()["error"]["code"]) == (404, "EXECUTION_NOT_FOUND")


async def test_files_are_listed_page_by_page(admin: httpx.AsyncClient, execution_id: UUID) -> None:
    for number in range(3):
        await write(execution_id, f"{number}", bytes(number))
    path, seen, cursor = f"/automation/v1/executions/{execution_id}/artifacts", [], None
    while True:
        answer = await admin.get(path, params={"limit": "2", **({"cursor": cursor} if cursor else {})})
        seen += [(entry["path"], entry["size_bytes"], entry["node_id"]) for entry in answer.json()["data"]]
        cursor = answer.json()["meta"]["next_cursor"]
        if cursor is None:
            break
    assert seen == [("0", 0, "a"), ("1", 1, "a"), ("2", 2, "a")]


async def test_secrets_of_devices_are_masked_in_texts_for_who_may_not_see_them(
    admin: httpx.AsyncClient, as_user: AsUser, execution_id: UUID
) -> None:
    config = b"snmp-server community kr4ken RO\n" + b"! \xff\n" * (CHUNK_BYTES // 2) + b"username ops password 0 kr4ken"
    await write(execution_id, "sw1.cfg", config)
    await write(execution_id, "image", b"\0 password kr4ken")
    reader = await as_user("automation.execution.view")
    seen = (await download(reader, execution_id, "sw1.cfg")).content
    assert seen == config.replace(b"kr4ken RO", b"******** RO").replace(b"0 kr4ken", b"********")
    assert (await download(reader, execution_id, "image")).content == b"\0 password kr4ken"
    assert (await download(admin, execution_id, "sw1.cfg")).content == config


async def test_files_need_the_permission_of_results(as_user: AsUser, execution_id: UUID) -> None:
    await write(execution_id, "a", b"1")
    stranger = await as_user("automation.workflow.view")
    assert (await download(stranger, execution_id, "a")).status_code == 403
    assert (await stranger.get(f"/automation/v1/executions/{execution_id}/artifacts")).status_code == 403


async def test_nodes_share_files_whatever_worker_they_run_in(admin: httpx.AsyncClient, work: Path) -> None:
    await make_devices(admin, ["r1", "r2", "r3"])
    definition = workflow(
        step(
            "each",
            "file:write",
            file_path="hosts/{{ host.name }}.txt",
            expression="host.name",
            options={"scope": "device"},
        ),
        step("log", "file:write", file_path="all.txt", expression="host.name ~ '\n'", write_mode="append"),
        step("read", "file:read", file_path="all.txt", read_as="lines", options={"scope": "once"}),
        step("gone", "file:read", file_path="gone.txt", options={"scope": "once", "on_error": "continue"}),
        edges=("start -> each", "each -> log", "log -> read", "read -> gone"),
    )
    execution = await run(admin, definition, ["r1", "r2", "r3"])
    rows = await results(admin, execution["id"])
    assert execution["status"] == "success", rows
    by_node = {row["node_id"]: row for row in rows}
    assert sorted(by_node["read"]["outputs"]["content"]) == ["r1", "r2", "r3"]
    assert by_node["gone"]["error"]["class"] == "validation"
    assert (await download(admin, execution["id"], "hosts/r2.txt")).content == b"r2"


async def test_a_file_holds_no_secret_that_was_opened(admin: httpx.AsyncClient, work: Path) -> None:
    body = {"name": "vault", "credential_type": "api_key", "data": {"token": "Popocatepetl-5426"}}
    await admin.post("/credentials/v1/credentials", json=body)
    definition = workflow(
        step(
            "ask",
            "http:request",
            url="http://127.0.0.1:1/",
            headers={"X": "{{ secret.t }}"},
            secrets={"t": {"credential": "vault", "field": "token"}},
            options={"on_error": "continue"},
        ),
        step("file", "file:write", file_path="a.txt", content_source="static", static_content="a Popocatepetl-5426"),
        edges=("start -> ask", "ask -> file"),
    )
    execution = await run(admin, definition)
    assert (await download(admin, execution["id"], "a.txt")).content == b"a ********"
