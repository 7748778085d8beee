"""One PostgreSQL and one Valkey for all processes of a test run, and a migrated database for each."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path

import asyncpg

from app.core import database, migrations
from app.core.embedded import EmbeddedServices, PostgresAddress, locks, start_embedded
from app.identity.service import seed_roles
from tests.support import environment
from tests.support.placement import DATA_ROOT, FAST, READY, REPOSITORY

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
DATABASE = f"test_{WORKER}"
TEMPLATE, DRAFT = "test_template", "test_draft"
REDIS_DATABASES = 8
"""Valkey has twice as many: the upper half is for the workers, see tests.support.working."""
_order: list[str] = []
KEPT = {"migration", "roles"}


@contextmanager
def running(folder: Path) -> Iterator[EmbeddedServices]:
    """Run the servers of a folder while any process of the test run needs them, then leave nothing behind."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _guardian(folder), start_embedded(folder, settings=FAST, data_root=DATA_ROOT) as services:
        yield services


@contextmanager
def _guardian(folder: Path) -> Iterator[None]:
    """Have the servers started, and ended after us, by a process that outlives us."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.guardian", str(folder)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise RuntimeError(f"The servers of {folder} did not start; what the guardian said stands above.")
        yield


async def prepare(services: EmbeddedServices, folder: Path) -> None:
    """Point this process to a database of its own, cloned from a template that is migrated once per run."""
    postgres, valkey = services.postgres, services.valkey
    assert postgres is not None
    assert valkey is not None
    number = int(WORKER.removeprefix("gw")) % REDIS_DATABASES
    environment.point_to(
        postgres.address, database=DATABASE, redis_url=f"{valkey.url}?db={number}", state_dir=str(folder)
    )
    maintenance = await asyncpg.connect(**_arguments(postgres.address))
    try:
        with locks.turn(folder / "template.turn"):
            if not await maintenance.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
                await _make_template(maintenance)
            await _replace(maintenance, f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE}")
    finally:
        await maintenance.close()


async def empty_tables() -> None:
    """Empty every table; the built-in roles stay.

    A few rows are deleted, children first, which is ten times faster than truncating; where that cannot be, it is done.
    """
    order = await _children_first()
    questions = [f"SELECT '{table}' AS name WHERE EXISTS (SELECT FROM {table})" for table in order]
    filled = {row["name"] for row in await database.fetch(" UNION ALL ".join(questions))}
    try:
        async with database.transaction():
            for table in order:
                if table in filled:
                    await database.execute(f"DELETE FROM {table}")
    except asyncpg.PostgresError:
        await database.execute(f"TRUNCATE {', '.join(filled)} CASCADE")
    await database.execute("DELETE FROM roles WHERE NOT built_in")


async def _children_first() -> list[str]:
    """Return the tables, each before those that it refers to."""
    if not _order:
        tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        references = await database.fetch(
            "SELECT conrelid::regclass::text AS child, confrelid::regclass::text AS parent "
            "FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid"
        )
        parents: dict[str, set[str]] = {table["tablename"]: set() for table in tables}
        for reference in references:
            parents[reference["child"]].add(reference["parent"])
        parents_first = list(TopologicalSorter(parents).static_order())
        _order.extend(table for table in reversed(parents_first) if table not in KEPT)
    return _order


async def _make_template(maintenance: asyncpg.Connection) -> None:
    await _replace(maintenance, f"CREATE DATABASE {DATABASE}")  # Piccolo's engine asks it for its version
    await maintenance.execute(f"DROP DATABASE IF EXISTS {DRAFT} WITH (FORCE)")
    await maintenance.execute(f"CREATE DATABASE {DRAFT}")
    configuration = database.engine().config
    configuration["database"] = DRAFT
    try:
        await migrations.migrate()
        await database.open_pool()
        await seed_roles()
        await database.close_pool()
    finally:
        configuration["database"] = DATABASE
    await maintenance.execute(f"ALTER DATABASE {DRAFT} RENAME TO {TEMPLATE}")


async def _replace(maintenance: asyncpg.Connection, create: str) -> None:
    await maintenance.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await maintenance.execute(create)


def _arguments(address: PostgresAddress) -> dict[str, object]:
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        "database": address.database,
    }
