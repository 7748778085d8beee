from uuid import UUID

import pytest

from app.core import database as core_database
from app.core.access import SYSTEM
from app.core.clock import uuid7
from app.core.crypto import DecryptionError, Keyring
from app.core.errors import ConfigurationError
from app.core.settings import load_settings
from app.credentials import service, vault
from app.credentials.schemas import CredentialCreate

OLD, NEW, STRANGE = (bytes([number]) * 32 for number in (1, 2, 3))


@pytest.fixture(autouse=True)
def _opened_vault() -> None:
    vault.configure(load_settings().require_keyring())


async def make(name: str) -> UUID:
    given = CredentialCreate(name=name, credential_type="ssh", data={"username": "u", "password": f"pw of {name}"})
    return (await service.create_credential(given, SYSTEM)).id


async def password_of(credential_id: UUID) -> str:
    revealed = await service.reveal_credential(credential_id, SYSTEM)
    assert isinstance(revealed.data, dict)
    return str(revealed.data["password"])


async def sealed_by(key: bytes) -> int:
    rows = await core_database.fetch("SELECT sealed FROM credentials WHERE deleted_at IS NULL")
    return sum(Keyring(key).is_current(row["sealed"]) for row in rows)


def test_a_sealed_credential_opens_only_as_itself() -> None:
    mine, other = uuid7(), uuid7()
    sealed = vault.seal(mine, "ssh", {"password": "pw"})
    assert b"pw" not in sealed
    assert vault.unseal(mine, "ssh", sealed) == {"password": "pw"}
    with pytest.raises(DecryptionError, match="belongs to another record"):
        vault.unseal(other, "ssh", sealed)
    with pytest.raises(DecryptionError):
        vault.unseal(mine, "snmp", sealed)


def test_the_same_fields_never_look_the_same_sealed() -> None:
    mine = uuid7()
    assert vault.seal(mine, "ssh", {"a": 1}) != vault.seal(mine, "ssh", {"a": 1})


def test_a_process_without_keys_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_keyring", None)
    with pytest.raises(ConfigurationError, match="CREDENTIAL_MASTER_KEY"):
        vault.seal(uuid7(), "ssh", {})


def test_no_master_key_is_ever_invented() -> None:
    with pytest.raises(ConfigurationError, match="never invents one"):
        load_settings({}).require_keyring()


async def test_rotation_seals_everything_with_the_active_key(database: None) -> None:
    vault.configure(Keyring(OLD))
    made = [await make(f"c{number}") for number in range(5)]
    vault.configure(Keyring(NEW, (OLD,)))
    done = await vault.rotate_master_key(batch=2)
    assert (done.resealed, done.current, done.unreadable) == (5, 0, ())
    vault.configure(Keyring(NEW))
    assert [await password_of(one) for one in made] == [f"pw of c{number}" for number in range(5)]


async def test_a_rotation_that_was_cut_off_goes_on_where_it_was(database: None) -> None:
    vault.configure(Keyring(OLD))
    for number in range(3):
        await make(f"c{number}")
    vault.configure(Keyring(NEW, (OLD,)))
    await make("made meanwhile")
    done = await vault.rotate_master_key()
    assert (done.resealed, done.current) == (3, 1)
    again = await vault.rotate_master_key()
    assert (again.resealed, again.current) == (0, 4)
    assert await sealed_by(NEW) == 4


async def test_rotation_names_what_no_key_opens_and_does_the_rest(database: None) -> None:
    vault.configure(Keyring(STRANGE))
    lost = await make("lost")
    vault.configure(Keyring(OLD))
    await make("kept")
    vault.configure(Keyring(NEW, (OLD,)))
    done = await vault.rotate_master_key()
    assert (done.resealed, done.unreadable) == (1, (lost,))
    assert await sealed_by(STRANGE) == 1


async def test_rotation_changes_nothing_but_the_seal(database: None) -> None:
    vault.configure(Keyring(OLD))
    made = await make("c")
    before = await service.get_credential(made)
    vault.configure(Keyring(NEW, (OLD,)))
    await vault.rotate_master_key()
    assert await service.get_credential(made) == before


async def test_rotation_of_an_empty_vault_does_nothing(database: None) -> None:
    done = await vault.rotate_master_key()
    assert (done.resealed, done.current, done.unreadable) == (0, 0, ())
