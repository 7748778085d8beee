"""Starvation: executions whose work could run and does not, because others hold every worker."""

from collections.abc import Callable

from app.core import database

WAITED_S = 0.25
"""How long work may wait before more workers are asked for; an idle one would have begun with it by then."""


async def relieve(ask: Callable[[int], None]) -> int:
    """Ask for a worker for each execution that waits while nobody works on it; returns how many those are.

    What an execution has beyond what is being worked on may wait: more workers would not make its devices faster.
    """
    row = await database.fetch_one(
        "SELECT count(DISTINCT execution) AS starving FROM shards AS waiting "
        "WHERE status = 'queued' AND sent_at < now() - make_interval(secs => $1) AND NOT EXISTS ("
        "SELECT 1 FROM shards WHERE shards.execution = waiting.execution AND shards.status = 'running')",
        WAITED_S,
    )
    starving = row["starving"] if row else 0
    if starving:
        ask(starving)
    return int(starving)
