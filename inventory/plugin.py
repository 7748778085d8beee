"""The Nornir inventory plugin ``opsconductor``: host records become hosts and groups, in a service or a script.

In a script: ``register()``, then ``InitNornir(inventory={"plugin": "opsconductor", "options": {"sources": [...]}})``.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from nornir.core.inventory import Defaults, Group, Groups, Hosts, Inventory, ParentGroups
from nornir.core.plugins.inventory import InventoryPluginRegister

from inventory.host_keys import HostKeySource, MemoryHostKeys
from inventory.hosts import OpsHost
from inventory.records import HostRecord, LoginSource
from inventory.sources import Source, read_sources

NAME = "opsconductor"


class OpsConductorInventory:
    """Loads sources of records; ``username`` and ``password`` serve hosts that no login source serves.

    Host keys are kept by ``host_keys``, else in memory.
    """

    def __init__(
        self,
        sources: Sequence[Source] = (),
        login_source: LoginSource | None = None,
        host_keys: HostKeySource | None = None,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.sources = sources
        self.login_source = login_source
        self.host_keys = host_keys or MemoryHostKeys()
        self.defaults = Defaults(username=username, password=password)

    def load(self) -> Inventory:
        """Read the sources and return the inventory; raises SourceUnavailableError."""
        return build_inventory(
            read_sources(self.sources),
            login_source=self.login_source,
            host_keys=self.host_keys,
            defaults=self.defaults,
        )


def build_inventory(
    records: Sequence[HostRecord],
    *,
    login_source: LoginSource | None = None,
    host_keys: HostKeySource | None = None,
    defaults: Defaults | None = None,
) -> Inventory:
    """Turn records into hosts and groups; hosts whose name is not unique carry their key behind it."""
    shared = defaults or Defaults()
    groups = _groups(records, shared)
    hosts = Hosts()
    for name, record in zip(unique_names(records), records, strict=True):
        hosts[name] = OpsHost(
            name,
            record,
            login_source=login_source,
            host_keys=host_keys,
            groups=ParentGroups(groups[group] for group in record.groups),
            defaults=shared,
        )
    return Inventory(hosts=hosts, groups=groups, defaults=shared)


def unique_names(records: Iterable[HostRecord]) -> list[str]:
    """Return each record's host name: its own, or ``name#key`` where several records bear the name."""
    listed = list(records)
    count = Counter(record.name for record in listed)
    return [record.name if count[record.name] == 1 else f"{record.name}#{record.key}" for record in listed]


def register() -> None:
    """Make the plugin known to Nornir in this process; the entry point does the same where it is installed."""
    InventoryPluginRegister.register(NAME, OpsConductorInventory)


def _groups(records: Iterable[HostRecord], defaults: Defaults) -> Groups:
    names = sorted({group for record in records for group in record.groups})
    return Groups({name: Group(name, defaults=defaults) for name in names})
