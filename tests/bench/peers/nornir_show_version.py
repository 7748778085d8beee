"""A bare Nornir script with nornir-netmiko: one process, 50 threads, `show version` parsed by TextFSM."""

import time
from collections.abc import Mapping
from typing import Any

from nornir.core import Nornir
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.plugins.runners import ThreadedRunner
from nornir_netmiko import netmiko_send_command
from nornir_netmiko.connections import CONNECTION_NAME, Netmiko

from tests.bench.peers import answer

THREADS = 50


def main(ports: Mapping[str, int], username: str, password: str) -> dict[str, Any]:
    """Run the command on devices of loopback by port, and return how long that took, in seconds."""
    ConnectionPluginRegister.register(CONNECTION_NAME, Netmiko)
    defaults = Defaults(username=username, password=password, platform="cisco_ios")
    begin = time.perf_counter()
    hosts = Hosts(
        {name: Host(name, hostname="127.0.0.1", port=port, defaults=defaults) for name, port in ports.items()}
    )
    nornir = Nornir(inventory=Inventory(hosts, Groups(), defaults), runner=ThreadedRunner(num_workers=THREADS))
    results = nornir.run(task=netmiko_send_command, command_string="show version", use_textfsm=True)
    nornir.close_connections()
    took_s = time.perf_counter() - begin
    return {"wall_s": took_s, "hostnames": sorted(result[0].result[0]["hostname"] for result in results.values())}


if __name__ == "__main__":
    answer(main)
