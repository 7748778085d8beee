"""Opens netmiko sessions with logins held in memory, hands them from node to node of a host, and can cut them all.

A host of the service offers ``logins``; any other Nornir host brings its own username and password.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
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
from tasks.session_pool import CONNECTION, Session, SessionPool, User
from tasks.terminal import LiveChannel, is_clean, is_open

POOL = "opsconductor"
CREDENTIAL_TYPE = "ssh"
SSH_PORT = 22
MAX_SESSIONS = 2
"""How many sessions a host may hold that does not say so itself."""
__all__ = ["close_sessions", "device_type_of", "interrupt", "interrupt_all", "netmiko_session"]

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


@contextmanager
def netmiko_session(task: Task, *, credential: str | None = None) -> Iterator[BaseConnection]:
    """Give a session to the task's host: one that a node has left, if it is still good, or a new one.

    ``credential`` names the one to log in with; else the host's own logins are tried in order, each once.
    Branches that run side by side never share one: each takes its own, or waits where the host may have no more.
    Whatever goes wrong is a SessionError, and closes the session.
    """
    host = task.host
    session = _taken(host, task.nornir.config, credential)
    try:
        yield session.connection
    except BROKEN as error:
        not_ours = isinstance(error, OSError) and is_open(session.connection)
        broken = explain(error, session.line, host.name)
        _pool(host).drop(session)
        if not_ours:
            raise
        raise broken from error
    except BaseException:
        _pool(host).drop(session)
        raise
    _pool(host).keep(session)


def close_sessions(host: Host) -> None:
    """Close a host's sessions, without a word to the device."""
    _pool(host).close_all()


def interrupt(host: Host, reason: ErrorClass = "timeout", user: User | None = None) -> None:
    """Cut a host's sessions (or those of one user), from another thread; whoever uses one gets an error at once."""
    _pool(host).cut(reason, user)


def device_type_of(host: Host) -> str:
    """Return netmiko's name for a host's platform, or nothing where it has none."""
    platform = host.get_connection_parameters(CONNECTION).platform or ""
    return str(napalm_to_netmiko_map.get(platform, platform))


def _pool(host: Host) -> SessionPool:
    pool = host.connections.setdefault(POOL, SessionPool(host.connections))
    if not isinstance(pool, SessionPool):
        raise TypeError(f"{host.name} has a connection named {POOL!r} that is not ours; give it another name")
    return pool


def _taken(host: Host, configuration: Config, credential: str | None) -> Session:
    """Return a session that is open and nobody else's, when it is this node's turn."""
    pool, surroundings = _pool(host), context.current()
    user = (surroundings.node_id, surroundings.iteration)
    most = getattr(host, "max_sessions", MAX_SESSIONS)
    session = pool.take(user, most, partial(_fits, credential), surroundings.cancelled)
    if session.plugin is None:
        try:
            _open(host, configuration, credential, session)
        except BaseException:
            pool.drop(session)
            raise
        session.credential = credential
        pool.opened(session)
    return session


def _fits(credential: str | None, session: Session) -> bool:
    """Say whether a kept session may be used again."""
    age_s = time.monotonic() - session.opened_at
    is_right = session.credential == credential and age_s < context.current().timeouts.max_age_s
    return is_right and is_clean(session.connection)


def _open(host: Host, configuration: Config, credential: str | None, session: Session) -> None:
    """Try a host's logins in order, each once in the life of the host, until one is let in."""
    _refuse_unknown_platform(host)
    logins, refused = _logins(host, credential), _pool(host).refused
    for login in logins:
        identity = (login.credential_id, login.version)
        if identity in refused and login.credential_id:
            continue
        try:
            _log_in(host, configuration, login, session)
        except SessionError as error:
            if error.error_class != "auth":
                raise
            refused[identity] = login.credential_name
        else:
            return
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


def _log_in(host: Host, configuration: Config, login: Login, session: Session) -> None:
    """Open a session with one login; raises SessionError, and leaves nothing open then."""
    options = _login_options(login)
    line = session.line = Line(*_target(host, login), host.name)
    try:
        options["sock"] = dialing.connect(line, context.current().timeouts.connect_s)
        session.plugin = _plugin(host, configuration, line, options)
        _begin(session.connection)
    except (*BROKEN, *NO_PROMPT) as error:
        explained = explain(error, line, host.name)
        session.close()
        raise explained from error
    except BaseException:
        session.close()
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


def _plugin(host: Host, configuration: Config, line: Line, options: dict[str, Any]) -> Netmiko:
    """Return netmiko's side of a session, which has done nothing yet."""
    parameters = host.get_connection_parameters(CONNECTION)
    ConnectionPluginRegister.register(CONNECTION, Netmiko)
    plugin = Netmiko()
    plugin.open(
        hostname=line.address,
        username=None,
        password=None,
        port=line.port,
        platform=parameters.platform,
        extras={**(parameters.extras or {}), **options},
        configuration=configuration,
    )
    return plugin


def _begin(connection: BaseConnection) -> None:
    connection._modify_connection_params()  # noqa: SLF001 — what netmiko's own _open does, in two steps
    connection.establish_connection()
    connection.channel = LiveChannel(cast(paramiko.Channel, connection.remote_conn), connection.encoding)
    connection._try_session_preparation()  # noqa: SLF001 — the second step, on a channel that notices a dead line
