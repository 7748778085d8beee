"""From the API's start of a no-op on one device to its stored end, beside a no-op job of a bare RQ fork worker."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from rq import Queue
from rq.results import Result

from tests.bench.measure import Figure, in_turns, percentile
from tests.bench.peers.rq_jobs import QUEUE, noop
from tests.bench.stack import Stack, running
from tests.support.graphs import step, workflow
from tests.support.placement import REPOSITORY

TIMES, WARM_UPS = 100, 3
PATIENCE_S = 30
DEVICE = "noop"
GOALS_MS = {50: 40.0, 99: 150.0}


def measure() -> list[Figure]:
    """Start 100 executions one after the other, and return the median and the slowest but one."""
    with running() as stack, Redis.from_url(stack.redis_url) as redis, _bare_worker(stack.redis_url):
        queue = Queue(QUEUE, connection=redis)
        stack.add_devices([{"name": DEVICE, "address": "127.0.0.1", "platform": "cisco_ios"}])
        definition = workflow(step("noop", "bench:noop"), edges=("start -> noop",))
        workflow_id = stack.add_workflow("noop", definition)
        both = (lambda: _ours(stack, workflow_id)), (lambda: _peer(queue))
        in_turns(*both, WARM_UPS)
        ours, peer = in_turns(*both, TIMES)
    return [
        Figure(
            work=f"start to end, p{percent}",
            figure=percentile(ours, percent),
            unit="ms",
            peer=percentile(peer, percent),
            goal=goal_ms,
        )
        for percent, goal_ms in GOALS_MS.items()
    ]


def _ours(stack: Stack, workflow_id: str) -> float:
    begin = time.perf_counter()
    stack.execute(workflow_id, [DEVICE])
    return (time.perf_counter() - begin) * 1000


def _peer(queue: Queue) -> float:
    begin = time.perf_counter()
    result = queue.enqueue(noop).latest_result(timeout=PATIENCE_S)
    if result is None or result.type is not Result.Type.SUCCESSFUL:
        raise RuntimeError(f"the bare worker did not do its job within {PATIENCE_S} s: {result}")
    return (time.perf_counter() - begin) * 1000


@contextmanager
def _bare_worker(redis_url: str) -> Iterator[None]:
    environ = {**os.environ, "REDIS_URL": redis_url}
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.peers.rq_worker"], cwd=REPOSITORY, env=environ)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
