from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.core import database as core_database

AsUser = Callable[..., Awaitable[httpx.AsyncClient]]
URL = "/inventory/v1/devices"
R1: dict[str, Any] = {"name": "r1", "address": "192.0.2.1", "platform": "cisco_ios"}
NOBODY = "0192f0c0-0000-7000-8000-000000000000"


async def created(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post(URL, json={**R1, **more})
    assert answer.status_code == 201, answer.text
    device: dict[str, Any] = answer.json()["data"]
    return device


def faults_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {fault["field"]: fault["message"] for fault in answer.json()["error"]["details"]}


async def test_a_device_is_created_with_sensible_defaults(admin: httpx.AsyncClient) -> None:
    device = await created(admin)
    assert device["port"] is None
    assert device["max_sessions"] == 2
    assert device["status"] == "active"
    assert device["groups"] == []
    assert (await admin.get(f"{URL}/{device['id']}")).json()["data"] == device


async def test_everything_said_of_a_device_is_kept(admin: httpx.AsyncClient) -> None:
    said = {
        "port": 2201,
        "vendor": "Cisco",
        "model": "C9300",
        "serial": "FOC1",
        "os_version": "17.9",
        "site": "ber1",
        "role": "core",
        "tenant": "acme",
        "status": "staged",
        "tags": ["edge", "edge", "core"],
        "data": {"rack": 7, "contacts": ["noc"]},
        "max_sessions": 16,
    }
    device = await created(admin, **said)
    assert {name: device[name] for name in said} == {**said, "tags": ["edge", "core"]}


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("2001:DB8:0::1", "2001:db8::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("R1.Example.NET.", "r1.example.net"),
        ("r1", "r1"),
    ],
)
async def test_an_address_is_stored_in_one_form(admin: httpx.AsyncClient, address: str, stored: str) -> None:
    assert (await created(admin, address=address))["address"] == stored
    found = await admin.get(URL, params={"address": address})
    assert [device["address"] for device in found.json()["data"]] == [stored]


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"platform": "cisco-ios"}, "platform", "near to it are cisco_ios"),
        ({"platform": "toaster"}, "platform", "/inventory/v1/platforms"),
        ({"address": "300.1.1.1"}, "address", "no IPv4 or IPv6 address and no DNS name"),
        ({"address": "10.0.0.0/24"}, "address", "no DNS name"),
        ({"address": "r1 example"}, "address", "no DNS name"),
        ({"address": "-r1.example"}, "address", "no DNS name"),
        ({"address": ""}, "address", "length >= 1"),
        ({"port": 0}, "port", ">= 1"),
        ({"port": 65536}, "port", "<= 65535"),
        ({"port": "22"}, "port", "got `str`"),
        ({"max_sessions": 17}, "max_sessions", "<= 16"),
        ({"name": " r1"}, "name", "matching regex"),
        ({"name": NOBODY}, "name", "must not look like an id"),
        ({"status": "happy"}, "status", "Invalid enum value"),
        ({"colour": "red"}, "colour", "no such field"),
        ({"credential_ids": [NOBODY]}, "credential_ids", f"there is no credential {NOBODY}"),
    ],
)
async def test_a_wrong_field_is_refused_by_name(
    admin: httpx.AsyncClient, change: dict[str, Any], field: str, said: str
) -> None:
    faults = faults_of(await admin.post(URL, json={**R1, **change}))
    assert list(faults) == [field]
    assert said in faults[field]
    assert (await admin.get(URL)).json()["meta"]["total"] == 0


async def test_all_wrong_fields_are_told_at_once(admin: httpx.AsyncClient) -> None:
    faults = faults_of(await admin.post(URL, json={**R1, "platform": "toaster", "address": "?"}))
    assert set(faults) == {"platform", "address"}


async def test_a_name_is_taken_only_by_the_living(admin: httpx.AsyncClient) -> None:
    first = await created(admin)
    answer = await admin.post(URL, json=R1)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "DEVICE_EXISTS")
    await admin.delete(f"{URL}/{first['id']}")
    second = await created(admin)
    restored = await admin.post(f"{URL}/{first['id']}/restore")
    assert (restored.status_code, restored.json()["error"]["code"]) == (409, "DEVICE_EXISTS")
    await admin.patch(f"{URL}/{second['id']}", json={"name": "r2"})
    assert (await admin.post(f"{URL}/{first['id']}/restore")).status_code == 200


