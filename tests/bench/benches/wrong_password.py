"""A fleet whose password is wrong: how many logins fail before nobody tries any more, as the devices count them."""

from app.demo.network.journal import EventKind
from tests.bench.measure import RUNS, Figure, say, size
from tests.bench.network import counting, fill, fleet_of
from tests.bench.shapes import chain
from tests.bench.stack import running

DEVICES = size("WRONG_PASSWORD_DEVICES", 200)
MOST = 3


def measure() -> list[Figure]:
    """Return the most failed logins of any run; every run has devices and a credential of its own."""
    fleets = [fleet_of(DEVICES, f"wrong{number}") for number in range(RUNS)]
    failed = []
    with counting(fleets) as (ports, log), running() as stack:
        workflow_id = stack.add_workflow("show version", chain("ssh:command", 1, command="show version"))
        for number, fleet in enumerate(fleets):
            fill(stack, [fleet], ports, password="not the password", name=f"wrong {number}")
            mark = log.mark()
            stack.execute(workflow_id, [device.name for device in fleet], "failed")
            failed.append(log.count(EventKind.LOGIN_FAILED, mark))
            say(f"{failed[-1]} failed logins on {DEVICES} devices")
    return [
        Figure(work=f"{DEVICES} devices, failed logins", figure=max(failed), unit="logins", peer=DEVICES, goal=MOST)
    ]
