"""What operators are told of settings: every one there is, who reads it, and its default."""

import re
from dataclasses import fields
from pathlib import Path

from app.automation.executions.reconciler import reconcile
from app.core.settings import PostgresSettings, Settings, load_settings
from app.identity.attempts import ACCOUNT_LIMIT, ADDRESS_LIMIT, WINDOW_S
from tests.support.pages import REPOSITORY, read, rows, section
from worker import DUTIES

PAGE = read("docs/operate.md")
READ = re.compile(r'reader\.(?:text|read)\(\s*"([A-Z_]+)"')
REQUIRED_BY = {
    "credential_master_key": "require_keyring",
    "credential_retired_keys": "require_keyring",
    "secret_key": "require_secret_key",
    "redis_url": "require_redis",
    "postgres": "require_postgres",
}
NAMED = {
    "OPSCONDUCTOR_NODES_PATH": "nodes_path",
    "OPSCONDUCTOR_STATE_DIR": "state_dir",
    "OPSCONDUCTOR_OS_USER": "embedded_os_user",
    "DATABASE_URL": "postgres",
}
EVERYWHERE = ("app/piccolo_conf.py", "app/core/logging.py")
READERS = {
    "api": ("app/cli/commands/api.py", "app/main.py", "app/web/**/*.py", "app/**/routes.py", "app/**/routes/*.py"),
    "worker": ("worker.py", "app/core/workers/*.py", "app/automation/**/engine/*.py"),
}


def settings_table() -> dict[str, list[str]]:
    """Return the other cells of each setting's row, by its name."""
    found = [[cell.strip() for cell in row] for row in rows(section(PAGE, "## Settings"))]
    return {row[0].strip("`"): row[1:] for row in found if len(row) == 4}


def attribute_of(name: str) -> str:
    """Return the attribute of Settings that a variable ends in."""
    prefix = {"PG_": "postgres", "REDIS_": "redis_url"}.get(f"{name.partition('_')[0]}_")
    return NAMED.get(name) or prefix or name.lower()


def reads(process: str, attribute: str) -> bool:
    """Say whether a process' modules read an attribute of the settings."""
    word = REQUIRED_BY.get(attribute, attribute)
    files = [file for pattern in (*READERS[process], *EVERYWHERE) for file in REPOSITORY.glob(pattern)]
    assert len(files) > len(EVERYWHERE)
    return any(re.search(rf"(?:settings|early|\))\.{word}\b", file.read_text(encoding="utf-8")) for file in files)


def test_the_table_names_every_setting_and_no_other() -> None:
    source = (REPOSITORY / "app/core/settings.py").read_text(encoding="utf-8")
    assert set(settings_table()) == set(READ.findall(source))
    attributes = {attribute_of(name) for name in settings_table()}
    assert attributes == {field.name for field in fields(Settings)}


def test_the_table_says_which_process_reads_a_setting() -> None:
    for name, (readers, _, _) in settings_table().items():
        told = {word for word in re.split(r", *", readers) if word}
        assert told <= {"api", "worker", "up"}, name
        assert told - {"up"} == {process for process in READERS if reads(process, attribute_of(name))}, name
        assert ("up" in told) == (name in {"OPSCONDUCTOR_STATE_DIR", "OPSCONDUCTOR_OS_USER"}), name


def test_the_table_tells_the_defaults() -> None:
    told = {name: cells[1].strip("`") for name, cells in settings_table().items() if cells[1].startswith("`")}
    elsewhere = {"OPSCONDUCTOR_OS_USER": "nobody", "REDIS_PORT": "6379", "REDIS_TLS": "false"}
    state = told.pop("OPSCONDUCTOR_STATE_DIR")
    assert Path(state).expanduser() == Settings().state_dir
    for name, expected in elsewhere.items():
        assert told.pop(name) == expected
    postgres = PostgresSettings(host="db")
    for name in [name for name in told if name.startswith("PG_")]:
        assert told.pop(name) == str(getattr(postgres, name.removeprefix("PG_").lower()))
    for name, default in told.items():
        assert load_settings({name: default}) == Settings(), name


def test_every_setting_is_explained() -> None:
    for name, cells in settings_table().items():
        assert len(cells[2]) > 8, name
        assert cells[2].endswith("."), name


def test_the_figures_told_are_those_of_the_code() -> None:
    assert (ACCOUNT_LIMIT, ADDRESS_LIMIT, WINDOW_S) == (10, 50, 15 * 60)
    assert "Ten wrong passwords for an account, or fifty attempts from an address, within 15 minutes" in PAGE
    assert [duty.every_s for duty in DUTIES if duty.run is reconcile] == [3.0]
    assert "Every three seconds" in read("docs/architecture.md")
