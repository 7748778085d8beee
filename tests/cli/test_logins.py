import stat
from pathlib import Path

import pytest

from app.cli.logins import GivenToken, Login, LoginFile
from app.core.errors import ConfigurationError

URL, OTHER = "http://127.0.0.1:5000", "https://ops.example.net"
ANN = Login(username="ann", access_token="a1", refresh_token="r1")
FRESH = Login(username="ann", access_token="a2", refresh_token="r2")


@pytest.fixture
def file(tmp_path: Path) -> LoginFile:
    return LoginFile(tmp_path / "config" / "logins.json")


def test_a_login_is_kept_where_only_its_owner_reads_it(file: LoginFile) -> None:
    file.keep(URL, ANN)
    assert file.read(URL) == ANN
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_logins_at_different_services_do_not_mix(file: LoginFile) -> None:
    file.keep(URL, ANN)
    file.keep(OTHER, FRESH)
    file.forget(URL)
    assert file.read(URL) is None
    assert file.read(OTHER) == FRESH


def test_a_spent_token_is_renewed_and_the_new_one_kept(file: LoginFile) -> None:
    file.keep(URL, ANN)
    assert file.renew(URL, "a1", lambda _: FRESH) == FRESH
    assert file.read(URL) == FRESH


def test_a_token_that_another_process_renewed_is_taken_as_it_is(file: LoginFile) -> None:
    file.keep(URL, FRESH)

    def spend(_: Login) -> Login | None:
        raise AssertionError

    assert file.renew(URL, "a1", spend) == FRESH


def test_a_login_that_cannot_be_renewed_is_forgotten(file: LoginFile) -> None:
    file.keep(URL, ANN)
    file.keep(OTHER, FRESH)
    assert file.renew(URL, "a1", lambda _: None) is None
    assert (file.read(URL), file.read(OTHER)) == (None, FRESH)


def test_without_a_login_there_is_nothing_to_renew(file: LoginFile) -> None:
    assert file.renew(URL, None, lambda _: FRESH) is None


@pytest.mark.parametrize("content", ["{", '{"u": 1}', '{"u": {"username": "ann"}}'])
def test_a_damaged_file_is_refused_with_what_to_do(file: LoginFile, content: str) -> None:
    file.keep(URL, ANN)
    file.path.write_text(content)
    with pytest.raises(ConfigurationError, match="Delete the file and log in again"):
        file.read(URL)


def test_a_file_that_cannot_be_read_is_told(file: LoginFile) -> None:
    file.path.mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        file.read(URL)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="XDG_CONFIG_HOME"):
        LoginFile(tmp_path / "file" / "opsconductor" / "logins.json").keep(URL, ANN)


def test_a_given_token_is_never_renewed() -> None:
    assert GivenToken("t").current() == "t"
    assert GivenToken("t").renewed("t") is None
    assert GivenToken().current() is None
