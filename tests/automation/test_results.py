import csv
import io
from typing import Any

import httpx
import msgspec
import pytest

from app.core import database
from tests.support.callers import AsUser
from tests.support.graphs import step, workflow
from tests.support.recording import add_execution, add_host, add_result
from tests.support.working import make_devices, results, run

VIEW = "automation.execution.view"
SECRET_LINE = "snmp-server community S3cret RO\n"
LARGE = 20 * 1024 * 1024


async def download(client: httpx.AsyncClient, execution_id: object, **query: str) -> httpx.Response:
    answer = await client.get(f"/automation/v1/executions/{execution_id}/results/export", params=query)
    assert answer.status_code == 200, answer.text
    return answer


async def listed(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/automation/v1/executions", params=query)
    assert answer.status_code == 200, answer.text
    return [one["workflow_name"] for one in answer.json()["data"]]


@pytest.mark.usefixtures("work")
async def test_twenty_megabytes_are_stored_listed_cheaply_and_streamed(
    admin: httpx.AsyncClient, as_user: AsUser
) -> None:
    await make_devices(admin, ["r1"])
    repeat = LARGE // len(SECRET_LINE) + 1
    definition = workflow(step("a", "lab:read", text=SECRET_LINE, repeat=repeat), edges=("start -> a",))
    execution = await run(admin, definition, ["r1"])
    assert execution["status"] == "success"
    path = f"/automation/v1/executions/{execution['id']}/results"
    page = await admin.get(path, params={"node": "a"})
    (row,) = page.json()["data"]
    assert len(page.content) < 2000
    assert row["outputs"] is None
    assert row["outputs_size_bytes"] > LARGE
    viewer = await as_user(VIEW)
    for client, line in ((admin, SECRET_LINE), (viewer, "snmp-server community ******** RO\n")):
        answer = await client.get(f"{path}/{row['id']}/outputs")
        assert "content-length" not in answer.headers
        assert answer.json() == {"success": True, "data": {"text": line * repeat}, "message": None, "meta": {}}
    (exported,) = msgspec.json.decode((await download(viewer, execution["id"], node="a")).content)
    assert exported["outputs"]["text"] == "snmp-server community ******** RO\n" * repeat


async def test_outputs_have_a_tag_that_changes_with_what_the_reader_sees(
    admin: httpx.AsyncClient, as_user: AsUser
) -> None:
    execution_id = await add_execution()
    viewer = await as_user(VIEW)
    for found in ({"text": SECRET_LINE}, {"text": SECRET_LINE * 5000}):
        result_id = await add_result(execution_id, "small" if len(found["text"]) < 100 else "large", found=found)
        path = f"/automation/v1/executions/{execution_id}/results/{result_id}/outputs"
        tags = [(await client.get(path)).headers["etag"] for client in (admin, viewer)]
        assert tags[0] != tags[1]
        known = await admin.get(path, headers={"If-None-Match": f'"other", W/{tags[0]}'})
        assert (known.status_code, known.content) == (304, b"")
        assert (await viewer.get(path, headers={"If-None-Match": tags[0]})).status_code == 200


async def test_outputs_of_another_execution_or_of_nothing_are_not_found(admin: httpx.AsyncClient) -> None:
    execution_id, other = await add_execution(), await add_execution()
    result_id = await add_result(execution_id)
    assert (await admin.get(f"/automation/v1/executions/{execution_id}/results/{result_id}/outputs")).json()[
        "data"
    ] == {}
    answer = await admin.get(f"/automation/v1/executions/{other}/results/{result_id}/outputs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RESULT_NOT_FOUND")
    answer = await admin.get(f"/automation/v1/executions/{result_id}/results/{result_id}/outputs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "EXECUTION_NOT_FOUND")


async def test_an_export_holds_every_result_that_the_filters_leave(admin: httpx.AsyncClient) -> None:
    execution_id = await add_execution()
    for number in range(205):
        status = "failed" if number % 5 == 0 else "success"
        await add_result(execution_id, host=f"r{number}", status=status, found={"number": number})
    whole = await download(admin, execution_id)
    assert whole.headers["content-disposition"] == f'attachment; filename="execution-{execution_id}.json"'
    assert [row["outputs"]["number"] for row in whole.json()] == list(range(205))
    assert set(whole.json()[0]) == set((await results(admin, str(execution_id)))[0]) - {"outputs_size_bytes"}
    lines = (await download(admin, execution_id, format="jsonl", status="failed")).text.splitlines()
    assert [msgspec.json.decode(line)["device"]["name"] for line in lines] == [f"r{n}" for n in range(0, 205, 5)]
    one = (await download(admin, execution_id, format="csv", device="r7", columns="device,outputs.number")).text
    assert one == "device,outputs.number\r\nr7,7\r\n"


async def test_an_export_of_nothing_is_an_empty_file(admin: httpx.AsyncClient) -> None:
    execution_id = await add_execution()
    assert (await download(admin, execution_id)).json() == []
    assert (await download(admin, execution_id, format="jsonl")).content == b""
    assert (await download(admin, execution_id, format="csv", columns="device")).text == "device\r\n"


async def test_a_csv_runs_nothing_in_a_spreadsheet_and_reads_back(admin: httpx.AsyncClient) -> None:
    execution_id = await add_execution()
    found = {"cmd": "=HYPERLINK(1)", "text": 'a "quoted"\nline, and more', "many": [1, {"a": None}], "n": -5, "t": True}
    await add_result(execution_id, host="@r1", found=found, error_class="upstream", error_message="+1\n2")
    columns = "device,error_message,outputs.cmd,outputs.text,outputs.many,outputs.many.0,outputs.n,outputs.t,outputs.no"
    answer = await download(admin, execution_id, format="csv", columns=columns)
    assert answer.headers["content-type"].startswith("text/csv")
    _, row = csv.reader(io.StringIO(answer.text, newline=""))
    assert row[:4] == ["'@r1", "'+1\n2", "'=HYPERLINK(1)", 'a "quoted"\nline, and more']
    assert row[4:] == ['[1,{"a":null}]', "1", "-5", "true", ""]
    (whole,) = csv.DictReader(io.StringIO((await download(admin, execution_id, format="csv")).text, newline=""))
    assert msgspec.json.decode(whole["outputs"]) == found


async def test_an_export_is_redacted_for_those_who_may_not_see_secrets(
    admin: httpx.AsyncClient, as_user: AsUser
) -> None:
    execution_id = await add_execution()
    await add_result(execution_id, "small", found={"text": SECRET_LINE}, diff=f"+ {SECRET_LINE}")
    await add_result(execution_id, "large", found={"text": SECRET_LINE * 5000})
    viewer = await as_user(VIEW)
    for form in ("json", "jsonl", "csv"):
        assert (await download(admin, execution_id, format=form)).text.count("S3cret") == 5002
        shown = (await download(viewer, execution_id, format=form)).text
        assert (shown.count("S3cret"), shown.count("********")) == (0, 5002)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "xml"}, "format"),
        ({"columns": "device"}, "columns"),
        ({"format": "csv", "columns": "device,colour"}, "columns"),
        ({"format": "csv", "columns": ""}, "columns"),
        ({"status": "lost"}, "status"),
    ],
)
async def test_an_export_that_makes_no_sense_is_refused(
    admin: httpx.AsyncClient, query: dict[str, str], field: str
) -> None:
    execution_id = await add_execution()
    answer = await admin.get(f"/automation/v1/executions/{execution_id}/results/export", params=query)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, field)


