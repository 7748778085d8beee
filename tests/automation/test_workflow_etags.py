"""ETags of workflows: they change with every change, refuse a lost update, and save reading twice."""

from typing import Any

import httpx
import pytest

from app.core.errors import MalformedError
from app.web.etags import is_known, wanted_revisions
from tests.support.graphs import step, workflow

URL = "/automation/v1/workflows"


def definition(message: str = "one") -> dict[str, Any]:
    return workflow(step("a", "debug:log", message=message), edges=("start -> a",))


async def created(client: httpx.AsyncClient) -> tuple[str, str]:
    answer = await client.post(URL, json={"name": "w", "definition": definition()})
    return f"{URL}/{answer.json()['data']['id']}", answer.headers["etag"]


async def test_every_saved_change_has_another_etag(admin: httpx.AsyncClient) -> None:
    address, tag = await created(admin)
    seen = [tag]
    changes = ({"name": "x"}, {"tags": ["t"]}, {"enabled": False}, {"definition": definition("2")})
    seen += [(await admin.patch(address, json=body)).headers["etag"] for body in changes]
    seen.append((await admin.put(address, json={"name": "y", "definition": definition()})).headers["etag"])
    seen.append((await admin.post(f"{address}/versions/1/restore")).headers["etag"])
    assert len(set(seen)) == len(seen)
    again = await admin.patch(address, json={"name": "y"})
    assert again.headers["etag"] == seen[-1]
    assert (await admin.get(address)).headers["etag"] == seen[-1]
    assert (await admin.get(f"{address}/export")).headers["etag"] == seen[-1]


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "POST"])
async def test_a_change_to_what_was_changed_meanwhile_is_refused(admin: httpx.AsyncClient, method: str) -> None:
    address, tag = await created(admin)
    changed = (await admin.patch(address, json={"definition": definition("2")})).headers["etag"]
    url = f"{address}/versions/1/restore" if method == "POST" else address
    body = {"name": "mine", "definition": definition("3")} if method in {"PATCH", "PUT"} else None
    refused = await admin.request(method, url, json=body, headers={"If-Match": tag})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "WORKFLOW_CHANGED")
    assert "revision 2" in refused.json()["error"]["message"]
    assert (await admin.get(address)).json()["data"]["name"] == "w"
    done = await admin.request(method, url, json=body, headers={"If-Match": f'"x", {changed}'})
    assert done.status_code == 200, done.text


async def test_only_one_of_two_editors_wins(admin: httpx.AsyncClient) -> None:
    address, tag = await created(admin)
    answers = [
        await admin.patch(address, json={"description": text}, headers={"If-Match": tag}) for text in ("one", "two")
    ]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert (await admin.get(address)).json()["data"]["description"] == "one"
    assert (await admin.patch(address, json={"description": "any"}, headers={"If-Match": "*"})).status_code == 200


async def test_what_is_known_is_not_sent_again(admin: httpx.AsyncClient) -> None:
    address, tag = await created(admin)
    known = await admin.get(address, headers={"If-None-Match": tag})
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
    await admin.patch(address, json={"name": "x"})
    assert (await admin.get(address, headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize(
    ("method", "header"), [("GET", "If-None-Match"), ("DELETE", "If-Match"), ("PATCH", "If-Match")]
)
async def test_a_header_that_cannot_be_read_is_malformed(admin: httpx.AsyncClient, method: str, header: str) -> None:
    address, _ = await created(admin)
    body = {"name": "x"} if method == "PATCH" else None
    answer = await admin.request(method, address, json=body, headers={header: "7"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MALFORMED_REQUEST")
    assert header in answer.json()["error"]["message"]


def test_tags_are_read_as_the_standard_says() -> None:
    assert wanted_revisions(None) is None
    assert wanted_revisions(" * ") is None
    assert wanted_revisions('"7"') == frozenset({7})
    assert wanted_revisions('"7", W/"8" ,"x","²", "10"') == frozenset({7, 10})
    assert wanted_revisions('"nobody\'s"') == frozenset()
    assert is_known('W/"7"', 7)
    assert is_known("*", 7)
    assert not is_known('"8"', 7)
    assert not is_known(None, 7)
    for text in ("7", '"7', '"7" "8"', "W/7", '"7", *'):
        with pytest.raises(MalformedError):
            wanted_revisions(text)
