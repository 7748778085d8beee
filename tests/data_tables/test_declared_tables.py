from typing import Any, get_args, get_type_hints
from uuid import UUID

import pytest

from app.core import database
from app.core.access import SYSTEM
from app.core.errors import AuthorizationError
from app.data_tables import service
from app.data_tables.nodes import InsertParams, QueryParams, db_delete, db_insert, db_query, db_update, db_upsert
from app.identity.acting import acting_user
from tasks.errors import NodeError
from tasks.node import Params
from tests.support import callers
from tests.support.table_nodes import Bench, MakeBench

ROUTERS: list[dict[str, Any]] = [
    {"name": "r1", "address": "192.0.2.1", "platform": "cisco_ios", "site": "ber", "tags": ["core"],
     "data": {"rack": 5}},
    {"name": "r2", "address": "192.0.2.2", "platform": "cisco_ios", "site": "ham", "port": 2222},
    {"name": "s1", "address": "192.0.2.3", "platform": "ciena_saos", "site": "ber"},
]  # fmt: skip


@pytest.fixture
async def devices(bench: Bench) -> list[str]:
    """Put three devices into the inventory, and return their ids."""
    return list((await bench.run(db_insert, data_expression=ROUTERS))["ids"])


async def refused(bench: Bench, node: Any, **given: Any) -> NodeError:
    with pytest.raises(NodeError) as raised:
        await bench.run(node, **given)
    return raised.value


async def names(bench: Bench, **given: Any) -> list[str]:
    rows = (await bench.run(db_query, order_by=[{"column": "name"}], **given))["results"]
    return [row["name"] for row in rows]


def tables_of(params: type[Params]) -> set[str]:
    return set(get_args(get_type_hints(params)["table"]))


def test_the_palette_offers_the_tables_that_are_declared() -> None:
    assert tables_of(QueryParams) == {*service.DECLARED, service.OWN}
    written = {name for name, table in service.DECLARED.items() if table.changes is not None}
    assert tables_of(InsertParams) == {*written, service.OWN}


def test_no_table_of_users_or_secrets_is_declared() -> None:
    tables = {declared.table._meta.tablename for declared in service.DECLARED.values()}  # noqa: SLF001
    assert tables == {"devices", "device_groups", "executions", "device_results"}
    for declared in service.DECLARED.values():
        assert declared.columns.keys().isdisjoint({"outputs", "diff", "error_message", "definition", "variables"})


async def test_devices_come_in_as_by_the_api_and_are_read(bench: Bench, devices: list[str]) -> None:
    (row,) = (await bench.run(db_query, where=[{"column": "id", "value": devices[0]}]))["results"]
    assert {name: row[name] for name in ROUTERS[0]} == ROUTERS[0]
    assert {"living_name", "deleted_at", "custom"}.isdisjoint(row)
    assert bench.intended == ["insert 3 rows into devices"]


