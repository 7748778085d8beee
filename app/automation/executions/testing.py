"""Tests of workflows: executions in which nothing real happens, on invented devices, with mocked nodes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from redis import Redis

from app.automation.executions import expectation, service, starting
from app.automation.executions.expectation import DifferenceRead, Expectation
from app.automation.executions.mocks import Mock, check_mocks
from app.automation.executions.schemas import ExecutionDetail
from app.automation.executions.starting import StartRequest
from app.automation.executions.statuses import ENDED
from app.automation.workflows import service as workflows
from app.automation.workflows.graph import Catalogue, Plan
from app.automation.workflows.packages import disabled_packages
from app.core import database
from app.core.access import Principal
from app.core.errors import Fault, ValidationError
from app.core.wire import Input, Output
from inventory.records import HostRecord

MOST_DEVICES = 200
UNSAVED = "a definition that is not saved"
DeviceName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class InventedDevice(Input, frozen=True, kw_only=True):
    """A device for one test, as expressions see it."""

    name: DeviceName
    platform: str = ""
    address: str = ""
    site: str = ""
    role: str = ""
    tenant: str = ""
    vendor: str = ""
    model: str = ""
    serial: str = ""
    os_version: str = ""
    tags: list[str] = []
    groups: list[str] = []
    data: dict[str, Any] = {}

    def record(self) -> HostRecord:
        """Return the device as the engine takes it; no inventory knows it."""
        given = msgspec.to_builtins(self)
        return msgspec.convert({**given, "key": f"test:{self.name}", "custom": given.pop("data")}, HostRecord)


class WorkflowTestRequest(Input, frozen=True, kw_only=True):
    """A test: which workflow, on which invented devices, what its nodes do, and how it is to end."""

    definition: dict[str, Any] | None = None
    workflow_id: UUID | None = None
    devices: Annotated[
        list[DeviceName | InventedDevice], msgspec.Meta(max_length=MOST_DEVICES, description="Names, or more of each.")
    ] = []
    mocks: Annotated[dict[str, Mock], msgspec.Meta(description="By node: what it does in place of the real.")] = {}
    variables: dict[str, Any] = {}
    trigger: dict[str, Any] = {}
    trigger_node: str | None = None
    dry_run: bool = False
    expect: Expectation | None = None


class WorkflowTestRead(Output, frozen=True, kw_only=True):
    """How a test ended; `passed` is null while it runs, and where nothing is expected."""

    execution: ExecutionDetail
    passed: bool | None
    differences: list[DifferenceRead]


async def start_test(
    given: WorkflowTestRequest, catalogue: Catalogue, actor: Principal, *, redis: Redis, workers: int
) -> ExecutionDetail:
    """Start a test; raises ValidationError with every node that would have to be mocked and is not."""
    service.check_variables(given.variables)
    workflow = await _workflow(given)
    disabled = await disabled_packages()
    definition, plan = starting.plan_start(workflow, given.trigger_node, catalogue, disabled)
    hosts = _hosts(given.devices)
    names = [host.name for host in hosts]
    _refuse(list(check_mocks(definition, plan, given.mocks, names, catalogue)), "WORKFLOW_TEST_REFUSED")
    if given.expect is not None:
        others = [plan.trigger, *plan.unreachable]
        _refuse(list(expectation.check_expectation(given.expect, plan.scopes, names, others)))
    if plan.has_device_stages and not hosts:
        raise ValidationError.of("devices", "this workflow has device nodes: invent at least one device")
    execution_id = await starting.begin(
        StartRequest(
            workflow=workflow,
            targets={"test": names},
            hosts=hosts,
            variables=given.variables,
            trigger=given.trigger,
            trigger_node=given.trigger_node,
            dry_run=given.dry_run,
            mocks=given.mocks,
        ),
        catalogue,
        actor,
        workers,
    )
    await starting.announce(execution_id, redis)
    return await service.get_execution(execution_id)


async def read_test(execution_id: UUID, expected: Expectation | None) -> WorkflowTestRead:
    """Return how a test stands, and once it has ended, where it differs from what was expected."""
    execution = await service.get_execution(execution_id)
    if execution.status not in ENDED or expected is None:
        return WorkflowTestRead(execution=execution, passed=None, differences=[])
    row = await database.fetch_one("SELECT plan FROM executions WHERE id = $1", execution_id)
    plan = msgspec.json.decode(row["plan"] if row else b"", type=Plan)
    hosts = await database.fetch("SELECT name FROM execution_hosts WHERE execution = $1 ORDER BY id", execution_id)
    results = await database.fetch(
        "SELECT node_id, device_name, iteration, status, error_message FROM device_results "
        "WHERE execution = $1 AND node_id = ANY($2) ORDER BY started_at, id",
        execution_id,
        list(expected.nodes),
    )
    names = [host["name"] for host in hosts]
    found = expectation.differences(expected, execution.status, plan.scopes, names, results)
    return WorkflowTestRead(execution=execution, passed=not found, differences=found)


async def _workflow(given: WorkflowTestRequest) -> Mapping[str, Any]:
    if (given.definition is None) == (given.workflow_id is None):
        raise ValidationError.of("definition", "give either a definition or the workflow_id of one that is saved")
    if given.workflow_id is not None:
        return {**await workflows.get_workflow(given.workflow_id), "enabled": True}
    return {"id": None, "name": UNSAVED, "version": 0, "enabled": True, "definition": given.definition}


def _hosts(devices: Sequence[str | InventedDevice]) -> list[HostRecord]:
    invented = [InventedDevice(name=device) if isinstance(device, str) else device for device in devices]
    twice = [name for name, times in Counter(device.name for device in invented).items() if times > 1]
    _refuse([Fault(field="devices", message=f"{name!r} stands there twice") for name in twice])
    return [device.record() for device in invented]


def _refuse(faults: Sequence[Any], code: str | None = None) -> None:
    if faults:
        where = faults[0].get("node_id") or faults[0]["field"]
        raise ValidationError(f"The test cannot start: {where}: {faults[0]['message']}", faults, code=code)
