"""Limits on what comes in at a webhook's path, counted in Redis by the minute."""

import hashlib
from dataclasses import dataclass

import anyio.to_thread
from redis import Redis

from app.core import rates
from app.core.errors import RateLimitError

WINDOW_S = 60
PATH_LIMIT = 600
SENDER_LIMIT = 120
PREFIX = "opsconductor:webhook:"


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The requests to one path, known or not, from one address; forgotten a minute after the first."""

    redis: Redis
    path: str
    address: str

    async def count(self) -> None:
        """Count a request before it is looked at; raises RateLimitError when there were too many."""
        await anyio.to_thread.run_sync(self._count)

    def _count(self) -> None:
        path = hashlib.sha256(self.path.encode()).hexdigest()
        for key, limit in ((f"{PREFIX}{path}:{self.address}", SENDER_LIMIT), (f"{PREFIX}{path}", PATH_LIMIT)):
            rate = rates.count(self.redis, key, WINDOW_S)
            if rate.times > limit:
                raise RateLimitError(
                    f"There were too many requests to this webhook. Try again in {rate.left_s} seconds.",
                    retry_after_s=rate.left_s,
                )
