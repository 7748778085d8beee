"""Everything PostgreSQL knows of executions: it is the truth, the queue only carries."""

from piccolo.columns import (
    JSONB,
    UUID,
    Array,
    BigInt,
    Boolean,
    Bytea,
    ForeignKey,
    Integer,
    OnDelete,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.constraints import Unique
from piccolo.table import Table

from app.core.clock import now, uuid7


class Execution(Table, tablename="executions"):
    """One run of a workflow: what was asked for, the plan it follows, and how it stands."""

    id = UUID(primary_key=True, default=uuid7)
    workflow_id = UUID(null=True, default=None, index=True)
    workflow_name = Varchar(length=150)
    workflow_version = Integer()
    definition = JSONB()
    plan = JSONB()
    targets = JSONB(default="{}")
    variables = JSONB(default="{}")
    trigger = JSONB(default="{}")
    trigger_kind = Varchar(length=16, default="manual", index=True)
    dry_run = Boolean(default=False)
    settings = JSONB(default="{}")
    test = Boolean(default=False, index=True)
    mocks = JSONB(default="{}")
    shard_size = Integer(default=13)
    status = Varchar(length=16, default="queued", index=True)
    error = JSONB(null=True, default=None)
    devices_total = Integer(default=0)
    succeeded = Integer(default=0)
    failed = Integer(default=0)
    skipped = Integer(default=0)
    unknown = Integer(default=0)
    cancelled = Integer(default=0)
    event_seq = BigInt(default=0)
    requested_by = UUID(index=True)
    requested_by_name = Varchar(length=150, index=True)
    request_id = Varchar(length=64, default="")
    parent = UUID(null=True, default=None, index=True)
    parent_node = Varchar(length=300, null=True, default=None)
    """The node of the parent, and the round it is in, that this execution is a step of."""
    depth = SmallInt(default=0)
    rerun_of = UUID(null=True, default=None, index=True)
    cancel_requested_at = Timestamptz(null=True, default=None)
    stop_reason = Varchar(length=16, default="")
    """Why nothing new begins: cancelled, timeout, max_failed or broken; with cancel_requested_at it all stops."""
    failure_limit = Integer(null=True, default=None)
    deadline_at = Timestamptz(null=True, default=None, index=True)
    created_at = Timestamptz(default=now, index=True)
    started_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    executions_step_uq = Unique(["parent", "parent_node"])


class ExecutionHost(Table, tablename="execution_hosts"):
    """A host that an execution was started for, and how it fared in the end."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    host_key = Varchar(length=255)
    device_id = UUID(null=True, default=None, index=True)
    name = Varchar(length=255)
    is_target = Boolean(default=True)
    own_nodes = Array(base_column=Varchar(length=128), default=list)
    """The nodes with targets of their own that name this host."""
    record = JSONB(null=True, default=None)
    status = Varchar(length=16, default="pending")
    error_class = Varchar(length=32, default="")
    execution_hosts_key_uq = Unique(["execution", "host_key"])


class StageRun(Table, tablename="stage_runs"):
    """A stage of an execution's plan; it starts when no predecessor is left, and ends when no device is."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    stage = Integer()
    iteration = Varchar(length=128, default="")
    rounds = JSONB(default="[]")
    """The rounds of loops this run lies in, the outermost first: loop, index, item, forgiven."""
    status = Varchar(length=16, default="pending", index=True)
    predecessors_left = Integer(default=0)
    devices_left = Integer(default=0)
    wave = Integer(default=0)
    wave_left = Integer(default=0)
    started_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    stage_runs_iteration_uq = Unique(["execution", "stage", "iteration"])


class Parking(Table, tablename="parkings"):
    """A host (or what runs once) that waits in a node of a stage: it is in no shard and holds no worker.

    ``due_at`` is null while it waits for something other than the time; ``status`` is parked, or woken once a shard
    has taken it on again.
    """

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    stage_run = ForeignKey(references=StageRun, on_delete=OnDelete.cascade, null=False, index=True)
    node_id = Varchar(length=128)
    host_key = Varchar(length=255)
    iteration = Varchar(length=128, default="")
    status = Varchar(length=16, default="parked")
    since = Timestamptz(default=now)
    due_at = Timestamptz(null=True, default=None, index=True)
    body = JSONB(default="{}")
    parkings_once_uq = Unique(["execution", "node_id", "host_key", "iteration"])


class Approval(Table, tablename="approvals"):
    """A question whether an execution may go on: what it is about, who may answer, and what they said."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    node_id = Varchar(length=128)
    iteration = Varchar(length=128, default="")
    status = Varchar(length=16, default="open", index=True)
    message = Text(default="")
    permission = Varchar(length=64)
    approvers = JSONB(default="[]")
    needed = SmallInt(default=1)
    subject = JSONB(default="{}")
    subject_hash = Varchar(length=64)
    decisions = JSONB(default="[]")
    requested_by = UUID()
    requested_by_name = Varchar(length=150)
    expires_at = Timestamptz(default=now)
    created_at = Timestamptz(default=now, index=True)
    decided_at = Timestamptz(null=True, default=None)
    approvals_once_uq = Unique(["execution", "node_id", "iteration"])


class Shard(Table, tablename="shards"):
    """Some hosts of a stage, worked on by one queue job at a time under a lease."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False, index=True)
    stage_run = ForeignKey(references=StageRun, on_delete=OnDelete.cascade, null=False, index=True)
    stage = Integer()
    queue = Varchar(length=64)
    host_keys = Array(base_column=Varchar(length=255))
    threads = SmallInt(default=0)
    """How many hosts it may work on at once; 0 leaves it to the worker."""
    siblings = SmallInt(default=1)
    """Among how many shards a node's own concurrency is divided."""
    status = Varchar(length=16, default="queued", index=True)
    attempt = Integer(default=0)
    owner = Varchar(length=128, default="")
    lease_until = Timestamptz(null=True, default=None, index=True)
    job = UUID(null=True, default=None)
    sent_at = Timestamptz(default=now)
    created_at = Timestamptz(default=now)
    finished_at = Timestamptz(null=True, default=None)


class NodeExecution(Table, tablename="node_executions"):
    """How a node of an execution stands, over all hosts."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    node_id = Varchar(length=128)
    node_type = Varchar(length=128)
    scope = Varchar(length=8)
    position = Integer()
    succeeded = Integer(default=0)
    failed = Integer(default=0)
    skipped = Integer(default=0)
    unknown = Integer(default=0)
    cancelled = Integer(default=0)
    handled = Integer(default=0)
    started_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    node_executions_node_uq = Unique(["execution", "node_id"])


class Result(Table, tablename="device_results"):
    """What a node did on one host (``-`` for a once node): status, outputs, error, diff."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    node_id = Varchar(length=128)
    host_key = Varchar(length=255)
    device_id = UUID(null=True, default=None)
    device_name = Varchar(length=255, default="")
    iteration = Varchar(length=128, default="")
    attempt = SmallInt(default=1)
    status = Varchar(length=16)
    handled = Boolean(default=False)
    branch = Varchar(length=64, null=True, default=None)
    outputs = JSONB(null=True, default=None)
    output_hash = Varchar(length=64, null=True, default=None)
    error_class = Varchar(length=32, default="")
    error_message = Text(default="")
    changed = Boolean(default=False)
    diff = Text(default="")
    started_at = Timestamptz(default=now)
    duration_ms = Integer(default=0)
    device_results_once_uq = Unique(["execution", "node_id", "host_key", "iteration"])


class OutputBlob(Table, tablename="output_blobs"):
    """A large output, stored once under the SHA-256 of its JSON and compressed with zstd."""

    hash = Varchar(length=64, primary_key=True)
    size_bytes = Integer()
    body = Bytea()
    created_at = Timestamptz(default=now)


class Artifact(Table, tablename="artifacts"):
    """A file of an execution; its content stands in chunks, named in their order by their SHA-256."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    path = Varchar(length=255)
    size_bytes = BigInt()
    content_hash = Varchar(length=64)
    chunks = Array(base_column=Varchar(length=64))
    node_id = Varchar(length=128, default="")
    created_at = Timestamptz(default=now)
    updated_at = Timestamptz(default=now)
    artifacts_path_uq = Unique(["execution", "path"])


class ArtifactChunk(Table, tablename="artifact_chunks"):
    """A piece of an execution's files, kept once under the SHA-256 of its content and compressed with zstd."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    hash = Varchar(length=64)
    body = Bytea()
    artifact_chunks_hash_uq = Unique(["execution", "hash"])


class Intent(Table, tablename="intents"):
    """A change that was about to be sent: with no result beside it, nobody knows whether it was."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    node_id = Varchar(length=128)
    host_key = Varchar(length=255)
    iteration = Varchar(length=128, default="")
    shard = UUID()
    shard_attempt = Integer()
    lines = JSONB(default="[]")
    created_at = Timestamptz(default=now)
    intents_once_uq = Unique(["execution", "node_id", "host_key", "iteration"])


class ChangeLock(Table, tablename="change_locks"):
    """The right to change a device, held by one shard's attempt under a lease."""

    host_key = Varchar(length=255, primary_key=True)
    execution = UUID()
    shard = UUID(index=True)
    shard_attempt = Integer()
    lease_until = Timestamptz(default=now)


class ExecutionEvent(Table, tablename="execution_events"):
    """What happened in an execution, numbered without gaps in the order it was committed."""

    id = UUID(primary_key=True, default=uuid7)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, null=False)
    seq = BigInt()
    kind = Varchar(length=48)
    body = JSONB()
    at = Timestamptz(default=now)
    execution_events_seq_uq = Unique(["execution", "seq"])


class IdempotencyKey(Table, tablename="idempotency_keys"):
    """A caller's own name for a request that starts work, and the execution that it started."""

    id = UUID(primary_key=True, default=uuid7)
    user = UUID()
    operation = Varchar(length=200)
    key = Varchar(length=255)
    body_hash = Varchar(length=64)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, index=True)
    created_at = Timestamptz(default=now, index=True)
    idempotency_keys_once_uq = Unique(["user", "operation", "key"])


class StartClaim(Table, tablename="start_claims"):
    """An occasion that starts one execution and no more: an event for a trigger, a schedule's due time."""

    id = UUID(primary_key=True, default=uuid7)
    kind = Varchar(length=16)
    occasion = Varchar(length=255)
    execution = ForeignKey(references=Execution, on_delete=OnDelete.cascade, index=True)
    created_at = Timestamptz(default=now, index=True)
    start_claims_once_uq = Unique(["kind", "occasion"])


class WebhookSignature(Table, tablename="webhook_signatures"):
    """The hash of a webhook's signature that was accepted; until it expires it is not accepted again."""

    hash = Varchar(length=64, primary_key=True)
    expires_at = Timestamptz(default=now, index=True)
