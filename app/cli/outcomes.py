"""How an execution went, device by device: from the service, as a table or as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.cli.client import Api
from app.cli.failures import ExitCode
from app.cli.following import EXECUTIONS
from app.cli.output import moment, print_json, print_table, say, seconds
from app.cli.progress import Progress
from app.cli.watching import watch

UNHANDLED = ("failed", "unknown", "cancelled")


def read_devices(api: Api, execution_id: str, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Return how each device fared, and at which node and why it failed; durations come from the events watched."""
    causes = _causes(api, execution_id)
    durations = {} if progress is None else {name: seen.duration_ms for name, seen in progress.devices.items()}
    rows = []
    for host in api.entries(f"{EXECUTIONS}/{execution_id}/devices"):
        name = host["device"]["name"]
        cause = causes.get(name, {})
        error = cause.get("error") or {}
        rows.append(
            {
                "device": name,
                "status": host["status"],
                "node_id": cause.get("node_id"),
                "error_class": host["error_class"] or None,
                "message": error.get("message"),
                "duration_ms": durations.get(name),
            }
        )
    return rows


def see_through(api: Api, execution_id: str, *, as_json: bool) -> dict[str, Any]:
    """Watch an execution to its end, print how it went, and return it."""
    progress = watch(api, execution_id, quiet=as_json)
    execution: dict[str, Any] = api.get(f"{EXECUTIONS}/{execution_id}")
    devices = read_devices(api, execution_id, progress)
    if as_json:
        print_outcome_json(execution, devices)
    else:
        print_outcome(execution, devices)
    return execution


def print_outcome(execution: Mapping[str, Any], devices: Sequence[Mapping[str, Any]]) -> None:
    """Print how an execution went: a line for each device, and the total."""
    print_table(
        ("device", "status", "failed at", "error class", "duration", "message"),
        [
            (
                row["device"],
                row["status"],
                row["node_id"],
                row["error_class"],
                seconds(row["duration_ms"]),
                row["message"],
            )
            for row in devices
        ],
    )
    say(total_line(execution))


def print_outcome_json(execution: Mapping[str, Any], devices: Sequence[Mapping[str, Any]]) -> None:
    """Print how an execution went as JSON."""
    print_json({"execution": execution, "devices": devices})


def print_nodes(execution: Mapping[str, Any]) -> None:
    """Print how each node of an execution went."""
    print_table(
        ("node", "type", "status", "succeeded", "failed", "skipped", "duration"),
        [
            (
                node["node_id"],
                node["node_type"],
                node["status"],
                node["counts"]["succeeded"],
                node["counts"]["failed"] + node["counts"]["unknown"],
                node["counts"]["skipped"],
                seconds(node["duration_ms"]),
            )
            for node in execution["nodes"]
        ],
    )


def total_line(execution: Mapping[str, Any]) -> str:
    """Return an execution's end as a line."""
    counts = execution["counts"]
    told = ", ".join(
        f"{counts[name]} {name}" for name in ("succeeded", "failed", "unknown", "skipped", "cancelled") if counts[name]
    )
    error = execution["error"]
    reason = f" At {error['node_id']}: {error['message']}" if error else ""
    when = f", started {moment(execution['started_at'])}" if execution["started_at"] else ""
    return f"{execution['status']}: {counts['devices']} devices{when}: {told or 'nothing done yet'}.{reason}"


def code_of(execution: Mapping[str, Any]) -> ExitCode:
    """Return the exit code that an execution's status means."""
    return ExitCode.OK if execution["status"] == "success" else ExitCode.FAILED


def _causes(api: Api, execution_id: str) -> dict[str, dict[str, Any]]:
    """Return, for each device that did not succeed, the first result that was not handled."""
    causes: dict[str, dict[str, Any]] = {}
    for status in UNHANDLED:
        for result in api.entries(f"{EXECUTIONS}/{execution_id}/results", status=status):
            if result["device"] is not None and not result["handled"]:
                causes.setdefault(result["device"]["name"], result)
    return causes
