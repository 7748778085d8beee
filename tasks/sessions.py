"""Opens netmiko sessions with logins held in memory, keeps them for a host's next node, and can cut them all.

A host of the service offers ``logins``; any other Nornir host brings its own username and password.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import paramiko
from netmiko import BaseConnection, platforms
from nornir.core.configuration import Config
from nornir.core.inventory import Host
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.task import Task
from nornir_netmiko.connections import Netmiko
from nornir_netmiko.connections.netmiko import napalm_to_netmiko_map

from tasks import context, dialing
from tasks.dialing import Line, interrupt_all
from tasks.errors import ErrorClass, SessionError
from tasks.failures import BROKEN, NO_PROMPT, explain
from tasks.keys import read_private_key
from tasks.terminal import LiveChannel, is_clean, is_open

CONNECTION = "netmiko"
KEEPER = "opsconductor"
CREDENTIAL_TYPE = "ssh"
SSH_PORT = 22
LOOK_S = 0.1
__all__ = ["close_sessions", "device_type_of", "interrupt", "interrupt_all", "netmiko_session", "user_of"]

for _noisy in ("paramiko", "netmiko"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)


class Login(Protocol):
    """The opened fields of one credential."""

    @property
    def credential_id(self) -> str:
        """Return the credential's id, or nothing for a login that is in no vault."""

    @property
    def credential_name(self) -> str:
        """Return what people call the credential."""

    @property
    def version(self) -> int:
        """Return a number that grows with every new secret."""

    def __getitem__(self, name: str) -> Any:
        """Return a field, or None."""


class HostWithLogins(Protocol):
    """What a host of the service offers beside Nornir's own."""

    def logins(self, credential_type: str, explicit: str | None) -> Sequence[Login]:
        """Return the logins to try, in order; raises LookupError, which says why there is none."""


@dataclass(frozen=True, kw_only=True)
class OwnLogin:
    """The username and password that a plain Nornir host carries itself."""

    credential_id: str = ""
    credential_name: str = "inventory"
    version: int = 1
    fields: dict[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)


@dataclass(eq=False)
class Keeper:
    """What is remembered of a host's session, in its ``connections``, where Nornir closes it with the others."""

    connection: None = None
    line: Line | None = None
    credential: str | None = None
    opened_at: float = 0.0
    refused: dict[tuple[str, int], str] = field(default_factory=dict)
    turn: threading.RLock = field(default_factory=threading.RLock)
    """Held by the branch of a host's walk that uses the session; its other branches wait."""
    user: str = ""
    """The node that uses the session, and the round it is in."""

    def open(self, *_: Any, **__: Any) -> None:
        """Do nothing: a session is opened by ``netmiko_session``."""

    def close(self) -> None:
        """Close the line."""
        if self.line is not None:
            self.line.close()
            self.line = None


@contextmanager
def netmiko_session(task: Task, *, credential: str | None = None) -> Iterator[BaseConnection]:
    """Give a session to the task's host: the one its last node left, if that is still good, or a new one.

    ``credential`` names the one to log in with; else the host's own logins are tried in order, each once.
    Whatever goes wrong is a SessionError, and closes the session. Branches of one host take turns.
    """
    host = task.host
    with _turn(host):
        connection = _kept(host, credential) or _open(host, task.nornir.config, credential)
        yield from _lent(host, connection)


def _lent(host: Host, connection: BaseConnection) -> Iterator[BaseConnection]:
    try:
        yield connection
    except BROKEN as error:
        not_ours = isinstance(error, OSError) and is_open(connection)
        broken = explain(error, _keeper(host).line, host.name)
        close_sessions(host)
        if not_ours:
            raise
        raise broken from error
    except BaseException:
        close_sessions(host)
        raise


@contextmanager
def _turn(host: Host) -> Iterator[None]:
    """Wait until no other branch uses the host's session."""
    keeper = _keeper(host)
    while not keeper.turn.acquire(timeout=LOOK_S):
        if context.current().cancelled():
            raise SessionError("cancelled", "Nothing was sent: another branch had the session.")
    before, keeper.user = keeper.user, user_of(context.current().node_id, context.current().iteration)
    try:
        yield
    finally:
        keeper.user = before
        keeper.turn.release()


def close_sessions(host: Host) -> None:
    """Close a host's session, without a word to the device."""
    keeper = host.connections.get(KEEPER)
    line = keeper.line if isinstance(keeper, Keeper) else None
    if line is not None:
        line.shut()
    plugin = host.connections.pop(CONNECTION, None)
    if plugin is not None:
        plugin.connection.disconnect()
    if line is not None:
        line.close()


def interrupt(host: Host, reason: ErrorClass = "timeout", *, user: str | None = None) -> None:
    """Cut a host's session, from another thread, if the node ``user`` uses it; who does gets an error at once."""
    keeper = host.connections.get(KEEPER)
    if isinstance(keeper, Keeper) and keeper.line is not None and user in {None, keeper.user}:
        keeper.line.cut(reason)


def user_of(node_id: str, iteration: str) -> str:
    """Return what a node is known as while it uses a session."""
    return f"{node_id} {iteration}"


def device_type_of(host: Host) -> str:
    """Return netmiko's name for a host's platform, or nothing where it has none."""
    platform = host.get_connection_parameters(CONNECTION).platform or ""
    return str(napalm_to_netmiko_map.get(platform, platform))


