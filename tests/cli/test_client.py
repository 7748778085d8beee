import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.cli.addresses import is_loopback, login_file, service_url
from app.cli.client import Api, open_api
from app.cli.logins import GivenToken, Login, LoginFile
from app.core import errors

URL = "http://127.0.0.1:5000"
Answer = Callable[[httpx.Request], httpx.Response]


def good(data: object, **meta: object) -> httpx.Response:
    return httpx.Response(200, json={"success": True, "data": data, "message": None, "meta": meta})


def bad(status: int, code: str = "NO", message: str = "No.", details: object = None) -> httpx.Response:
    error = {"code": code, "message": message, "details": details, "request_id": "r-1"}
    return httpx.Response(status, json={"success": False, "error": error})


def client(answer: Answer) -> Api:
    return Api(URL, GivenToken("token"), transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.MalformedError),
        (401, errors.AuthenticationError),
        (403, errors.AuthorizationError),
        (404, errors.NotFoundError),
        (405, errors.MalformedError),
        (409, errors.ConflictError),
        (413, errors.MalformedError),
        (422, errors.ValidationError),
        (429, errors.RateLimitError),
        (500, errors.UpstreamError),
        (502, errors.UpstreamError),
        (503, errors.UnavailableError),
        (504, errors.DeadlineError),
    ],
)
def test_each_refusal_is_raised_as_its_own_error(status: int, kind: type[errors.AppError]) -> None:
    with client(lambda _: bad(status, message="It is so.")) as api, pytest.raises(kind, match="It is so"):
        api.get("/x")


def test_a_fault_inside_the_service_names_the_request() -> None:
    with client(lambda _: bad(500)) as api, pytest.raises(errors.UpstreamError, match="r-1"):
        api.get("/x")


def test_faults_of_fields_come_along() -> None:
    faults = [{"field": "name", "message": "is taken"}]
    with client(lambda _: bad(422, details=faults)) as api, pytest.raises(errors.ValidationError) as caught:
        api.post("/x", {})
    assert caught.value.details == faults


@pytest.mark.parametrize(
    "response", [httpx.Response(502, text="<html>"), httpx.Response(200, json=[]), httpx.Response(200, json={"a": 1})]
)
def test_an_answer_that_is_not_ours_is_told_with_its_address(response: httpx.Response) -> None:
    with client(lambda _: response) as api, pytest.raises(errors.UpstreamError, match="Check OPSCONDUCTOR_URL"):
        api.get("/x")


def test_a_service_that_is_away_is_told_with_what_to_do() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with client(refuse) as api, pytest.raises(errors.UnavailableError, match=f"{URL}.*opsconductor up"):
        api.get("/x")


def test_a_query_leaves_out_what_was_not_given_and_spells_truth_as_json_does() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return good([])

    with client(answer) as api:
        api.get("/x", site=None, enabled=True, limit=5)
    assert dict(asked[0].params) == {"enabled": "true", "limit": "5"}


@pytest.mark.parametrize(
    ("at_most", "expected", "limits"), [(None, 3, ["500", "500"]), (1, 1, ["1"]), (3, 3, ["3", "1"])]
)
def test_a_list_is_read_to_its_end_or_as_far_as_wanted(at_most: int | None, expected: int, limits: list[str]) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["limit"])
        if "cursor" in request.url.params:
            return good([{"n": 3}], next_cursor=None)
        count = min(2, int(asked[0]))
        return good([{"n": number} for number in range(1, count + 1)], next_cursor="more")

    with client(answer) as api:
        assert len(list(api.entries("/x", at_most=at_most))) == expected
    assert asked == limits


class Service:
    """A service that knows one access token at a time."""

    def __init__(self, *, refreshes: bool = True) -> None:
        self.valid = "a2"
        self.refreshes = refreshes
        self.exchanged = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if request.url.path == "/identity/v1/auth/refresh":
            self.exchanged += 1
            assert json.loads(request.content) == {"refresh_token": "r1"}
            if not self.refreshes:
                return bad(401, "REFRESH_REFUSED")
            return good({"access_token": "a2", "refresh_token": "r2", "expires_in_s": 3600})
        if request.headers.get("Authorization") != f"Bearer {self.valid}":
            return bad(401, "UNAUTHENTICATED", "This needs a login.")
        if request.url.path == "/events":
            return httpx.Response(200, text="id: 1\n\n")
        return good("in")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoginFile:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = LoginFile(login_file())
    file.keep(URL, Login(username="ann", access_token="a1", refresh_token="r1"))
    return file


def with_login(service: Service) -> Api:
    return Api(URL, transport=httpx.MockTransport(service.answer))


def test_a_spent_login_is_renewed_once_and_the_request_sent_again(kept: LoginFile) -> None:
    service = Service()
    with with_login(service) as api:
        assert api.get("/x") == "in"
        assert api.get("/x") == "in"
    assert service.exchanged == 1
    assert kept.read(URL) == Login(username="ann", access_token="a2", refresh_token="r2")


def test_a_spent_login_is_renewed_for_a_stream_too(kept: LoginFile) -> None:
    with with_login(Service()) as api, api.stream("/events", headers={}, read_s=5) as response:
        assert response.read() == b"id: 1\n\n"


def test_a_login_that_is_refused_is_forgotten_and_told(kept: LoginFile) -> None:
    with (
        with_login(Service(refreshes=False)) as api,
        pytest.raises(errors.AuthenticationError, match="opsconductor login"),
    ):
        api.get("/x")
    assert kept.read(URL) is None


def test_a_stream_that_is_refused_raises_what_the_service_says() -> None:
    api = client(lambda _: bad(404, message="There is no execution."))
    with api, pytest.raises(errors.NotFoundError, match="no execution"), api.stream("/e", headers={}, read_s=5):
        pass


def test_the_token_of_the_environment_goes_before_the_login(kept: LoginFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSCONDUCTOR_TOKEN", "given")
    with open_api() as api:
        assert api.tokens.current() == "given"
    monkeypatch.setenv("OPSCONDUCTOR_TOKEN", "")
    with open_api() as api:
        assert api.tokens.current() == "a1"


def test_the_service_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSCONDUCTOR_URL", "https://ops.example.net/")
    assert service_url() == "https://ops.example.net"
    monkeypatch.setenv("OPSCONDUCTOR_URL", "")
    assert service_url() == "http://127.0.0.1:5000"


@pytest.mark.parametrize("url", ["ops", "ftp://ops", "http://", "//ops"])
def test_what_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPSCONDUCTOR_URL", url)
    with pytest.raises(errors.ConfigurationError, match="OPSCONDUCTOR_URL"):
        service_url()


@pytest.mark.parametrize(
    ("url", "loopback"),
    [("http://127.0.0.1:5000", True), ("http://[::1]", True), ("http://localhost", True), ("https://10.0.0.1", False),
     ("https://ops.example.net", False)],
)  # fmt: skip
def test_no_proxy_stands_between_a_client_and_its_own_machine(url: str, *, loopback: bool) -> None:
    assert is_loopback(url) is loopback
    with Api(url, GivenToken()) as api:
        assert api.http.trust_env is not loopback


def test_logins_are_kept_in_the_home_folder_unless_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative/is/not/allowed")
    assert login_file() == tmp_path / ".config" / "opsconductor" / "logins.json"
