"""A bare Nornir script: one grouped task that runs the same no-op three times on every host."""

import time
from typing import Any

from nornir.core import Nornir
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.task import Result, Task
from nornir.plugins.runners import ThreadedRunner

from tests.bench.nodes.noop import Nothing, noop
from tests.bench.peers import answer


def main(devices: int, nodes: int) -> dict[str, Any]:
    """Run the no-ops and return the CPU time that took, inventory included, in seconds."""
    begin = time.process_time()
    hosts = Hosts({name: Host(name, hostname="127.0.0.1") for name in (f"noop-{n:05d}" for n in range(devices))})
    nornir = Nornir(inventory=Inventory(hosts, Groups(), Defaults()), runner=ThreadedRunner())
    results = nornir.run(task=grouped, nodes=nodes)
    if results.failed or len(results) != devices:
        raise RuntimeError(f"{len(results)} of {devices} hosts came back, {len(results.failed_hosts)} of them failed")
    return {"cpu_s": time.process_time() - begin}


def grouped(task: Task, nodes: int) -> Result:
    """Run the no-ops one after the other."""
    for _ in range(nodes):
        task.run(task=noop, params=Nothing())
    return Result(host=task.host)


if __name__ == "__main__":
    answer(main)
