"""What the process beside a machine's workers does again and again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from redis import Redis

from app.core import database, queue
from app.core.logging import get_logger
from app.core.settings import Settings

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something that is done again and again."""

    every_s: float
    run: Callable[[Redis], Awaitable[object]]


async def keep_on(settings: Settings, duties: Sequence[Duty]) -> None:
    """Fulfil duties for ever, each at its own pace."""
    redis = queue.connect(settings.require_redis())
    await database.patiently(lambda: database.open_pool(min_size=1, max_size=2), patience_s=float("inf"))
    await asyncio.gather(*(_do_forever(duty, redis) for duty in duties))


async def _do_forever(duty: Duty, redis: Redis) -> None:
    while True:
        await fulfil(duty, redis)
        await asyncio.sleep(duty.every_s)


async def fulfil(duty: Duty, redis: Redis) -> None:
    """Do a duty once; that it failed is logged, and keeps it from nothing the next time."""
    try:
        await duty.run(redis)
    except Exception as error:  # noqa: BLE001 — the reconciler's door: it must outlive whatever it meets
        kind = type(error).__name__
        log.warning("a duty failed, trying again", duty=duty.run.__qualname__, error=str(error), kind=kind)
