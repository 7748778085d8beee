import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.cli.client import Api
from app.cli.logins import GivenToken
from app.core.crypto import generate_key
from app.core.settings import load_settings
from tests.cli.conftest import Shell

PASSWORD = "a-long-enough-password"
NOWHERE = {"PG_HOST": "127.0.0.1", "PG_PORT": "9", "REDIS_URL": "redis://127.0.0.1:9/0"}
NOTHING = {"PG_HOST": "", "REDIS_URL": ""}


async def execute(database: str, statement: str) -> None:
    arguments = {**load_settings().require_postgres().connect_arguments(), "database": database}
    connection = await asyncpg.connect(**arguments)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
def fresh(services: object) -> Iterator[str]:
    """Return the name of an empty database."""
    mine = load_settings().require_postgres().database
    name = f"{mine}_fresh"
    asyncio.run(execute(mine, f"CREATE DATABASE {name}"))
    yield name
    asyncio.run(execute(mine, f"DROP DATABASE {name} WITH (FORCE)"))


def test_an_empty_database_is_brought_up_to_date_once(shell: Shell, fresh: str) -> None:
    first = shell("migrate", "--json", PG_DATABASE=fresh)
    assert (first.returncode, first.stderr) == (0, "")
    assert len(json.loads(first.stdout)["applied"]) >= 1
    assert shell("migrate", PG_DATABASE=fresh).stdout == "The database is up to date.\n"


def test_a_database_of_a_newer_version_is_left_alone(shell: Shell, fresh: str) -> None:
    assert shell("migrate", PG_DATABASE=fresh).stdout.startswith("Applied ")
    statement = "INSERT INTO migration (name, app_name) VALUES ('9999-01-01T00:00:00:000000', 'opsconductor')"
    asyncio.run(execute(fresh, statement))
    for words in (("migrate",), ("api",), ("user", "list"), ("up",)):
        result = shell(*words, PG_DATABASE=fresh, API_PORT=free_port())
        assert (result.returncode, result.stdout) == (4, ""), words
        assert "newer version" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_database_that_lacks_migrations_is_told_before_anything_is_served(shell: Shell, fresh: str) -> None:
    for words in (("api",), ("user", "list"), ("vault", "rotate")):
        result = shell(*words, PG_DATABASE=fresh, API_PORT=free_port())
        assert (result.returncode, result.stdout) == (4, ""), words
        assert "Run `opsconductor migrate`" in result.stderr


@pytest.mark.parametrize("words", [("migrate",), ("user", "list"), ("up",)])
def test_a_postgresql_that_is_away_is_told_with_its_place(shell: Shell, words: tuple[str, ...]) -> None:
    result = shell(*words, **NOWHERE, API_PORT=free_port())
    assert (result.returncode, result.stdout) == (5, "")
    assert result.stderr.startswith("Error: PostgreSQL at 127.0.0.1:9")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("name", "value"), [("PG_PASSWORD", "wrong"), ("PG_DATABASE", "nowhere")])
def test_a_postgresql_that_turns_us_away_is_told_with_the_reason(shell: Shell, name: str, value: str) -> None:
    result = shell("migrate", **{name: value})
    assert (result.returncode, result.stdout) == (5, "")
    assert "Check PG_HOST" in result.stderr


def test_a_schema_that_is_not_ours_is_told_without_a_traceback(shell: Shell, fresh: str) -> None:
    asyncio.run(execute(fresh, "CREATE TABLE executions (id int)"))
    result = shell("migrate", PG_DATABASE=fresh)
    assert (result.returncode, result.stdout) == (5, "")
    assert 'relation "executions" already exists' in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("words", [("migrate",), ("user", "list"), ("worker",), ("api",)])
def test_a_command_that_needs_a_database_invents_none(shell: Shell, words: tuple[str, ...], tmp_path: Path) -> None:
    result = shell(*words, **NOTHING, OPSCONDUCTOR_STATE_DIR=str(tmp_path / "state"), API_PORT=free_port())
    assert (result.returncode, result.stdout) == (4, "")
    assert "opsconductor up" in result.stderr
    assert not (tmp_path / "state").exists()


