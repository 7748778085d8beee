"""How the devices of an execution stand, kept up to date by its events."""

from dataclasses import dataclass, field
from typing import Any

from app.cli.following import FINISHED, Event


@dataclass
class DeviceProgress:
    """One device: the node it is at or was at last, how that ended, and what failed it for good."""

    name: str
    node_id: str = ""
    running: bool = False
    status: str = "pending"
    branch: str = ""
    failed_node: str = ""
    error_class: str = ""
    message: str = ""
    duration_ms: int = 0

    @property
    def lost(self) -> bool:
        """Say whether a failure that nothing handled has ended this device's way."""
        return self.status in {"failed", "unknown"}


@dataclass
class Progress:
    """All devices by name, and how the execution stands."""

    devices: dict[str, DeviceProgress] = field(default_factory=dict)
    status: str = "queued"
    expected: int = 0
    once: dict[str, str] = field(default_factory=dict)
    """The nodes that run once, and how each ended."""

    def note(self, event: Event) -> None:
        """Take in an event."""
        area, _, verb = event.kind.partition(".")
        if area == "execution":
            self._note_execution(event)
        elif "device" in event.body and area == "device":
            self._note_device(verb, event.body)
        elif area == "node" and "host_key" in event.body:
            self.once[event.body["node_id"]] = event.body.get("status", "running")

    def lost(self) -> int:
        """Return how many devices have failed."""
        return sum(device.lost for device in self.devices.values())

    def running(self) -> int:
        """Return how many devices are at a node just now."""
        return sum(device.running for device in self.devices.values())

    def _note_execution(self, event: Event) -> None:
        self.expected = event.body.get("devices", self.expected)
        if event.kind in {FINISHED, "execution.started"}:
            self.status = event.body["status"]
        elif event.kind == "execution.cancelling":
            self.status = "cancelling"

    def _note_device(self, verb: str, body: dict[str, Any]) -> None:
        device = self.devices.setdefault(body["device"], DeviceProgress(body["device"]))
        if verb == "started":
            device.node_id, device.running = body["node_id"], True
            device.status = device.status if device.lost else "running"
        elif verb == "finished":
            self._note_end(device, body)

    def _note_end(self, device: DeviceProgress, body: dict[str, Any]) -> None:
        device.node_id, device.running = body["node_id"], False
        device.branch = body.get("branch") or ""
        device.duration_ms += body.get("duration_ms") or 0
        handled = body.get("handled", False)
        if not device.lost:
            device.status = "success" if handled else body["status"]
            error = body.get("error")
            if error is not None and not handled:
                device.failed_node, device.error_class, device.message = (
                    body["node_id"],
                    error["class"],
                    error["message"],
                )
