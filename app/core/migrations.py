"""Database schema: bring it up to date under an advisory lock, and say when it is not."""

import contextlib
import io
from importlib import import_module
from typing import Any

import asyncpg
from piccolo.apps.migrations.commands.forwards import run_forwards

from app.core import database
from app.core.errors import ConfigurationError, DatabaseError

APP_NAME = "opsconductor"
LOCK = 0x0C05_0001
"""The advisory lock's number: any, as long as nobody else's is the same."""


async def migrate() -> list[str]:
    """Apply what is missing, one process at a time, and return the ids of the migrations applied."""
    guard = await asyncpg.connect(**database.engine().config)
    try:
        await guard.execute("SELECT pg_advisory_lock($1)", LOCK)
        applied = await _applied(guard)
        _refuse_newer(applied)
        missing = [migration for migration in known() if migration not in applied]
        if missing:
            await _forwards()
        return missing
    finally:
        await guard.close()


async def require_current() -> None:
    """Raise ConfigurationError unless the schema is exactly the one this version knows."""
    guard = await asyncpg.connect(**database.engine().config)
    try:
        applied = await _applied(guard)
    finally:
        await guard.close()
    _refuse_newer(applied)
    missing = [migration for migration in known() if migration not in applied]
    if missing:
        raise ConfigurationError(
            f"The database lacks {len(missing)} migration(s) of this version. Run `opsconductor migrate`."
        )


def known() -> list[str]:
    """Return the ids of this version's migrations, oldest first."""
    config = import_module("app.piccolo_app").APP_CONFIG
    return sorted(module.ID for module in _migration_modules(config.migrations_folder_path))


def _migration_modules(folder: str) -> list[Any]:
    from piccolo.apps.migrations.commands.base import BaseMigrationManager  # noqa: PLC0415 — slow to import

    return list(BaseMigrationManager().get_migration_modules(folder).values())


async def _applied(connection: asyncpg.Connection) -> set[str]:
    if await connection.fetchval("SELECT to_regclass('migration')") is None:
        return set()
    rows = await connection.fetch("SELECT name FROM migration WHERE app_name = $1", APP_NAME)
    return {row["name"] for row in rows}


def _refuse_newer(applied: set[str]) -> None:
    newer = sorted(applied - set(known()))
    if newer:
        raise ConfigurationError(
            f"The database was migrated by a newer version of OpsConductor (it has {newer[-1]}). "
            "Install that version, or restore a backup made with this one."
        )


async def _forwards() -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        response = await run_forwards(app_name=APP_NAME, migration_id="all")
    if not response.success:
        raise DatabaseError(f"Migrating failed: {response.message or said.getvalue().strip()}")
