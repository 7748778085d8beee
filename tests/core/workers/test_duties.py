"""What the reconciler's process does again and again."""

from redis import Redis

from app.core.workers.duties import Duty, fulfil


async def test_a_duty_that_fails_is_done_again_the_next_time(redis: Redis) -> None:
    done: list[Redis] = []

    async def work(given: Redis) -> None:
        done.append(given)
        if len(done) == 1:
            raise ZeroDivisionError

    duty = Duty(every_s=1.0, run=work)
    await fulfil(duty, redis)
    await fulfil(duty, redis)
    assert done == [redis, redis]