@pytest.mark.parametrize(
    ("column", "operator", "value", "expected"),
    [
        ("site", "equals", "ber", ["r1", "s1"]),
        ("site", "not_equals", "ber", ["r2"]),
        ("name", "contains", "R", ["r1", "r2"]),
        ("name", "in", ["r1", "s1", "x"], ["r1", "s1"]),
        ("name", "greater_than", "r1", ["r2", "s1"]),
        ("port", "at_least", "2222", ["r2"]),
        ("port", "is_empty", None, ["r1", "s1"]),
        ("port", "is_not_empty", None, ["r2"]),
        ("vendor", "is_empty", None, ["r1", "r2", "s1"]),
        ("tags", "contains", "core", ["r1"]),
        ("tags", "is_empty", None, ["r2", "s1"]),
        ("data", "contains", {"rack": 5}, ["r1"]),
        ("data", "is_not_empty", None, ["r1"]),
        ("created_at", "less_than", "2001-01-01T00:00:00Z", []),
        ("site", "equals", "' OR 1=1 --", []),
    ],
)
async def test_conditions_choose_devices(
    bench: Bench, devices: list[str], column: str, operator: str, value: Any, expected: list[str]
) -> None:
    assert await names(bench, where=[{"column": column, "operator": operator, "value": value}]) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"where": [{"column": "living_name", "value": "r1"}]}, "devices has no column 'living_name'; it has id, name"),
        ({"columns": ["deleted_at"]}, "columns: devices has no column 'deleted_at'"),
        ({"order_by": [{"column": "name; DROP TABLE devices"}]}, "order_by: devices has no column"),
        ({"where": [{"column": "port", "value": "ssh"}]}, "does not fit the column"),
        ({"where": [{"column": "port", "value": 99999999999}]}, "database said"),
        ({"where": [{"column": "name"}]}, "is_empty"),
        ({"where": [{"column": "tags", "value": ["core"]}]}, "which only contains, is_empty, is_not_empty"),
        ({"where": [{"column": "port", "operator": "contains", "value": "2"}]}, "holds no text"),
        ({"where": [{"column": "name", "operator": "contains", "value": 2}]}, "needs a text"),
    ],
)
async def test_a_question_that_cannot_be_asked_is_told(
    bench: Bench, devices: list[str], given: dict[str, Any], words: str
) -> None:
    error = await refused(bench, db_query, **given)
    assert (error.error_class, words in error.message) == ("validation", True), error.message


@pytest.mark.parametrize("table", ["users", "credentials", "sessions", "pg_shadow", "", "custom:"])
async def test_a_table_that_is_not_declared_is_refused(bench: Bench, table: str) -> None:
    with pytest.raises(Exception, match="table"):
        await bench.run(db_query, table=table)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"name": "x"}], "item 0: address: is required"),
        ([{**ROUTERS[0], "name": "x", "platform": "cisco_iso"}], "item 0: platform"),
        ([{**ROUTERS[0], "name": "x"}, ROUTERS[1]], "item 1: name: a device of this name is there already"),
        ([{**ROUTERS[0], "name": "x", "credential_ids": []}], "nodes do not write to credential_ids"),
        ([{**ROUTERS[0], "name": "x", "id": "0192f0c0-0000-7000-8000-000000000000"}], "nodes do not write to id"),
    ],
)
async def test_devices_that_cannot_be_keep_all_out(
    bench: Bench, devices: list[str], rows: list[Any], words: str
) -> None:
    error = await refused(bench, db_insert, data_expression=rows)
    assert (error.error_class, words in error.message) == ("validation", True), error.message
    assert await names(bench) == ["r1", "r2", "s1"]


async def test_devices_that_are_there_are_left_or_changed(bench: Bench, devices: list[str]) -> None:
    rows = [{**ROUTERS[0], "site": "fra"}, {**ROUTERS[0], "name": "r9"}]
    left = await bench.run(db_insert, data_expression=rows, on_conflict="ignore", conflict_columns=["name"])
    assert ([row["name"] for row in left["inserted"]], left["skipped_count"]) == (["r9"], 1)
    changed = await bench.run(db_upsert, table="devices", key_columns=["name"], data_expression=rows)
    assert (changed["inserted_count"], changed["updated_count"]) == (0, 2)
    assert await names(bench, where=[{"column": "site", "value": "fra"}]) == ["r1"]
    error = await refused(bench, db_upsert, table="devices", key_columns=["address"], data_expression=rows)
    assert "known by its name alone" in error.message


