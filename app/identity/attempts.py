"""Limits on login attempts, per account and per address, counted in Redis."""

import hashlib
from dataclasses import dataclass

import anyio.to_thread
from redis import Redis

from app.core import rates
from app.core.errors import RateLimitError

WINDOW_S = 900
ACCOUNT_LIMIT = 10
ADDRESS_LIMIT = 50
PREFIX = "opsconductor:login:"


@dataclass(frozen=True)
class Attempts:
    """The attempts of one account from one address; they are forgotten 15 minutes after the first."""

    redis: Redis
    username: str
    address: str

    async def count(self) -> None:
        """Count this attempt before it is judged; raises RateLimitError when there were too many."""
        await anyio.to_thread.run_sync(self._count)

    async def forgive(self) -> None:
        """Take back this attempt and forget the account's earlier ones: the password was right."""
        await anyio.to_thread.run_sync(self._forgive)

    def _count(self) -> None:
        for key, limit in self._limits().items():
            rate = rates.count(self.redis, key, WINDOW_S)
            if rate.times > limit:
                raise RateLimitError(
                    f"There were too many attempts to log in. Try again in {rate.left_s} seconds.",
                    retry_after_s=rate.left_s,
                )

    def _forgive(self) -> None:
        self.redis.delete(self._account_key())
        if self.address and self.redis.exists(self._address_key()):
            self.redis.decr(self._address_key())

    def _limits(self) -> dict[str, int]:
        limits = {self._account_key(): ACCOUNT_LIMIT}
        return {**limits, self._address_key(): ADDRESS_LIMIT} if self.address else limits

    def _account_key(self) -> str:
        return f"{PREFIX}account:{hashlib.sha256(self.username.lower().encode()).hexdigest()}"

    def _address_key(self) -> str:
        return f"{PREFIX}address:{self.address}"