def test_a_setting_that_is_wrong_is_told_with_all_others(shell: Shell) -> None:
    result = shell("up", API_PORT="eighty", WORKERS="0", CREDENTIAL_MASTER_KEY="short")
    assert (result.returncode, result.stdout) == (4, "")
    for name in ("API_PORT", "WORKERS", "CREDENTIAL_MASTER_KEY"):
        assert f"\n  {name}: " in result.stderr


@pytest.mark.parametrize("words", [("up",), ("api",)])
def test_a_port_in_use_is_told_and_nothing_is_started(shell: Shell, words: tuple[str, ...], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = shell(*words, **NOTHING, API_PORT=port, OPSCONDUCTOR_STATE_DIR=str(tmp_path / "state"))
    assert (result.returncode, result.stdout) == (4, "")
    assert f"Port {port} of 127.0.0.1 is in use" in result.stderr
    assert not (tmp_path / "state").exists()


def test_a_state_folder_that_cannot_be_used_is_told(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = shell("up", **NOTHING, API_PORT=free_port(), OPSCONDUCTOR_STATE_DIR=str(tmp_path / "file" / "state"))
    assert (result.returncode, result.stdout) == (4, "")
    assert "OPSCONDUCTOR_STATE_DIR" in result.stderr


def test_a_certificate_that_cannot_be_used_is_told(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("nothing of the kind")
    for more, reason in (({"API_TLS_KEY": str(file)}, "cannot be used"), ({}, "belong together")):
        result = shell("api", API_PORT=free_port(), API_TLS_CERT=str(file), **more)
        assert (result.returncode, result.stdout) == (4, "")
        assert reason in result.stderr


def test_a_part_that_does_not_start_ends_the_others(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("nothing of the kind")
    more = {"API_TLS_CERT": str(file), "API_TLS_KEY": str(file), "OPSCONDUCTOR_STATE_DIR": str(tmp_path / "state")}
    result = shell("up", API_PORT=free_port(), WORKERS="1", **more)
    assert (result.returncode, result.stdout) == (5, "")
    assert "API_TLS_CERT" in result.stderr
    assert "The api ended while starting (status 4)." in result.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "CREDENTIAL_MASTER_KEY"])
def test_the_api_starts_with_both_keys_only(shell: Shell, name: str) -> None:
    result = shell("api", API_PORT=free_port(), **{name: ""})
    assert (result.returncode, result.stdout) == (4, "")
    assert f"{name} is not set" in result.stderr


def test_an_administrator_is_made_with_the_password_of_the_environment(shell: Shell, database: None) -> None:
    made = shell("user", "create-admin", "--username", "Ann", "--json", OPSCONDUCTOR_ADMIN_PASSWORD=PASSWORD)
    assert (made.returncode, made.stderr) == (0, "")
    assert (json.loads(made.stdout)["username"], json.loads(made.stdout)["roles"]) == ("ann", ["super_admin"])
    again = shell("user", "create-admin", "--username", "ann", OPSCONDUCTOR_ADMIN_PASSWORD=PASSWORD)
    assert (again.returncode, again.stdout) == (4, "")
    assert "taken" in again.stderr
    assert "super_admin" in shell("user", "list").stdout
    assert [one["username"] for one in json.loads(shell("user", "list", "--json").stdout)] == ["ann"]


@pytest.mark.parametrize(
    ("option", "stdin"), [(("--password-stdin",), f"{PASSWORD}\n"), ((), f"{PASSWORD}\n{PASSWORD}\n")]
)
def test_the_password_is_read_or_asked_for(shell: Shell, database: None, option: tuple[str, ...], stdin: str) -> None:
    result = shell("user", "create-admin", "--username", "ann", *option, stdin=stdin)
    assert (result.returncode, result.stdout) == (
        0,
        "The administrator ann is created. Log in with `opsconductor login`.\n",
    )
    assert PASSWORD not in result.stderr


@pytest.mark.parametrize(
    ("words", "password", "reason"),
    [
        (("--username", "a b"), PASSWORD, "username"),
        (("--username", "ann", "--email", "nobody"), PASSWORD, "email"),
        (("--username", "ann"), "short", "password: it has 5 characters"),
    ],
)
def test_an_administrator_that_cannot_be_is_refused(
    shell: Shell, database: None, words: tuple[str, ...], password: str, reason: str
) -> None:
    result = shell("user", "create-admin", *words, OPSCONDUCTOR_ADMIN_PASSWORD=password)
    assert (result.returncode, result.stdout) == (4, "")
    assert reason in result.stderr


def make_credential(url: str, token: str) -> None:
    with Api(url, GivenToken(token)) as api:
        body = {"name": "lab", "credential_type": "ssh", "data": {"username": "netops", "password": PASSWORD}}
        api.post("/credentials/v1/credentials", body)


def test_the_master_key_is_rotated_and_one_that_is_missing_is_told(
    shell: Shell, server_url: str, admin_token: str
) -> None:
    make_credential(server_url, admin_token)
    old, new = os.environ["CREDENTIAL_MASTER_KEY"], generate_key()
    without = shell("vault", "rotate", "--json", CREDENTIAL_MASTER_KEY=new)
    assert without.returncode == 1
    assert len(json.loads(without.stdout)["unreadable"]) == 1
    assert "CREDENTIAL_RETIRED_KEYS" in without.stderr
    rotated = shell("vault", "rotate", CREDENTIAL_MASTER_KEY=new, CREDENTIAL_RETIRED_KEYS=old)
    assert (rotated.returncode, rotated.stdout) == (0, "1 credential(s) sealed anew, 0 were current already.\n")
    again = shell("vault", "rotate", "--json", CREDENTIAL_MASTER_KEY=new)
    assert json.loads(again.stdout) == {"resealed": 0, "current": 1, "unreadable": []}


def checks(told: str) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(told)["checks"]}


def test_doctor_finds_everything_in_order(shell: Shell, server_url: str, admin_token: str) -> None:
    make_credential(server_url, admin_token)
    port = server_url.rpartition(":")[2]
    result = shell("doctor", "--json", API_PORT=port)
    found = checks(result.stdout)
    assert result.returncode == 0, result.stdout
    assert {check["verdict"] for check in found.values()} <= {"ok", "warning"}
    assert "OpsConductor answers" in found["API port"]["detail"]
    assert found["credentials"]["detail"] == "the newest and the oldest open"
    assert "migrations" in shell("doctor", API_PORT=free_port()).stdout


def test_doctor_names_what_is_broken_and_looks_at_the_rest(
    shell: Shell, server_url: str, admin_token: str, tmp_path: Path
) -> None:
    make_credential(server_url, admin_token)
    (tmp_path / "broken.py").write_text("1 +\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = shell(
            "doctor",
            "--json",
            REDIS_URL="redis://127.0.0.1:9/0",
            CREDENTIAL_MASTER_KEY=generate_key(),
            SECRET_KEY="",
            API_PORT=str(taken.getsockname()[1]),
            OPSCONDUCTOR_NODES_PATH=str(tmp_path),
        )
    assert result.returncode == 1
    broken = {name for name, check in checks(result.stdout).items() if check["verdict"] == "failed"}
    assert broken == {"SECRET_KEY", "credentials", "Redis", "API port", "node types"}


def test_doctor_without_services_says_so(shell: Shell, tmp_path: Path) -> None:
    state = tmp_path / "open"
    state.mkdir(mode=0o755)
    result = shell(
        "doctor", **NOTHING, OPSCONDUCTOR_STATE_DIR=str(state), CREDENTIAL_MASTER_KEY="", API_PORT=free_port()
    )
    assert result.returncode == 1
    assert "checks failed" in result.stdout
    broken = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("failed")]
    assert broken == ["state", "CREDENTIAL_MASTER_KEY", "PostgreSQL", "Redis"]
    away = checks(shell("doctor", "--json", **NOWHERE, API_PORT=free_port()).stdout)
    assert away["PostgreSQL"]["detail"].startswith("PostgreSQL at 127.0.0.1:9")
    assert "migrations" not in away


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])
