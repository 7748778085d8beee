from importlib.resources import as_file, files
from typing import Any

import app.demo
from app.automation.workflows.service import check_definition
from app.cli.workflow_files import read_workflow
from app.demo.expectation import BRANCHES
from app.demo.network.fleet import demo_fleet
from app.demo.seed import GROUP, VARIABLES, seed, start, with_passwords
from app.palette import build_catalog

PASSWORD = "not-a-word-that-devices-print"


def workflow() -> dict[str, Any]:
    with as_file(files(app.demo) / "workflow.yaml") as file:
        return read_workflow(file)


def test_the_workflow_of_the_demo_is_valid_and_leaves_nothing_out() -> None:
    verdict, plan = check_definition(workflow()["definition"], build_catalog())
    assert (verdict.errors, verdict.warnings) == ([], [])
    assert plan is not None
    assert plan.unreachable == ()
    assert [stage.scope for stage in plan.stages] == ["device", "once"]


def test_the_workflow_uses_what_the_demo_counts_on() -> None:
    definition = workflow()["definition"]
    types = {node["id"]: node["data"]["nodeType"] for node in definition["nodes"]}
    assert set(BRANCHES) <= set(types)
    assert {"network:ping", "ssh:command", "logic:if", "check:assert", "notify:webhook"} <= set(types.values())
    text = str(definition)
    for name in (*VARIABLES, "report_url"):
        assert f"variables.{name}" in text


class Recorder:
    """A client that notes what is asked of it, and answers with ids."""

    def __init__(self) -> None:
        self.posted: dict[str, Any] = {}

    def get(self, path: str, **query: Any) -> Any:
        """Answer with two devices."""
        assert (path, query["tag"]) == ("/inventory/v1/devices", GROUP)
        return [{"id": "d1"}, {"id": "d2"}]

    def post(self, path: str, body: Any = None) -> Any:
        """Note a body and answer with an id."""
        self.posted[path] = body
        return {"id": path.rpartition("/")[2]}


def test_the_service_is_filled_in_the_order_a_client_would_take() -> None:
    client, fleet = Recorder(), with_passwords(demo_fleet(), password=PASSWORD, enable_secret=PASSWORD)
    ports = {one.device.name: number for number, one in enumerate(fleet, start=22000)}
    assert seed(client, fleet, ports, workflow()) == "workflows"
    assert list(client.posted) == [
        "/credentials/v1/credentials",
        "/inventory/v1/devices/bulk",
        "/inventory/v1/groups",
        "/credentials/v1/assignments",
        "/automation/v1/workflows",
    ]
    devices = client.posted["/inventory/v1/devices/bulk"]["devices"]
    assert len(devices) == 12
    assert {device["platform"] for device in devices} == {"cisco_ios", "ciena_saos"}
    assert devices[0]["port"] == 22000
    assert client.posted["/inventory/v1/groups"]["members"] == ["d1", "d2"]
    assert client.posted["/credentials/v1/credentials"]["data"]["password"] == PASSWORD
    assert PASSWORD not in str(devices)
    start(client, "w1", "http://127.0.0.1:1/report")
    assert client.posted["/automation/v1/workflows/w1/execute"]["targets"] == {"group": GROUP}
