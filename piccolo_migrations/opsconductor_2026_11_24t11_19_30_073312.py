from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import UUID
from piccolo.columns.column_types import Varchar

ID = "2026-11-24T11:19:30:073312"
VERSION = "1.38.0"
DESCRIPTION = "records: executions found by who asked for them"


async def forwards():
    manager = MigrationManager(
        migration_id=ID, app_name="opsconductor", description=DESCRIPTION
    )

    manager.alter_column(
        table_class_name="Execution",
        tablename="executions",
        column_name="requested_by_name",
        db_column_name="requested_by_name",
        params={"index": True},
        old_params={"index": False},
        column_class=Varchar,
        old_column_class=Varchar,
        schema=None,
    )

    manager.alter_column(
        table_class_name="Result",
        tablename="device_results",
        column_name="device_id",
        db_column_name="device_id",
        params={"index": False},
        old_params={"index": True},
        column_class=UUID,
        old_column_class=UUID,
        schema=None,
    )

    return manager
