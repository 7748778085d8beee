"""A process of its own that takes a device's lease again and again: `lease_user URL NAME`."""

import sys
import time

from redis import Redis

from app.core.leases import RedisLeases
from tasks.sessions.leases import Lease, Occupant

TIMES, MOST, PATIENCE_S = 15, 2, 30


def main(url: str, name: str) -> None:
    """Take a lease fifteen times, and count in Redis how many hold one at once."""
    mine, redis = RedisLeases(url, name, settle_s=0.0), Redis.from_url(url)
    for _ in range(TIMES):
        wanted = Lease(device="d1", name="name-of-d1", most=MOST, occupant=Occupant("e1", "n1"))
        give_up_at = time.monotonic() + PATIENCE_S
        while mine.ask(wanted) is not None:
            if time.monotonic() > give_up_at:
                raise SystemExit("no lease was granted")
            time.sleep(0.01)
        now = redis.incr("inside")
        if now > int(redis.get("most") or 0):
            redis.set("most", now)
        redis.incr("passed")
        redis.decr("inside")
        mine.drop(wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
