import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from app.cli.client import Api
from app.cli.failures import ExitCode
from app.cli.logins import GivenToken
from app.core.access import PERMISSIONS
from tests.cli.conftest import Call
from tests.support import callers
from tests.support.graphs import step, workflow
from tests.support.recording import add_execution, add_host, add_node, add_result

pytestmark = pytest.mark.usefixtures("bounded")
STEPS = {
    "flow:approval": step("w", "flow:approval"),
    "flow:wait": step("w", "flow:wait", wait_type="webhook"),
    "flow:stop": step("w", "flow:stop"),
}
Begin = Callable[[str, str], str]


@pytest.fixture
def api(server_url: str, admin_token: str) -> Iterator[Api]:
    with Api(server_url, GivenToken(admin_token)) as client:
        yield client


@pytest.fixture
async def bob(call: Call, server_url: str, database: None) -> Call:
    """Return a function that calls the command line as somebody else."""
    token = (await callers.log_in(await callers.make_user("bob", PERMISSIONS))).access_token

    def run(*words: str) -> Any:
        return call(*words, OPSCONDUCTOR_URL=server_url, OPSCONDUCTOR_TOKEN=token)

    return run


@pytest.fixture
def begin(api: Api) -> Begin:
    """Return a function that starts a workflow of one node and waits until it stands somehow."""

    def start(node_type: str, status: str) -> str:
        definition = workflow(STEPS[node_type], edges=("start -> w",))
        stored = api.post("/automation/v1/workflows", {"name": str(uuid4()), "definition": definition})
        execution = api.post(f"/automation/v1/workflows/{stored['id']}/execute", {})
        stands(api, execution["id"], status)
        return str(execution["id"])

    return start


def stands(api: Api, execution_id: str, status: str) -> None:
    while api.get(f"/automation/v1/executions/{execution_id}")["status"] != status:
        time.sleep(0.05)


@pytest.mark.usefixtures("work")
def test_what_is_asked_is_approved_or_rejected_by_somebody_else(
    served: Call, bob: Call, begin: Begin, api: Api
) -> None:
    first, second = begin("flow:approval", "waiting"), begin("flow:approval", "waiting")
    assert served("executions", "approve", first).exit_code == ExitCode.REFUSED
    approved = bob("executions", "approve", first, "--comment", "fine")
    assert (approved.exit_code, approved.stdout) == (ExitCode.OK, "w: approved, 1 of 1 approved.\n")
    rejected = bob("executions", "reject", second, "w", "--json")
    assert json.loads(rejected.stdout)["status"] == "rejected"
    stands(api, first, "success")
    stands(api, second, "failed")
    nothing = bob("executions", "approve", first)
    assert (nothing.exit_code, "asks nothing just now" in nothing.stderr) == (ExitCode.INVALID, True)


@pytest.mark.usefixtures("work")
def test_what_waits_is_resumed_with_data_once(served: Call, begin: Begin, api: Api) -> None:
    execution_id = begin("flow:wait", "waiting")
    for wrong in ("[1]", "no json"):
        assert served("executions", "resume", execution_id, "w", "--data", wrong).exit_code == ExitCode.USAGE
    assert served("executions", "resume", execution_id, "z").exit_code == ExitCode.INVALID
    resumed = served("executions", "resume", execution_id, "w", "--data", '{"ticket": 7}')
    assert (resumed.exit_code, resumed.stdout) == (ExitCode.OK, "w goes on, 1 time(s).\n")
    stands(api, execution_id, "success")
    (row,) = api.entries(f"/automation/v1/executions/{execution_id}/results", node="w")
    assert row["outputs"]["data"] == {"ticket": 7}


@pytest.mark.usefixtures("work")
def test_an_execution_is_run_once_more_and_deleted(served: Call, begin: Begin, api: Api) -> None:
    execution_id = begin("flow:stop", "failed")
    again = served("executions", "rerun", execution_id, "--json")
    assert again.exit_code == ExitCode.FAILED
    told = json.loads(again.stdout)["execution"]
    assert (told["status"], told["id"] != execution_id) == ("failed", True)
    assert served("executions", "rerun", execution_id, "--from-node", "z").exit_code == ExitCode.INVALID
    assert served("executions", "delete", execution_id, stdin="n\n").exit_code != ExitCode.OK
    assert api.get(f"/automation/v1/executions/{execution_id}")["status"] == "failed"
    assert served("executions", "delete", execution_id, "--yes").exit_code == ExitCode.OK
    assert served("executions", "delete", execution_id, "--yes").exit_code == ExitCode.INVALID


async def test_two_executions_are_compared_device_by_device(served: Call, database: None) -> None:
    before, after = await add_execution(), await add_execution()
    for execution_id, version in ((before, "15.1"), (after, "15.2")):
        await add_node(execution_id, "a")
        for host in ("r1", "r2"):
            await add_host(execution_id, host)
            found = {"version": version if host == "r1" else "15.1"}
            await add_result(execution_id, host=host, found=found)
    told = served("executions", "diff", str(before), str(after))
    assert told.exit_code == ExitCode.OK
    assert [line.split() for line in told.stdout.splitlines()[1:]] == [["r1", "a", "success", "success", "version"]]
    assert served("executions", "diff", str(before), str(after), "--device", "r2").stdout == "Nothing differs.\n"
    assert served("executions", "diff", str(before), str(before)).exit_code == ExitCode.INVALID
    everything = json.loads(served("executions", "diff", str(before), str(after), "--all", "--json").stdout)
    assert [entry["device"]["name"] for entry in everything] == ["r1", "r2"]
    assert served("executions", "diff", str(before), str(uuid4())).exit_code == ExitCode.INVALID


def test_every_act_says_what_it_does(call: Call) -> None:
    for verb, word in (("rerun", "once more"), ("approve", "Approve"), ("reject", "Reject"), ("resume", "go on")):
        assert word in call("executions", verb, "--help").stdout
    listed = call("executions", "--help").stdout
    assert all(verb in listed for verb in ("rerun", "approve", "reject", "resume", "diff", "delete", "cancel"))
