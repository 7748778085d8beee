from typing import Any

import httpx

URL = "/inventory/v1/groups"
NOBODY = "0192f0c0-0000-7000-8000-000000000000"


async def make_devices(client: httpx.AsyncClient, *names: str) -> list[str]:
    ids = []
    for name in names:
        answer = await client.post(
            "/inventory/v1/devices", json={"name": name, "address": "192.0.2.1", "platform": "cisco_ios"}
        )
        ids.append(answer.json()["data"]["id"])
    return ids


async def created(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await client.post(URL, json={"name": "core", **body})
    assert answer.status_code == 201, answer.text
    group: dict[str, Any] = answer.json()["data"]
    return group


async def members(client: httpx.AsyncClient, group: dict[str, Any]) -> list[str]:
    answer = await client.get("/inventory/v1/devices", params={"group": group["id"]})
    return [device["name"] for device in answer.json()["data"]]


async def test_a_group_counts_its_living_devices(admin: httpx.AsyncClient) -> None:
    r1, r2 = await make_devices(admin, "r1", "r2")
    group = await created(admin, members=[r1, r2, r1], description="The core.")
    assert group["device_count"] == 2
    await admin.delete(f"/inventory/v1/devices/{r1}")
    assert (await admin.get(f"{URL}/{group['id']}")).json()["data"]["device_count"] == 1
    assert (await admin.get(URL)).json()["data"][0]["device_count"] == 1
    await admin.post(f"/inventory/v1/devices/{r1}/restore")
    assert await members(admin, group) == ["r1", "r2"]


async def test_members_are_added_removed_and_replaced(admin: httpx.AsyncClient) -> None:
    r1, r2, r3 = await make_devices(admin, "r1", "r2", "r3")
    group = await created(admin, members=[r1])
    address = f"{URL}/{group['id']}/members"
    changed = await admin.patch(address, json={"add": [r2, r1], "remove": [r3]})
    assert changed.json()["data"]["device_count"] == 2
    await admin.patch(address, json={"remove": [r1]})
    assert await members(admin, group) == ["r2"]
    await admin.put(address, json={"members": [r3, r1]})
    assert await members(admin, group) == ["r1", "r3"]
    assert (await admin.put(address, json={"members": []})).json()["data"]["device_count"] == 0


async def test_unknown_members_are_refused_and_nothing_changes(admin: httpx.AsyncClient) -> None:
    (r1,) = await make_devices(admin, "r1")
    group = await created(admin, members=[r1])
    address = f"{URL}/{group['id']}/members"
    for method, body, field in (
        ("PATCH", {"add": [NOBODY], "remove": [r1]}, "add"),
        ("PUT", {"members": [NOBODY]}, "members"),
        ("PATCH", {"add": [r1], "remove": [r1]}, "remove"),
    ):
        answer = await admin.request(method, address, json=body)
        assert answer.status_code == 422
        assert [fault["field"] for fault in answer.json()["error"]["details"]] == [field]
    assert await members(admin, group) == ["r1"]
    refused = await admin.post(URL, json={"name": "edge", "members": [NOBODY]})
    assert NOBODY in refused.json()["error"]["message"]
    assert (await admin.get(URL)).json()["meta"]["total"] == 1


async def test_a_groups_name_is_unique_and_no_id(admin: httpx.AsyncClient) -> None:
    group = await created(admin)
    answer = await admin.post(URL, json={"name": "core"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "GROUP_EXISTS")
    edge = await created(admin, name="edge")
    renamed = await admin.patch(f"{URL}/{edge['id']}", json={"name": "core"})
    assert renamed.status_code == 409
    assert (await admin.post(URL, json={"name": group["id"]})).status_code == 422
    assert (await admin.patch(f"{URL}/{edge['id']}", json={"name": group["id"]})).status_code == 422


async def test_a_group_is_renamed_and_described(admin: httpx.AsyncClient) -> None:
    group = await created(admin, description="old")
    answer = await admin.patch(f"{URL}/{group['id']}", json={"name": "backbone"})
    assert (answer.json()["data"]["name"], answer.json()["data"]["description"]) == ("backbone", "old")


async def test_a_deleted_group_leaves_its_devices(admin: httpx.AsyncClient) -> None:
    (r1,) = await make_devices(admin, "r1")
    group = await created(admin, members=[r1])
    assert (await admin.delete(f"{URL}/{group['id']}")).status_code == 200
    answer = await admin.get(f"{URL}/{group['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "GROUP_NOT_FOUND")
    assert (await admin.get(f"/inventory/v1/devices/{r1}")).json()["data"]["groups"] == []


async def test_a_group_with_credentials_is_not_deleted(admin: httpx.AsyncClient) -> None:
    group = await created(admin)
    credential = await admin.post(
        "/credentials/v1/credentials",
        json={"name": "lab", "credential_type": "snmp", "data": {"community": "c0mmunity"}},
    )
    assignment = await admin.post(
        "/credentials/v1/assignments",
        json={
            "credential_id": credential.json()["data"]["id"],
            "subject_type": "group",
            "subject_id": group["id"],
        },
    )
    refused = await admin.delete(f"{URL}/{group['id']}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "GROUP_IN_USE")
    assert refused.json()["error"]["details"]["references"][0]["name"] == "lab"
    await admin.delete(f"/credentials/v1/assignments/{assignment.json()['data']['id']}")
    assert (await admin.delete(f"{URL}/{group['id']}")).status_code == 200


async def test_groups_are_listed_by_name_and_text(admin: httpx.AsyncClient) -> None:
    await created(admin, name="core", description="Backbone")
    await created(admin, name="access")
    listed = (await admin.get(URL)).json()["data"]
    assert [group["name"] for group in listed] == ["access", "core"]
    assert [group["name"] for group in (await admin.get(URL, params={"q": "bone"})).json()["data"]] == ["core"]
    assert [group["name"] for group in (await admin.get(URL, params={"name": "core"})).json()["data"]] == ["core"]
