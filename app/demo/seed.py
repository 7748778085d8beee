"""Fills a service with the demo's devices, group, credential and workflow, by the public API as any client would."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from app.demo.network.fleet import DemoDevice

GROUP = "demo"
CREDENTIAL = "demo-login"
VARIABLES = {"release": "15.2(7)E8", "links_wanted": 5}
"""What the demo's workflow wants of a device: this IOS release, or so many SAOS ports that are up."""


class Client(Protocol):
    """Speaks to the service; what comes back is the envelope's ``data``."""

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""

    def post(self, path: str, body: Any = None) -> Any:
        """Create something."""


def with_passwords(fleet: Sequence[DemoDevice], *, password: str, enable_secret: str) -> list[DemoDevice]:
    """Return the fleet with passwords of this run: no word of what devices print is among them."""
    return [replace(one, device=replace(one.device, password=password, enable_secret=enable_secret)) for one in fleet]


def seed(client: Client, fleet: Sequence[DemoDevice], ports: Mapping[str, int], workflow: Mapping[str, Any]) -> str:
    """Create everything that the demo needs, and return the id of its workflow."""
    credential = client.post("/credentials/v1/credentials", _credential(fleet[0]))
    client.post("/inventory/v1/devices/bulk", {"devices": [_device(one, ports) for one in fleet], "mode": "create"})
    members = [device["id"] for device in client.get("/inventory/v1/devices", tag=GROUP, limit=len(fleet))]
    group = client.post("/inventory/v1/groups", {"name": GROUP, "description": "All of it.", "members": members})
    client.post(
        "/credentials/v1/assignments",
        {"credential_id": credential["id"], "subject_type": "group", "subject_id": group["id"]},
    )
    return str(client.post("/automation/v1/workflows", workflow)["id"])


def start(client: Client, workflow_id: str, report_url: str) -> dict[str, Any]:
    """Start the demo's workflow on the demo's group and return the execution."""
    body = {"targets": {"group": GROUP}, "variables": {**VARIABLES, "report_url": report_url}}
    execution: dict[str, Any] = client.post(f"/automation/v1/workflows/{workflow_id}/execute", body)
    return execution


def _credential(one: DemoDevice) -> dict[str, Any]:
    device = one.device
    fields = {"username": device.username, "password": device.password, "enable_secret": device.enable_secret}
    return {"name": CREDENTIAL, "credential_type": "ssh", "environment": GROUP, "data": fields}


def _device(one: DemoDevice, ports: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": one.device.name,
        "address": "127.0.0.1",
        "port": ports[one.device.name],
        "platform": str(one.device.platform),
        "site": one.site,
        "role": one.role,
        "tags": [GROUP],
    }
