import json
from pathlib import Path

import pytest

from app.cli.addresses import login_file
from app.cli.logins import Login, LoginFile
from app.identity.passwords import hash_password
from tests.cli.conftest import Call
from tests.support import callers

PASSWORD = "a-long-enough-password"


@pytest.fixture
async def ann(database: None) -> str:
    await callers.make_user("ann", ["devices.device.view"], password_hash=await hash_password(PASSWORD))
    return "ann"


def test_a_login_is_kept_used_and_ended(call: Call, server_url: str, ann: str, config_home: Path) -> None:
    result = call("login", "--username", ann, "--password-stdin", stdin=f"{PASSWORD}\n", OPSCONDUCTOR_URL=server_url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Logged in to {server_url} as ann" in result.stdout
    assert PASSWORD not in login_file().read_text()

    assert call("devices", "list", OPSCONDUCTOR_URL=server_url).exit_code == 0

    assert f"Logged out of {server_url}" in call("logout", OPSCONDUCTOR_URL=server_url).stdout
    assert LoginFile(login_file()).read(server_url) is None
    assert call("devices", "list", OPSCONDUCTOR_URL=server_url).exit_code == 3


def test_name_and_password_are_asked_for_and_the_password_is_not_shown(call: Call, server_url: str, ann: str) -> None:
    result = call("login", "--json", stdin=f"{ann}\n{PASSWORD}\n", OPSCONDUCTOR_URL=server_url)
    assert result.exit_code == 0
    assert PASSWORD not in result.output
    assert json.loads(result.stdout)["username"] == "ann"


def test_a_wrong_password_is_refused_and_nothing_kept(call: Call, server_url: str, ann: str) -> None:
    result = call("login", "--username", ann, "--password-stdin", stdin="wrong\n", OPSCONDUCTOR_URL=server_url)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert "username or the password is wrong" in result.stderr
    assert not login_file().exists()


def test_logging_out_without_a_login_is_no_failure(call: Call, server_url: str) -> None:
    result = call("logout", "--json", OPSCONDUCTOR_URL=server_url)
    assert (result.exit_code, json.loads(result.stdout)["logged_out"]) == (0, False)


def test_a_session_that_has_ended_already_is_forgotten_all_the_same(call: Call, server_url: str, ann: str) -> None:
    call("login", "--username", ann, "--password-stdin", stdin=f"{PASSWORD}\n", OPSCONDUCTOR_URL=server_url)
    file = LoginFile(login_file())
    kept = file.read(server_url)
    assert kept is not None
    call("logout", OPSCONDUCTOR_URL=server_url)
    file.keep(server_url, kept)
    assert call("logout", OPSCONDUCTOR_URL=server_url).exit_code == 0
    assert file.read(server_url) is None


def test_a_caller_without_the_permission_is_told_which_one(call: Call, server_url: str, ann: str) -> None:
    call("login", "--username", ann, "--password-stdin", stdin=f"{PASSWORD}\n", OPSCONDUCTOR_URL=server_url)
    result = call("workflow", "list", OPSCONDUCTOR_URL=server_url)
    assert result.exit_code == 3
    assert "automation.workflow.view" in result.stderr


@pytest.mark.parametrize("words", [("devices", "list"), ("login", "--username", "a", "--password-stdin"), ("logout",)])
def test_a_service_that_is_away_is_exit_code_5(call: Call, words: tuple[str, ...]) -> None:
    away = "http://127.0.0.1:9"
    login = Login(username="ann", access_token="a", refresh_token="r")
    LoginFile(login_file()).keep(away, login)
    result = call(*words, stdin="x\n", OPSCONDUCTOR_URL=away)
    assert (result.exit_code, result.stdout) == (5, "")
    assert f"cannot be reached at {away}" in result.stderr
    assert LoginFile(login_file()).read(away) == login
