"""The outbox: queue jobs written in the transaction that makes them necessary, sent after it."""

from piccolo.columns import JSONB, UUID, Timestamptz, Varchar
from piccolo.table import Table

from app.core.clock import now, uuid7


class OutboxEntry(Table, tablename="queue_outbox"):
    """A queue job that is to be sent; deleted once Redis has it."""

    id = UUID(primary_key=True, default=uuid7)
    queue = Varchar(length=64)
    function = Varchar(length=255)
    arguments = JSONB()
    created_at = Timestamptz(default=now, index=True)
