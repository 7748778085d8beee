from typing import Any

import pytest

from app.core import database
from app.data_tables.nodes import db_delete, db_insert, db_query, db_update, db_upsert
from tasks.errors import NodeError
from tests.support.table_nodes import Bench

OWN: dict[str, Any] = {"table": "custom", "custom_table": "scan_results"}
PORTS = [
    {"device": "r1", "port": "Gi0/1", "speed": 1000, "up": True, "vlans": [10, 20], "note": "Uplink to ber2"},
    {"device": "r1", "port": "Gi0/2", "speed": 100, "up": False, "vlans": [], "note": ""},
    {"device": "r2", "port": "Gi0/1", "speed": "auto", "up": True},
]


async def write(bench: Bench, rows: Any, *keys: str, **more: Any) -> dict[str, Any]:
    keys = keys or ("device", "port")
    return await bench.run(db_upsert, **OWN, key_columns=list(keys), data_expression=rows, **more)


async def read(bench: Bench, **more: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await bench.run(db_query, **OWN, **more))["results"]
    return rows


def condition(column: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"column": column, "operator": operator, "value": value}


async def refused(bench: Bench, node: Any, **given: Any) -> NodeError:
    with pytest.raises(NodeError) as raised:
        await bench.run(node, **given)
    return raised.value


async def test_rows_are_written_once_and_changed_after(bench: Bench) -> None:
    first = await write(bench, PORTS)
    assert (first["inserted_count"], first["updated_count"]) == (3, 0)
    again = await write(bench, [{"device": "r1", "port": "Gi0/1", "speed": 10}, {"device": "r3", "port": "1"}])
    assert (again["inserted_count"], again["updated_count"]) == (1, 1)
    (changed,) = await read(bench, where=[condition("speed", "equals", 10)])
    assert {name: changed[name] for name in PORTS[0]} == {**PORTS[0], "speed": 10}
    assert changed["row_created_at"] < changed["row_updated_at"]
    assert len(await read(bench)) == 4


async def test_what_was_read_can_be_written_back(bench: Bench) -> None:
    await write(bench, PORTS)
    before = await read(bench, order_by=[{"column": "row_id"}])
    await write(bench, before)
    after = await read(bench, order_by=[{"column": "row_id"}])
    assert [row["row_id"] for row in after] == [row["row_id"] for row in before]
    stored = await database.fetch("SELECT fields ? 'row_id' AS inside FROM data_records")
    assert {row["inside"] for row in stored} == {False}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (condition("speed", "equals", 1000), ["r1 Gi0/1"]),
        (condition("speed", "equals", "1000"), []),
        (condition("vlans", "equals", [10, 20]), ["r1 Gi0/1"]),
        (condition("vlans", "equals", [10]), []),
        (condition("device", "not_equals", "r1"), ["r2 Gi0/1"]),
        (condition("speed", "greater_than", 100), ["r1 Gi0/1"]),
        (condition("speed", "at_least", 100), ["r1 Gi0/1", "r1 Gi0/2"]),
        (condition("speed", "at_most", 100), ["r1 Gi0/2"]),
        (condition("port", "less_than", "Gi0/2"), ["r1 Gi0/1", "r2 Gi0/1"]),
        (condition("note", "contains", "UPLINK"), ["r1 Gi0/1"]),
        (condition("note", "contains", "%"), []),
        (condition("vlans", "contains", 20), ["r1 Gi0/1"]),
        (condition("speed", "in", [100, "auto"]), ["r1 Gi0/2", "r2 Gi0/1"]),
        (condition("note", "is_empty"), ["r1 Gi0/2", "r2 Gi0/1"]),
        (condition("note", "is_not_empty"), ["r1 Gi0/1"]),
        (condition("vlans", "is_empty"), ["r1 Gi0/2", "r2 Gi0/1"]),
        (condition("nowhere", "equals", 1), []),
        (condition("device'; DROP TABLE data_records --", "equals", "'"), []),
        (condition("row_id", "is_empty"), []),
    ],
)
async def test_conditions_choose_rows(bench: Bench, asked: dict[str, Any], expected: list[str]) -> None:
    await write(bench, PORTS)
    found = await read(bench, where=[asked], order_by=[{"column": "device"}, {"column": "port"}])
    assert [f"{row['device']} {row['port']}" for row in found] == expected


