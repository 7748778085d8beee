"""Shards: how the hosts of a stage are cut into queue jobs, and which of them may begin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self
from uuid import UUID

import msgspec

from app.automation.workflows.graph import Stage
from app.automation.workflows.settings import WorkflowSettings, cut_waves
from app.core import database, queue
from app.core.clock import uuid7
from app.core.queue import LANES, QueueJob, lane_of

RUN_SHARD = "app.automation.executions.queued.run_shard"
SMALLEST_SHARD, LARGEST_SHARD = 13, 250


class Cut(NamedTuple):
    """Some hosts for one shard, and how many of them it may work on at once (0: as the worker likes)."""

    host_keys: Sequence[str]
    threads: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an execution allows: hosts in a shard, hosts at once (in all, and by stage), and waves at one stage."""

    shard_size: int
    settings: WorkflowSettings = field(default_factory=WorkflowSettings)
    gate: int | None = None
    by_stage: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    async def of(cls, execution_id: UUID) -> Self:
        """Read the limits of an execution."""
        row = await database.fetch_one(
            "SELECT shard_size, settings, plan -> 'gate' AS gate, plan -> 'concurrency' AS concurrency "
            "FROM executions WHERE id = $1",
            execution_id,
        )
        if row is None:
            return cls(shard_size=SMALLEST_SHARD)
        return cls(
            shard_size=row["shard_size"],
            settings=msgspec.json.decode(row["settings"], type=WorkflowSettings),
            gate=msgspec.json.decode(row["gate"] or "null"),
            by_stage=msgspec.json.decode(row["concurrency"] or "{}", type=dict[int, int]),
        )

    def at_once(self, stage: int) -> int | None:
        """Return how many hosts of a stage may be worked on at once."""
        given = [limit for limit in (self.settings.concurrency, self.by_stage.get(stage)) if limit]
        return min(given, default=None)

    def wave(self, stage: int, number: int, host_keys: Sequence[str]) -> Sequence[str]:
        """Return the hosts of a stage's wave; where no waves are asked for, all are the first one."""
        if stage != self.gate or not self.settings.waves:
            return host_keys if number == 0 else []
        sizes = cut_waves(self.settings.waves, len(host_keys))
        start = sum(sizes[:number])
        return host_keys[start : start + sizes[number]] if number < len(sizes) else []


def shard_size(hosts: int, workers: int) -> int:
    """Return how many hosts one queue job works on: an even share, within bounds."""
    return min(LARGEST_SHARD, max(SMALLEST_SHARD, -(-hosts // max(1, workers))))


def cut(host_keys: Sequence[str], limits: Limits, stage: int, *, busy: int = 0) -> list[Cut]:
    """Cut hosts into shards, so that all of them together never work on more hosts at once than is allowed.

    ``busy`` hosts of the stage are worked on already, by fewer than are allowed.
    """
    if not host_keys:
        return []
    wanted = -(-len(host_keys) // limits.shard_size)
    at_once = limits.at_once(stage)
    if at_once is None:
        groups = by_lane(host_keys, _power_of_two(wanted))
        return [Cut(part) for group in groups for part in _parts(group)]
    at_once -= busy
    most = min(wanted, at_once)
    groups = by_lane(host_keys, most if most == _power_of_two(most) else _power_of_two(most) // 2)
    return [
        Cut(group, at_once // len(groups) + (number < at_once % len(groups))) for number, group in enumerate(groups)
    ]


def by_lane(host_keys: Sequence[str], count: int) -> list[list[str]]:
    """Part hosts into that many groups or less (a power of two, at most as many as there are lanes), in their order.

    What lies in a group has lanes of one worker, as long as there are no more workers than groups.
    """
    groups: list[list[str]] = [[] for _ in range(min(count, LANES))]
    for key in host_keys:
        groups[lane_of(key) % len(groups)].append(key)
    return [group for group in groups if group]


def _parts(group: list[str]) -> list[list[str]]:
    size = -(-len(group) // -(-len(group) // LARGEST_SHARD))
    return [group[start : start + size] for start in range(0, len(group), size)]


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


async def insert_shards(
    execution_id: UUID, stage_run: UUID, stage: Stage, cuts: Sequence[Cut], *, siblings: int = 0
) -> None:
    """Write shards and post the queue jobs that carry them, inside the caller's transaction.

    ``siblings`` is among how many shards a node's own concurrency is divided, where it is not these alone.
    """
    shards = [(uuid7(), uuid7(), carrier_of(stage, part.host_keys), part) for part in cuts]
    await database.execute_many(
        "INSERT INTO shards (id, execution, stage_run, stage, queue, host_keys, threads, siblings, job, status, "
        "attempt, owner, sent_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', 0, '', now(), "
        "now())",
        [
            (
                shard,
                execution_id,
                stage_run,
                stage.index,
                carrier,
                list(part.host_keys),
                part.threads,
                siblings or len(cuts),
                job,
            )
            for shard, job, carrier, part in shards
        ],
    )
    await queue.post([shard_job(carrier, shard, job) for shard, job, carrier, _ in shards])


def carrier_of(stage: Stage, host_keys: Sequence[str]) -> str:
    """Return the queue of some hosts' work in a stage: the lane of the first, so that its sessions are found again."""
    return queue.DEFAULT if stage.scope == "once" else queue.DEVICES[lane_of(host_keys[0])]


def shard_job(carrier: str, shard_id: UUID, job_id: UUID) -> QueueJob:
    """Return the queue job that carries a shard."""
    return QueueJob(queue=carrier, function=RUN_SHARD, arguments=[str(shard_id)], id=job_id)
