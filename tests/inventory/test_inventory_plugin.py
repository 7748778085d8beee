import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from nornir import InitNornir
from nornir.core import Nornir
from nornir.core.filter import F
from nornir.core.task import Result, Task

from inventory.errors import SourceUnavailableError
from inventory.hosts import OpsHost
from inventory.plugin import build_inventory, register
from inventory.records import HostRecord, Login


def record(name: str, **more: object) -> HostRecord:
    fields = {"key": name, "name": name, "address": "192.0.2.1", "platform": "cisco_ios", **more}
    return HostRecord(**fields)  # type: ignore[arg-type]


def nornir_of(*records: HostRecord, **options: object) -> Nornir:
    register()
    return InitNornir(
        inventory={"plugin": "opsconductor", "options": {"sources": [list(records)], **options}},
        logging={"enabled": False},
    )


def host_of(nornir: Nornir, name: str) -> OpsHost:
    host = nornir.inventory.hosts[name]
    assert isinstance(host, OpsHost)
    return host


def hostname(task: Task) -> Result:
    return Result(host=task.host, result=task.host.hostname)


def test_a_record_becomes_a_host_with_its_address_and_port() -> None:
    nornir = nornir_of(record("r1", address="192.0.2.7", port=2201))
    host = host_of(nornir, "r1")
    assert (host.hostname, host.port, host.platform) == ("192.0.2.7", 2201, "cisco_ios")
    assert host.record.key == "r1"


def test_a_record_without_a_port_gets_its_platforms() -> None:
    assert host_of(nornir_of(record("r1")), "r1").port == 22


def test_each_driver_gets_its_own_name_for_the_platform() -> None:
    nornir = nornir_of(record("sw1", platform="arista_eos"))
    host = host_of(nornir, "sw1")
    assert host.get_connection_parameters("netmiko").platform == "arista_eos"
    assert host.get_connection_parameters("netmiko").port == 22
    assert host.get_connection_parameters("napalm").platform == "eos"
    assert host.get_connection_parameters("napalm").port == 443


def test_a_platform_that_the_map_lacks_still_makes_a_host() -> None:
    host = host_of(nornir_of(record("x1", platform="toaster")), "x1")
    assert host.platform == "toaster"
    assert host.get_connection_parameters("netmiko").platform == "toaster"


def test_hosts_are_filtered_by_the_fields_of_their_records() -> None:
    nornir = nornir_of(
        record("r1", site="ber1", role="core", tags=("edge",), groups=("upgrade",)),
        record("r2", site="ber1", role="access", custom={"rack": "a7"}),
        record("r3", site="par1", role="core", platform="ciena_saos"),
    )
    assert list(nornir.filter(F(site="ber1") & F(role="core")).inventory.hosts) == ["r1"]
    assert list(nornir.filter(F(platform="ciena_saos")).inventory.hosts) == ["r3"]
    assert list(nornir.filter(F(tags__contains="edge")).inventory.hosts) == ["r1"]
    assert list(nornir.filter(F(groups__contains="upgrade")).inventory.hosts) == ["r1"]
    assert list(nornir.filter(F(rack="a7")).inventory.hosts) == ["r2"]
    assert list(nornir.filter(F(site="rom1")).inventory.hosts) == []


def test_a_task_runs_on_every_host() -> None:
    nornir = nornir_of(record("r1", address="192.0.2.1"), record("r2", address="192.0.2.2"))
    results = nornir.run(task=hostname)
    assert {name: result.result for name, result in results.items()} == {"r1": "192.0.2.1", "r2": "192.0.2.2"}


def test_two_hosts_of_one_name_both_survive() -> None:
    nornir = nornir_of(record("r1", key="a"), record("r1", key="b"), record("r2"))
    assert list(nornir.inventory.hosts) == ["r1#a", "r1#b", "r2"]


def test_logins_come_from_the_login_source() -> None:
    login = Login(credential_id="1", credential_name="lab", credential_type="ssh", version=3, fields={"username": "u"})
    asked: list[tuple[str, str, str | None]] = []

    def source(of: HostRecord, credential_type: str, explicit: str | None) -> Sequence[Login]:
        asked.append((of.name, credential_type, explicit))
        return [login]

    host = host_of(nornir_of(record("r1"), login_source=source), "r1")
    assert host.logins("ssh") == [login]
    assert host.logins("snmp", "lab") == [login]
    assert asked == [("r1", "ssh", None), ("r1", "snmp", "lab")]


def test_without_a_login_source_the_hosts_own_username_and_password_serve() -> None:
    host = host_of(nornir_of(record("r1"), username="netops", password="s3cret"), "r1")
    (login,) = host.logins("ssh")
    assert (login["username"], login["password"]) == ("netops", "s3cret")
    assert login.secrets() == ["s3cret"]
    host.username = "other"
    assert host.logins("ssh")[0]["username"] == "other"


def test_a_host_without_any_login_says_what_to_give_it() -> None:
    host = host_of(nornir_of(record("r1")), "r1")
    with pytest.raises(LookupError, match="login_source, or the host a username"):
        host.logins("ssh")


def test_a_password_does_not_stand_in_for_a_community() -> None:
    host = host_of(nornir_of(record("r1"), username="netops", password="s3cret"), "r1")
    with pytest.raises(LookupError, match="no snmp credential"):
        host.logins("snmp")


def test_an_explicit_credential_is_not_replaced_by_the_hosts_own_password() -> None:
    host = host_of(nornir_of(record("r1"), username="netops", password="s3cret"), "r1")
    with pytest.raises(LookupError, match="'lab' was asked for"):
        host.logins("ssh", "lab")


def test_a_host_that_two_sources_give_is_refused() -> None:
    register()
    with pytest.raises(SourceUnavailableError, match="more than once: r1"):
        InitNornir(
            inventory={"plugin": "opsconductor", "options": {"sources": [[record("r1")], [record("r1")]]}},
            logging={"enabled": False},
        )


def test_ten_thousand_hosts_take_less_than_five_kilobytes_each() -> None:
    records = [record(f"r{number}", site="ber1", groups=("all",)) for number in range(10_000)]
    tracemalloc.start()
    try:
        inventory = build_inventory(records)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(inventory.hosts) == 10_000
    assert taken / 10_000 < 5_000


def test_a_plain_script_needs_nothing_of_the_service(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text("- {name: r1, address: 192.0.2.1, platform: cisco_ios, site: ber1}\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from inventory.plugin import register\n"
        "from nornir import InitNornir\n"
        "register()\n"
        "options = {'sources': [{'file': sys.argv[1]}]}\n"
        "nr = InitNornir(inventory={'plugin': 'opsconductor', 'options': options}, logging={'enabled': False})\n"
        "print(*nr.inventory.hosts)\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'app', 'piccolo', 'litestar', 'rq', 'redis'}))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script), str(hosts)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
    )
    assert done.stdout.split("\n")[:2] == ["r1", "[]"]
