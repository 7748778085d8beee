import httpx

from app.core import database
from app.data_tables.nodes import db_upsert
from tests.support.callers import AsUser
from tests.support.table_nodes import Bench

URL = "/automation/v1/data-tables"


async def fill(bench: Bench, name: str = "ports", count: int = 3) -> None:
    rows = [{"device": f"r{number}", "text": "snmp-server community s3cret RO"} for number in range(count)]
    await bench.run(db_upsert, custom_table=name, key_columns=["device"], data_expression=rows)


async def test_tables_and_their_rows_are_listed_page_by_page(bench: Bench, admin: httpx.AsyncClient) -> None:
    for name in ("scans", "ports"):
        await fill(bench, name)
    tables = (await admin.get(URL)).json()["data"]
    assert [(table["name"], table["key_columns"]) for table in tables] == [("ports", ["device"]), ("scans", ["device"])]
    seen = []
    cursor: dict[str, str] = {}
    while True:
        answer = (await admin.get(f"{URL}/ports/rows", params={"limit": "2", **cursor})).json()
        seen += [row["fields"]["device"] for row in answer["data"]]
        if answer["meta"]["next_cursor"] is None:
            break
        cursor = {"cursor": answer["meta"]["next_cursor"]}
    assert (seen, answer["meta"]["total"]) == (["r0", "r1", "r2"], 3)


async def test_what_looks_like_a_secret_is_masked_for_most_readers(
    bench: Bench, admin: httpx.AsyncClient, as_user: AsUser
) -> None:
    await fill(bench, count=1)
    reader = await as_user("automation.execution.view", username="reader")
    for client, shown in ((admin, "s3cret"), (reader, "********")):
        (row,) = (await client.get(f"{URL}/ports/rows")).json()["data"]
        assert row["fields"]["text"] == f"snmp-server community {shown} RO"


async def test_a_table_is_deleted_with_its_rows(bench: Bench, admin: httpx.AsyncClient) -> None:
    await fill(bench)
    assert (await admin.delete(f"{URL}/ports")).status_code == 200
    assert await database.fetch("SELECT FROM data_records") == []
    (entry,) = await database.fetch("SELECT * FROM audit_entries WHERE action = 'data_tables.table.delete'")
    assert entry["subject_id"] == "ports"
    for answer in (await admin.delete(f"{URL}/ports"), await admin.get(f"{URL}/ports/rows")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "DATA_TABLE_NOT_FOUND")
