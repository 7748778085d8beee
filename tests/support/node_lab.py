"""Simulated devices over real SSH, and a plain Nornir to run nodes on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nornir.core import Nornir
from nornir.core.inventory import ConnectionOptions, Defaults, Groups, Host, Hosts, Inventory
from nornir.core.state import GlobalState
from nornir.core.task import Result, Task
from nornir.plugins.runners import ThreadedRunner

from app.demo.network.devices import SimulatedDevice
from app.demo.network.journal import EventKind
from app.demo.network.server import Network
from tasks import context
from tasks.context import NodeContext
from tasks.node import Params


@dataclass
class Lab:
    """A running network, and a Nornir whose hosts are its devices."""

    network: Network
    nornir: Nornir
    changes: list[list[str]] = field(default_factory=list)

    def run(self, node: Callable[..., Any], params: Params, **surroundings: Any) -> dict[str, Result]:
        """Run a node on every host, and return each host's result."""

        def note(lines: Sequence[str]) -> None:
            self.changes.append(list(lines))

        return perform(self.nornir, node, params, **{"before_change": note, **surroundings})

    def one(self, node: Callable[..., Any], params: Params, **surroundings: Any) -> Result:
        """Run a node on the only host."""
        (result,) = self.run(node, params, **surroundings).values()
        return result

    def host(self, name: str) -> Host:
        """Return a host."""
        return self.nornir.inventory.hosts[name]

    def count(self, kind: EventKind) -> int:
        """Return how often something happened in the network."""
        return len(self.network.journal.select(kind))

    def heard(self, kind: EventKind) -> list[str]:
        """Return what the network's devices were told."""
        return [entry.text for entry in self.network.journal.select(kind)]


def perform(nornir: Nornir, node: Callable[..., Any], params: Params, **surroundings: Any) -> dict[str, Result]:
    """Run a node on every host of a Nornir, and return each host's result."""
    given = NodeContext(**surroundings)

    def performed(task: Task) -> Any:
        context.enter(given)
        return node(task, params=params)

    results = nornir.run(task=performed)
    nornir.data.reset_failed_hosts()
    return {name: result[0] for name, result in results.items()}


def nornir_of(hosts: list[Host]) -> Nornir:
    """Return a Nornir over some hosts."""
    inventory = Inventory(hosts=Hosts({host.name: host for host in hosts}), groups=Groups(), defaults=Defaults())
    return Nornir(inventory=inventory, data=GlobalState(), runner=ThreadedRunner(num_workers=max(1, len(hosts))))


def plain_host(device: SimulatedDevice, port: int, **more: Any) -> Host:
    """Return a host as an ordinary inventory has it: with a username and a password of its own."""
    secret = {"secret": device.enable_secret} if device.privilege < 15 else {}
    return Host(
        device.name,
        **{
            "hostname": "127.0.0.1",
            "port": port,
            "username": "admin",
            "password": "admin",
            "platform": device.platform.value,
            "connection_options": {"netmiko": ConnectionOptions(extras=secret)},
            **more,
        },
    )


MakeLab = Callable[..., Lab]


def error_class(result: Result) -> str:
    """Return the class of what a node failed with."""
    return getattr(result.exception, "error_class", type(result.exception).__name__)
