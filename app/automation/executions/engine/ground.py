"""The ground a walk begins on: what lies behind it, in this round of the loops around its stage and before them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from app.automation.executions import scope
from app.automation.executions.progress import Round
from app.automation.executions.records import Place
from app.automation.executions.walk import Course, NodeState, states_of
from inventory.records import HostRecord


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The rounds in which a stage runs (none for most), the outermost first, and the iteration they add up to."""

    iteration: str = ""
    rounds: Sequence[Round] = ()
    inner: Mapping[str, Collection[NodeState]] = field(default_factory=dict)
    """Loops around that lie in the stage, as their rounds see them."""

    def within(self, iteration: str, course: Course) -> Self:
        """Return the ground of a round of loops that lie in this stage."""
        around = [part.partition(":")[0] for part in iteration.split(".") if part]
        staged = {opened.loop for opened in self.rounds}
        inner = {loop: (entered(is_loop=course.is_loop(loop)),) for loop in around if loop not in staged}
        return replace(self, iteration=iteration, inner=inner)

    def place(self, host: HostRecord | None = None) -> Place:
        """Return where nodes of this stage run, on a host or once."""
        return Place(host, self.iteration, forgiven=any(around.forgiven for around in self.rounds))

    def names(self) -> dict[str, Any]:
        """Return the names that the innermost loop gives to expressions."""
        loop = next((around for around in reversed(self.rounds) if around.is_loop), None)
        return {} if loop is None else {"item": loop.item, "index": loop.index}

    def states(self, rows: Collection[Mapping[str, Any]]) -> dict[str, Collection[NodeState]]:
        """Return how the nodes behind ended, the loops around among them."""
        around = {opened.loop: (entered(is_loop=opened.is_loop),) for opened in self.rounds}
        return {**states_of(rows, self.iteration), **around, **self.inner}

    def views(self, course: Course, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what expressions see of the nodes behind, the loops around among them."""
        seen = {
            around.loop: scope.node_view("success", {"item": around.item, "index": around.index}, None)
            for around in self.rounds
        }
        return {**scope.views_of(course, rows, self.iteration), **seen}


def entered(*, is_loop: bool) -> NodeState:
    """Return how a loop, or another block, looks from within a round of it."""
    return NodeState("success", "each" if is_loop else "try")
