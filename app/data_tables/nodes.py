"""The nodes of the palette that read and write tables."""

from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta
from nornir.core.task import Result

from app.core.declarations import OnConflict
from app.data_tables import service
from app.data_tables.faults import FAULTS, node_error
from app.data_tables.schemas import MOST_ROWS, Caller, ColumnName, Combine, Condition, SortColumn, Where
from app.data_tables.service import Rows
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.items import items_of, objects_of, required
from tasks.node import Expression, Handle, Params, node, outcome

T = TypeVar("T")
GIVEN = "{{ input.data }}"
database_node = partial(
    node,
    category="Database",
    package="database",
    scope="once",
    icon="database",
    color="#0369a1",
    inputs=(Handle("data"),),
    dry_run=True,
)

Readable = Annotated[
    Literal["devices", "device_groups", "executions", "execution_results", "custom"],
    Meta(description="The table; custom: the one of your own that custom_table names."),
]
Writable = Annotated[
    Literal["devices", "custom"],
    Meta(description="The table; custom: the one of your own that custom_table names."),
]
CustomTable = Annotated[
    str,
    Meta(
        max_length=64,
        pattern=r"^([a-z][a-z0-9_]*)?(?![\s\S])",
        description="custom: its name, of a-z, 0-9 and _, such as scan_results.",
    ),
]
Conditions = Annotated[list[Condition], Meta(max_length=50, description="Which rows are meant.")]
Combined = Annotated[Combine, Meta(description="and: every condition must hold; or: one is enough.")]
Data = Annotated[Expression, Meta(description="The rows: an object, or an array of objects.")]
FieldMapping = Annotated[
    dict[str, str],
    Meta(
        max_length=200,
        description="The columns to write, and the field of an item that each comes from, a dot leading deeper; "
        "none: all fields of the items, under their names.",
    ),
]
BatchSize = Annotated[
    int, Meta(ge=1, le=10_000, description="Rows that go to the database at once; it is all or nothing either way.")
]


class QueryParams(Params, frozen=True, kw_only=True):
    """Which rows of which table, and how many."""

    query_type: Annotated[Literal["simple"], Meta(description="simple: columns, conditions and an order.")] = "simple"
    table: Readable = "devices"
    custom_table: CustomTable = ""
    columns: Annotated[list[ColumnName], Meta(max_length=100, description="The columns to read; none: all.")] = []
    where: Conditions = []
    combine: Combined = "and"
    order_by: Annotated[
        list[SortColumn], Meta(max_length=10, description="The columns that decide, the first before the second.")
    ] = []
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS, description="How many rows to read at most.")] = 1000


class InsertParams(Params, frozen=True, kw_only=True):
    """Which rows come into which table."""

    table: Writable = "devices"
    custom_table: CustomTable = ""
    data_expression: Data = GIVEN
    field_mapping: FieldMapping = msgspec.field(default_factory=dict)
    on_conflict: Annotated[
        OnConflict,
        Meta(
            description="What to do with a row whose key is there: error: write nothing at all; ignore: leave it; "
            "update: set the fields that are given."
        ),
    ] = "error"
    conflict_columns: Annotated[
        list[ColumnName],
        Meta(
            max_length=10,
            description="The columns that are the table's key; a custom table gets them by its first rows, and none "
            "mean that each row stands for itself. Devices are known by name.",
        ),
    ] = []
    batch_size: BatchSize = 1000


class UpdateParams(Params, frozen=True, kw_only=True):
    """Which rows change, and how."""

    table: Writable = "devices"
    custom_table: CustomTable = ""
    where_type: Annotated[
        Literal["key_column", "conditions"],
        Meta(
            description="key_column: each item changes the rows that have its value there; conditions: one object "
            "changes all rows that are meant."
        ),
    ] = "key_column"
    key_column: Annotated[ColumnName, Meta(description="key_column: the column that items and rows share.")] = "name"
    where: Conditions = []
    combine: Combined = "and"
    data_expression: Annotated[
        Expression,
        Meta(description="key_column: an object, or an array of objects; conditions: an object with what to set."),
    ] = GIVEN


