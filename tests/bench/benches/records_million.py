"""Lists of 10,000 executions and 1,000,000 results over HTTP, beside as many rows fetched by key with bare asyncpg."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import httpx

from tests.bench.measure import Figure, percentile
from tests.bench.stack import Stack, running

SCALE = float(os.environ.get("BENCH_SCALE", "1"))
"""Of everything so much; 0.01 is a try-out of seconds."""
EXECUTIONS, RESULTS, BIGGEST = (max(1, round(SCALE * count)) for count in (10_000, 1_000_000, 100_000))
NODES = 5
HOSTS = max(1, (RESULTS - BIGGEST) // max(1, EXECUTIONS - 1) // NODES)
BIG = "00000000-0000-7000-8000-000000000001"
GOAL_MS = 100.0
REQUESTS, PAGE, DEEP = 40, 50, 500
RESULTS_PATH = f"/automation/v1/executions/{BIG}/results"

FILL = (
    """
    INSERT INTO executions (id, workflow_id, workflow_name, workflow_version, definition, plan, targets, variables,
        trigger, dry_run, shard_size, status, devices_total, succeeded, failed, skipped, unknown, cancelled, event_seq,
        requested_by, requested_by_name, request_id, created_at, started_at, finished_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
        ('00000000-0000-7000-9000-' || lpad(to_hex(n % 40), 12, '0'))::uuid, 'workflow ' || (n % 40), 1,
        jsonb_build_object('nodes', (SELECT jsonb_agg(jsonb_build_object('id', 'node_' || k, 'text', md5(k::text)))
            FROM generate_series(1, 60) AS k)),
        '{}', '{"group": "core"}', '{}', '{}', n % 10 = 0, 100,
        CASE WHEN n % 100 = 0 THEN 'running' WHEN n % 20 = 0 THEN 'failed' WHEN n % 7 = 0 THEN 'partial'
            ELSE 'success' END,
        hosts, hosts, 0, 0, 0, 0, 0, ('00000000-0000-7000-a000-' || lpad(to_hex(n % 25), 12, '0'))::uuid,
        'user' || (n % 25), '', now() - make_interval(mins => $1 - n), now(), now()
    FROM (SELECT n, CASE WHEN n = 1 THEN $2::int ELSE $3::int END AS hosts
        FROM generate_series(1, $1::int) AS n) AS numbered
    """,
    """
    INSERT INTO execution_hosts (id, execution, host_key, name, status, error_class)
    SELECT gen_random_uuid(), id, md5(h::text)::uuid::text, 'site' || (h % 50) || '-acc-' || h,
        CASE WHEN h % 30 = 0 THEN 'failed' ELSE 'success' END, CASE WHEN h % 30 = 0 THEN 'tcp_timeout' ELSE '' END
    FROM executions CROSS JOIN LATERAL generate_series(1, devices_total) AS h
    """,
    """
    INSERT INTO node_executions (id, execution, node_id, node_type, scope, position, succeeded, failed, skipped,
        unknown, cancelled, handled, started_at)
    SELECT gen_random_uuid(), id, 'node_' || k, 'ssh:command', 'device', k, devices_total - devices_total / 30,
        devices_total / 30, 0, 0, 0, 0, now()
    FROM executions CROSS JOIN generate_series(1, $1::int) AS k
    """,
    """
    INSERT INTO device_results (id, execution, node_id, host_key, device_id, device_name, iteration, attempt, status,
        handled, outputs, error_class, error_message, changed, diff, started_at, duration_ms)
    SELECT gen_random_uuid(), execution, 'node_' || k, host_key, host_key::uuid, name, '', 1, status, false,
        jsonb_build_object('stdout', repeat(md5(host_key) || E'\\n', 8)),
        CASE WHEN status = 'success' THEN '' WHEN h % 3000 = 0 THEN 'enable' ELSE 'tcp_timeout' END,
        CASE WHEN status = 'success' THEN '' ELSE 'no answer on port 22' END, false, '',
        now() - interval '1 hour' + k * interval '10 minutes' + h * interval '20 milliseconds', 100 + h % 977
    FROM (SELECT *, split_part(name, '-', 3)::int AS h FROM execution_hosts) AS hosts
        CROSS JOIN generate_series(1, $1::int) AS k
    ORDER BY execution, k, h
    """,
)
ARGUMENTS: Sequence[tuple[int, ...]] = ((EXECUTIONS, BIGGEST // NODES, HOSTS), (), (NODES,), (NODES,))


def measure() -> list[Figure]:
    """Fill a database of its own, and time each request often enough for its 95th percentile."""
    with running(workers=1) as stack:
        asyncio.run(_fill(stack))
        figures = [_figure(stack.client, work, make) for work, make in _requests(stack.client).items()]
        floor = asyncio.run(_floor(stack))
    return [Figure(work=work, figure=ms, unit="ms p95", peer=floor, goal=GOAL_MS) for work, ms in figures]


async def _fill(stack: Stack) -> None:
    connection = await asyncpg.connect(**stack.postgres.connect_arguments())
    try:
        for statement, arguments in zip(FILL, ARGUMENTS, strict=True):
            await connection.execute(statement, *arguments)
        await connection.execute("VACUUM ANALYZE executions, execution_hosts, node_executions, device_results")
    finally:
        await connection.close()


Make = Callable[[], tuple[str, dict[str, Any]]]


def _requests(client: httpx.Client) -> dict[str, Make]:
    """Return what is asked, by name; hosts, nodes and executions vary from one request to the next."""
    executions = "/automation/v1/executions"
    cursor = _deep_cursor(client)
    return {
        "executions": lambda: (executions, {}),
        "executions by status": lambda: (executions, {"status": random.choice(("running", "failed", "success"))}),  # noqa: S311 — no secret
        "executions by workflow": lambda: (executions, {"workflow_id": _some_id("9000", 40)}),
        "executions by text": lambda: (executions, {"q": f"flow {_some(40)}"}),
        "executions, last page": lambda: (executions, {"sort": "created_at"}),
        "execution in detail": lambda: (f"{executions}/{_some_id('8000', EXECUTIONS)}", {}),
        "results": lambda: (RESULTS_PATH, {}),
        "results by status": lambda: (RESULTS_PATH, {"status": random.choice(("failed", "unknown"))}),  # noqa: S311 — no secret
        "results by node": lambda: (RESULTS_PATH, {"node": f"node_{1 + _some(NODES)}"}),
        "results by device": lambda: (RESULTS_PATH, {"device": _some_host()}),
        "results by error class": lambda: (RESULTS_PATH, {"error_class": random.choice(("tcp_timeout", "enable"))}),  # noqa: S311 — no secret
        "results, last page": lambda: (RESULTS_PATH, {"sort": "-started_at"}),
        "results, a page deep down": lambda: (RESULTS_PATH, {"limit": DEEP, "cursor": cursor}),
        "results by duration": lambda: (RESULTS_PATH, {"sort": "-duration_ms"}),
        "results by device's name": lambda: (RESULTS_PATH, {"sort": "device"}),
        "devices of an execution": lambda: (f"{executions}/{BIG}/devices", {}),
        "devices that failed": lambda: (f"{executions}/{BIG}/devices", {"status": "failed"}),
    }


def _figure(client: httpx.Client, work: str, make: Make) -> tuple[str, float]:
    took = []
    for _ in range(REQUESTS):
        path, query = make()
        begin = time.perf_counter()
        answer = client.get(path, params=query)
        took.append((time.perf_counter() - begin) * 1000)
        answer.raise_for_status()
    return work, percentile(took, 95)


def _deep_cursor(client: httpx.Client) -> str | None:
    """Follow the cursors half-way down the biggest execution's results."""
    cursor = None
    for _ in range(max(1, BIGGEST // DEEP // 2)):
        query = {"limit": DEEP, **({"cursor": cursor} if cursor else {})}
        cursor = client.get(RESULTS_PATH, params=query).json()["meta"]["next_cursor"]
        if cursor is None:
            raise RuntimeError("the biggest execution's results end before half of them were read")
    return cursor


async def _floor(stack: Stack) -> float:
    """Return how long bare asyncpg takes for a page of results by their primary keys, in milliseconds."""
    connection = await asyncpg.connect(**stack.postgres.connect_arguments())
    try:
        ids = [row["id"] for row in await connection.fetch("SELECT id FROM device_results LIMIT 20000")]
        took = []
        for _ in range(REQUESTS):
            keys = random.sample(ids, min(PAGE, len(ids)))
            begin = time.perf_counter()
            await connection.fetch("SELECT * FROM device_results WHERE id = ANY($1)", keys)
            took.append((time.perf_counter() - begin) * 1000)
        return percentile(took, 95)
    finally:
        await connection.close()


def _some(count: int) -> int:
    return random.randrange(count)  # noqa: S311 — no secret


def _some_id(kind: str, count: int) -> str:
    return f"00000000-0000-7000-{kind}-{_some(count) + (kind == '8000'):012x}"


def _some_host() -> str:
    number = 1 + _some(BIGGEST // NODES)
    return f"site{number % 50}-acc-{number}"
