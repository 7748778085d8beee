"""Nodes that hold others together: branches side by side, a barrier, a block tried again, one that is caught."""

from typing import Annotated, Literal

from msgspec import Meta
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.node import Handle, Params, node, outcome

BRANCH = "branch_"
MOST_BRANCHES = 500


class ParallelParams(Params, frozen=True, kw_only=True):
    """How many ways lead on."""

    branches: Annotated[int, Meta(ge=2, le=MOST_BRANCHES, description="How many ways begin here: branch_0, ….")] = 2


class BarrierParams(Params, frozen=True, kw_only=True):
    """Nothing to say."""


class RetryParams(Params, frozen=True, kw_only=True):
    """How often, and how long between."""

    max_retries: Annotated[int, Meta(ge=1, le=100, description="Tries after the first one.")] = 3
    retry_delay: Annotated[float, Meta(ge=0, le=3600, description="Seconds before the second try.")] = 1.0
    backoff: Annotated[
        Literal["fixed", "linear", "exponential"], Meta(description="How the delay grows from try to try.")
    ] = "fixed"
    max_delay: Annotated[float, Meta(ge=0, le=3600, description="Seconds that no delay is longer than.")] = 60.0


class CatchParams(Params, frozen=True, kw_only=True):
    """Nothing to say."""


@node(
    "logic:parallel",
    name="Parallel",
    category="Logic",
    scope="follow",
    icon="git-fork",
    color="#7c3aed",
    open_triggers=BRANCH,
)
def logic_parallel(params: ParallelParams) -> Result:  # noqa: ARG001 — the number is for the canvas and the validation
    """Go on by every branch at the same time."""
    return outcome()


@node(
    "logic:barrier",
    name="Barrier",
    category="Logic",
    scope="once",
    icon="fence",
    color="#7c3aed",
    only_steers=True,
)
def logic_barrier(context: NodeContext, params: BarrierParams) -> Result:  # noqa: ARG001 — that it runs is its effect
    """Let nobody pass before every device that can still come has come."""
    return outcome()


@node(
    "logic:retry",
    name="Retry",
    category="Logic",
    scope="follow",
    icon="rotate-cw",
    color="#7c3aed",
    triggers=("done", "try"),
    outputs=(
        Handle("index", "number", "In the body: the number of this try, from 0."),
        Handle("results", "array", "Behind the block: for each try index, status, error and its last outputs."),
    ),
    loops=True,
    aliases=("flow:retry",),
)
def logic_retry(params: RetryParams) -> Result:
    """Run what ``try`` leads to until it succeeds, then go on by ``done``; a change whose effect is unknown ends it."""
    tries = params.max_retries + 1
    return outcome(
        {
            "rounds": list(range(tries)),
            "until_success": True,
            "delays_s": [_delay_s(params, t) for t in range(1, tries)],
        }
    )


@node(
    "logic:catch",
    name="Catch",
    category="Logic",
    scope="follow",
    icon="shield-alert",
    color="#7c3aed",
    triggers=("done", "caught", "try"),
    outputs=(Handle("results", "array", "Behind the block: its status, error and last outputs."),),
    loops=True,
)
def logic_catch(params: CatchParams) -> Result:  # noqa: ARG001 — what is caught is what the edges say
    """Run what ``try`` leads to, and go on by ``done``, or by ``caught`` when something in it failed.

    Behind ``caught`` expressions find ``error`` among its outputs: class, message and node_id of what failed.
    """
    return outcome({"rounds": [None], "catches": True})


def _delay_s(params: RetryParams, failed: int) -> float:
    factor = {"fixed": 1.0, "linear": float(failed), "exponential": 2.0 ** (failed - 1)}[params.backoff]
    return min(params.max_delay, params.retry_delay * factor)
