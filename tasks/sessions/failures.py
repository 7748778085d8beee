"""Says what the failures of netmiko and paramiko mean: rules, tried from the top."""

from collections.abc import Callable
from dataclasses import dataclass

import paramiko
from netmiko import NetmikoAuthenticationException, NetmikoTimeoutException, ReadTimeout
from netmiko.exceptions import NetmikoBaseException

from tasks.dialing import Line
from tasks.errors import ErrorClass, SessionError
from tasks.terminal import NoAnswer

BROKEN = (NetmikoBaseException, paramiko.SSHException, OSError, EOFError)
"""What netmiko and paramiko raise when a session breaks."""
NO_PROMPT = (ValueError, IndexError)
"""What netmiko raises, beside those, when it finds no prompt behind the login."""
HUNG_UP = ("closed the session", "TCP connection to device failed")
KEYS_NOT_EXCHANGED = "No existing session"
ADVICE = "Check the port, and whether the device has a line free."
NO_PROMPT_IN_TIME = "Timed out waiting for data"


class LoginTimedOut(NetmikoTimeoutException):
    """A device accepted the connection, and then did not answer the login."""


@dataclass(frozen=True)
class Rule:
    """A kind of failure, its error class, and what to say of it."""

    fits: Callable[[Exception], bool]
    error_class: ErrorClass
    sentence: str


def _login_timed_out(error: Exception) -> bool:
    slow = isinstance(error, NetmikoAuthenticationException) and "timeout" in str(error.__context__).lower()
    return slow or isinstance(error, LoginTimedOut) or KEYS_NOT_EXCHANGED in str(error)


def _hung_up(error: Exception) -> bool:
    return isinstance(error, OSError | EOFError) or any(words in str(error) for words in HUNG_UP)


def _finds_no_prompt(error: Exception) -> bool:
    return isinstance(error, NO_PROMPT) or NO_PROMPT_IN_TIME in str(error)


RULES = (
    Rule(
        lambda error: isinstance(error, NoAnswer),
        "read_timeout",
        "{where}: {error}. Give it more time, or look at the device.",
    ),
    Rule(
        lambda error: isinstance(error, ReadTimeout),
        "read_timeout",
        "{where} stopped answering. Give it more time, or look at the device.",
    ),
    Rule(_login_timed_out, "read_timeout", "{where} did not answer the login in time. Look at the device."),
    Rule(
        lambda error: isinstance(error, NetmikoAuthenticationException),
        "auth",
        "{where} refused the login. Correct the credential.",
    ),
    Rule(
        lambda error: isinstance(error, paramiko.BadHostKeyException),
        "host_key",
        "{where} shows another host key than before. Make sure that it is the device.",
    ),
    Rule(_hung_up, "connection_lost", "{where} closed the connection. Try again, or look at the device."),
    Rule(_finds_no_prompt, "prompt", "{where} shows no prompt that fits its platform. Check the device's platform."),
)


def explain(error: Exception, line: Line | None, name: str) -> SessionError:
    """Return what a failure means, where it was, and what to do; a line that was cut explains everything."""
    where = str(line or name)
    if line is not None and line.cut_for is not None:
        return line.cut_error()
    for rule in RULES:
        if rule.fits(error):
            return SessionError(rule.error_class, rule.sentence.format(where=where, error=error))
    reason = next(iter(str(error.__context__ or error).strip().splitlines()), type(error).__name__)
    return SessionError("protocol", f"{where} does not speak SSH as expected: {reason}. {ADVICE}")
