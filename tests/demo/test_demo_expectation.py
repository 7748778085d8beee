from typing import Any

from app.demo.expectation import differences, expected_classes
from app.demo.network.fleet import demo_fleet

FLEET = demo_fleet()
FAILING = {"ham1-acc-1": "auth", "fra1-acc-1": "read_timeout", "muc1-agg-1": "tcp_refused"}
NAMES = [one.device.name for one in FLEET]


def execution(status: str = "partial", **counts: int) -> dict[str, Any]:
    nodes = [{"node_id": node_id, "counts": {"succeeded": 1}} for node_id in ("fine", "attention")]
    return {"status": status, "counts": {"devices": 12, "succeeded": 9, "failed": 3, **counts}, "nodes": nodes}


def devices(**classes: str | None) -> list[dict[str, Any]]:
    return [{"device": name, "error_class": {**FAILING, **classes}.get(name)} for name in NAMES]


def report() -> dict[str, list[str]]:
    return {"succeeded": [name for name in NAMES if name not in FAILING], "failed": list(FAILING)}


def test_nine_devices_are_to_succeed_and_three_to_fail() -> None:
    expected = expected_classes(FLEET)
    assert {name: error_class for name, error_class in expected.items() if error_class} == FAILING
    assert len(expected) == 12


def test_a_run_as_designed_differs_in_nothing() -> None:
    assert differences(FLEET, execution(), devices(), [report()]) == []


def test_every_difference_is_told() -> None:
    broken = execution("failed", succeeded=8, failed=4)
    broken["nodes"] = [{"node_id": "fine", "counts": {"succeeded": 0}}]
    rows = [row for row in devices(**{"ham1-acc-1": "dns", "ber1-core-1": "auth"}) if row["device"] != "ber1-acc-1"]
    told = "\n".join(differences(FLEET, broken, rows, [{"succeeded": []}]))
    for expected in (
        "is failed, not partial",
        "'succeeded': 8",
        "ham1-acc-1 ended with the error class dns, not auth",
        "ber1-core-1 ended with the error class auth, not None",
        "ber1-acc-1 is missing",
        "the node fine",
        "the node attention",
        "told nobody as succeeded",
        "told nobody as failed",
    ):
        assert expected in told


def test_a_report_that_came_twice_or_never_is_told() -> None:
    for reports in ([], [report(), report()]):
        assert differences(FLEET, execution(), devices(), reports) == [
            f"The webhook was received {len(reports)} times, not once."
        ]
