"""The API's port: taken before anything heavy is loaded, or refused with the reason."""

import errno
import os
import socket

from app.core.errors import ConfigurationError

BACKLOG = 2048
DESCRIPTOR = "OPSCONDUCTOR_LISTEN_FD"
"""Names a socket that listens already to the process that inherits it."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises ConfigurationError when the port is in use or may not be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as error:
        raise ConfigurationError(
            f"API_HOST {host!r} is no address of this machine: {error.strerror}. Set it to an address, or 127.0.0.1."
        ) from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(_refusal(host, port, error)) from error
    return listener


def require_free(host: str, port: int) -> None:
    """Raise ConfigurationError unless a port can be had just now."""
    listen(host, port).close()


def inherit_or_listen(host: str, port: int) -> socket.socket:
    """Return the socket that a parent listens with, else one of our own; raises as ``listen`` does."""
    descriptor = os.environ.get(DESCRIPTOR)
    return listen(host, port) if descriptor is None else socket.socket(fileno=int(descriptor))


def listen_near(host: str, wanted: int) -> socket.socket:
    """Return a socket that listens on the wanted port where it can be had, else on another one."""
    try:
        return listen(host, wanted)
    except ConfigurationError:
        return listen(host, 0)


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use. Stop what listens there (`ss -ltnp 'sport = :{port}'` names it), "
            "or set API_PORT to another port."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this account. Set API_PORT to a port above 1023."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine. Set API_HOST to one that is, or to 127.0.0.1."
    return f"Port {port} of {host} cannot be used: {error.strerror}. Set API_HOST and API_PORT."
