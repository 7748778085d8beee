"""The worker: loads everything heavy once, then forks processes that take work from the queue."""

from functools import partial
from importlib import import_module
from typing import cast

from app.automation.executions import retention, starvation
from app.automation.executions.engine import runtime
from app.automation.executions.engine.runtime import Runtime
from app.automation.executions.reconciler import keep_time, reconcile
from app.automation.executions.retention import Retention
from app.automation.executions.starts import event_starts, upkeep
from app.core import database, events, leases
from app.core.errors import UnavailableError
from app.core.logging import configure_logging, get_logger
from app.core.settings import Settings, load_settings
from app.core.workers import horse
from app.core.workers.bell import Bell
from app.core.workers.duties import Duty
from app.core.workers.horse import Habits
from app.core.workers.supervisor import supervise
from app.credentials import vault
from app.palette import build_catalog
from tasks import sessions
from tasks.sessions import transport

log = get_logger(__name__)

PRELOADED = (
    "app.automation.executions.engine.shard",
    "app.piccolo_app",
    "anyio._backends._asyncio",  # which anyio imports at its first use
)
"""What a work-horse would else import again for every job."""
DUTIES = (
    Duty(every_s=0.5, run=keep_time),
    Duty(every_s=0.5, run=events.deliver),
    Duty(every_s=3.0, run=reconcile),
    Duty(every_s=60.0, run=upkeep.purge),
)
"""What the process beside the workers does: let go on what waits, deliver news, find what got lost, tidy up."""


def run(settings: Settings) -> int:
    """Run this machine's share of workers until told to stop; returns the exit code."""
    configure_logging(settings.log_level, settings.log_format)
    for name in PRELOADED:
        import_module(name)
    database.engine()
    vault.configure(settings.require_keyring())
    catalogue = build_catalog(settings.nodes_path)
    runtime.configure(Runtime(catalogue, settings, is_draining=horse.is_draining, spend=horse.spend))
    transport.choose(cast(transport.Choice, settings.ssh_transport))
    events.subscribe(event_starts.SUBSCRIBER)
    bell = Bell()
    kept = Retention(days=settings.execution_retention_days, count=settings.execution_retention_count)
    duties = [
        *DUTIES,
        Duty(every_s=0.25, run=lambda _: starvation.relieve(bell.ring)),
        Duty(every_s=600.0, run=lambda _: retention.keep(kept)),
    ]
    habits = Habits(begin=partial(_begin, settings), end=_end, bury=leases.free)
    return supervise(settings, duties, habits, bell)


def _begin(settings: Settings, generation: str) -> None:
    """Open what a work-horse needs for its first job; what cannot be had yet is opened by that."""
    leases.begin(settings.require_redis(), generation, idle_s=settings.session_idle_s)
    try:
        runtime.database()
    except (UnavailableError, *database.CONNECTION_ERRORS) as error:
        log.warning("PostgreSQL is away", error=str(error))


def _end() -> None:
    """Close what a work-horse has open."""
    sessions.close_all()
    runtime.close()


if __name__ == "__main__":
    raise SystemExit(run(load_settings()))
