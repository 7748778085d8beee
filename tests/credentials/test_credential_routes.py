from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.core import database as core_database

AsUser = Callable[..., Awaitable[httpx.AsyncClient]]
URL = "/credentials/v1/credentials"
SECRET = "tr0ub4dor-and-3"
LAB: dict[str, Any] = {"name": "lab", "credential_type": "ssh", "data": {"username": "netops", "password": SECRET}}


async def created(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post(URL, json={**LAB, **more})
    assert answer.status_code == 201, answer.text
    credential: dict[str, Any] = answer.json()["data"]
    return credential


async def test_a_credential_comes_back_without_its_secrets(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(
        URL, json={**LAB, "tags": ["core", "core"], "environment": "lab", "valid_until": "2999-01-01T00:00:00Z"}
    )
    assert answer.status_code == 201
    credential = answer.json()["data"]
    assert credential["username"] == "netops"
    assert credential["tags"] == ["core"]
    assert credential["status"] == "active"
    assert credential["valid_until"] == "2999-01-01T00:00:00Z"
    assert "data" not in credential
    read = await admin.get(f"{URL}/{credential['id']}")
    assert read.json()["data"] == credential
    assert SECRET not in answer.text + read.text


async def test_the_database_holds_no_secret(admin: httpx.AsyncClient) -> None:
    await created(admin)
    rows = await core_database.fetch("SELECT * FROM credentials, audit_entries")
    assert rows
    assert SECRET not in str(rows)


async def test_secrets_are_revealed_to_who_may_and_that_is_on_record(admin: httpx.AsyncClient) -> None:
    credential = await created(admin)
    answer = await admin.get(f"{URL}/{credential['id']}", params={"reveal": "true"})
    assert answer.json()["data"]["data"] == {"username": "netops", "password": SECRET, "port": 22}
    entries = await core_database.fetch(
        "SELECT actor_name, subject_id, details::text AS details FROM audit_entries WHERE action = $1",
        "credentials.credential.reveal",
    )
    assert [(entry["actor_name"], entry["subject_id"]) for entry in entries] == [("admin", credential["id"])]
    assert SECRET not in entries[0]["details"]


async def test_secrets_are_not_revealed_to_who_may_not(admin: httpx.AsyncClient, as_user: AsUser) -> None:
    credential = await created(admin)
    viewer = await as_user("credentials.credential.view")
    answer = await viewer.get(f"{URL}/{credential['id']}", params={"reveal": "true"})
    assert answer.status_code == 403
    assert answer.json()["error"]["details"] == {"permission": "credentials.credential.reveal"}
    assert (await viewer.get(f"{URL}/{credential['id']}")).status_code == 200


async def test_every_fault_of_a_credential_is_listed(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(
        URL,
        json={
            "name": "0192f0c0-0000-7000-8000-000000000000",
            "credential_type": "ssh",
            "data": {"port": 0, "colour": "red", "password": SECRET},
            "valid_from": "2030-01-01T00:00:00Z",
            "valid_until": "2029-01-01T00:00:00Z",
        },
    )
    assert answer.status_code == 422
    assert {fault["field"] for fault in answer.json()["error"]["details"]} == {
        "name",
        "valid_until",
        "data.username",
        "data.port",
        "data.colour",
    }
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"credential_type": "telnet"}, "credential_type"),
        ({"name": ""}, "name"),
        ({"name": " lab"}, "name"),
        ({"data": None}, "data"),
        ({"secret": "x"}, "secret"),
        ({"valid_until": "2999-01-01T00:00:00"}, "valid_until"),
    ],
)
async def test_a_malformed_credential_is_refused_by_field(
    admin: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    answer = await admin.post(URL, json={**LAB, **change})
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["error"]["details"]] == [field]


async def test_a_name_is_unique_among_the_living(admin: httpx.AsyncClient) -> None:
    credential = await created(admin)
    answer = await admin.post(URL, json=LAB)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CREDENTIAL_EXISTS")
    assert (await admin.delete(f"{URL}/{credential['id']}")).status_code == 200
    assert (await created(admin))["id"] != credential["id"]


