"""Versions of workflows: every save is kept, can be read, compared and brought back."""

from typing import Any

import httpx

from app.core import database
from tests.support.graphs import step, workflow

URL = "/automation/v1/workflows"
NOBODY = "0192f0c0-0000-7000-8000-000000000000"


def definition(message: str = "one") -> dict[str, Any]:
    return workflow(step("a", "debug:log", message=message), edges=("start -> a",))


async def created(client: httpx.AsyncClient, **more: Any) -> str:
    answer = await client.post(URL, json={"name": "w", "definition": definition(), **more})
    assert answer.status_code == 201, answer.text
    return f"{URL}/{answer.json()['data']['id']}"


async def numbers(client: httpx.AsyncClient, address: str, **query: str) -> list[int]:
    return [entry["version"] for entry in (await client.get(f"{address}/versions", params=query)).json()["data"]]


async def test_version_1_is_there_from_the_beginning(admin: httpx.AsyncClient) -> None:
    address = await created(admin, note="The first.", settings={"concurrency": 3})
    (listed,) = (await admin.get(f"{address}/versions")).json()["data"]
    assert (listed["version"], listed["note"], listed["saved_by"]) == (1, "The first.", "admin")
    assert "definition" not in listed
    one = (await admin.get(f"{address}/versions/1")).json()["data"]
    assert (one["definition"], one["settings"]["concurrency"]) == (definition(), 3)


async def test_only_another_definition_or_other_settings_make_a_version(admin: httpx.AsyncClient) -> None:
    address = await created(admin)
    for body, version, revision in (
        ({"name": "x", "tags": ["t"], "enabled": False}, 1, 2),
        ({"definition": definition()}, 1, 2),
        ({"definition": definition("two"), "note": "Two"}, 2, 3),
        ({"settings": {"concurrency": 2}}, 3, 4),
        ({"definition": definition("two"), "settings": {"concurrency": 2}, "tags": ["t"]}, 3, 4),
        ({"definition": definition("three"), "settings": {}}, 4, 5),
    ):
        row = (await admin.patch(address, json=body)).json()["data"]
        assert (row["version"], row["revision"]) == (version, revision), body
    assert await numbers(admin, address) == [4, 3, 2, 1]
    assert (await admin.get(f"{address}/versions/2")).json()["data"]["note"] == "Two"


async def test_a_true_in_place_of_a_one_is_a_change(admin: httpx.AsyncClient) -> None:
    one = workflow(step("a", "debug:log", value=1), edges=("start -> a",))
    address = await created(admin, definition=one)
    one["nodes"][1]["data"]["parameters"]["value"] = True
    assert (await admin.patch(address, json={"definition": one})).json()["data"]["version"] == 2


async def test_versions_are_read_page_by_page(admin: httpx.AsyncClient) -> None:
    address = await created(admin)
    for number in range(2, 6):
        await admin.patch(address, json={"definition": definition(str(number))})
    first = await admin.get(f"{address}/versions", params={"limit": 3})
    assert [entry["version"] for entry in first.json()["data"]] == [5, 4, 3]
    assert first.json()["meta"]["total"] == 5
    assert await numbers(admin, address, limit="3", cursor=first.json()["meta"]["next_cursor"]) == [2, 1]
    assert await numbers(admin, address, sort="version") == [1, 2, 3, 4, 5]
    assert (await admin.get(f"{address}/versions", params={"sort": "note"})).status_code == 422


async def test_two_versions_are_compared(admin: httpx.AsyncClient) -> None:
    address = await created(admin)
    moved = definition("two")
    moved["nodes"][0]["position"] = {"x": 9, "y": 9}
    await admin.patch(address, json={"definition": moved, "settings": {"max_failed": 1}})
    answer = (await admin.get(f"{address}/versions/1/diff/2")).json()["data"]
    assert answer["nodes"]["changed"] == [
        {"id": "a", "fields": [{"path": "parameters.message", "old": "one", "new": "two"}]}
    ]
    assert [change["id"] for change in answer["moved"]] == ["start"]
    assert answer["settings"] == [{"path": "max_failed", "old": None, "new": 1}]
    back = (await admin.get(f"{address}/versions/2/diff/1")).json()["data"]
    assert back["nodes"]["changed"][0]["fields"] == [{"path": "parameters.message", "old": "two", "new": "one"}]


async def test_an_old_version_comes_back_as_a_new_one(admin: httpx.AsyncClient) -> None:
    address = await created(admin, settings={"concurrency": 3}, tags=["kept"])
    await admin.patch(address, json={"definition": definition("two"), "settings": {}, "tags": ["newer"]})
    answer = await admin.post(f"{address}/versions/1/restore")
    row = answer.json()["data"]
    assert (answer.status_code, row["version"], answer.headers["etag"]) == (200, 3, '"3"')
    assert (row["definition"], row["settings"]["concurrency"], row["tags"]) == (definition(), 3, ["newer"])
    assert (await admin.get(f"{address}/versions/3")).json()["data"]["note"] == "Version 1 restored"
    assert await numbers(admin, address) == [3, 2, 1]
    again = await admin.post(f"{address}/versions/3/restore")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "VERSION_IS_CURRENT")
    same = await admin.post(f"{address}/versions/1/restore")
    assert same.json()["data"]["version"] == 4


async def test_a_version_that_could_not_be_saved_today_does_not_come_back(admin: httpx.AsyncClient) -> None:
    address = await created(admin)
    await admin.patch(address, json={"definition": definition("two")})
    await admin.patch("/automation/v1/packages/debug-utility", json={"enabled": False})
    refused = await admin.post(f"{address}/versions/1/restore")
    assert (refused.status_code, refused.json()["error"]["details"][0]["type"]) == (422, "package_disabled")
    assert await numbers(admin, address) == [2, 1]


async def test_what_is_not_there_is_not_found(admin: httpx.AsyncClient) -> None:
    address = await created(admin)
    for path in ("/versions/2", "/versions/0", "/versions/1/diff/2", "/versions/2/diff/1"):
        answer = await admin.get(f"{address}{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "VERSION_NOT_FOUND"), path
    assert (await admin.post(f"{address}/versions/2/restore")).status_code == 404
    assert (await admin.get(f"{address}/versions/99999999999")).status_code == 422
    missing = await admin.get(f"{URL}/{NOBODY}/versions")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "WORKFLOW_NOT_FOUND")


async def test_versions_go_with_their_workflow(admin: httpx.AsyncClient) -> None:
    address = await created(admin)
    await admin.delete(address)
    assert await database.fetch("SELECT * FROM workflow_versions") == []


async def test_a_refused_save_leaves_no_version(admin: httpx.AsyncClient) -> None:
    address = await created(admin)
    await admin.post(URL, json={"name": "other", "definition": definition()})
    taken = await admin.patch(address, json={"name": "other", "definition": definition("two")})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "WORKFLOW_NAME_TAKEN")
    assert await numbers(admin, address) == [1]


async def test_a_workflow_is_replaced_as_a_whole(admin: httpx.AsyncClient) -> None:
    address = await created(admin, description="old", tags=["t"], settings={"concurrency": 2})
    row = (await admin.put(address, json={"name": "w2", "definition": definition("two")})).json()["data"]
    assert (row["name"], row["description"], row["tags"], row["settings"]["concurrency"]) == ("w2", "", [], None)
    assert row["version"] == 2
    assert (await admin.put(address, json={"name": "w2"})).status_code == 422