@pytest.mark.usefixtures("work")
async def test_totals_are_those_of_the_rows_whatever_is_filtered(admin: httpx.AsyncClient) -> None:
    await make_devices(admin, ["r1", "r2", "r3"])
    definition = workflow(
        step("a", "lab:read", hosts={"r2": "fail:auth"}),
        step("b", "lab:read"),
        step("lost", "lab:once"),
        edges=("start -> a", "a -> b"),
    )
    execution = await run(admin, definition, ["r1", "r2", "r3"])
    path = f"/automation/v1/executions/{execution['id']}/results"
    asked = [{}, {"node": "a"}, {"node": "lost"}, {"device": "r2"}, {"error_class": "auth"}, {"iteration": ""}]
    asked += [{"status": status} for status in ("success", "failed", "skipped", "unknown", "cancelled")]
    asked += [{"node": "a", "status": "failed"}, {"device": "r2", "status": "skipped"}, {"device": "nobody"}]
    totals = []
    for query in asked:
        answer = (await admin.get(path, params=query)).json()
        assert answer["meta"]["total"] == len(answer["data"]), query
        assert answer["meta"]["total_is_estimate"] is False
        totals.append(answer["meta"]["total"])
    assert totals[:6] == [7, 3, 0, 2, 1, 7]


async def test_a_device_is_found_by_name_and_by_id(admin: httpx.AsyncClient) -> None:
    execution_id = await add_execution()
    await add_host(execution_id, "r1")
    await add_result(execution_id, host="r1", device_name="the name it had then")
    await add_result(execution_id, host="r2")
    await database.execute("UPDATE execution_hosts SET name = 'core-1'")
    for device in ("r1", "core-1"):
        (row,) = await results(admin, str(execution_id), device=device)
        assert row["device"]["name"] == "the name it had then"


