"""Workflows as files over the API: out and in again without a byte's difference, and what is refused."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.automation.workflows.files import MAX_YAML_CHARS, Format, read_text, write_text
from app.core.access import PERMISSIONS
from app.core.errors import ValidationError
from tests.support.callers import AsUser
from tests.support.graphs import step, workflow

URL = "/automation/v1/workflows"
FORMS: tuple[Format, ...] = ("yaml", "json")
TYPES = {"yaml": "application/yaml", "json": "application/json"}
CONFIG = "interface Gi0/1 \n\tdescription up\n   no shut\n\n"
DEFINITION = workflow(
    step("say", "debug:log", "Say", message=CONFIG, value={"b": 1, "a": [1.5, None, True]}),
    edges=("start -> say",),
)
WHOLE = {
    "name": "Read releases",
    "description": "Two\nlines",
    "folder": "Core/Backups",
    "tags": ["b", "a"],
    "template": True,
    "settings": {"waves": [1, "rest"], "max_failed": "10%"},
    "definition": DEFINITION,
}
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
texts = st.text(max_size=12) | st.text(alphabet="a \n\t:#-'\"é|", max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


async def send(client: httpx.AsyncClient, text: str, form: str = "yaml", **query: str) -> httpx.Response:
    headers = {"Content-Type": TYPES.get(form, form)}
    return await client.post(f"{URL}/import", params=query, content=text.encode(), headers=headers)


async def export(client: httpx.AsyncClient, workflow_id: str, form: str) -> str:
    answer = await client.get(f"{URL}/{workflow_id}/export", params={"format": form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(TYPES[form])
    return answer.text


@pytest.mark.parametrize("form", FORMS)
async def test_a_file_goes_out_as_it_came_in(admin: httpx.AsyncClient, form: Format) -> None:
    first = await send(admin, write_text(WHOLE, form), form)
    assert first.status_code == 201, first.text
    row = first.json()["data"]
    assert (row["version"], row["template"], row["tags"]) == (1, True, ["b", "a"])
    text = await export(admin, row["id"], form)
    assert text == write_text(WHOLE, form)
    again = await send(admin, text, form, mode="upsert")
    assert (again.status_code, again.json()["data"]["revision"]) == (200, 1)
    await admin.delete(f"{URL}/{row['id']}")
    fresh = (await send(admin, text, form, mode="upsert")).json()["data"]
    assert await export(admin, fresh["id"], form) == text


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values.filter(lambda value: "\x00" not in json.dumps(value) and "\\u0000" not in json.dumps(value)))
async def test_whatever_a_workflow_holds_is_exported_the_same_after_an_import(
    admin: httpx.AsyncClient, value: Any
) -> None:
    held = workflow(step("say", "debug:comment", x=value), edges=())
    held["nodes"][1]["data"]["parameters"] = {}
    held["nodes"][1]["data"]["note"] = value
    row = (await admin.post(URL, json={"name": "w", "definition": held})).json()["data"]
    exported = {form: await export(admin, row["id"], form) for form in FORMS}
    await admin.delete(f"{URL}/{row['id']}")
    for form, text in exported.items():
        back = await send(admin, text, form, mode="upsert")
        assert back.status_code in {200, 201}, back.text
        assert await export(admin, back.json()["data"]["id"], form) == text
    await admin.delete(f"{URL}/{back.json()['data']['id']}")


@given(value=values)
def test_text_written_is_read_back_the_same_and_written_the_same_again(value: Any) -> None:
    held = {"name": "w", "description": "", "tags": [], "definition": {"nodes": [{"id": "a", "data": value}]}}
    for form in FORMS:
        text = write_text(held, form)
        back = read_text(text, form)
        assert back == held
        assert write_text(back, form) == text


def test_what_devices_take_stands_as_a_block() -> None:
    text = write_text(WHOLE, "yaml")
    assert "message: |+\n" in text
    assert "interface Gi0/1 \n" in text
    assert "\tdescription up\n" in text


async def test_a_file_without_a_field_takes_its_default(admin: httpx.AsyncClient) -> None:
    await send(admin, write_text(WHOLE, "json"), "json")
    bare = {"name": WHOLE["name"], "definition": DEFINITION}
    refused = await send(admin, json.dumps(bare), "json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "WORKFLOW_NAME_TAKEN")
    row = (await send(admin, json.dumps(bare), "json", mode="upsert")).json()["data"]
    assert (row["folder_id"], row["tags"], row["template"], row["description"]) == (None, [], False, "")
    assert (row["settings"]["waves"], row["version"]) == ([], 2)


async def test_folders_that_are_not_there_are_made_once(admin: httpx.AsyncClient) -> None:
    for name in ("one", "other"):
        await send(admin, write_text({**WHOLE, "name": name}, "yaml"))
    listed = (await admin.get(f"{URL}/folders")).json()["data"]
    assert [folder["path"] for folder in listed] == ["Core/Backups", "Core"]
    assert listed[0]["workflow_count"] == 2


async def test_a_refused_import_makes_no_folder(admin: httpx.AsyncClient) -> None:
    faulty = {**WHOLE, "definition": workflow(step("a", "no:such"), edges=("start -> a",))}
    refused = await send(admin, write_text(faulty, "yaml"))
    assert refused.json()["error"]["details"][0]["node_id"] == "a"
    deep = await send(admin, write_text({**WHOLE, "folder": "/".join("abcdefghi")}, "yaml"))
    assert deep.json()["error"]["details"] == [{"field": "folder", "message": "folders nest at most 8 deep"}]
    assert (await admin.get(f"{URL}/folders")).json()["data"] == []


async def test_every_wrong_field_of_a_file_is_told(admin: httpx.AsyncClient) -> None:
    text = "nam: a\ndescription: [1]\ntags: x\nfolder: a//b\nsettings: {waves: [0], timeout: 1}\n"
    refused = await send(admin, text)
    assert refused.status_code == 422
    fields = {fault["field"] for fault in refused.json()["error"]["details"]}
    assert fields == {
        "nam", "name", "definition", "description", "tags", "folder", "settings.waves[0]", "settings.timeout"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "form", "status"),
    [
        ("name: [", "yaml", 422),
        ("name: a\nname: b\n", "yaml", 422),
        ("just text", "yaml", 422),
        ("{", "json", 422),
        ("", "yaml", 422),
        ('name: "\\ud800"', "yaml", 422),
        ('{"name": "\\ud800"}', "json", 422),
        ("name: x", "text/html", 415),
        ("name: x", "application/xml", 415),
    ],
)
async def test_what_is_no_file_is_refused(admin: httpx.AsyncClient, text: str, form: str, status: int) -> None:
    answer = await send(admin, text, form)
    assert answer.status_code == status
    assert answer.json()["success"] is False


async def test_text_that_is_not_utf_8_is_malformed(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(f"{URL}/import", content=b"\xff", headers={"Content-Type": "text/yaml"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    ("text", "form", "reason"),
    [
        (BOMB, "yaml", "more than a workflow can hold"),
        ("a: &a [*a]", "yaml", "holds itself"),
        ("[" * 5000, "yaml", "nests too deep"),
        ("[" * 100_000, "json", "nests too deep"),
        ("a: 1e999", "yaml", "larger than numbers"),
        ('{"a": 1e999}', "json", "larger than numbers"),
        ('{"a": NaN}', "json", "NaN is no number"),
        ("x" * (MAX_YAML_CHARS + 1), "yaml", "Use JSON"),
    ],
    ids=["bomb", "ring", "deep yaml", "deep json", "infinity", "infinite json", "nan", "long"],
)  # fmt: skip
def test_a_text_that_would_eat_the_memory_is_refused(text: str, form: Format, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        read_text(text, form)


async def test_changing_by_a_file_needs_the_right_to_change(as_user: AsUser) -> None:
    author = await as_user(*(PERMISSIONS.keys() - {"automation.workflow.edit"}))
    text = write_text(WHOLE, "yaml")
    assert (await send(author, text, mode="upsert")).status_code == 403
    assert (await send(author, text)).status_code == 201


async def test_an_export_of_nothing_is_not_found(admin: httpx.AsyncClient) -> None:
    address = f"{URL}/0192f0c0-0000-7000-8000-000000000000/export"
    assert (await admin.get(address)).json()["error"]["code"] == "WORKFLOW_NOT_FOUND"
    assert (await admin.get(address, params={"format": "xml"})).status_code == 422
