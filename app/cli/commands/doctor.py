"""`opsconductor doctor`: whether everything is in order on this machine."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from functools import partial

import click

from app.cli import checks
from app.cli.checks import Check
from app.cli.failures import ExitCode
from app.cli.local import surroundings, with_database
from app.cli.output import json_option, print_json, print_table, say
from app.core.embedded.errors import EmbeddedError
from app.core.errors import AppError
from app.core.settings import Settings


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Check versions, services, keys and permissions.

    The exit code is 1 when something is broken, and 0 when there are warnings only.
    Embedded servers that `up` made are started for as long as this takes, when they do not run.
    """
    with surroundings(redis=True) as settings:
        found = [check for look in _looks(settings) for check in look]
    broken = sum(check.verdict == "failed" for check in found)
    if as_json:
        print_json({"ok": not broken, "checks": [asdict(check) for check in found]})
    else:
        print_table(("", "check", "detail"), [(check.verdict, check.name, check.detail) for check in found])
        say(f"{broken} of {len(found)} checks failed." if broken else "Everything that is needed is there.")
    ctx.exit(ExitCode.FAILED if broken else ExitCode.OK)


def _looks(settings: Settings) -> Iterator[list[Check]]:
    yield [checks.check_versions()]
    yield _guarded("state folder", lambda: [checks.check_state_folder(settings)])
    yield _guarded("SECRET_KEY", lambda: [checks.check_secret_key(settings)])
    keys = _guarded("CREDENTIAL_MASTER_KEY", lambda: [checks.check_master_key(settings)])
    yield keys
    yield from _database_looks(settings, has_keys=keys[0].verdict == "ok")
    yield _guarded("Redis", lambda: asyncio.run(checks.check_redis(settings)))
    yield [checks.check_port(settings)]
    yield [checks.check_icmp()]
    yield list(checks.check_nodes(settings))


def _database_looks(settings: Settings, *, has_keys: bool) -> Iterator[list[Check]]:
    """Look at PostgreSQL, and only then at what is in it."""
    looks: list[tuple[str, Callable[[], Awaitable[Check]]]] = [
        ("PostgreSQL", checks.check_postgresql),
        ("migrations", checks.check_migrations),
    ]
    if has_keys:
        looks.append(("credentials", checks.check_credentials))
    for name, look in looks:
        found = _guarded(name, partial(_with_database, settings, look))
        yield found
        if found[0].verdict == "failed":
            return


def _with_database(settings: Settings, look: Callable[[], Awaitable[Check]]) -> list[Check]:
    return [with_database(settings, look, current=False)]


def _guarded(name: str, look: Callable[[], list[Check]]) -> list[Check]:
    try:
        return look()
    except AppError as error:
        return [checks.failed(name, error.message)]
    except EmbeddedError as error:
        return [checks.failed(name, str(error))]
