"""What starts leave behind and nobody needs any longer: old keys, claims, signatures and events."""

from redis import Redis

from app.automation.executions import idempotency
from app.automation.executions.starts import claims, webhooks
from app.core import events


async def purge(_: Redis) -> int:
    """Forget what is too old to count, and return how many rows that were."""
    return await idempotency.purge() + await claims.purge() + await webhooks.purge_signatures() + await events.purge()