async def test_a_count_beyond_ten_thousand_is_an_estimate(admin: httpx.AsyncClient) -> None:
    execution_id = await add_execution()
    await add_result(execution_id)
    await database.execute(
        "INSERT INTO device_results SELECT gen_random_uuid(), execution, node_id, 'r' || n, device_id, device_name, "
        "iteration, attempt, status, handled, branch, outputs, output_hash, error_class, error_message, changed, diff, "
        "started_at, duration_ms FROM device_results, generate_series(2, 12000) AS n"
    )
    await database.execute("ANALYZE device_results")
    path = f"/automation/v1/executions/{execution_id}/results"
    meta = (await admin.get(path, params={"iteration": "", "limit": "1"})).json()["meta"]
    assert meta["total_is_estimate"] is True
    assert 10_000 < meta["total"] < 20_000


async def test_executions_are_found_by_who_when_what_and_how(admin: httpx.AsyncClient) -> None:
    asker = "00000000-0000-0000-0000-000000000007"
    await add_execution("old", age_days=10, requested_by_name="ann", dry_run=True)
    await add_execution("middle", age_days=5, requested_by_name="bob")
    await add_execution("new", status="failed", requested_by_name="ann")
    five = (await admin.get("/automation/v1/executions", params={"q": "mid"})).json()["data"][0]["created_at"]
    for query, expected in (
        ({"requested_by": "ann"}, ["new", "old"]),
        ({"requested_by": asker}, ["new", "middle", "old"]),
        ({"requested_by": "an"}, []),
        ({"created_after": five}, ["new", "middle"]),
        ({"created_before": five}, ["old"]),
        ({"dry_run": "true"}, ["old"]),
        ({"dry_run": "false", "status": "success"}, ["middle"]),
        ({"q": "BO"}, ["middle"]),
        ({"q": "%"}, []),
    ):
        assert await listed(admin, **query) == expected, query
    refused = await admin.get("/automation/v1/executions", params={"created_after": "yesterday"})
    assert (refused.status_code, refused.json()["error"]["details"][0]["field"]) == (422, "created_after")


async def test_devices_of_an_execution_are_found_by_part_of_their_name(admin: httpx.AsyncClient) -> None:
    execution_id = await add_execution(devices_total=2)
    for name in ("ber1-core-1", "muc1-core-1"):
        await add_host(execution_id, name)
    path = f"/automation/v1/executions/{execution_id}/devices"
    assert (await admin.get(path)).json()["meta"]["total"] == 2
    found = (await admin.get(path, params={"q": "BER"})).json()
    assert ([one["device"]["name"] for one in found["data"]], found["meta"]["total"]) == (["ber1-core-1"], 1)


async def test_the_indexes_that_lists_rely_on_are_there(pool: None) -> None:
    rows = await database.fetch("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
    defined = {row["indexdef"].partition(" USING btree ")[2] for row in rows}
    assert {
        "(execution, started_at)",
        "(execution, status, started_at)",
        "(execution, node_id, started_at)",
        "(execution, host_key)",
        "(execution, duration_ms)",
        "(execution, device_name)",
        "(execution, name)",
        "(requested_by_name)",
        "(output_hash) WHERE (output_hash IS NOT NULL)",
    } <= defined
