from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-24T11:20:30:000000"
VERSION = "1.38.0"
DESCRIPTION = "The version that a workflow has is the first one kept of it"


class RawTable(Table):
    pass


async def keep_versions():
    await RawTable.raw(
        "INSERT INTO workflow_versions (id, workflow, version, definition, settings, note, saved_by, saved_at) "
        "SELECT gen_random_uuid(), id, version, definition, settings, '', created_by, updated_at FROM workflows w "
        "WHERE NOT EXISTS (SELECT FROM workflow_versions v WHERE v.workflow = w.id AND v.version = w.version)"
    )


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="opsconductor", description=DESCRIPTION)
    manager.add_raw(keep_versions)
    return manager
