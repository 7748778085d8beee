"""Paces the logins of a credential that has not proved itself, so that a wrong one is not tried on a whole fleet."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from nornir.core.inventory import Host

from tasks import context
from tasks.errors import JumpError, SessionError
from tasks.sessions.logins import Login, device_of
from tasks.sessions.pool import LATEST_S, LEASE_PATIENCE_S, SOONEST_S

Outcome = Literal["accepted", "refused", "unknown"]
Answer = Literal["go", "wait"]


class Stopped(SessionError):
    """A login is tried nowhere any more; the message says why."""


class Trials(Protocol):
    """Keeps count of how logins fare, for all who try them."""

    def begin(self, login: Login, device: str) -> Answer:
        """Say whether to try a login on a device now, or to ask again; raises LookupError, which says why never."""

    def end(self, login: Login, device: str, outcome: Outcome) -> None:
        """Take note of how a login that was tried has fared."""


@contextmanager
def turn(host: Host, login: Login) -> Iterator[None]:
    """Try a login within this, when it is its turn; raises Stopped, or SessionError of class busy or cancelled."""
    trials: Trials | None = getattr(host, "trials", None)
    if trials is None or not login.credential_id:
        yield
        return
    device = device_of(host)
    _wait(trials, login, device, host.name)
    outcome: Outcome = "unknown"
    try:
        yield
        outcome = "accepted"
    except SessionError as error:
        is_about_the_way = isinstance(error, JumpError)
        outcome = "refused" if error.error_class == "auth" and not is_about_the_way else "unknown"
        raise
    finally:
        trials.end(login, device, outcome)


def _wait(trials: Trials, login: Login, device: str, name: str) -> None:
    give_up_at, pause_s = time.monotonic() + LEASE_PATIENCE_S, SOONEST_S
    try:
        while trials.begin(login, device) == "wait":
            if context.current().cancelled():
                raise SessionError("cancelled", f"{name}: stopped before the login.")
            if time.monotonic() > give_up_at:
                message = (
                    f"{name}: {login.credential_name} has not been let in anywhere yet, and is still being tried on "
                    "other devices. Try later."
                )
                raise SessionError("busy", message)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LATEST_S)
    except LookupError as error:
        raise Stopped("auth", f"{name}: {error.args[0] if error.args else error}") from error