async def test_conditions_are_joined_columns_chosen_and_rows_ordered_and_bounded(bench: Bench) -> None:
    await write(bench, PORTS)
    either = [condition("speed", "equals", 100), condition("device", "equals", "r2")]
    assert await read(bench, where=either) == []
    order = [{"column": "speed", "direction": "desc"}]
    found = await read(bench, where=either, combine="or", columns=["speed", "note"], order_by=order)
    assert found == [{"speed": 100, "note": ""}, {"speed": "auto", "note": None}]
    outputs = await bench.run(db_query, **OWN, limit=2, order_by=[{"column": "row_created_at"}])
    assert (outputs["count"], outputs["first"]) == (2, outputs["results"][0])
    nothing = await bench.run(db_query, **OWN, where=[condition("device", "equals", "r9")])
    assert (nothing["results"], nothing["count"], nothing["first"]) == ([], 0, None)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (condition("speed", "greater_than", [1]), "only numbers and texts"),
        (condition("speed", "less_than", True), "only numbers and texts"),
        (condition("speed", "in", 5), "needs an array"),
        (condition("row_id", "equals", "r1"), "does not fit the column"),
        (condition("a\0b", "equals", 1), "database said"),
    ],
)
async def test_a_condition_that_cannot_be_asked_is_told(bench: Bench, asked: dict[str, Any], words: str) -> None:
    await write(bench, PORTS)
    error = await refused(bench, db_query, **OWN, where=[asked])
    assert (error.error_class, words in error.message) == ("validation", True), error.message


async def test_a_table_that_is_not_there_is_told(bench: Bench) -> None:
    for node, more in (
        (db_query, {}),
        (db_update, {"data_expression": [{"device": "r1"}], "key_column": "device"}),
        (db_delete, {"ids_expression": []}),
    ):
        error = await refused(bench, node, **OWN, **more)
        assert error.error_class == "validation"
        assert "no table 'scan_results' yet" in error.message
    assert "custom_table is empty" in (await refused(bench, db_query, table="custom")).message


async def test_a_table_keeps_its_key_while_it_has_rows(bench: Bench) -> None:
    await write(bench, PORTS)
    error = await refused(bench, db_upsert, **OWN, key_columns=["device"], data_expression=[{"device": "r1"}])
    assert "The key of the table 'scan_results' is device, port, and not device" in error.message
    await bench.run(db_delete, **OWN, where_type="conditions", where=[condition("device", "is_not_empty")])
    assert (await write(bench, [{"device": "r1"}], "device"))["inserted_count"] == 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"device": "r1"}], "item 0 has no 'port'"),
        ([PORTS[0], {"device": None, "port": "1"}], "item 1 has no 'device'"),
        ([{"device": ["r1"], "port": "1"}], "item 0 has no 'device'"),
        ([{"device": "r" * 300, "port": "1"}], "longer than 255"),
        ([{"device": "r1", "port": "1", "text": "x" * 140_000}], "more than 128 KiB"),
        ([{"device": "r1", "port": "1", "text": "a\0"}], "database said"),
        (["r1"], "is no object"),
        ("r1", "no array"),
    ],
)
async def test_a_row_that_cannot_be_written_keeps_all_out(bench: Bench, rows: Any, words: str) -> None:
    error = await refused(bench, db_upsert, **OWN, key_columns=["device", "port"], data_expression=rows)
    assert (error.error_class, words in error.message) == ("validation", True), error.message
    assert await database.fetch("SELECT FROM data_records") == []


async def test_inserting_what_is_there_is_an_error_or_leaves_it_or_changes_it(bench: Bench) -> None:
    await write(bench, PORTS[:1])
    rows = [{**PORTS[0], "speed": 5}, PORTS[1]]
    error = await refused(bench, db_insert, **OWN, data_expression=rows)
    assert '1 rows are in \'scan_results\' already: ["r1","Gi0/1"]' in error.message
    assert len(await read(bench)) == 1
    left = await bench.run(db_insert, **OWN, data_expression=rows, on_conflict="ignore")
    assert (left["count"], left["skipped_count"], left["updated_count"]) == (1, 1, 0)
    assert [row["port"] for row in left["inserted"]] == ["Gi0/2"]
    assert left["ids"] == [row["row_id"] for row in left["inserted"]]
    changed = await bench.run(db_insert, **OWN, data_expression=rows, on_conflict="update")
    assert (changed["count"], changed["updated_count"]) == (0, 2)
    assert await read(bench, columns=["speed"], where=[condition("port", "equals", "Gi0/1")]) == [{"speed": 5}]


async def test_rows_without_a_key_stand_for_themselves(bench: Bench) -> None:
    for count in (2, 4):
        await bench.run(db_insert, **OWN, data_expression=[{"a": 1}, {"a": 1}], batch_size=1)
        assert len(await read(bench)) == count


async def test_two_rows_of_one_key_are_an_error_or_one_row(bench: Bench) -> None:
    twice = [{"device": "r1", "a": 1}, {"device": "r1", "b": 2}]
    error = await refused(bench, db_insert, **OWN, data_expression=twice, conflict_columns=["device"])
    assert 'Two of the rows have the key ["r1"]' in error.message
    outputs = await write(bench, twice, "device")
    assert (outputs["inserted_count"], outputs["updated_count"]) == (1, 0)
    assert await read(bench, columns=["a", "b"]) == [{"a": 1, "b": 2}]
    outputs = await write(bench, [{"device": "r2", "a": 1}, {"device": "r2", "b": 2}], "device", batch_size=1)
    assert (outputs["inserted_count"], outputs["updated_count"]) == (1, 0)