async def test_a_change_leaves_what_is_absent(admin: httpx.AsyncClient) -> None:
    device = await created(admin, port=2201, site="ber1", tags=["edge"])
    answer = await admin.patch(f"{URL}/{device['id']}", json={"role": "core", "port": None})
    changed = answer.json()["data"]
    assert (changed["role"], changed["port"], changed["site"], changed["tags"]) == ("core", None, "ber1", ["edge"])
    assert changed["updated_at"] > device["updated_at"]


async def test_a_wrong_change_changes_nothing(admin: httpx.AsyncClient) -> None:
    device = await created(admin)
    address = f"{URL}/{device['id']}"
    assert set(faults_of(await admin.patch(address, json={"site": "par1", "platform": "ios"}))) == {"platform"}
    assert set(faults_of(await admin.patch(address, json={"site": None}))) == {"site"}
    assert (await admin.get(address)).json()["data"] == device


async def test_a_deleted_device_is_out_of_the_lists_until_it_is_restored(admin: httpx.AsyncClient) -> None:
    device = await created(admin)
    address = f"{URL}/{device['id']}"
    deleted = await admin.delete(address)
    assert deleted.json()["data"]["deleted_at"] is not None
    assert f"{address}/restore" in deleted.json()["message"]
    assert (await admin.get(URL)).json()["data"] == []
    assert [one["id"] for one in (await admin.get(URL, params={"deleted": "true"})).json()["data"]] == [device["id"]]
    assert (await admin.patch(address, json={"site": "x"})).status_code == 404
    assert (await admin.delete(address)).status_code == 404
    restored = await admin.post(f"{address}/restore")
    assert restored.json()["data"]["deleted_at"] is None
    assert (await admin.post(f"{address}/restore")).status_code == 404
    assert (await admin.get(URL)).json()["meta"]["total"] == 1


