"""A configuration push and its verdict: what the product reports of each device, beside what the device counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.demo.network.journal import EventKind
from tests.bench.journal import DeviceLog, Happening
from tests.bench.shapes import chain
from tests.chaos.product import Product

ACCOUNTED = {"success", "unknown"}
"""A device is configured, or is said to need a look; anything else is a violation."""
PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Push:
    """One push of lines that no other push sends."""

    number: int
    execution_id: str
    begin: datetime

    @property
    def lines(self) -> list[str]:
        """The lines that every device is to get."""
        return lines_of(self.number)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a push ended: its status, how each device is reported, and how long it took."""

    status: str
    devices: Mapping[str, str]
    errors: Mapping[str, str]
    took_s: float

    def count(self, status: str) -> int:
        """Return how many devices are reported so."""
        return sum(found == status for found in self.devices.values())


def lines_of(number: int) -> list[str]:
    """Return lines that belong to one push alone."""
    return [f"interface Loopback{number}", f"description chaos-{number}"]


def start_push(product: Product, number: int, devices: Sequence[str]) -> Push:
    """Save a push as a workflow, and start it."""
    definition = chain("config:push", 1, lines="\n".join(lines_of(number)))
    made = product.ask("POST", "/automation/v1/workflows", {"name": f"push {number}", "definition": definition})
    body = {"targets": {"devices": list(devices)}}
    execution = product.ask("POST", f"/automation/v1/workflows/{made['id']}/execute", body)
    begin = datetime.fromisoformat(execution["created_at"])
    return Push(number=number, execution_id=execution["id"], begin=begin)


def look_at(product: Product, push: Push) -> Outcome | None:
    """Return how a push has ended, or None while it has not."""
    execution = product.ask("GET", f"/automation/v1/executions/{push.execution_id}")
    if execution["finished_at"] is None:
        return None
    took = datetime.fromisoformat(execution["finished_at"]) - push.begin
    rows = _results(product, push)
    return Outcome(
        status=execution["status"],
        devices={row["device"]["name"]: row["status"] for row in rows},
        errors={
            row["device"]["name"]: f"{row['error']['class']}: {row['error']['message']}" for row in rows if row["error"]
        },
        took_s=took / timedelta(seconds=1),
    )


def counted(log: DeviceLog, number: int) -> dict[str, Counter[str]]:
    """Return how often each device got each line of a push."""
    found: dict[str, Counter[str]] = {}
    for event in log.since():
        if _is_of(event, number):
            found.setdefault(event.device, Counter())[event.text] += 1
    return found


def violations(
    devices: Sequence[str], outcome: Outcome, number: int, sent: Mapping[str, Counter[str]]
) -> Iterator[str]:
    """Yield what must not be: a device nobody accounts for, one configured twice, or said to be and is not."""
    for device in devices:
        status, got = outcome.devices.get(device, "no result"), sent.get(device, Counter())
        if status not in ACCOUNTED:
            yield f"{device} is reported {status}: {outcome.errors.get(device, 'no error')}"
        if any(times > 1 for times in got.values()):
            yield f"{device} got {dict(got)}"
        if status == "success" and set(got) != set(lines_of(number)):
            yield f"{device} is reported configured and got {dict(got)}"


def _results(product: Product, push: Push) -> list[dict[str, Any]]:
    path = f"/automation/v1/executions/{push.execution_id}/results"
    rows: list[dict[str, Any]] = product.ask("GET", path, node="n0", limit=PAGE)
    return rows


def _is_of(event: Happening, number: int) -> bool:
    return event.kind is EventKind.CONFIG and event.text in lines_of(number)
