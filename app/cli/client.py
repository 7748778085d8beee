"""The service as its clients see it: envelopes opened, refusals raised, tokens renewed, lists read to their end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx

from app import __version__
from app.cli.addresses import given_token, is_loopback, login_file, service_url
from app.cli.logins import GivenToken, Login, LoginFile, TokenSource
from app.core import errors

CONNECT_S = 10.0
READ_S = 120.0
PAGE = 500
REFRESH = "/identity/v1/auth/refresh"
KINDS: dict[int, type[errors.AppError]] = {
    400: errors.MalformedError,
    401: errors.AuthenticationError,
    403: errors.AuthorizationError,
    404: errors.NotFoundError,
    405: errors.MalformedError,
    409: errors.ConflictError,
    413: errors.MalformedError,
    415: errors.MalformedError,
    429: errors.RateLimitError,
    502: errors.UpstreamError,
    503: errors.UnavailableError,
    504: errors.DeadlineError,
}


@dataclass(frozen=True)
class KeptLogin:
    """The token of a login that is kept in the file of logins, renewed there when it is spent."""

    file: LoginFile
    url: str
    http: httpx.Client

    def current(self) -> str | None:
        """Return the access token of the login."""
        login = self.file.read(self.url)
        return login.access_token if login else None

    def renewed(self, spent: str | None) -> str | None:
        """Exchange the refresh token for new tokens, and return the access token."""
        login = self.file.renew(self.url, spent, self._exchange)
        return login.access_token if login else None

    def _exchange(self, login: Login) -> Login | None:
        response = self.http.post(REFRESH, json={"refresh_token": login.refresh_token})
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            return None
        return login_from(login.username, opened(response)["data"])


class Api:
    """A client of the service; paths begin with a slash, and what comes back is the envelope's ``data``."""

    def __init__(
        self, url: str, tokens: TokenSource | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            trust_env=not is_loopback(url),
            transport=transport,
            headers={"User-Agent": f"opsconductor/{__version__}"},
        )
        self.tokens = tokens or KeptLogin(LoginFile(login_file()), url, self.http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self._answer("GET", path, params=given(query))["data"]

    def get_text(self, path: str, **query: Any) -> str:
        """Read a file."""
        response = self._response("GET", path, params=given(query))
        if not response.is_success:
            opened(response)
        return response.text

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """Create something, or have something done."""
        content = {} if body is None else {"json": body}
        return self._answer("POST", path, params=given(query), **content)["data"]

    def post_content(self, path: str, content: bytes, media_type: str, **query: Any) -> Any:
        """Send something that is not JSON."""
        headers = {"Content-Type": media_type}
        return self._answer("POST", path, params=given(query), content=content, headers=headers)["data"]

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self._answer("PATCH", path, json=body)["data"]

    def delete(self, path: str) -> None:
        """Delete something."""
        response = self._response("DELETE", path)
        if not response.is_success:
            opened(response)

    def entries(self, path: str, *, at_most: int | None = None, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield the entries of a list, page after page."""
        left, cursor = at_most, None
        while left is None or left > 0:
            limit = PAGE if left is None else min(left, PAGE)
            answer = self._answer("GET", path, params=given({**query, "limit": limit, "cursor": cursor}))
            yield from answer["data"]
            left = None if left is None else left - len(answer["data"])
            cursor = answer["meta"]["next_cursor"]
            if cursor is None:
                return

    @contextmanager
    def stream(self, path: str, *, headers: dict[str, str], read_s: float) -> Iterator[httpx.Response]:
        """Open a stream of events; ``read_s`` is how long it may be silent."""
        timeout = httpx.Timeout(CONNECT_S, read=read_s)
        token = self.tokens.current()
        for attempt in range(2):
            asked = {**headers, **bearer(token)}
            with self._reaching(), self.http.stream("GET", path, headers=asked, timeout=timeout) as response:
                if response.status_code != HTTPStatus.UNAUTHORIZED or attempt:
                    if not response.is_success:
                        response.read()
                        opened(response)
                    yield response
                    return
            token = self.tokens.renewed(token)

    def _answer(self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any) -> dict[str, Any]:
        return opened(self._response(method, path, headers, **content))

    def _response(
        self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        token = self.tokens.current()
        with self._reaching():
            response = self.http.request(method, path, headers={**(headers or {}), **bearer(token)}, **content)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                another = self.tokens.renewed(token)
                if another is not None:
                    response = self.http.request(
                        method, path, headers={**(headers or {}), **bearer(another)}, **content
                    )
        return response

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise errors.UnavailableError(
                f"OpsConductor cannot be reached at {self.url}: {reason}. "
                "Start it with `opsconductor up`, or set OPSCONDUCTOR_URL to where it runs."
            ) from error


def open_api() -> Api:
    """Return a client of the service that the environment names, with the token or the login there is for it."""
    token = given_token()
    return Api(service_url(), GivenToken(token) if token else None)


def login_from(username: str, tokens: dict[str, Any]) -> Login:
    """Return the login that an answer with tokens opens."""
    return Login(username=username, access_token=tokens["access_token"], refresh_token=tokens["refresh_token"])


def given(query: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that have a value, as a query spells them."""
    spelled = {True: "true", False: "false"}
    return {
        name: spelled[value] if isinstance(value, bool) else value for name, value in query.items() if value is not None
    }


def bearer(token: str | None) -> dict[str, str]:
    """Return the header that carries a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def opened(response: httpx.Response) -> dict[str, Any]:
    """Return the envelope of an answer that went well, and raise the error of one that did not."""
    try:
        envelope = response.json()
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict) or "success" not in envelope:
        raise errors.UpstreamError(
            f"{response.url} answered with status {response.status_code} and something that is not OpsConductor's. "
            "Check OPSCONDUCTOR_URL."
        )
    if envelope["success"]:
        return envelope
    raise refusal(response, envelope["error"])


def refusal(response: httpx.Response, error: dict[str, Any]) -> errors.AppError:
    """Return the error that an answer tells of."""
    message, code, details = error["message"], error["code"], error.get("details")
    status = response.status_code
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return errors.ValidationError(message, details if isinstance(details, list) else (), code=code)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return errors.RateLimitError(message, retry_after_s=int(response.headers.get("Retry-After", 1)))
    if status == HTTPStatus.UNAUTHORIZED and code == "UNAUTHENTICATED":
        message = f"{message} Log in with `opsconductor login`, or set OPSCONDUCTOR_TOKEN."
    if status not in KINDS:
        return errors.UpstreamError(f"{message} (request id {error.get('request_id')})", code=code)
    return KINDS[status](message, code=code, details=details)