async def test_a_deleted_credential_is_gone_with_its_secrets(admin: httpx.AsyncClient) -> None:
    credential = await created(admin)
    await admin.delete(f"{URL}/{credential['id']}")
    answer = await admin.get(f"{URL}/{credential['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "CREDENTIAL_NOT_FOUND")
    assert (await admin.get(URL)).json()["data"] == []
    row = await core_database.fetch_one("SELECT sealed FROM credentials")
    assert row == {"sealed": b""}


async def test_changing_one_secret_field_leaves_the_others(admin: httpx.AsyncClient) -> None:
    credential = await created(admin, data={"username": "netops", "password": SECRET, "enable_secret": "en"})
    answer = await admin.patch(f"{URL}/{credential['id']}", json={"data": {"enable_secret": "new"}})
    assert answer.json()["data"]["version"] == 2
    revealed = await admin.get(f"{URL}/{credential['id']}", params={"reveal": "true"})
    assert revealed.json()["data"]["data"] == {
        "username": "netops",
        "password": SECRET,
        "enable_secret": "new",
        "port": 22,
    }


async def test_a_null_takes_a_field_away_unless_it_is_needed(admin: httpx.AsyncClient) -> None:
    credential = await created(admin, data={"username": "netops", "password": SECRET, "enable_secret": "en"})
    address = f"{URL}/{credential['id']}"
    refused = await admin.patch(address, json={"data": {"password": None}})
    assert refused.status_code == 422
    assert (await admin.patch(address, json={"data": {"enable_secret": None}})).status_code == 200
    revealed = (await admin.get(address, params={"reveal": "true"})).json()["data"]
    assert revealed["data"] == {"username": "netops", "password": SECRET, "port": 22}


async def test_changing_metadata_leaves_the_secrets_and_their_version(admin: httpx.AsyncClient) -> None:
    credential = await created(admin, description="old")
    address = f"{URL}/{credential['id']}"
    answer = await admin.patch(address, json={"name": "lab2", "valid_until": "2999-01-01T00:00:00Z", "tags": ["x"]})
    changed = answer.json()["data"]
    assert (changed["name"], changed["description"], changed["tags"], changed["version"]) == ("lab2", "old", ["x"], 1)
    cleared = await admin.patch(address, json={"valid_until": None})
    assert cleared.json()["data"]["valid_until"] is None


async def test_a_revoked_credential_stays_revoked(admin: httpx.AsyncClient) -> None:
    credential = await created(admin)
    address = f"{URL}/{credential['id']}"
    assert (await admin.patch(address, json={"status": "revoked"})).json()["data"]["status"] == "revoked"
    answer = await admin.patch(address, json={"status": "active"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CREDENTIAL_REVOKED")
    assert (await admin.patch(address, json={"description": "gone"})).status_code == 200


async def test_one_credential_is_the_default_of_its_type(admin: httpx.AsyncClient) -> None:
    first = await created(admin, is_default=True)
    second = await created(admin, name="other", is_default=True)
    assert (await admin.get(f"{URL}/{first['id']}")).json()["data"]["is_default"] is False
    assert second["is_default"] is True
    await admin.patch(f"{URL}/{first['id']}", json={"is_default": False})
    assert (await admin.get(f"{URL}/{second['id']}")).json()["data"]["is_default"] is True
    answer = await admin.patch(f"{URL}/{second['id']}", json={"is_default": False})
    assert answer.json()["data"]["is_default"] is False


async def test_credentials_are_listed_by_filter(admin: httpx.AsyncClient) -> None:
    await created(admin, tags=["core"], environment="prod")
    await created(admin, name="old", valid_until="2020-01-01T00:00:00Z")
    await created(admin, name="snmp_ro", credential_type="snmp", data={"community": "c0mmunity"})

    async def names(**params: str) -> list[str]:
        answer = await admin.get(URL, params=params)
        assert answer.status_code == 200, answer.text
        return [credential["name"] for credential in answer.json()["data"]]

    assert await names() == ["lab", "old", "snmp_ro"]
    assert await names(sort="-name", limit="2") == ["snmp_ro", "old"]
    assert await names(credential_type="snmp") == ["snmp_ro"]
    assert await names(status="expired") == ["old"]
    assert await names(status="active") == ["lab", "snmp_ro"]
    assert await names(tag="core") == ["lab"]
    assert await names(environment="prod") == ["lab"]
    assert await names(q="P_R") == ["snmp_ro"]
    assert await names(q="%") == []
    assert await names(username="netops") == ["lab", "old"]
    assert await names(name="lab") == ["lab"]


async def test_an_unknown_filter_or_status_is_refused(admin: httpx.AsyncClient) -> None:
    assert (await admin.get(URL, params={"colour": "red"})).status_code == 422
    assert (await admin.get(URL, params={"status": "happy"})).status_code == 422
    assert (await admin.get(URL, params={"sort": "sealed"})).status_code == 422


async def test_the_types_say_which_fields_are_secret(admin: httpx.AsyncClient) -> None:
    types = {one["name"]: one for one in (await admin.get("/credentials/v1/types")).json()["data"]}
    assert len(types) == 13
    password = next(field for field in types["ssh"]["fields"] if field["name"] == "password")
    assert password == {
        "name": "password",
        "kind": "text",
        "secret": True,
        "required": False,
        "default": None,
        "choices": [],
        "description": "",
    }


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", "", "view"),
        ("POST", "", "create"),
        ("GET", "/0192f0c0-0000-7000-8000-000000000000", "view"),
        ("PATCH", "/0192f0c0-0000-7000-8000-000000000000", "edit"),
        ("DELETE", "/0192f0c0-0000-7000-8000-000000000000", "delete"),
    ],
)
async def test_each_route_needs_its_permission(as_user: AsUser, method: str, path: str, permission: str) -> None:
    others = {"view", "create", "edit", "delete", "use", "reveal"} - {permission}
    without = await as_user(*(f"credentials.credential.{other}" for other in others))
    assert (await without.request(method, URL + path, json={})).status_code == 403
    holder = await as_user(f"credentials.credential.{permission}")
    assert (await holder.request(method, URL + path, json={})).status_code != 403