async def test_fields_are_mapped_to_columns(bench: Bench) -> None:
    mapping = {"device": "host.name", "port": "if"}
    outputs = await write(bench, [{"host": {"name": "r1"}, "if": "1", "more": 5}], column_mapping=mapping)
    assert {name: outputs["results"][0].get(name) for name in ("device", "port", "more")} == {
        "device": "r1",
        "port": "1",
        "more": None,
    }
    error = await refused(
        bench, db_insert, **OWN, data_expression=[{"host": {}}], field_mapping={"device": "host.name"}
    )
    assert "item 0 has no 'host.name'" in error.message


async def test_rows_are_updated_by_a_column_or_by_conditions(bench: Bench) -> None:
    await write(bench, PORTS)
    outputs = await bench.run(
        db_update, **OWN, key_column="speed", data_expression=[{"speed": 100, "up": True}, {"speed": 7, "up": False}]
    )
    assert [(row["port"], row["up"]) for row in outputs["updated"]] == [("Gi0/2", True)]
    outputs = await bench.run(
        db_update,
        **OWN,
        where_type="conditions",
        where=[condition("device", "equals", "r1")],
        data_expression={"checked": "today"},
    )
    assert outputs["count"] == 2
    assert await read(bench, columns=["device"], where=[condition("checked", "is_empty")]) == [{"device": "r2"}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"where_type": "conditions", "data_expression": {"a": 1}}, "would mean every row"),
        ({"where_type": "conditions", "data_expression": [], "where": [condition("a", "is_empty")]}, "one object"),
        ({"key_column": "device", "data_expression": [{"up": True}]}, "item 0 has no 'device'"),
        ({"key_column": "device", "data_expression": [{"device": "r1", "port": "9"}]}, "part of the key"),
    ],
)  # fmt: skip
async def test_an_update_that_cannot_be_is_told(bench: Bench, given: dict[str, Any], words: str) -> None:
    await write(bench, PORTS)
    error = await refused(bench, db_update, **OWN, **given)
    assert (error.error_class, words in error.message) == ("validation", True), error.message


async def test_rows_are_deleted_by_ids_by_a_column_or_by_conditions(bench: Bench) -> None:
    await write(bench, PORTS)
    (slow,) = await read(bench, where=[condition("speed", "equals", 100)])
    outputs = await bench.run(db_delete, **OWN, ids_expression=[slow["row_id"]])
    assert outputs == {"count": 1, "ids": [slow["row_id"]]}
    outputs = await bench.run(
        db_delete, **OWN, where_type="by_column", column_name="device", column_values=["r2", "r7"]
    )
    assert outputs["count"] == 1
    assert [row["port"] for row in await read(bench)] == ["Gi0/1"]
    error = await refused(bench, db_delete, **OWN, where_type="conditions")
    assert "would mean every row" in error.message
    error = await refused(bench, db_delete, **OWN, ids_expression=["r1"])
    assert "does not fit the column" in error.message


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(bench: Bench) -> None:
    would = await bench.result(db_upsert, dry_run=True, **OWN, key_columns=["device", "port"], data_expression=PORTS)
    assert (would.diff, would.result["inserted_count"]) == ("+ 3 rows of custom:scan_results", 3)
    assert await database.fetch("SELECT FROM data_tables") == []
    await write(bench, PORTS)
    would = await bench.result(
        db_delete, dry_run=True, **OWN, where_type="by_column", column_name="device", column_values=["r1"]
    )
    assert (would.diff, would.result["count"]) == ("- 2 rows of custom:scan_results", 2)
    would = await bench.result(db_insert, dry_run=True, **OWN, data_expression=PORTS, on_conflict="update")
    assert would.diff == "~ 3 rows of custom:scan_results"
    assert bench.intended == []
    assert len(await read(bench)) == 3
    assert len(await database.fetch("SELECT FROM audit_entries WHERE action LIKE 'data_tables.%'")) == 1


async def test_a_write_is_on_record_and_an_insert_says_before_what_it_is_about_to_do(bench: Bench) -> None:
    await bench.run(db_insert, **OWN, data_expression=PORTS)
    assert bench.intended == ["insert 3 rows into custom:scan_results"]
    (entry,) = await database.fetch("SELECT * FROM audit_entries")
    assert (entry["action"], entry["actor_name"], entry["subject_id"]) == (
        "data_tables.rows.insert",
        "operator1",
        "scan_results",
    )
    assert '"inserted": 3' in entry["details"]


async def test_rows_that_weigh_too_much_together_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.data_tables.readers.HEAVIEST", 300)
    await write(bench, PORTS[:1])
    for number in range(5):
        await database.execute(
            "UPDATE data_records SET fields = fields || jsonb_build_object($1::text, $1::text)", str(number) * 100
        )
    error = await refused(bench, db_query, **OWN)
    assert "take fewer of them" in error.message
