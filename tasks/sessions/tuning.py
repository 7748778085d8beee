"""Makes paramiko cheaper: what takes a private name of the library stands here, and is left alone if it has changed."""

import hmac
import inspect
import logging
from types import ModuleType

import paramiko
from paramiko import util

IDLE_WAKE_S = 2.0
"""How often the thread of an idle session looks up; paramiko's own tenth of a second adds up over many sessions."""

log = logging.getLogger(__name__)


def compare_at_c_speed(module: ModuleType = util) -> bool:
    """Let the library compare the checksum of each packet in C, and say whether it does.

    Its own comparison takes a third of the time of a login. A library that has no such function, or one with other
    parameters, stays as it is.
    """
    own = getattr(module, "constant_time_bytes_eq", None)
    if own is hmac.compare_digest:
        return True
    if not inspect.isfunction(own) or list(inspect.signature(own).parameters) != ["a", "b"]:
        log.warning(
            "paramiko compares checksums in a way that is not known here; logins take more time than they could"
        )
        return False
    module.constant_time_bytes_eq = hmac.compare_digest  # type: ignore[attr-defined]
    return True


def let_rest(transport: paramiko.Transport) -> None:
    """Let the thread of a session that is open wake up rarely; whatever arrives, or its end, wakes it at once."""
    transport.sock.settimeout(IDLE_WAKE_S)


compare_at_c_speed()
