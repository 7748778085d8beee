"""Opens one netmiko session: the platform, the logins in their order, the line, the login, the prompt."""

import logging
from collections.abc import MutableMapping
from typing import Any, cast

import paramiko
from netmiko import platforms
from nornir.core.inventory import Host
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir_netmiko.connections import Netmiko
from nornir_netmiko.connections.netmiko import napalm_to_netmiko_map

from tasks import context, dialing
from tasks.dialing import Line
from tasks.errors import JumpError, SessionError
from tasks.ground import Ground, driver
from tasks.keys import read_private_key
from tasks.sessions import jumps, transport, tuning
from tasks.sessions.failures import BROKEN, NO_PROMPT, explain
from tasks.sessions.host_keys import Check
from tasks.sessions.logins import Login, find_logins, target
from tasks.sessions.pacing import Stopped, turn
from tasks.sessions.pool import CONNECTION, Session

KEEPALIVE_S = 60
"""How often a word is sent while a device is silent, so that firewalls between do not forget the connection."""

for _noisy in ("paramiko", "netmiko"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)


def open_session(
    host: Host,
    credential: str | None,
    session: Session,
    refused: MutableMapping[tuple[str, int], str],
) -> None:
    """Try a host's logins in order, but none that it has refused before, until one is let in."""
    _refuse_unknown_platform(host)
    logins = find_logins(host, credential)
    stopped = []
    for login in logins:
        identity = (login.credential_id, login.version)
        if identity in refused and login.credential_id:
            continue
        try:
            with turn(host, login):
                _log_in(host, login, session)
        except Stopped as error:
            stopped.append(error.message)
        except SessionError as error:
            if error.error_class != "auth" or isinstance(error, JumpError):
                raise
            refused[identity] = login.credential_name
        else:
            session.identity = identity
            return
    if stopped:
        raise SessionError("auth", " ".join(stopped))
    tried = ", ".join(f"{login.credential_name} (user {login['username']})" for login in logins)
    where = dialing.endpoint(*target(host, logins[0]), host.name)
    raise SessionError("auth", f"{where} refused every login tried: {tried}. Correct the credential or its assignment.")


def _refuse_unknown_platform(host: Host) -> None:
    device_type = device_type_of(host)
    if device_type not in platforms or device_type.endswith(("_telnet", "_serial")):
        named = f"the platform {device_type!r}" if device_type else "a host without a platform"
        message = f"{host.name}: nothing is known that speaks to {named} over SSH. Correct the platform."
        raise SessionError("unsupported", message)


def device_type_of(host: Host) -> str:
    """Return netmiko's name for a host's platform, or nothing where it has none."""
    platform = host.get_connection_parameters(CONNECTION).platform or ""
    return str(napalm_to_netmiko_map.get(platform, platform))


def _log_in(host: Host, login: Login, session: Session) -> None:
    """Open a session with one login; raises SessionError, and leaves nothing open then."""
    options = _login_options(login)
    line = session.line = Line(*target(host, login), host.name)
    try:
        options["sock"] = jumps.connect(host, line, context.current().timeouts.connect_s)
        session.plugin = _plugin(host, line, options)
        connection, check = cast(Ground, session.connection), Check(host, line)
        connection.key_policy, connection.order_host_keys = check, check.preferred
        connection.open_shell = transport.way_for(host, line, login, check)
        _begin(connection)
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
        "keepalive": KEEPALIVE_S,
        "auto_connect": False,
        "ssh_config_file": None,
    }
    if login["private_key"]:
        options["pkey"] = read_private_key(login["private_key"], login["passphrase"], login.credential_name)
    if login["enable_secret"]:
        options["secret"] = login["enable_secret"]
    return options


def _plugin(host: Host, line: Line, options: dict[str, Any]) -> Netmiko:
    """Return netmiko's side of a session, which has done nothing yet."""
    extras = host.get_connection_parameters(CONNECTION).extras or {}
    ConnectionPluginRegister.register(CONNECTION, Netmiko)
    device_type = device_type_of(host)
    plugin = Netmiko()
    plugin.connection = driver(device_type)(
        **{"host": line.address, "port": line.port, "device_type": device_type, **extras, **options}
    )
    return plugin


def _begin(connection: Ground) -> None:
    """Log in and prepare the session: what netmiko's own ``_open`` does."""
    connection._modify_connection_params()  # noqa: SLF001 — netmiko gives the steps no other names
    connection.establish_connection()
    if isinstance(connection.remote_conn, paramiko.Channel):
        tuning.let_rest(connection.remote_conn.get_transport())
    connection._try_session_preparation()  # noqa: SLF001
