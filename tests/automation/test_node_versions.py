"""Versions of node types: what was written for an older one is migrated, or refused with what to change."""

from typing import Any

import httpx
import pytest

from app.automation.workflows.validation import as_it_runs, validate
from app.palette import build_catalog
from tasks.errors import BadNodeType
from tasks.node import Params, node, outcome
from tests.support.graphs import step, workflow
from tests.support.working import NODES, make_workflow, results, run

CATALOGUE = build_catalog(NODES)


class Nothing(Params, frozen=True, kw_only=True):
    """No parameters."""


def written(version: Any = None, node_type: str = "lab:pause", **parameters: Any) -> dict[str, Any]:
    """Return a workflow with one node that was saved with a version of its type."""
    one = step("a", node_type, **parameters)
    if version is not None:
        one["data"]["version"] = version
    return workflow(one, edges=("start -> a",))


@pytest.mark.parametrize(
    ("version", "given", "expected"),
    [
        (None, {"minutes": 2}, {"length_s": 120}),
        (1, {"minutes": 1}, {"length_s": 60}),
        (2, {"seconds": 5}, {"length_s": 5}),
        (3, {"length_s": 7}, {"length_s": 7}),
        (None, {}, {}),
    ],
)
def test_parameters_become_those_of_the_version_there_is(
    version: int | None, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    raw = written(version, **given)
    verdict = validate(raw, CATALOGUE)
    assert verdict.errors == []
    found = verdict.definition.nodes["a"]
    assert (dict(found.parameters), found.version) == (expected, 3)
    assert as_it_runs(raw, CATALOGUE).nodes["a"] == found
    assert raw == written(version, **given), "the definition stays as it was written"


@pytest.mark.parametrize(
    ("raw", "kind", "part"),
    [
        (written(1, "lab:renamed", old="x"), "outdated_node", "old is called new now"),
        (written(4), "outdated_node", "Install the newer one"),
        (written(1, minutes="many"), "outdated_node", "failed (TypeError"),
        (written(3, minutes=1), "unknown_parameter", "no parameter 'minutes'"),
        (written("two"), "malformed", "version is 'two'"),
        (written(0), "malformed", "version is 0"),
        (written(True), "malformed", "version is True"),
    ],
)
def test_what_cannot_be_migrated_is_told_with_what_to_change(raw: dict[str, Any], kind: str, part: str) -> None:
    (found,) = validate(raw, CATALOGUE).errors
    assert (found["type"], found["node_id"]) == (kind, "a")
    assert part in found["message"]


def test_a_newer_version_has_to_lead_on_from_each_older_one() -> None:
    with pytest.raises(BadNodeType, match=r"nothing leads from version 2"):
        declare(version=3, migrations={1: dict})
    with pytest.raises(BadNodeType, match=r"a migration begins at version 2; this is version 2"):
        declare(version=2, migrations={1: dict, 2: dict})
    assert declare(version=2, outdated="Write it anew.").version == 2


@pytest.mark.usefixtures("work")
async def test_an_old_workflow_is_stored_as_it_was_and_runs_migrated(
    admin: httpx.AsyncClient,
) -> None:
    old = written(minutes=0)
    execution = await run(admin, old)
    assert execution["status"] == "success"
    (row,) = [row for row in await results(admin, execution["id"]) if row["node_id"] == "a"]
    assert row["outputs"] == {"length_s": 0}
    workflow_id = execution["workflow_id"]
    stored = (await admin.get(f"/automation/v1/workflows/{workflow_id}")).json()["data"]
    assert stored["definition"] == old
    refused = await admin.post(
        "/automation/v1/workflows", json={"name": "old", "definition": written(1, "lab:renamed", old="x")}
    )
    assert (refused.status_code, refused.json()["error"]["details"][0]["type"]) == (422, "outdated_node")


@pytest.mark.usefixtures("work")
async def test_a_version_goes_out_and_comes_in_as_it_was_written(admin: httpx.AsyncClient) -> None:
    definition = written(2, seconds=1)
    workflow_id = await make_workflow(admin, definition, "versioned")
    exported = await admin.get(f"/automation/v1/workflows/{workflow_id}/export", params={"format": "json"})
    assert exported.json()["definition"] == definition


def declare(**more: Any) -> Any:
    """Declare a node type and return it."""

    @node("test:versioned", name="Versioned", category="test", scope="follow", **more)
    def versioned(params: Nothing) -> Any:
        """Do nothing."""
        return outcome({"params": repr(params)})

    return versioned.__node__  # type: ignore[attr-defined]