async def test_an_unknown_device_is_not_found(admin: httpx.AsyncClient) -> None:
    answer = await admin.get(f"{URL}/{NOBODY}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "DEVICE_NOT_FOUND")


async def test_devices_are_listed_by_filter_and_in_order(admin: httpx.AsyncClient) -> None:
    first = await created(admin, site="ber1", role="core", tags=["edge", "x"], serial="FOC1")
    await created(admin, name="r2", site="ber1", role="access", tenant="acme", status="planned")
    await created(admin, name="s_3", address="2001:db8::3", site="par1", platform="ciena_saos")
    group = await admin.post("/inventory/v1/groups", json={"name": "upgrade", "members": [first["id"]]})

    async def names(**params: str) -> list[str]:
        answer = await admin.get(URL, params=params)
        assert answer.status_code == 200, answer.text
        return [device["name"] for device in answer.json()["data"]]

    assert await names() == ["r1", "r2", "s_3"]
    assert await names(sort="-address") == ["s_3", "r2", "r1"]
    assert await names(name="r2") == ["r2"]
    assert await names(site="ber1", role="core") == ["r1"]
    assert await names(platform="ciena_saos") == ["s_3"]
    assert await names(status="planned") == ["r2"]
    assert await names(tenant="acme") == ["r2"]
    assert await names(serial="FOC1") == ["r1"]
    assert await names(tag="x") == ["r1"]
    assert await names(tag="edg") == []
    assert await names(q="S_") == ["s_3"]
    assert await names(q="db8") == ["s_3"]
    assert await names(group="upgrade") == ["r1"]
    assert await names(group=group.json()["data"]["id"]) == ["r1"]
    assert await names(group="nobody") == []


async def test_pages_follow_each_other_without_gap_or_repetition(admin: httpx.AsyncClient) -> None:
    for number in range(5):
        await created(admin, name=f"r{number}", site="ber1" if number % 2 else "par1")
    seen: list[str] = []
    params: dict[str, str] = {"limit": "2", "sort": "site"}
    while True:
        page = (await admin.get(URL, params=params)).json()
        seen += [device["name"] for device in page["data"]]
        assert page["meta"]["total"] == 5
        if page["meta"]["next_cursor"] is None:
            break
        params["cursor"] = page["meta"]["next_cursor"]
    assert seen == ["r1", "r3", "r0", "r2", "r4"]


async def test_a_device_says_which_groups_it_is_in(admin: httpx.AsyncClient) -> None:
    device = await created(admin)
    for name in ("b", "a"):
        await admin.post("/inventory/v1/groups", json={"name": name, "members": [device["id"]]})
    read = (await admin.get(f"{URL}/{device['id']}")).json()["data"]
    assert [group["name"] for group in read["groups"]] == ["a", "b"]
    listed = (await admin.get(URL)).json()["data"]
    assert listed == [read]


async def test_acts_on_devices_are_on_record(admin: httpx.AsyncClient) -> None:
    device = await created(admin)
    await admin.patch(f"{URL}/{device['id']}", json={"site": "ber1"})
    await admin.delete(f"{URL}/{device['id']}")
    await admin.post(f"{URL}/{device['id']}/restore")
    entries = await core_database.fetch(
        "SELECT action, actor_name FROM audit_entries WHERE subject_id = $1 ORDER BY id", device["id"]
    )
    assert [entry["action"] for entry in entries] == [
        "devices.device.create",
        "devices.device.update",
        "devices.device.delete",
        "devices.device.restore",
    ]
    assert {entry["actor_name"] for entry in entries} == {"admin"}


async def test_credentials_are_given_to_a_device_only_by_who_may_use_them(
    admin: httpx.AsyncClient, as_user: AsUser
) -> None:
    credential = await admin.post(
        "/credentials/v1/credentials",
        json={"name": "lab", "credential_type": "ssh", "data": {"username": "u", "password": "p"}},
    )
    credential_id = credential.json()["data"]["id"]
    without = await as_user("devices.device.create", "devices.device.view")
    assert (await without.post(URL, json={**R1, "credential_ids": [credential_id]})).status_code == 403
    assert (await without.get(URL)).json()["meta"]["total"] == 0
    assert (await without.post(URL, json=R1)).status_code == 201
    device = await created(admin, name="r2", credential_ids=[credential_id])
    found = await admin.get("/credentials/v1/assignments", params={"device_id": device["id"]})
    assert [(one["credential_name"], one["subject_name"]) for one in found.json()["data"]] == [("lab", "r2")]


async def test_the_platform_map_is_served(admin: httpx.AsyncClient) -> None:
    platforms = {one["slug"]: one for one in (await admin.get("/inventory/v1/platforms")).json()["data"]}
    assert platforms["cisco_ios"] == {
        "slug": "cisco_ios",
        "label": "Cisco IOS",
        "netmiko": "cisco_ios",
        "napalm": "ios",
        "ntc_templates": "cisco_ios",
        "hier_config": "CISCO_IOS",
        "port": 22,
    }


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", URL, "devices.device.view"),
        ("POST", URL, "devices.device.create"),
        ("POST", f"{URL}/bulk", "devices.device.create"),
        ("GET", f"{URL}/{NOBODY}", "devices.device.view"),
        ("PATCH", f"{URL}/{NOBODY}", "devices.device.edit"),
        ("DELETE", f"{URL}/{NOBODY}", "devices.device.delete"),
        ("POST", f"{URL}/{NOBODY}/restore", "devices.device.delete"),
        ("GET", "/inventory/v1/groups", "devices.device.view"),
        ("POST", "/inventory/v1/groups", "devices.group.manage"),
        ("PUT", f"/inventory/v1/groups/{NOBODY}/members", "devices.group.manage"),
        ("PATCH", f"/inventory/v1/groups/{NOBODY}/members", "devices.group.manage"),
        ("DELETE", f"/inventory/v1/groups/{NOBODY}", "devices.group.manage"),
        ("POST", "/inventory/v1/targets/preview", "devices.device.view"),
        ("GET", "/inventory/v1/platforms", "devices.device.view"),
        ("GET", "/credentials/v1/assignments", "credentials.credential.view"),
        ("POST", "/credentials/v1/assignments", "credentials.credential.use"),
        ("PATCH", f"/credentials/v1/assignments/{NOBODY}", "credentials.credential.use"),
        ("DELETE", f"/credentials/v1/assignments/{NOBODY}", "credentials.credential.use"),
    ],
)
async def test_each_route_needs_its_permission(as_user: AsUser, method: str, path: str, permission: str) -> None:
    without = await as_user("system.audit.view")
    assert (await without.request(method, path, json={})).status_code == 403
    holder = await as_user(permission)
    assert (await holder.request(method, path, json={})).status_code != 403
