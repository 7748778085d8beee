"""What Prometheus reads: the counters of this process, and gauges asked for at the moment of the scrape."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, generate_latest
from redis import Redis

from app.system import queues

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A gauge with one label: ``read`` returns its value for each of the label's values."""

    name: str
    description: str
    label: str
    read: Callable[[], Awaitable[Mapping[str, float]]]


_readings: dict[str, Reading] = {}


def add_reading(reading: Reading) -> None:
    """Have a gauge of another area asked for at every scrape; one of the same name is replaced."""
    _readings[reading.name] = reading


async def render(redis: Redis) -> bytes:
    """Return all metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    readings = [*_own_readings(redis), *_readings.values()]
    for reading in readings:
        gauge = Gauge(reading.name, reading.description, [reading.label], registry=registry)
        for value, count in (await reading.read()).items():
            gauge.labels(value).set(count)
    return generate_latest(REGISTRY) + generate_latest(registry)


def _own_readings(redis: Redis) -> list[Reading]:
    async def workers_by_state() -> Mapping[str, float]:
        states = [worker["state"] for worker in await queues.list_workers(redis)]
        return {state: states.count(state) for state in set(states)}

    async def depths() -> Mapping[str, float]:
        return {state["name"]: state["depth"] for state in await queues.list_queues(redis)}

    return [
        Reading(name="opsconductor_queue_depth", description="Jobs waiting.", label="queue", read=depths),
        Reading(name="opsconductor_workers", description="Workers heard from.", label="state", read=workers_by_state),
    ]
