"""How often something happens: counted in Redis, in windows that begin with the first time."""

from typing import NamedTuple

from redis import Redis


class Rate(NamedTuple):
    """How often it has happened in this window, and how many seconds are left of it, at least one."""

    times: int
    left_s: int


def count(redis: Redis, key: str, window_s: int) -> Rate:
    """Count one more time and return how often it has been in the window."""
    with redis.pipeline() as pipeline:
        pipeline.set(key, 0, ex=window_s, nx=True)
        pipeline.incr(key)
        pipeline.ttl(key)
        _, times, left_s = pipeline.execute()
    return Rate(int(times), max(int(left_s), 1))
