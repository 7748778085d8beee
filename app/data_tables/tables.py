"""Tables of the users' own: each is a name and the fields that are its key; its rows are JSON objects."""

from piccolo.columns import JSONB, UUID, ForeignKey, OnDelete, Timestamptz, Varchar
from piccolo.columns.indexes import IndexMethod
from piccolo.constraints import Check, Unique
from piccolo.table import Table

from app.core.clock import now, uuid7


class DataTable(Table, tablename="data_tables"):
    """A table that nodes write to; ``key_columns`` is empty where each row stands for itself."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=64, unique=True)
    key_columns = JSONB(default="[]")
    created_at = Timestamptz(default=now, index=True)


class DataRecord(Table, tablename="data_records"):
    """A row; ``key`` is the JSON array of its key columns' values, or its id."""

    id = UUID(primary_key=True, default=uuid7)
    data_table = ForeignKey(references=DataTable, on_delete=OnDelete.cascade, null=False)
    key = Varchar(length=255)
    fields = JSONB(index=True, index_method=IndexMethod.gin)
    created_at = Timestamptz(default=now)
    updated_at = Timestamptz(default=now)
    data_records_key_uq = Unique(["data_table", "key"])
    data_records_size_ck = Check("octet_length(fields::text) <= 131072")
