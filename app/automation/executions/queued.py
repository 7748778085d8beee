"""What RQ calls by name: work on a shard."""

import os
import socket
from uuid import UUID

from app.automation.executions.engine import runtime, shard
from app.core import context
from app.core.context import RequestContext


def run_shard(shard_id: str, request_id: str) -> None:
    """Work on a shard under the request that caused it."""
    context.enter(RequestContext(request_id))
    shard.run_shard(UUID(shard_id), f"{socket.gethostname()}:{os.getpid()}", runtime.database())
