"""What breaks a host's walk off is the engine's affair: it is never taken for the end of the walk."""

import pytest
from nornir.core.inventory import Host
from nornir.core.task import Result, Task

from app.automation.executions.engine.devices import raise_first
from tests.support.node_lab import nornir_of


def walk(task: Task) -> Result:
    if str(task.host) == "r2":
        raise KeyError("a node type that is gone")
    return Result(host=task.host)


def test_a_walk_that_broke_off_is_raised_again() -> None:
    with pytest.raises(KeyError, match="gone"):
        raise_first(nornir_of([Host("r1"), Host("r2")]).run(task=walk))
    assert not nornir_of([Host("r1")]).run(task=walk).failed
    raise_first(nornir_of([Host("r1")]).run(task=walk))