class UpsertParams(Params, frozen=True, kw_only=True):
    """Which rows are written, whether they are there or not."""

    table: Writable = "custom"
    custom_table: CustomTable = ""
    key_columns: Annotated[
        list[ColumnName],
        Meta(min_length=1, max_length=10, description="The columns by which a row is known; of devices, name."),
    ]
    data_expression: Data = GIVEN
    column_mapping: FieldMapping = msgspec.field(default_factory=dict)
    batch_size: BatchSize = 1000


class DeleteParams(Params, frozen=True, kw_only=True):
    """Which rows go."""

    table: Writable = "devices"
    custom_table: CustomTable = ""
    where_type: Annotated[
        Literal["by_ids", "by_column", "conditions"],
        Meta(
            description="by_ids: the rows of ids_expression; by_column: those with one of column_values; "
            "conditions: those of where."
        ),
    ] = "by_ids"
    ids_expression: Annotated[Expression, Meta(description="by_ids: the ids (row_id of a custom table), an array.")] = (
        "{{ input.ids | default(none) }}"
    )
    column_name: Annotated[ColumnName, Meta(description="by_column: the column that is looked at.")] = "name"
    column_values: Annotated[Expression, Meta(description="by_column: the values, an array.")] = (
        "{{ input.values | default(none) }}"
    )
    where: Conditions = []
    combine: Combined = "and"


@database_node(
    "db:query",
    name="Query Database",
    outputs=(
        Handle("results", "records", "The rows."),
        Handle("count", "number", "How many rows there are among the results."),
        Handle("first", "any", "The first row, or null."),
    ),
)
def db_query(context: NodeContext, params: QueryParams) -> Result:
    """Read rows of the inventory, of executions, or of a table of your own."""
    rows = _ask(
        context,
        service.query_rows(
            _table(params.table, params.custom_table),
            Where(conditions=params.where, combine=params.combine),
            _caller(context),
            columns=params.columns,
            order_by=params.order_by,
            limit=params.limit,
        ),
    )
    return outcome({"results": rows, "count": len(rows), "first": rows[0] if rows else None})


@database_node(
    "db:insert",
    name="Insert Records",
    idempotent=False,
    fences_itself=True,
    outputs=(
        Handle("inserted", "records", "The rows as they came in."),
        Handle("ids", "array", "Their ids."),
        Handle("count", "number", "How many came in."),
        Handle("updated_count", "number", "How many were there and were changed."),
        Handle("skipped_count", "number", "How many were left out, for their key was there."),
    ),
)
def db_insert(context: NodeContext, params: InsertParams) -> Result:
    """Write new rows, all of them or none: devices, or rows of a table of your own."""
    table = _table(params.table, params.custom_table)
    rows = _mapped(params.data_expression, params.field_mapping)
    if not context.dry_run:
        context.before_change([f"insert {len(rows)} rows into {table}"])
    written = _ask(
        context,
        service.insert_rows(
            table,
            rows,
            _caller(context),
            on_conflict=params.on_conflict,
            key_columns=params.conflict_columns,
            batch_size=params.batch_size,
        ),
    )
    outputs = {
        "inserted": written.inserted,
        "ids": _ids(written.inserted),
        "count": len(written.inserted),
        "updated_count": len(written.updated),
        "skipped_count": written.skipped,
    }
    return _written(table, written, outputs)


@database_node(
    "db:update",
    name="Update Records",
    outputs=(
        Handle("updated", "records", "The rows as they are now."),
        Handle("count", "number", "How many there are."),
    ),
)
def db_update(context: NodeContext, params: UpdateParams) -> Result:
    """Set columns of rows that are there, and leave the others."""
    table, caller = _table(params.table, params.custom_table), _caller(context)
    if params.where_type == "conditions":
        if not isinstance(params.data_expression, Mapping):
            raise NodeError("validation", "data_expression must be one object where conditions say what it changes.")
        where = Where(conditions=params.where, combine=params.combine)
        written = _ask(context, service.update_rows(table, where, params.data_expression, caller))
    else:
        rows = _objects(params.data_expression)
        written = _ask(context, service.update_each(table, params.key_column, rows, caller))
    return _written(table, written, {"updated": written.updated, "count": len(written.updated)})