async def test_devices_are_updated_by_a_column_or_by_conditions(bench: Bench, devices: list[str]) -> None:
    outputs = await bench.run(db_update, data_expression=[{"name": "r1", "os_version": "17.3"}, {"name": "gone"}])
    assert [(row["name"], row["os_version"]) for row in outputs["updated"]] == [("r1", "17.3")]
    outputs = await bench.run(
        db_update,
        where_type="conditions",
        where=[{"column": "site", "value": "ber"}],
        data_expression={"status": "offline", "tags": ["x"]},
    )
    assert [(row["status"], row["tags"]) for row in outputs["updated"]] == [("offline", ["x"])] * 2
    (entry, *_) = await database.fetch("SELECT * FROM audit_entries WHERE action = 'devices.device.update'")
    assert entry["actor_name"] == "operator1"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"status": "broken"}, "item 0: status"),
        ({"platform": "cisco_iso"}, "item 0: platform"),
        ({"address": "not an address"}, "item 0: address"),
        ({"max_sessions": 16}, "nodes do not write to max_sessions"),
        ({"living_name": "x"}, "nodes do not write to living_name"),
        ({"deleted_at": None}, "nodes do not write to deleted_at"),
    ],
)
async def test_a_change_that_the_api_would_refuse_is_refused(
    bench: Bench, devices: list[str], values: dict[str, Any], words: str
) -> None:
    error = await refused(bench, db_update, data_expression=[{"name": "r1", **values}])
    assert (error.error_class, words in error.message) == ("validation", True), error.message


async def test_deleted_devices_can_be_restored(bench: Bench, devices: list[str]) -> None:
    outputs = await bench.run(db_delete, ids_expression=devices[:2])
    assert outputs["count"] == 2
    assert await names(bench) == ["s1"]
    kept = await database.fetch("SELECT name FROM devices WHERE deleted_at IS NOT NULL ORDER BY name")
    assert [row["name"] for row in kept] == ["r1", "r2"]
    assert (await bench.run(db_delete, ids_expression=devices[:2]))["count"] == 0


async def test_a_dry_run_leaves_the_inventory_alone(bench: Bench, devices: list[str]) -> None:
    would = await bench.result(db_delete, dry_run=True, ids_expression=devices)
    assert would.diff == "- 3 rows of devices"
    would = await bench.result(db_update, dry_run=True, data_expression=[{"name": "r1", "site": "fra"}])
    assert would.result["updated"][0]["site"] == "fra"
    assert await names(bench, where=[{"column": "site", "value": "ber"}]) == ["r1", "s1"]


@pytest.mark.parametrize(
    ("node", "given", "held"),
    [
        (db_query, {}, []),
        (db_query, {"table": "executions"}, ["devices.device.view"]),
        (db_insert, {"data_expression": ROUTERS}, ["devices.device.view", "devices.device.edit"]),
        (
            db_upsert,
            {"table": "devices", "key_columns": ["name"], "data_expression": ROUTERS},
            ["devices.device.view", "devices.device.create"],
        ),
        (db_update, {"data_expression": [{"name": "r1", "site": "x"}]}, ["devices.device.view"]),
        (db_delete, {"ids_expression": []}, ["devices.device.view", "devices.device.edit"]),
    ],
)
async def test_a_node_may_do_what_its_user_may(
    bench_of: MakeBench, node: Any, given: dict[str, Any], held: list[str]
) -> None:
    error = await refused(await bench_of(*held), node, **given)
    assert (error.error_class, "This needs the permission" in error.message) == ("auth", True), error.message


async def test_nobody_acts_for_a_user_who_is_gone(bench: Bench) -> None:
    await database.execute("UPDATE users SET status = 'disabled'")
    error = await refused(bench, db_query)
    assert (error.error_class, "disabled" in error.message) == ("auth", True)
    error = await refused(Bench(""), db_query)
    assert (error.error_class, "Nobody is known" in error.message) == ("unsupported", True)


async def test_who_acts_has_the_permissions_he_holds_now(database: None) -> None:
    user_id = await callers.make_user("somebody", ["devices.device.view", "no.such.permission"])
    actor = await acting_user(user_id)
    assert (actor.username, actor.permissions) == ("somebody", frozenset({"devices.device.view"}))
    assert await acting_user(SYSTEM.user_id) is SYSTEM
    with pytest.raises(AuthorizationError):
        await acting_user(UUID("0192f0c0-0000-7000-8000-000000000000"))


async def test_how_executions_ended_is_read(bench: Bench) -> None:
    for table in ("executions", "execution_results", "device_groups"):
        assert (await bench.run(db_query, table=table))["count"] == 0
