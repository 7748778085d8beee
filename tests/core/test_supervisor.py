"""What the reconciler's process does every few seconds."""

from redis import Redis

from app.core.supervisor import fulfil


async def test_a_duty_that_fails_keeps_none_of_the_others(redis: Redis) -> None:
    done: list[Redis] = []

    async def fail(_: Redis) -> int:
        raise ZeroDivisionError

    async def work(given: Redis) -> int:
        done.append(given)
        return 1

    await fulfil([work, fail, work], redis)
    assert done == [redis, redis]
