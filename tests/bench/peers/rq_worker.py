"""A bare RQ worker, which forks for every job and has the job's module loaded before it does."""

import os

from redis import Redis
from rq import Queue, Worker

from tests.bench.peers.rq_jobs import QUEUE


def main() -> None:
    """Work until told to stop."""
    redis = Redis.from_url(os.environ["REDIS_URL"])
    Worker([Queue(QUEUE, connection=redis)], connection=redis).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
