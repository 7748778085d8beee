"""What nodes may read of executions: how they and their nodes ended, and never what devices printed."""

from app.automation.executions.tables import Execution
from app.automation.executions.tables import Result as ResultRow
from app.core.declarations import DeclaredTable

EXECUTIONS = DeclaredTable(
    name="executions",
    table=Execution,
    columns={
        name: getattr(Execution, name)
        for name in (
            "id", "workflow_id", "workflow_name", "workflow_version", "dry_run", "status", "devices_total", "succeeded",
            "failed", "skipped", "unknown", "cancelled", "requested_by_name", "created_at", "started_at",
            "finished_at",
        )
    },
    view="automation.execution.view",
)  # fmt: skip
RESULTS = DeclaredTable(
    name="execution_results",
    table=ResultRow,
    columns={
        name: getattr(ResultRow, name)
        for name in (
            "id", "execution", "node_id", "device_id", "device_name", "iteration", "status", "handled", "error_class",
            "changed", "started_at", "duration_ms",
        )
    },
    view="automation.execution.view",
)  # fmt: skip
