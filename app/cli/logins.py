"""The sessions that `opsconductor login` opened, one for each service, in a file that only their owner reads."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from app.core.embedded import locks
from app.core.embedded.files import write_private
from app.core.errors import ConfigurationError


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A session with one service."""

    username: str
    access_token: str
    refresh_token: str


class TokenSource(Protocol):
    """Gives the token of a request, and another one where that is spent."""

    def current(self) -> str | None:
        """Return the token to send, or None."""

    def renewed(self, spent: str | None) -> str | None:
        """Return another token than the one that was refused, or None."""


@dataclass(frozen=True)
class GivenToken:
    """A token that nothing renews, or none at all."""

    token: str | None = None

    def current(self) -> str | None:
        """Return the token."""
        return self.token

    def renewed(self, spent: str | None) -> str | None:
        """Return nothing: the token is all there is."""
        return None if spent == self.token else self.token


@dataclass(frozen=True)
class LoginFile:
    """The file of logins, by URL; changes wait for each other, across processes too."""

    path: Path

    def read(self, url: str) -> Login | None:
        """Return the login at a service; raises ConfigurationError for a file that cannot be read."""
        return self._all().get(url)

    def keep(self, url: str, login: Login) -> None:
        """Keep a login in place of an earlier one at the same service."""
        with self._turn():
            self._write({**self._all(), url: login})

    def forget(self, url: str) -> None:
        """Forget the login at a service."""
        with self._turn():
            self._write({other: login for other, login in self._all().items() if other != url})

    def renew(self, url: str, spent: str | None, exchange: Callable[[Login], Login | None]) -> Login | None:
        """Replace a login whose access token is spent, unless another process has done so; forget a refused one.

        A refresh token may be used once only, hence one process at a time.
        """
        with self._turn():
            everyone = self._all()
            login = everyone.get(url)
            if login is None or login.access_token != spent:
                return login
            fresh = exchange(login)
            others = {other: kept for other, kept in everyone.items() if other != url}
            self._write(others if fresh is None else {**others, url: fresh})
            return fresh

    def _turn(self) -> AbstractContextManager[None]:
        self._make_folder()
        return locks.turn(self.path.with_suffix(".lock"))

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder {self.path.parent} for logins cannot be made: {error.strerror}. "
                "Set XDG_CONFIG_HOME to a folder of yours, or give OPSCONDUCTOR_TOKEN."
            ) from error

    def _all(self) -> dict[str, Login]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigurationError(f"The logins in {self.path} cannot be read: {error.strerror}.") from error
        try:
            return msgspec.json.decode(content, type=dict[str, Login])
        except msgspec.DecodeError as error:
            raise ConfigurationError(
                f"The logins in {self.path} cannot be understood ({error}). Delete the file and log in again."
            ) from error

    def _write(self, logins: dict[str, Login]) -> None:
        write_private(self.path, msgspec.json.format(msgspec.json.encode(logins)).decode() + "\n")
