from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis

from app.demo.network.devices import Fault, Platform, SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from app.demo.network.threaded import run_in_thread
from tests.support.graphs import step, workflow
from tests.support.traces import redis_bytes, table_bytes
from tests.support.working import results, run, table

PASSWORD, ENABLE = "Tr0ub4dor&3-Zanzibar", "Enable-Quetzalcoatl-77"
FLEET = [
    SimulatedDevice(name="ios1", platform=Platform.CISCO_IOS, password=PASSWORD, enable_secret=ENABLE),
    SimulatedDevice(name="saos1", platform=Platform.CIENA_SAOS, password=PASSWORD),
    SimulatedDevice(name="locked", platform=Platform.CISCO_IOS, password=PASSWORD, fault=Fault.REFUSE_PASSWORD),
    SimulatedDevice(name="mute", platform=Platform.CISCO_IOS, password=PASSWORD, fault=Fault.HANG),
    SimulatedDevice(name="dead", platform=Platform.CISCO_IOS, password=PASSWORD, fault=Fault.DOWN),
]


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with run_in_thread(FLEET) as running:
        yield running


@pytest.fixture
async def fleet(admin: httpx.AsyncClient, network: Network) -> list[str]:
    """Put the simulated devices and a credential for their group into the inventory."""
    ids = []
    for device in FLEET:
        body = {"name": device.name, "address": "127.0.0.1", "port": network.ports[device.name]}
        answer = await admin.post("/inventory/v1/devices", json={**body, "platform": str(device.platform)})
        ids.append(answer.json()["data"]["id"])
    group = await admin.post("/inventory/v1/groups", json={"name": "all", "members": ids})
    fields = {"username": "admin", "password": PASSWORD, "enable_secret": ENABLE}
    credential = await admin.post(
        "/credentials/v1/credentials", json={"name": "fleet", "credential_type": "ssh", "data": fields}
    )
    subject = {"subject_type": "group", "subject_id": group.json()["data"]["id"]}
    assignment = {"credential_id": credential.json()["data"]["id"], **subject}
    answer = await admin.post("/credentials/v1/assignments", json=assignment)
    assert answer.status_code == 201, answer.text
    return [device.name for device in FLEET]


READ = workflow(
    step("which", "logic:if", expression="host.platform == 'ciena_saos'", options={"scope": "device"}),
    step("ports", "ssh:command", command="port show", timeout=3),
    step("version", "ssh:command", command="show version", timeout=3),
    edges=("start -> which", "which.true -> ports", "which.false -> version"),
)


async def test_commands_are_parsed_and_each_fault_has_its_class(
    admin: httpx.AsyncClient, fleet: list[str], work: Path
) -> None:
    execution = await run(admin, READ, fleet)
    rows = await results(admin, execution["id"])
    by_place = {(row["node_id"], row["device"]["name"]): row for row in rows if row["device"]}
    assert by_place["version", "ios1"]["outputs"]["records"][0]["hostname"] == "ios1"
    assert by_place["ports", "saos1"]["outputs"]["parser"] == "ciena_saos.port_show"
    assert {record["port"] for record in by_place["ports", "saos1"]["outputs"]["records"]}
    errors = {name: by_place["version", name]["error"]["class"] for name in ("locked", "mute", "dead")}
    assert errors == {"locked": "auth", "mute": "read_timeout", "dead": "tcp_refused"}
    assert (execution["status"], execution["counts"]["succeeded"], execution["counts"]["failed"]) == ("partial", 2, 3)


async def test_a_change_is_shown_made_and_not_made_again(
    admin: httpx.AsyncClient, fleet: list[str], network: Network, work: Path
) -> None:
    lines = "interface GigabitEthernet0/1\n description to {{ host.name }}"
    definition = workflow(step("push", "config:push", lines=lines, save=True), edges=("start -> push",))
    created = await admin.post("/automation/v1/workflows", json={"name": "push", "definition": definition})
    path = f"/automation/v1/workflows/{created.json()['data']['id']}/execute"
    seen = []
    for dry_run in (True, False, False):
        answer = await admin.post(
            path, params={"wait": "60"}, json={"targets": {"devices": ["ios1"]}, "dry_run": dry_run}
        )
        assert answer.json()["data"]["status"] == "success", answer.text
        (row,) = await results(admin, answer.json()["data"]["id"], node="push")
        seen.append((row["changed"], "+ description to ios1" in row["diff"].replace("+  ", "+ ")))
    assert seen == [(True, True), (True, True), (False, False)]
    sent = [entry.text for entry in network.journal.select(EventKind.CONFIG, "ios1")]
    assert [text.strip() for text in sent].count("description to ios1") == 1


async def test_a_credential_that_is_named_wins_over_those_assigned(
    admin: httpx.AsyncClient, fleet: list[str], work: Path
) -> None:
    wrong = {"username": "admin", "password": "not-the-password"}
    await admin.post("/credentials/v1/credentials", json={"name": "wrong", "credential_type": "ssh", "data": wrong})
    definition = workflow(step("v", "ssh:command", command="show version", credential="wrong"), edges=("start -> v",))
    execution = await run(admin, definition, ["ios1"])
    (row,) = await results(admin, execution["id"], node="v")
    assert row["error"]["class"] == "auth"
    assert "wrong" in row["error"]["message"]


async def test_no_secret_is_found_anywhere_but_sealed_in_the_vault(
    admin: httpx.AsyncClient, fleet: list[str], redis: Redis, work: Path
) -> None:
    echo = workflow(
        step("v", "ssh:command", command=f"show {PASSWORD}", enable=True, timeout=2, options={"on_error": "continue"}),
        step("d", "debug:log", message="{{ v.error }} {{ nodes.v.error }}"),
        edges=("start -> v", "v -> d"),
    )
    execution = await run(admin, echo, fleet)
    assert table(await results(admin, execution["id"]))["v", "locked"] == "failed"
    places = {"redis": redis_bytes(redis), "log": work.read_bytes(), **await table_bytes()}
    definitions = {"workflows", "workflow_versions", "executions"}
    for place, content in places.items():
        for secret in (PASSWORD, ENABLE):
            assert secret.encode() not in content or place in definitions, f"{secret} is in {place}"
    assert PASSWORD.encode() in places["workflows"]
    assert "audit_entries" in places


async def test_branches_of_one_device_take_turns_at_its_session(
    admin: httpx.AsyncClient, fleet: list[str], work: Path
) -> None:
    names = [f"c{number}" for number in range(4)]
    shows = ["show version", "show ip interface brief"]
    commands = [step(name, "ssh:command", command=shows[number % 2]) for number, name in enumerate(names)]
    definition = workflow(
        step("first", "ssh:command", command="show version"),
        *commands,
        edges=("start -> first", *(f"first -> {name}" for name in names)),
    )
    execution = await run(admin, definition, ["ios1"])
    rows = {row["node_id"]: row for row in await results(admin, execution["id"]) if row["device"]}
    assert {name: rows[name]["error"] for name in names} == dict.fromkeys(names)
    told = [rows[name]["outputs"]["stdout"] for name in names]
    assert (told[0], told[1]) == (told[2], told[3])
    assert "GigabitEthernet0/1" in told[1]
    assert told[0] != told[1]
