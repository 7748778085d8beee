"""What crosses the API of health, queues, workers and the audit trail."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from app.core.wire import Output

ComponentStatus = Literal["up", "down"]
Outcome = Literal["success", "failure"]


class WelcomeRead(Output, frozen=True, kw_only=True):
    """What this is, and where to go on."""

    name: str
    version: str
    links: dict[str, str]


class LivenessRead(Output, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["alive"] = "alive"


class ComponentRead(Output, frozen=True, kw_only=True):
    """How one service that this one needs is doing."""

    name: str
    status: ComponentStatus
    latency_ms: float
    detail: str


class HealthRead(Output, frozen=True, kw_only=True):
    """How everything is doing."""

    status: ComponentStatus
    components: list[ComponentRead]


class VersionsRead(Output, frozen=True, kw_only=True):
    """What runs here."""

    name: str
    version: str
    python_version: str
    postgresql_version: str
    redis_version: str
    started_at: datetime
    uptime_s: int


class QueueRead(Output, frozen=True, kw_only=True):
    """A queue: jobs waiting, the age of the oldest, and those in hand or failed."""

    name: str
    depth: int
    oldest_age_s: float | None
    started: int
    failed: int


class WorkerRead(Output, frozen=True, kw_only=True):
    """A worker that was heard from."""

    name: str
    state: str
    hostname: str | None
    pid: int | None
    queues: list[str]
    current_jobs: list[str]
    last_heartbeat_at: datetime | None
    started_at: datetime | None
    succeeded: int
    failed: int


class SessionUserRead(Output, frozen=True, kw_only=True):
    """What a session is used for, or asked for: an execution and a node of it; both null where neither is known."""

    execution_id: str | None
    node_id: str | None


class HeldSessionRead(Output, frozen=True, kw_only=True):
    """A session that is open: in which process, since when, and for whom it is or was last used."""

    id: str
    process: str
    since: datetime
    state: Literal["busy", "idle"]
    user: SessionUserRead


class WaiterRead(Output, frozen=True, kw_only=True):
    """Who waits for a session: in which process, since when, and for what."""

    process: str
    since: datetime
    user: SessionUserRead


class DeviceSessionsRead(Output, frozen=True, kw_only=True):
    """A device that sessions are open to, or waited for; those who wait stand in their order."""

    device_id: str
    device_name: str
    max_sessions: int
    sessions: list[HeldSessionRead]
    waiting: list[WaiterRead]


class AuditEntryRead(Output, frozen=True, kw_only=True):
    """One act of the audit trail."""

    id: UUID
    at: datetime
    action: str
    actor_id: UUID | None
    actor_name: str
    address: str
    request_id: str
    subject_type: str
    subject_id: str
    outcome: Outcome
    details: dict[str, Any]
