"""What RQ calls by name: work on a shard."""

import os
import socket
from uuid import UUID

from app.automation.executions.engine import shard
from app.core import context
from app.core.context import RequestContext
from app.core.database import DatabaseThread

CONNECTIONS = 3
"""One for the recorder, one for the heartbeat, one for the hosts' threads."""


def run_shard(shard_id: str, request_id: str) -> None:
    """Work on a shard under the request that caused it."""
    context.enter(RequestContext(request_id))
    with DatabaseThread(max_size=CONNECTIONS) as db:
        shard.run_shard(UUID(shard_id), f"{socket.gethostname()}:{os.getpid()}", db)
