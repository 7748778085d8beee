"""A process of its own that uses a simulated device's session, and says so: `session_user URL NAME PORT MOST TIMES`."""

import sys
import threading

from app.core import leases
from app.demo.network.devices import SimulatedDevice
from tasks import sessions
from tasks.sessions import pool
from tasks.ssh import SshCommandParams, ssh_command
from tests.support.node_lab import nornir_of, perform
from tests.support.vaults import Vault, hosts_of, login

SHOW = SshCommandParams(command="show privilege", timeout=20)
FOR_EVER = 0
"""As many times, once is meant, and the session is kept until the process dies."""


def main(redis_url: str, name: str, port: int, most: int, times: int) -> None:
    """Run a command that often, each time as a job of its own; write a line for each."""
    leases.SETTLE_S = 0.0
    pool.LEASE_PATIENCE_S = 30.0
    leases.begin(redis_url, name)
    make = hosts_of(Vault(login("lab")), most)
    for _ in range(max(1, times)):
        (result,) = perform(nornir_of([make(SimulatedDevice(name="sw1"), port)]), ssh_command, SHOW).values()
        if result.failed:
            raise SystemExit(f"it failed: {result.exception}")
        sys.stdout.write("done\n")
        sys.stdout.flush()
    if times == FOR_EVER:
        threading.Event().wait()
    sessions.close_all()


if __name__ == "__main__":
    url, own_name, *numbers = sys.argv[1:]
    main(url, own_name, *map(int, numbers))
