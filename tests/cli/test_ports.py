import socket

import pytest

from app.cli.ports import DESCRIPTOR, inherit_or_listen, listen, listen_near, require_free
from app.core.errors import ConfigurationError

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> socket.socket:
    return listen(HOST, 0)


def test_a_port_in_use_is_refused_with_what_to_do(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with taken, pytest.raises(ConfigurationError, match=rf"Port {port} of 127.0.0.1 is in use.*API_PORT"):
        listen(HOST, port)


def test_a_port_is_free_again_afterwards(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    taken.close()
    require_free(HOST, port)
    with listen_near(HOST, port) as listener:
        assert listener.getsockname()[1] == port


def test_another_port_is_found_where_the_wanted_one_is_taken(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with taken, listen_near(HOST, port) as listener:
        assert listener.getsockname()[1] not in {0, port}


def test_a_socket_that_a_parent_listens_with_is_taken_over(
    taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = taken.getsockname()
    monkeypatch.setenv(DESCRIPTOR, str(taken.detach()))
    with inherit_or_listen(HOST, 0) as inherited:
        assert inherited.getsockname() == address
    monkeypatch.delenv(DESCRIPTOR)
    with inherit_or_listen(HOST, 0) as own:
        assert own.getsockname() != ()


@pytest.mark.parametrize(
    ("host", "reason"), [("192.0.2.1", "no address of this machine"), ("nowhere.invalid", "API_HOST 'nowhere.invalid'")]
)
def test_an_address_that_is_not_ours_is_refused(host: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        listen(host, 0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "Permission denied"), "above 1023"), (OSError(99_999, "Odd"), "cannot be used: Odd")],
)
def test_what_the_system_refuses_is_told(monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(ConfigurationError, match=reason):
        listen(HOST, 80)


def test_a_name_that_means_this_machine_will_do() -> None:
    with listen("localhost", 0) as listener:
        assert listener.getsockname()[1]
