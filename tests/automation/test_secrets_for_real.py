"""Secrets in a node's text reach the device and the server, and are found nowhere else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from app.core import database
from app.demo.network.devices import Platform, SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread
from tests.support.graphs import step, workflow
from tests.support.traces import redis_bytes, table_bytes
from tests.support.web_service import Reply, WebService, web_service
from tests.support.working import make_devices, results, run

PASSWORD = "Login-Tezcatlipoca-31"
COMMUNITY = "Xipe-Totec-99"
TOKEN = 'to"ken/ Coatlicue+52'
API_KEY = "Huitzilopochtli-17"
GRANTED = "Granted-Tonatiuh-88"
SECRETS = (PASSWORD, COMMUNITY, TOKEN, json.dumps(TOKEN)[1:-1], API_KEY, GRANTED)
DEVICE = SimulatedDevice(name="ios1", platform=Platform.CISCO_IOS, password=PASSWORD)
JSON = {"Content-Type": "application/json"}
ECHO = Reply(200, json.dumps({"echo": f"{TOKEN} {API_KEY}"}).encode(), JSON)
ECHO_OF_ALL = Reply(200, json.dumps({"echo": f"{TOKEN} {API_KEY} {GRANTED}"}).encode(), JSON)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with run_in_thread([DEVICE]) as running:
        yield running


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as running:
        yield running


@pytest.fixture
async def vault(admin: httpx.AsyncClient, network: Network, service: WebService) -> None:
    """Put the device and the credentials where the workflows find them."""
    token_url = service.tell("/token", Reply(200, json.dumps({"access_token": GRANTED, "expires_in": 600}).encode()))
    credentials: dict[str, tuple[str, dict[str, Any]]] = {
        "login": ("ssh", {"username": "admin", "password": PASSWORD}),
        "community": ("snmp", {"community": COMMUNITY}),
        "api": ("api_key", {"token": TOKEN, "api_key": API_KEY}),
        "client": ("oauth2", {"token_url": token_url, "client_id": "ops", "client_secret": "Client-Mictlan-41"}),
    }
    for name, (credential_type, fields) in credentials.items():
        body = {"name": name, "credential_type": credential_type, "data": fields}
        answer = await admin.post("/credentials/v1/credentials", json=body)
        assert answer.status_code == 201, answer.text
    await make_devices(admin, ["ios1"], port=network.ports["ios1"])


def secret(credential: str, field: str) -> dict[str, dict[str, str]]:
    return {"it": {"credential": credential, "field": field}}


async def assert_nowhere(redis: Redis, log: Path) -> None:
    """Assert that no secret is in Redis, in the log or in a table."""
    places = {"redis": redis_bytes(redis), "log": log.read_bytes(), **await table_bytes()}
    assert b"********" in places["device_results"]
    for place, content in places.items():
        for hidden in SECRETS:
            assert hidden.encode() not in content, f"{hidden} is in {place}"


async def test_a_device_is_sent_the_secret_and_nothing_else_holds_it(
    admin: httpx.AsyncClient, network: Network, vault: None, redis: Redis, work: Path
) -> None:
    definition = workflow(
        step(
            "push",
            "config:push",
            lines="snmp-server community {{ secret.it }} RO\nsnmp-server location {{ host.name }}",
            credential="login",
            secrets=secret("community", "community"),
        ),
        step(
            "show",
            "ssh:command",
            command="show {{ secret.it }}",
            credential="login",
            secrets=secret("api", "api_key"),
            options={"on_error": "continue"},
        ),
        step("log", "debug:log", message="{{ push }} {{ nodes.show.error }}"),
        edges=("start -> push", "push -> show", "show -> log"),
    )
    execution = await run(admin, definition, ["ios1"])
    rows = await results(admin, execution["id"])
    assert execution["status"] == "success", rows
    configured = [entry.text.strip() for entry in network.journal.select(EventKind.CONFIG, "ios1")]
    assert f"snmp-server community {COMMUNITY} RO" in configured
    assert any(API_KEY in entry.text for entry in network.journal.select(EventKind.COMMAND, "ios1"))
    (pushed,) = [row for row in rows if row["node_id"] == "push"]
    assert "+snmp-server community ******** RO" in pushed["diff"]
    assert "snmp-server community ******** RO" in pushed["outputs"]["sent"]
    events = await admin.get(f"/automation/v1/executions/{execution['id']}/events")
    assert all(hidden not in events.text for hidden in SECRETS)
    await assert_nowhere(redis, work)
    opened = await database.fetch(
        "SELECT details::text AS details FROM audit_entries WHERE action = 'credentials.credential.use'"
    )
    assert sum('"node": "push"' in row["details"] or '"node":"push"' in row["details"] for row in opened) == 1


async def test_a_dry_run_shows_the_secret_masked(
    admin: httpx.AsyncClient, vault: None, service: WebService, redis: Redis, work: Path
) -> None:
    lines = "snmp-server community {{ secret.it }} RW"
    more: dict[str, Any] = {"credential": "login", "secrets": secret("community", "community")}
    definition = workflow(
        step("push", "config:push", lines=lines, **more),
        step(
            "tell",
            "notify:webhook",
            url=service.tell("/x", ECHO),
            body_source="custom",
            custom_body='{"t": "{{ secret.it }}"}',
            secrets=secret("api", "token"),
        ),
        edges=("start -> push", "push -> tell"),
    )
    execution = await run(admin, definition, ["ios1"], dry_run=True)
    rows = {row["node_id"]: row for row in await results(admin, execution["id"])}
    assert execution["status"] == "success", rows
    assert "+snmp-server community ******** RW" in rows["push"]["diff"]
    assert rows["tell"]["outputs"]["request"]["body"] == '{"t": "********"}'
    await assert_nowhere(redis, work)


async def test_a_server_is_sent_the_secret_and_nothing_else_holds_it(
    admin: httpx.AsyncClient, vault: None, service: WebService, redis: Redis, work: Path
) -> None:
    url = service.tell("/x", ECHO)
    definition = workflow(
        step(
            "ask",
            "http:request",
            url=url,
            method="POST",
            query={"t": "{{ secret.it }}"},
            headers={"X-Token": "{{ secret.it }}"},
            body_type="json",
            body_json={"t": "{{ secret.it }}"},
            secrets=secret("api", "token"),
        ),
        step(
            "granted", "http:request", url=service.tell("/y", ECHO_OF_ALL), authentication="oauth2", credential="client"
        ),
        step("again", "http:request", url=service.url("/y"), authentication="oauth2", credential="client"),
        step("keyed", "http:request", url=service.url("/y"), authentication="api_key", credential="api"),
        edges=("start -> ask", "ask -> granted", "granted -> again", "again -> keyed"),
    )
    execution = await run(admin, definition)
    rows = await results(admin, execution["id"])
    assert execution["status"] == "success", rows
    asked, *others = service.asked
    assert asked.headers["x-token"] == TOKEN
    assert json.loads(asked.body) == {"t": TOKEN}
    assert httpx.URL(f"http://x{asked.path}").params["t"] == TOKEN
    assert [other.path for other in others] == ["/token", "/y", "/y", "/y"]
    assert [other.headers.get("authorization") for other in others[1:3]] == [f"Bearer {GRANTED}"] * 2
    assert others[3].headers["x-api-key"] == API_KEY
    await assert_nowhere(redis, work)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"authentication": "basic", "credential": "gone"}, "There is no credential gone"),
        ({"authentication": "basic", "credential": "api"}, "is of type api_key, and basic is needed"),
        ({"authentication": "bearer", "credential": "old"}, "old expired on 2020-01-01"),
        ({"secrets": {"it": {"credential": "old", "field": "token"}}}, "old expired on 2020-01-01"),
        ({"secrets": {"it": {"credential": "api", "field": "api_secret"}}}, "secrets.it: the credential api has no"),
        ({"secrets": {"it": {"credential": "short", "field": "token"}}}, "too short to be masked"),
    ],
)
async def test_a_credential_that_may_not_be_used_is_said_so(
    admin: httpx.AsyncClient, vault: None, service: WebService, work: Path, parameters: dict[str, Any], words: str
) -> None:
    old = {"name": "old", "credential_type": "api_key", "data": {"token": TOKEN}, "valid_until": "2020-01-01T00:00:00Z"}
    short = {"name": "short", "credential_type": "api_key", "data": {"token": "abc"}}
    for body in (old, short):
        assert (await admin.post("/credentials/v1/credentials", json=body)).status_code == 201
    definition = workflow(step("a", "http:request", url=service.tell("/x", ECHO), **parameters), edges=("start -> a",))
    execution = await run(admin, definition)
    (row,) = await results(admin, execution["id"], node="a")
    assert row["error"]["class"] == "credential"
    assert words in row["error"]["message"]
    assert service.asked == []


async def test_who_may_not_use_credentials_may_not_start_what_takes_secrets(
    admin: httpx.AsyncClient, vault: None, as_user: Any
) -> None:
    definition = workflow(
        step("a", "http:request", url="https://example.org/", secrets=secret("api", "token")), edges=("start -> a",)
    )
    body = {"name": "secrets", "definition": definition}
    created = await admin.post("/automation/v1/workflows", json=body)
    caller = await as_user("automation.workflow.run", "automation.execution.view")
    path = f"/automation/v1/workflows/{created.json()['data']['id']}/execute"
    answer = await caller.post(path, json={})
    assert answer.status_code == 403
    assert "credentials.credential.use" in answer.text
