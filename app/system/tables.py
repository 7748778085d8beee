"""The audit trail."""

from piccolo.columns import JSONB, UUID, Timestamptz, Varchar
from piccolo.table import Table

from app.core.clock import now, uuid7


class AuditEntry(Table, tablename="audit_entries"):
    """One security-relevant act; appended, never changed."""

    id = UUID(primary_key=True, default=uuid7)
    at = Timestamptz(default=now, index=True)
    action = Varchar(length=64, index=True)
    actor_id = UUID(null=True, default=None, index=True)
    actor_name = Varchar(length=150)
    address = Varchar(length=64, default="")
    request_id = Varchar(length=64, default="", index=True)
    subject_type = Varchar(length=64, default="")
    subject_id = Varchar(length=255, default="", index=True)
    outcome = Varchar(length=16, default="success")
    details = JSONB(default="{}")
