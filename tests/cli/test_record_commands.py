import csv
import io
import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from app.cli.failures import ExitCode
from tests.cli.conftest import Call, Shell
from tests.support.recording import add_execution, add_result, count


@pytest.fixture
async def execution(database: None) -> UUID:
    execution_id = await add_execution()
    for host, status in (("r1", "success"), ("r2", "failed")):
        await add_result(execution_id, host=host, status=status, found={"text": f"of {host}"})
    return execution_id


def test_results_are_exported_to_stdout_and_into_a_file(served: Call, execution: UUID, tmp_path: Path) -> None:
    printed = served("executions", "export", str(execution), "--columns", "device,outputs.text")
    assert printed.exit_code == ExitCode.OK
    assert list(csv.reader(io.StringIO(printed.stdout))) == [
        ["device", "outputs.text"],
        ["r1", "of r1"],
        ["r2", "of r2"],
    ]
    file = tmp_path / "results.jsonl"
    written = served(
        "executions", "export", str(execution), "--format", "jsonl", "--status", "failed", "--output", str(file)
    )
    assert (written.exit_code, written.stdout) == (ExitCode.OK, "")
    assert [json.loads(line)["device"]["name"] for line in file.read_text().splitlines()] == ["r2"]
    assert list(tmp_path.glob("*.part")) == []
    assert len(json.loads(served("executions", "export", str(execution), "--json").stdout)) == 2


def test_an_export_that_is_refused_leaves_no_file(served: Call, execution: UUID, tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    for words in ((str(uuid4()),), (str(execution), "--columns", "colour"), (str(execution), "--status", "lost")):
        refused = served("executions", "export", *words, "--output", str(file))
        assert refused.exit_code not in {ExitCode.OK, ExitCode.USAGE}
        assert refused.stderr
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


async def test_retention_says_what_it_would_delete_and_then_deletes_it(shell: Shell, database: None) -> None:
    for age in (40, 2):
        await add_result(await add_execution("audit", age_days=age))
    told = shell("retention", "run", "--dry-run", EXECUTION_RETENTION_DAYS="30")
    assert "Would delete 1 execution(s) with 1 result(s)" in told.stdout
    assert "audit" in told.stdout
    assert await count("executions") == 2
    assert json.loads(shell("retention", "run", "--json", EXECUTION_RETENTION_DAYS="30").stdout) == {
        "executions": 1,
        "blobs": 0,
    }
    assert await count("executions") == 1
    assert shell("retention", "run", "--days", "1").stdout == "Deleted 1 execution(s), and 0 large output(s).\n"


def test_a_limit_that_is_no_number_is_refused(shell: Shell) -> None:
    for value in ("-1", "many", "1000001"):
        refused = shell("retention", "run", "--dry-run", EXECUTION_RETENTION_COUNT=value)
        assert refused.returncode != 0
        assert "EXECUTION_RETENTION_COUNT" in refused.stderr