@database_node(
    "db:upsert",
    name="Upsert Records",
    outputs=(
        Handle("results", "records", "The rows as they are now."),
        Handle("inserted_count", "number", "How many came in."),
        Handle("updated_count", "number", "How many were there and were changed."),
    ),
)
def db_upsert(context: NodeContext, params: UpsertParams) -> Result:
    """Write rows: one whose key is there gets the fields that are given, and any other comes in."""
    table = _table(params.table, params.custom_table)
    written = _ask(
        context,
        service.insert_rows(
            table,
            _mapped(params.data_expression, params.column_mapping),
            _caller(context),
            on_conflict="update",
            key_columns=params.key_columns,
            batch_size=params.batch_size,
        ),
    )
    outputs = {
        "results": [*written.inserted, *written.updated],
        "inserted_count": len(written.inserted),
        "updated_count": len(written.updated),
    }
    return _written(table, written, outputs)


@database_node(
    "db:delete",
    name="Delete Records",
    outputs=(Handle("count", "number", "How many rows went."), Handle("ids", "array", "Their ids.")),
)
def db_delete(context: NodeContext, params: DeleteParams) -> Result:
    """Delete rows: devices, which can be restored, or rows of a table of your own, which cannot."""
    table = _table(params.table, params.custom_table)
    id_column = "row_id" if params.table == service.OWN else "id"
    match params.where_type:
        case "by_ids":
            where = Where.one_of(id_column, items_of(params.ids_expression, "ids_expression"))
        case "by_column":
            where = Where.one_of(params.column_name, items_of(params.column_values, "column_values"))
        case "conditions":
            where = Where(conditions=params.where, combine=params.combine)
    written = _ask(context, service.delete_rows(table, where, _caller(context)))
    return _written(table, written, {"count": len(written.deleted), "ids": written.deleted})


def _table(table: str, custom_table: str) -> str:
    """Return a table's full name."""
    if table != service.OWN:
        return table
    if not custom_table:
        raise NodeError("validation", "custom_table is empty. Name the table of your own that is meant.")
    return f"{service.OWN}:{custom_table}"


def _caller(context: NodeContext) -> Caller:
    if not context.user_id:
        raise NodeError("unsupported", "Nobody is known on whose behalf to ask the database. Run it in a workflow.")
    return Caller(
        user_id=UUID(context.user_id),
        execution=str(context.execution.get("id") or ""),
        node=context.node_id,
        dry_run=context.dry_run,
    )


def _ask(context: NodeContext, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what asks the database, and say what it stumbled over as nodes do."""
    try:
        answer: T = context.run(coroutine)
    except FAULTS as error:
        raise node_error(error) from error
    return answer


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return objects_of([value] if isinstance(value, Mapping) else value, "data_expression")


def _mapped(value: Any, mapping: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return the rows that items make."""
    items = _objects(value)
    if not mapping:
        return items
    return [
        {column: required(item, path, f"item {place}") for column, path in mapping.items()}
        for place, item in enumerate(items)
    ]


def _ids(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [row.get("row_id", row.get("id")) for row in rows]


def _written(table: str, written: Rows, outputs: Mapping[str, Any]) -> Result:
    """Return what a write did, or would do."""
    counts = (("+", len(written.inserted)), ("~", len(written.updated)), ("-", len(written.deleted)))
    lines = [f"{sign} {count} row{'' if count == 1 else 's'} of {table}" for sign, count in counts if count]
    return outcome(outputs, changed=bool(lines), diff="\n".join(lines))
