"""Registers every area's tables, and where their migrations are."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

MIGRATIONS = Path(__file__).resolve().parent.parent / "piccolo_migrations"

APP_CONFIG = AppConfig(
    app_name="opsconductor",
    migrations_folder_path=str(MIGRATIONS),
    table_classes=table_finder(
        modules=[
            "app.core.tables",
            "app.system.tables",
            "app.credentials.tables",
            "app.identity.tables",
            "app.devices.tables",
            "app.automation.workflows.tables",
            "app.automation.executions.tables",
            "app.data_tables.tables",
        ],
        exclude_imported=True,
    ),
    migration_dependencies=[],
    commands=[],
)
