"""Chooses what carries a session: ssh2-python where it is installed and can, and paramiko everywhere else."""

import logging
import socket
from typing import Literal

import paramiko
from netmiko import BaseConnection
from nornir.core.inventory import Host

from tasks import context, dialing
from tasks.channel import Shell
from tasks.dialing import Line
from tasks.errors import SessionError
from tasks.ground import Ground
from tasks.keys import plain_private_key
from tasks.sessions import ssh2_shell
from tasks.sessions.host_keys import Check
from tasks.sessions.logins import Login

Choice = Literal["auto", "paramiko", "ssh2"]

SETS_ITS_WIDTH = frozenset({"arista_eos", "cisco_ios", "cisco_nxos", "cisco_xe", "cisco_xr", "juniper_junos"})
"""Platforms whose terminal is widened by a command: ssh2-python opens one of 80 columns and cannot ask for more."""
PARAMIKOS_OWN = ("use_keys", "key_file", "allow_agent", "disabled_algorithms", "system_host_keys", "alt_host_keys")
"""Options of a connection that only paramiko knows."""
MOST_MISFITS = 10_000

log = logging.getLogger("opsconductor.sessions")

_chosen: list[Choice] = ["auto"]
_misfits: dict[tuple[str, int], None] = {}


def choose(choice: Choice) -> None:
    """Set what carries the sessions of this process from now on.

    ``auto`` and ``ssh2`` both leave to paramiko what ssh2-python cannot do; ``ssh2`` fails where it is not installed.
    """
    _chosen[:] = [choice]


def way_for(host: Host, line: Line, login: Login, check: Check) -> "Way | None":
    """Return how a session is opened by ssh2-python; None where it is paramiko's turn."""
    if _chosen[0] == "ssh2" and not ssh2_shell.IS_INSTALLED:
        message = (
            f"{host.name}: ssh2-python is not installed. Install it (pip install ssh2-python), or set SSH_TRANSPORT."
        )
        raise SessionError("unsupported", message)
    if _chosen[0] == "paramiko" or not ssh2_shell.IS_INSTALLED or (line.address, line.port) in _misfits:
        return None
    return Way(line, login, check)


class Way:
    """Opens the shell of one session, or leaves it to paramiko."""

    def __init__(self, line: Line, login: Login, check: Check) -> None:
        self._line = line
        self._login = login
        self._check = check

    def __call__(self, connection: Ground, width: int, height: int) -> Shell | None:
        """Open a shell over the connection's socket; None, with a new socket, where it is paramiko's turn."""
        del width, height
        wire = connection.sock
        if not isinstance(wire, socket.socket) or not _is_plain(connection):
            return None
        timeouts = context.current().timeouts
        wanted = ssh2_shell.Wanted(
            username=connection.username or "",
            password=connection.password,
            private_key=self._private_key,
            check=self._check,
            banner_s=timeouts.banner_s,
            login_s=timeouts.login_s,
            keepalive_s=int(connection.keepalive),
        )
        try:
            return ssh2_shell.open_shell(wire, wanted)
        except ssh2_shell.NotOurs as error:
            self._leave_to_paramiko(error)
        connection.sock = dialing.redial(self._line, timeouts.connect_s)
        return None

    def _leave_to_paramiko(self, error: ssh2_shell.NotOurs) -> None:
        """Remember that this device is not one for ssh2-python, so that it is not dialled twice the next time."""
        log.info("%s is left to paramiko: %s", self._line, error)
        if len(_misfits) < MOST_MISFITS:
            _misfits[self._line.address, self._line.port] = None

    def _private_key(self) -> str | None:
        login = self._login
        if not login["private_key"]:
            return None
        return plain_private_key(login["private_key"], login["passphrase"], login.credential_name)


def _is_plain(connection: BaseConnection) -> bool:
    """Say whether a driver logs in the common way, with nothing asked of it that only paramiko does."""
    kind = type(connection)
    return (
        connection.device_type in SETS_ITS_WIDTH
        and kind._build_ssh_client is BaseConnection._build_ssh_client  # noqa: SLF001 — netmiko has no other sign
        and kind._get_ssh_client_instance is BaseConnection._get_ssh_client_instance  # noqa: SLF001
        and not isinstance(connection.pkey, paramiko.RSAKey)  # ssh2-python 1.2 destroys its own memory with one
        and not any(getattr(connection, option) for option in PARAMIKOS_OWN)
    )
