"""Nodes that let time pass, for a device or once, and hold no worker meanwhile."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks import context
from tasks.errors import NodeError
from tasks.node import Expression, Handle, Params, node, outcome
from tasks.parking import Parked, await_resume, now, park, resumed_with

UNITS_S = {"milliseconds": 0.001, "seconds": 1.0, "minutes": 60.0, "hours": 3600.0}
LONGEST_S = 30 * 86_400.0
WAITED = Handle("waited_s", "number", "How long it waited, in seconds.")


class WaitParams(Params, frozen=True, kw_only=True):
    """How long to wait, or for what."""

    wait_type: Annotated[
        Literal["seconds", "until"],
        Meta(description="seconds: a span of time; until: asked again and again whether a condition holds."),
    ] = "seconds"
    seconds: Annotated[float, Meta(ge=0, le=LONGEST_S, description="How long to wait, in seconds.")] = 5.0
    condition: Annotated[Expression, Meta(description="What is waited for, evaluated afresh each time.")] = None
    poll_s: Annotated[float, Meta(ge=1, le=3600, description="Seconds between two looks at the condition.")] = 5.0
    timeout: Annotated[
        float, Meta(ge=0.1, le=LONGEST_S, description="Seconds after which a condition that never held is a failure.")
    ] = 300.0


class FlowWaitParams(Params, frozen=True, kw_only=True):
    """How long to wait, until when, or for whom."""

    wait_type: Annotated[
        Literal["fixed", "until_time", "webhook"],
        Meta(description="fixed: a duration; until_time: a point in time; webhook: until somebody resumes it."),
    ] = "fixed"
    duration: Annotated[
        float, Meta(ge=0, le=LONGEST_S * 1000, description="How long to wait, in duration_unit; 30 days at most.")
    ] = 5.0
    duration_unit: Annotated[
        Literal["milliseconds", "seconds", "minutes", "hours"], Meta(description="What duration is counted in.")
    ] = "seconds"
    resume_time: Annotated[
        datetime | None, Meta(description="For until_time: when to go on; without a zone it is UTC.")
    ] = None
    timeout: Annotated[
        float,
        Meta(ge=0.1, le=LONGEST_S, description="For webhook: seconds after which it is a failure that nobody came."),
    ] = 86_400.0


class DelayParams(Params, frozen=True, kw_only=True):
    """How long to wait."""

    delay_seconds: Annotated[float, Meta(ge=0, le=LONGEST_S, description="How long to wait, in seconds.")] = 1.0


@node(
    "logic:wait",
    name="Wait",
    category="Logic",
    scope="follow",
    icon="hourglass",
    color="#7c3aed",
    outputs=(WAITED,),
    parks=True,
)
def logic_wait(params: WaitParams) -> Result:
    """Wait for some seconds, or until a condition holds; in device scope every device waits by itself."""
    since = _since()
    if params.wait_type == "seconds":
        return _until(since + timedelta(seconds=params.seconds))
    if params.condition:
        return outcome({"waited_s": _waited_s(since)})
    give_up_at = since + timedelta(seconds=params.timeout)
    if now() >= give_up_at:
        raise NodeError("timeout", f"The condition did not hold within {params.timeout:g} s.")
    return park(min(give_up_at, now() + timedelta(seconds=params.poll_s)))


@node(
    "flow:wait",
    name="Wait for a Time",
    category="Flow",
    package="flow-control",
    scope="follow",
    icon="clock",
    color="#0891b2",
    outputs=(WAITED, Handle("data", "object", "For webhook: what it was resumed with.")),
    parks=True,
)
def flow_wait(params: FlowWaitParams) -> Result:
    """Wait for a duration, until a point in time, or until somebody resumes it with POST …/resume/{node_id}.

    A time that has passed is not waited for. In device scope every device waits by itself, and all or one are resumed.
    """
    if params.wait_type == "webhook":
        return _until_resumed(params.timeout)
    if params.wait_type == "until_time":
        if params.resume_time is None:
            raise NodeError("validation", "resume_time is missing: say until when to wait.")
        return _until(params.resume_time.replace(tzinfo=params.resume_time.tzinfo or UTC))
    length_s = params.duration * UNITS_S[params.duration_unit]
    if length_s > LONGEST_S:
        raise NodeError("validation", f"{length_s:g} s are more than the longest wait, {LONGEST_S:g} s (30 days).")
    return _until(_since() + timedelta(seconds=length_s))


@node(
    "flow:delay",
    name="Delay",
    category="Flow",
    package="flow-control",
    scope="follow",
    icon="timer",
    color="#0891b2",
    outputs=(WAITED,),
    parks=True,
)
def flow_delay(params: DelayParams) -> Result:
    """Wait for some seconds."""
    return _until(_since() + timedelta(seconds=params.delay_seconds))


def _until_resumed(timeout_s: float) -> Result:
    data = resumed_with(context.current().parked)
    if data is not None:
        return outcome({"data": data, "waited_s": _waited_s(_since())})
    give_up_at = _since() + timedelta(seconds=timeout_s)
    if now() >= give_up_at:
        raise NodeError("timeout", f"Nobody resumed it within {timeout_s:g} s.")
    return await_resume(give_up_at)


def _until(due_at: datetime) -> Result:
    return park(due_at) if now() < due_at else outcome({"waited_s": _waited_s(_since())})


def _since() -> datetime:
    parked: Parked | None = context.current().parked
    return now() if parked is None else parked.since


def _waited_s(since: datetime) -> float:
    return round(max(0.0, (now() - since).total_seconds()), 3)
