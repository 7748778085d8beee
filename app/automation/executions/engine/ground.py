"""The ground a walk begins on: what lies behind it, in this round of the loops around its stage and before them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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

    def place(self, host: HostRecord | None = None) -> Place:
        """Return where nodes of this stage run, on a host or once."""
        return Place(host, self.iteration, forgiven=any(around.forgiven for around in self.rounds))

    def names(self) -> dict[str, Any]:
        """Return the names that the innermost loop gives to expressions."""
        loop = next((around for around in reversed(self.rounds) if around.is_loop), None)
        return {} if loop is None else {"item": loop.item, "index": loop.index}

    def states(self, rows: Collection[Mapping[str, Any]]) -> dict[str, Collection[NodeState]]:
        """Return how the nodes behind ended, the loops around among them."""
        entered = {around.loop: (NodeState("success", "each" if around.is_loop else "try"),) for around in self.rounds}
        return {**states_of(rows, self.iteration), **entered}

    def views(self, course: Course, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return what expressions see of the nodes behind, the loops around among them."""
        entered = {
            around.loop: scope.node_view("success", {"item": around.item, "index": around.index}, None)
            for around in self.rounds
        }
        return {**scope.views_of(course, rows, self.iteration), **entered}
