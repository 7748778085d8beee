"""The OpenAPI document, and the page that shows it without loading anything from elsewhere."""

import re

import httpx
import pytest
from jsonschema import Draft202012Validator

EXTERNAL = re.compile(r"""(?:src|href|url)\s*[=:(]\s*["']?(?:https?:)?//""", re.IGNORECASE)


@pytest.mark.parametrize("path", ["/schema", "/login", "/schema/assets/documentation.js"])
async def test_our_pages_refer_to_no_other_host(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 200
    assert EXTERNAL.search(response.text) is None
    assert "cdn" not in response.text.lower()


async def test_every_asset_of_the_documentation_page_is_served_by_us(client: httpx.AsyncClient) -> None:
    page = await client.get("/schema")
    assets = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(assets) == 3
    for asset in assets:
        response = await client.get(asset)
        assert response.status_code == 200, asset
        assert response.headers["content-type"].split(";")[0] in {"text/css", "text/javascript"}, asset


async def test_the_documentation_page_may_load_from_us_only(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/schema")).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("name", ["nothing.js", "asyncapi-web-component.js", "..%2f..%2fmain.py"])
async def test_no_other_file_is_served_as_an_asset(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/schema/assets/{name}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_the_document_is_openapi_3_1_and_its_schemas_are_json_schema(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


async def test_every_error_answer_of_the_document_is_our_envelope(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
            assert errors, f"{method} {path}"
            for status, answer in errors.items():
                assert answer == {"$ref": f"#/components/responses/Error{status}"}, f"{method} {path} {status}"
    for answer in document["components"]["responses"].values():
        assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorReply"}


async def test_a_guarded_route_documents_its_permission_and_refusals(client: httpx.AsyncClient) -> None:
    document = (await client.get("/schema/openapi.json")).json()
    operation = document["paths"]["/identity/v1/users/{user_id}"]["patch"]
    assert operation["security"] == [{"bearer": []}]
    assert "system.users.edit" in operation["description"]
    assert {"200", "400", "401", "403", "404", "409", "413", "415", "422"} <= operation["responses"].keys()
    login = document["paths"]["/identity/v1/auth/login"]["post"]
    assert login["security"] == []
    assert {"401", "429"} <= login["responses"].keys()


async def test_bodies_are_documented_as_strict(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/schema/openapi.json")).json()["components"]["schemas"]
    assert schemas["UserCreate"]["additionalProperties"] is False
    assert schemas["UserUpdate"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["UserRead"]
