"""The outboxes: queue jobs and events, written in the transaction that makes them true, sent and told after it."""

from piccolo.columns import JSONB, UUID, BigSerial, SmallInt, Text, Timestamptz, Varchar
from piccolo.table import Table

from app.core.clock import now, uuid7


class OutboxEntry(Table, tablename="queue_outbox"):
    """A queue job that is to be sent; deleted once Redis has it."""

    id = UUID(primary_key=True, default=uuid7)
    queue = Varchar(length=64)
    function = Varchar(length=255)
    arguments = JSONB()
    created_at = Timestamptz(default=now, index=True)


class EventEntry(Table, tablename="event_outbox"):
    """An event that is to be told to its subscribers; deleted once all of them know.

    ``depth`` counts the executions in the chain of events that led to it.
    """

    id = BigSerial(primary_key=True)
    name = Varchar(length=64, index=True)
    body = JSONB()
    depth = SmallInt(default=0)
    request_id = Varchar(length=64, default="")
    attempts = SmallInt(default=0)
    error = Text(default="")
    created_at = Timestamptz(default=now)
