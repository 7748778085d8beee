"""Nodes that probe whether a device can be reached."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import icmplib
from msgspec import Meta
from nornir.core.inventory import Host
from nornir.core.task import Result, Task

from tasks import context
from tasks.dialing import dial, endpoint
from tasks.errors import NodeError, SessionError
from tasks.node import Handle, Params, node, outcome

SSH_PORT = 22
PAUSE_S = 0.2
NO_ICMP = (
    "This process may not send ICMP. Give it CAP_NET_RAW, or widen net.ipv4.ping_group_range, or use the method tcp."
)
Method = Literal["icmp", "tcp"]


class PingParams(Params, frozen=True, kw_only=True):
    """How to probe."""

    method: Annotated[
        Literal["auto", "icmp", "tcp"],
        Meta(
            description="icmp: echo requests; tcp: connections to a port; auto: icmp where this process may, else tcp."
        ),
    ] = "auto"
    count: Annotated[int, Meta(ge=1, le=10, description="Probes to send.")] = 3
    timeout_s: Annotated[float, Meta(ge=0.1, le=30, description="Seconds to wait for each answer.")] = 1.0
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="The port tcp connects to; else the device's own, or 22."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Probing:
    """What probes found: the round trips that came back, in milliseconds, and what the others met."""

    method: Method
    attempts: int
    rtts_ms: Sequence[float]
    failure: NodeError | None = None

    def outputs(self) -> dict[str, Any]:
        """Return the handles of the node."""
        answers = sorted(self.rtts_ms)
        return {
            "reachable": bool(answers),
            "method": self.method,
            "attempts": self.attempts,
            "loss_percent": round(100 * (self.attempts - len(answers)) / self.attempts, 1),
            "rtt_ms": {
                "min": round(answers[0], 3),
                "avg": round(sum(answers) / len(answers), 3),
                "max": round(answers[-1], 3),
            }
            if answers
            else None,
        }


@node(
    "network:ping",
    name="Ping",
    category="Network",
    package="network-discovery",
    scope="device",
    icon="radio",
    color="#2563eb",
    inputs=(Handle("input"),),
    outputs=(
        Handle("reachable", "boolean", "Whether at least one probe was answered."),
        Handle("method", "string", "How it was probed: icmp or tcp."),
        Handle("attempts", "number", "Probes that were sent."),
        Handle("loss_percent", "number", "Probes that were not answered."),
        Handle("rtt_ms", "object", "min, avg and max of the round trips in milliseconds; null without an answer."),
    ),
)
def network_ping(task: Task, params: PingParams) -> Result:
    """Probe a device with ICMP echo requests, or with TCP connections where ICMP is not permitted.

    A device that answers no probe fails the node, with the class of what its last probe met.
    """
    probing = None if params.method == "tcp" else _probe_icmp(task.host, params)
    if probing is None and params.method == "icmp":
        raise NodeError("unsupported", NO_ICMP)
    if probing is None:
        probing = _probe_tcp(task.host, params)
    return outcome(probing.outputs(), exception=None if probing.rtts_ms else probing.failure)


def _probe_icmp(host: Host, params: PingParams) -> Probing | None:
    """Ping with a raw socket, or one that needs no privilege; None where neither may be had."""
    name, address = host.name, host.hostname or host.name
    for privileged in (True, False):
        try:
            found = icmplib.ping(
                address, count=params.count, interval=PAUSE_S, timeout=params.timeout_s, privileged=privileged
            )
        except icmplib.SocketPermissionError:
            continue
        except icmplib.NameLookupError as error:
            message = f"{name} has no address: {address} is not known. Correct the name, or the DNS."
            raise SessionError("dns", message) from error
        except icmplib.ICMPLibError as error:
            message = f"{name} ({address}) cannot be pinged: {error}. Check the route to it."
            raise SessionError("tcp_timeout", message) from error
        lost = SessionError(
            "tcp_timeout",
            f"{name} ({address}) answered none of {params.count} pings within {params.timeout_s:g} s each. "
            "Check the address, the route and the firewalls between.",
        )
        return Probing(method="icmp", attempts=params.count, rtts_ms=found.rtts, failure=lost)
    return None


def _probe_tcp(host: Host, params: PingParams) -> Probing:
    name, address, port = host.name, host.hostname or host.name, params.port or host.port or SSH_PORT
    rtts_ms: list[float] = []
    failure: SessionError | None = None
    for attempt in range(params.count):
        if attempt and not context.current().cancelled():
            time.sleep(PAUSE_S)
        if context.current().cancelled():
            raise NodeError("cancelled", f"Stopped probing {endpoint(address, port, name)}.")
        started = time.perf_counter()
        try:
            with dial(address, port, params.timeout_s, name):
                rtts_ms.append((time.perf_counter() - started) * 1000)
        except SessionError as error:
            if error.error_class in {"dns", "cancelled", "timeout"}:
                raise
            failure = error
    return Probing(method="tcp", attempts=params.count, rtts_ms=rtts_ms, failure=failure)
