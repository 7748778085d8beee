"""Pages, their order and the signed cursors between them."""

import httpx
import pytest

from app.core.crypto import sign
from app.core.settings import Settings
from tests.support.callers import make_user


async def every_page(client: httpx.AsyncClient, **query: str) -> list[str]:
    """Follow the cursors from the first page to the last."""
    names: list[str] = []
    cursor = None
    while True:
        parameters = {**query, **({"cursor": cursor} if cursor else {})}
        answer = (await client.get("/identity/v1/users", params=parameters)).json()
        names += [user["username"] for user in answer["data"]]
        cursor = answer["meta"]["next_cursor"]
        if cursor is None:
            return names


@pytest.mark.parametrize("sort", ["username", "-username", "created_at", "-created_at"])
async def test_the_pages_of_a_list_hold_every_entry_once_in_order(admin: httpx.AsyncClient, sort: str) -> None:
    for index in range(7):
        await make_user(f"paged{index}", [])
    whole = await every_page(admin, sort=sort)
    assert len(whole) == 8
    assert await every_page(admin, sort=sort, limit="3") == whole
    assert await every_page(admin, sort=sort, limit="8") == whole


async def test_a_page_says_how_many_there_are(admin: httpx.AsyncClient) -> None:
    await make_user("second", [])
    meta = (await admin.get("/identity/v1/users", params={"limit": "1"})).json()["meta"]
    assert (meta["total"], meta["total_is_estimate"], meta["limit"]) == (2, False, 1)
    assert isinstance(meta["next_cursor"], str)


async def test_a_cursor_that_is_not_ours_is_refused(admin: httpx.AsyncClient, settings: Settings) -> None:
    forged = sign(
        "some other key than the server's, long enough", "cursor", b'{"sort":"username","value":"a","id":"b"}'
    )
    other_purpose = sign(settings.require_secret_key(), "csrf", b'{"sort":"username","value":"a","id":"b"}')
    for cursor in ("", "nonsense", "a.b", forged, other_purpose):
        response = await admin.get("/identity/v1/users", params={"cursor": cursor})
        assert (response.status_code, response.json()["error"]["code"]) == (400, "MALFORMED_REQUEST"), cursor


async def test_a_cursor_of_another_order_is_refused(admin: httpx.AsyncClient) -> None:
    await make_user("second", [])
    first = await admin.get("/identity/v1/users", params={"limit": "1"})
    cursor = first.json()["meta"]["next_cursor"]
    response = await admin.get("/identity/v1/users", params={"cursor": cursor, "sort": "-created_at"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "MALFORMED_REQUEST")


async def test_an_order_that_does_not_exist_is_refused_with_those_that_do(admin: httpx.AsyncClient) -> None:
    response = await admin.get("/identity/v1/users", params={"sort": "password_hash"})
    assert response.status_code == 422
    assert "created_at, username" in response.json()["error"]["message"]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "ten", ""])
async def test_a_page_has_between_1_and_500_entries(admin: httpx.AsyncClient, limit: str) -> None:
    response = await admin.get("/identity/v1/users", params={"limit": limit})
    assert response.status_code == 422
    assert response.json()["error"]["details"][0]["field"] == "limit"
