from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.core import database

ID = "2026-11-24T11:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "records: indexes over several columns, which tables cannot declare"
INDEXES = {
    "device_results_started_idx": "device_results (execution, started_at)",
    "device_results_status_idx": "device_results (execution, status, started_at)",
    "device_results_node_idx": "device_results (execution, node_id, started_at)",
    "device_results_host_idx": "device_results (execution, host_key)",
    "device_results_duration_idx": "device_results (execution, duration_ms)",
    "device_results_device_idx": "device_results (execution, device_name)",
    "device_results_error_idx": "device_results (execution, error_class, started_at) WHERE error_class <> ''",
    "device_results_output_idx": "device_results (output_hash) WHERE output_hash IS NOT NULL",
    "execution_hosts_name_idx": "execution_hosts (execution, name)",
}


async def create() -> None:
    async with database.connection() as lent:
        for name, definition in INDEXES.items():
            await lent.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {definition}")


async def drop() -> None:
    async with database.connection() as lent:
        for name in INDEXES:
            await lent.execute(f"DROP INDEX IF EXISTS {name}")


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="opsconductor", description=DESCRIPTION)
    manager.add_raw(create)
    manager.add_raw_backwards(drop)
    return manager