def _kept(host: Host, credential: str | None) -> BaseConnection | None:
    """Return the session that is open to a host, if it may be used; close it if not."""
    plugin = host.connections.get(CONNECTION)
    if plugin is None:
        return None
    keeper = _keeper(host)
    age_s = time.monotonic() - keeper.opened_at if keeper.line else 0.0
    fits = keeper.credential == credential and age_s < context.current().timeouts.max_age_s
    connection = cast(BaseConnection, plugin.connection)
    if fits and is_clean(connection):
        return connection
    close_sessions(host)
    return None


def _keeper(host: Host) -> Keeper:
    keeper = host.connections.setdefault(KEEPER, Keeper())
    if not isinstance(keeper, Keeper):
        raise TypeError(f"{host.name} has a connection named {KEEPER!r} that is not ours; give it another name")
    return keeper


def _open(host: Host, configuration: Config, credential: str | None) -> BaseConnection:
    """Try a host's logins in order, each once in the life of the host, until one is let in."""
    _refuse_unknown_platform(host)
    keeper = _keeper(host)
    logins = _logins(host, credential)
    for login in logins:
        identity = (login.credential_id, login.version)
        if identity in keeper.refused and login.credential_id:
            continue
        try:
            connection = _log_in(host, configuration, login, keeper)
        except SessionError as error:
            if error.error_class != "auth":
                raise
            keeper.refused[identity] = login.credential_name
            continue
        keeper.credential, keeper.opened_at = credential, time.monotonic()
        return connection
    tried = ", ".join(f"{login.credential_name} (user {login['username']})" for login in logins)
    where = dialing.endpoint(*_target(host, logins[0]), host.name)
    raise SessionError("auth", f"{where} refused every login tried: {tried}. Correct the credential or its assignment.")


def _refuse_unknown_platform(host: Host) -> None:
    device_type = device_type_of(host)
    if device_type not in platforms or device_type.endswith(("_telnet", "_serial")):
        named = f"the platform {device_type!r}" if device_type else "a host without a platform"
        message = f"{host.name}: nothing is known that speaks to {named} over SSH. Correct the platform."
        raise SessionError("unsupported", message)


def _logins(host: Host, credential: str | None) -> Sequence[Login]:
    if not hasattr(host, "logins"):
        return [_own_login(host, credential)]
    try:
        logins = cast(HostWithLogins, host).logins(CREDENTIAL_TYPE, credential)
    except LookupError as error:
        raise SessionError("credential", str(error.args[0] if error.args else error)) from error
    if not logins:
        message = f"There is no {CREDENTIAL_TYPE} credential for {host.name}. Assign one to it or to its group."
        raise SessionError("credential", message)
    return logins


def _own_login(host: Host, credential: str | None) -> OwnLogin:
    if credential is not None:
        message = (
            f"{host.name}: the credential {credential!r} is asked for, and this inventory has no vault to find it in."
        )
        raise SessionError("credential", message)
    parameters = host.get_connection_parameters(CONNECTION)
    if not parameters.username:
        raise SessionError("credential", f"{host.name} has no username. Give the host a username and a password.")
    return OwnLogin(fields={"username": parameters.username, "password": parameters.password})


def _target(host: Host, login: Login) -> tuple[str, int]:
    parameters = host.get_connection_parameters(CONNECTION)
    return parameters.hostname or host.name, parameters.port or login["port"] or SSH_PORT


def _log_in(host: Host, configuration: Config, login: Login, keeper: Keeper) -> BaseConnection:
    """Open a session with one login; raises SessionError, and leaves nothing open then."""
    options = _login_options(login)
    line = keeper.line = Line(*_target(host, login), host.name)
    try:
        options["sock"] = dialing.connect(line, context.current().timeouts.connect_s)
        return _begin(host, configuration, line, options)
    except (*BROKEN, *NO_PROMPT) as error:
        explained = explain(error, line, host.name)
        close_sessions(host)
        raise explained from error
    except BaseException:
        close_sessions(host)
        raise


def _login_options(login: Login) -> dict[str, Any]:
    timeouts = context.current().timeouts
    options: dict[str, Any] = {
        "username": login["username"],
        "password": login["password"],
        "conn_timeout": timeouts.banner_s + timeouts.login_s,
        "banner_timeout": timeouts.banner_s,
        "auth_timeout": timeouts.login_s,
        "auto_connect": False,
        "ssh_config_file": None,
    }
    if login["private_key"]:
        options["pkey"] = read_private_key(login["private_key"], login["passphrase"], login.credential_name)
    if login["enable_secret"]:
        options["secret"] = login["enable_secret"]
    return options


def _begin(host: Host, configuration: Config, line: Line, options: dict[str, Any]) -> BaseConnection:
    parameters = host.get_connection_parameters(CONNECTION)
    ConnectionPluginRegister.register(CONNECTION, Netmiko)
    plugin = host.open_connection(
        CONNECTION,
        configuration,
        hostname=line.address,
        port=line.port,
        platform=parameters.platform,
        extras={**(parameters.extras or {}), **options},
        default_to_host_attributes=False,
    )
    connection = cast(BaseConnection, plugin.connection)
    connection._modify_connection_params()  # noqa: SLF001 — what netmiko's own _open does, in two steps
    connection.establish_connection()
    connection.channel = LiveChannel(cast(paramiko.Channel, connection.remote_conn), connection.encoding)
    connection._try_session_preparation()  # noqa: SLF001 — the second step, on a channel that notices a dead line
    return connection
