"""How hosts are cut into shards: none lost, in lanes that stay the same, never more at once than allowed."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.automation.executions.sharding import LARGEST_SHARD, Limits, by_lane, cut, shard_size
from app.automation.workflows.settings import WorkflowSettings
from app.core.queue import LANES, lane_of

KEYS = st.lists(st.uuids().map(str), unique=True, max_size=600)


def limits(hosts: int, workers: int = 4, at_once: int | None = None) -> Limits:
    return Limits(shard_size=shard_size(hosts, workers), settings=WorkflowSettings(concurrency=at_once))


@given(KEYS, st.integers(1, 20), st.one_of(st.none(), st.integers(1, 40)))
def test_every_host_is_in_one_shard(keys: list[str], workers: int, at_once: int | None) -> None:
    cuts = cut(keys, limits(len(keys), workers, at_once), 0)
    assert sorted(key for part in cuts for key in part.host_keys) == sorted(keys)
    assert all(part.host_keys for part in cuts)


@given(KEYS, st.integers(1, 40))
def test_shards_together_never_work_on_more_hosts_than_allowed(keys: list[str], at_once: int) -> None:
    cuts = cut(keys, limits(len(keys), 4, at_once), 0)
    assert sum(part.threads for part in cuts) <= at_once
    assert all(part.threads >= 1 for part in cuts)


@given(KEYS)
def test_hosts_keep_their_order_within_a_shard(keys: list[str]) -> None:
    place = {key: number for number, key in enumerate(keys)}
    for part in cut(keys, limits(len(keys)), 0):
        numbers = [place[key] for key in part.host_keys]
        assert numbers == sorted(numbers)


@given(KEYS, st.sampled_from([1, 2, 4, 8, 16]))
def test_a_group_of_hosts_has_the_lanes_of_one_worker(keys: list[str], count: int) -> None:
    for group in by_lane(keys, count):
        assert len({lane_of(key) % count for key in group}) == 1


@pytest.mark.parametrize(("hosts", "workers"), [(500, 4), (10_000, 4), (10_000, 50), (14, 4), (1, 4)])
def test_shards_are_neither_too_large_nor_too_many(hosts: int, workers: int) -> None:
    keys = [str(UUID(int=number)) for number in range(hosts)]
    sizes = [len(part.host_keys) for part in cut(keys, limits(hosts, workers), 0)]
    assert max(sizes) <= LARGEST_SHARD
    assert len(sizes) <= max(LANES, 2 * hosts / LARGEST_SHARD)


def test_the_only_shard_allowed_at_once_goes_through_the_hosts_in_order() -> None:
    keys = [str(UUID(int=number)) for number in range(40)]
    (part,) = cut(keys, limits(40, 4, at_once=1), 0)
    assert (part.host_keys, part.threads) == (keys, 1)
