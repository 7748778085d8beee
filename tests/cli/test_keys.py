import stat
from pathlib import Path

from app.cli.keys import MASTER_KEY, RETIRED_KEYS, SECRET_KEY, kept_keys, keys_file, make_missing_keys
from app.core.settings import load_settings


def test_missing_keys_are_made_once_and_kept_for_their_owner_only(tmp_path: Path) -> None:
    make_missing_keys(tmp_path, {})
    first = kept_keys(tmp_path, {})
    make_missing_keys(tmp_path, {})
    assert kept_keys(tmp_path, {}) == first
    assert set(first) == {SECRET_KEY, MASTER_KEY}
    assert stat.S_IMODE(keys_file(tmp_path).stat().st_mode) == 0o600
    settings = load_settings(first)
    assert settings.secret_key == first[SECRET_KEY]
    assert settings.credential_master_key is not None


def test_keys_of_the_environment_are_neither_made_nor_kept(tmp_path: Path) -> None:
    make_missing_keys(tmp_path, {SECRET_KEY: "x", MASTER_KEY: "y"})
    assert not keys_file(tmp_path).exists()
    make_missing_keys(tmp_path, {SECRET_KEY: "x"})
    assert set(kept_keys(tmp_path, {})) == {MASTER_KEY}
    assert kept_keys(tmp_path, {MASTER_KEY: "y"}) == {}


def test_a_retired_key_in_the_file_is_used_and_stays(tmp_path: Path) -> None:
    keys_file(tmp_path).write_text(f"{RETIRED_KEYS}=old\n{MASTER_KEY}=new\n")
    make_missing_keys(tmp_path, {})
    kept = kept_keys(tmp_path, {})
    assert (kept[RETIRED_KEYS], kept[MASTER_KEY]) == ("old", "new")
    assert SECRET_KEY in kept


def test_without_a_file_there_are_no_keys(tmp_path: Path) -> None:
    assert kept_keys(tmp_path, {}) == {}
