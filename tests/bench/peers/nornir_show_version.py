"""A bare Nornir script with nornir-netmiko: one process, 50 threads, `show version` unparsed, cold and again."""

import re
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
HOSTNAME = re.compile(r"^(\S+) uptime is ", re.MULTILINE)


def main(ports: Mapping[str, int], username: str, password: str) -> dict[str, Any]:
    """Run the command twice on devices of loopback by port, and return how long each took, in seconds.

    The second time the sessions are open. The inventory is part of the first, hanging up is part of neither.
    """
    ConnectionPluginRegister.register(CONNECTION_NAME, Netmiko)
    defaults = Defaults(username=username, password=password, platform="cisco_ios")
    begin = time.perf_counter()
    hosts = Hosts(
        {name: Host(name, hostname="127.0.0.1", port=port, defaults=defaults) for name, port in ports.items()}
    )
    nornir = Nornir(inventory=Inventory(hosts, Groups(), defaults), runner=ThreadedRunner(num_workers=THREADS))
    cold = _hostnames(nornir)
    between = time.perf_counter()
    warm = _hostnames(nornir)
    end = time.perf_counter()
    nornir.close_connections()
    return {"cold_s": between - begin, "warm_s": end - between, "hostnames": [cold, warm]}


def _hostnames(nornir: Nornir) -> list[str]:
    results = nornir.run(task=netmiko_send_command, command_string="show version")
    return sorted(HOSTNAME.findall(result[0].result)[0] for result in results.values())


if __name__ == "__main__":
    answer(main)
