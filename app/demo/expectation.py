"""What the demo's run has to come out as, and in what a run differs from that."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.demo.network.devices import Fault
from app.demo.network.fleet import DemoDevice

ERROR_CLASSES = {Fault.REFUSE_PASSWORD: "auth", Fault.HANG: "read_timeout", Fault.DOWN: "tcp_refused"}
BRANCHES = ("fine", "attention")
"""The two ways out of the workflow's `if`; some devices take each."""


def expected_classes(fleet: Sequence[DemoDevice]) -> dict[str, str | None]:
    """Return the error class that each device has to fail with, None for those that have to succeed."""
    return {one.device.name: ERROR_CLASSES.get(one.device.fault) for one in fleet}


def differences(
    fleet: Sequence[DemoDevice],
    execution: Mapping[str, Any],
    devices: Sequence[Mapping[str, Any]],
    reports: Sequence[Any],
) -> list[str]:
    """Say in what a run and its reports differ from what was designed; nothing when they do not."""
    expected = expected_classes(fleet)
    return [
        *_execution_differences(expected, execution),
        *_device_differences(expected, devices),
        *_branch_differences(execution),
        *_report_differences(expected, reports),
    ]


def _execution_differences(expected: Mapping[str, str | None], execution: Mapping[str, Any]) -> Iterator[str]:
    if execution["status"] != "partial":
        yield f"The execution is {execution['status']}, not partial."
    failed = sum(error_class is not None for error_class in expected.values())
    wanted = {"devices": len(expected), "succeeded": len(expected) - failed, "failed": failed}
    found = {name: execution["counts"][name] for name in wanted}
    if found != wanted:
        yield f"Of the devices {found} were counted, not {wanted}."


def _device_differences(expected: Mapping[str, str | None], devices: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    found = {row["device"]: row["error_class"] for row in devices}
    for name, error_class in expected.items():
        if name not in found:
            yield f"{name} is missing from the results."
        elif found[name] != error_class:
            yield f"{name} ended with the error class {found[name]}, not {error_class}."


def _branch_differences(execution: Mapping[str, Any]) -> Iterator[str]:
    succeeded = {node["node_id"]: node["counts"]["succeeded"] for node in execution["nodes"]}
    for node_id in BRANCHES:
        if not succeeded.get(node_id):
            yield f"No device took the way to the node {node_id}."


def _report_differences(expected: Mapping[str, str | None], reports: Sequence[Any]) -> Iterator[str]:
    if len(reports) != 1:
        yield f"The webhook was received {len(reports)} times, not once."
        return
    for name, failing in (("succeeded", False), ("failed", True)):
        wanted = sorted(device for device, error_class in expected.items() if (error_class is not None) == failing)
        found = sorted(reports[0].get(name, []))
        if found != wanted:
            yield f"The webhook told {', '.join(found) or 'nobody'} as {name}, not {', '.join(wanted)}."
