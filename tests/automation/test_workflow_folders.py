"""Folders and tags of workflows: the tree, what it refuses, and finding workflows by where they lie."""

from typing import Any

import anyio
import httpx

from app.automation.workflows.folders import MAX_DEPTH
from tests.support.graphs import step, workflow

WORKFLOWS = "/automation/v1/workflows"
URL = f"{WORKFLOWS}/folders"
NOBODY = "0192f0c0-0000-7000-8000-000000000000"
DEFINITION = workflow(step("a", "flow:noop"), edges=("start -> a",))


async def folder(client: httpx.AsyncClient, name: str, parent: str | None = None) -> str:
    answer = await client.post(URL, json={"name": name, "parent_id": parent})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def made(client: httpx.AsyncClient, name: str, **more: Any) -> str:
    answer = await client.post(WORKFLOWS, json={"name": name, "definition": DEFINITION, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


async def names(client: httpx.AsyncClient, url: str = WORKFLOWS, **query: str) -> list[str]:
    answer = await client.get(url, params=query)
    assert answer.status_code == 200, answer.text
    return [entry["name"] for entry in answer.json()["data"]]


async def test_folders_tell_where_they_lie_and_what_is_in_them(admin: httpx.AsyncClient) -> None:
    core = await folder(admin, "Core")
    backups = await folder(admin, "Backups", core)
    await made(admin, "w", folder_id=backups)
    shown = (await admin.get(f"{URL}/{backups}")).json()["data"]
    assert shown == {
        "id": backups, "name": "Backups", "parent_id": core, "path": "Core/Backups", "workflow_count": 1
    }  # fmt: skip
    assert await names(admin, URL) == ["Backups", "Core"]
    assert await names(admin, URL, parent_id="null") == ["Core"]
    assert await names(admin, URL, parent_id=core) == ["Backups"]
    assert await names(admin, URL, q="ack") == ["Backups"]
    assert (await admin.get(URL, params={"parent_id": "core"})).json()["error"]["details"][0]["field"] == "parent_id"


async def test_workflows_are_found_by_their_folder_and_moved(admin: httpx.AsyncClient) -> None:
    core = await folder(admin, "Core")
    inside, outside = await made(admin, "inside", folder_id=core), await made(admin, "outside")
    assert await names(admin, folder_id=core) == ["inside"]
    assert await names(admin, folder_id="null") == ["outside"]
    moved = await admin.patch(f"{WORKFLOWS}/{outside}", json={"folder_id": core})
    assert (moved.json()["data"]["folder_id"], moved.json()["data"]["version"]) == (core, 1)
    await admin.patch(f"{WORKFLOWS}/{inside}", json={"folder_id": None})
    assert await names(admin, folder_id=core) == ["outside"]
    for method, url in (("POST", WORKFLOWS), ("PATCH", f"{WORKFLOWS}/{inside}")):
        body = {"name": "lost", "definition": DEFINITION, "folder_id": NOBODY}
        answer = await admin.request(method, url, json=body)
        assert answer.json()["error"]["details"] == [{"field": "folder_id", "message": f"there is no folder {NOBODY}"}]
    assert (await admin.get(WORKFLOWS, params={"folder_id": "Core"})).status_code == 422


async def test_a_name_is_unique_in_its_place_and_has_no_slash(admin: httpx.AsyncClient) -> None:
    core = await folder(admin, "Core")
    await folder(admin, "Core", core)
    edge = await folder(admin, "Edge")
    for body in ({"name": "Core"}, {"name": "Core", "parent_id": core}):
        answer = await admin.post(URL, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "FOLDER_EXISTS")
    assert (await admin.patch(f"{URL}/{edge}", json={"name": "Core"})).status_code == 409
    for name in ("a/b", " a", "a ", "", "a\nb", "x" * 151):
        answer = await admin.post(URL, json={"name": name})
        assert answer.json()["error"]["details"][0]["field"] == "name", name


async def test_a_folder_moves_with_all_that_is_in_it(admin: httpx.AsyncClient) -> None:
    core, edge = await folder(admin, "Core"), await folder(admin, "Edge")
    deep = await folder(admin, "Deep", await folder(admin, "Inner", core))
    moved = await admin.patch(f"{URL}/{core}", json={"parent_id": edge, "name": "Kernel"})
    assert moved.json()["data"]["path"] == "Edge/Kernel"
    assert (await admin.get(f"{URL}/{deep}")).json()["data"]["path"] == "Edge/Kernel/Inner/Deep"
    for parent in (edge, deep):
        answer = await admin.patch(f"{URL}/{edge}", json={"parent_id": parent})
        assert answer.json()["error"]["details"] == [
            {"field": "parent_id", "message": "a folder cannot lie within itself"}
        ]
    back = await admin.patch(f"{URL}/{core}", json={"parent_id": None})
    assert back.json()["data"]["path"] == "Kernel"


async def test_two_moves_at_once_make_no_ring(admin: httpx.AsyncClient) -> None:
    one, other = await folder(admin, "One"), await folder(admin, "Other")
    answers: list[int] = []

    async def move(moved: str, parent: str) -> None:
        answers.append((await admin.patch(f"{URL}/{moved}", json={"parent_id": parent})).status_code)

    async with anyio.create_task_group() as both:
        both.start_soon(move, one, other)
        both.start_soon(move, other, one)
    assert sorted(answers) == [200, 422]


async def test_folders_nest_only_so_deep(admin: httpx.AsyncClient) -> None:
    parent = None
    for level in range(MAX_DEPTH):
        parent = await folder(admin, f"level {level}", parent)
    for body in ({"name": "deeper", "parent_id": parent}, {"name": "lost", "parent_id": NOBODY}):
        answer = await admin.post(URL, json=body)
        assert answer.json()["error"]["details"][0]["field"] == "parent_id"
    tree = await folder(admin, "tree")
    await folder(admin, "leaf", tree)
    second = (await admin.get(f"{URL}/{parent}")).json()["data"]["parent_id"]
    assert (await admin.patch(f"{URL}/{tree}", json={"parent_id": second})).status_code == 422


async def test_a_folder_is_deleted_only_when_nothing_lies_in_it(admin: httpx.AsyncClient) -> None:
    core = await folder(admin, "Core")
    inner = await folder(admin, "Inner", core)
    moving = await made(admin, "w", folder_id=core)
    refused = await admin.delete(f"{URL}/{core}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "FOLDER_NOT_EMPTY")
    assert refused.json()["error"]["details"] == {"folders": ["Inner"], "workflows": ["w"]}
    await admin.delete(f"{WORKFLOWS}/{moving}")
    assert (await admin.delete(f"{URL}/{core}")).json()["error"]["details"] == {"folders": ["Inner"], "workflows": []}
    assert (await admin.delete(f"{URL}/{inner}")).status_code == 200
    assert (await admin.delete(f"{URL}/{core}")).status_code == 200
    for method in ("GET", "PATCH", "DELETE"):
        gone = await admin.request(method, f"{URL}/{core}", json={"name": "x"} if method == "PATCH" else None)
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "FOLDER_NOT_FOUND")


async def test_a_refusal_names_only_the_first_of_many(admin: httpx.AsyncClient) -> None:
    core = await folder(admin, "Core")
    for number in range(22):
        await made(admin, f"w{number:02}", folder_id=core)
    details = (await admin.delete(f"{URL}/{core}")).json()["error"]["details"]
    assert (len(details["workflows"]), details["workflows"][-1]) == (21, "…")


async def test_tags_are_counted_and_read_page_by_page(admin: httpx.AsyncClient) -> None:
    await made(admin, "one", tags=["core", "audit"])
    other = await made(admin, "other", tags=["core"])
    listed = await admin.get(f"{WORKFLOWS}/tags")
    assert listed.json()["data"] == [{"name": "audit", "count": 1}, {"name": "core", "count": 2}]
    assert (listed.json()["meta"]["total"], listed.json()["meta"]["next_cursor"]) == (2, None)
    await admin.patch(f"{WORKFLOWS}/{other}", json={"tags": ["edge"]})
    first = await admin.get(f"{WORKFLOWS}/tags", params={"limit": 2})
    assert [tag["name"] for tag in first.json()["data"]] == ["audit", "core"]
    cursor = first.json()["meta"]["next_cursor"]
    assert await names(admin, f"{WORKFLOWS}/tags", limit="2", cursor=cursor) == ["edge"]
    assert (await admin.get(f"{WORKFLOWS}/tags", params={"sort": "count"})).status_code == 422
