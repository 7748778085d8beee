import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.cli.client import Api
from app.cli.logins import GivenToken
from app.cli.workflow_files import read_workflow
from tests.cli.conftest import Call

pytestmark = pytest.mark.usefixtures("bounded")

PROBE = {"method": "tcp", "count": 1, "timeout_s": 2}


def definition(**parameters: Any) -> dict[str, Any]:
    probe = {"nodeType": "network:ping", "parameters": {**PROBE, **parameters}}
    return {
        "nodes": [{"id": "start", "data": {"nodeType": "trigger:manual"}}, {"id": "probe", "data": probe}],
        "edges": [{"id": "e", "source": "start", "target": "probe"}],
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "check.json"
    path.write_text(json.dumps({"name": "Check", "tags": ["lab"], "definition": definition()}))
    return path


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def devices(served: Call, tmp_path: Path, open_port: int, closed_port: int) -> None:
    """Store a device that listens and one that does not."""
    common = {"address": "127.0.0.1", "platform": "cisco_ios"}
    entries = [{**common, "name": "up1", "port": open_port}, {**common, "name": "down1", "port": closed_port}]
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(entries))
    assert served("devices", "import", str(path)).exit_code == 0


def test_a_valid_file_is_told_to_be_valid(served: Call, file: Path) -> None:
    result = served("workflow", "validate", str(file))
    assert result.exit_code == 0
    assert "is valid: 1 steps in 1 stage(s)." in result.stdout
    assert json.loads(served("workflow", "validate", str(file), "--json").stdout)["valid"] is True
    assert json.loads(served("workflow", "list", "--json").stdout) == []


def test_every_fault_of_a_file_is_told_with_node_and_field(served: Call, file: Path) -> None:
    broken = definition(method="pigeon", cuont=1)
    broken["edges"].append({"id": "x", "source": "probe", "target": "nowhere"})
    file.write_text(json.dumps({"name": "Check", "definition": broken}))
    result = served("workflow", "validate", str(file), "--json")
    assert result.exit_code == 4
    assert len(json.loads(result.stdout)["errors"]) == 3
    assert "3 fault(s)" in result.stderr
    for place in ("probe, parameters.method: ", "probe, parameters.cuont: ", "x: "):
        assert f"\n  {place}" in result.stderr


def test_warnings_of_a_valid_file_are_told(served: Call, file: Path) -> None:
    lonely = definition()
    lonely["nodes"].append({"id": "lonely", "data": {"nodeType": "debug:log"}})
    file.write_text(json.dumps({"name": "Check", "definition": lonely}))
    result = served("workflow", "validate", str(file))
    assert result.exit_code == 0
    assert "warning: lonely, edges: " in result.stdout


def test_a_file_is_stored_exported_and_stored_again(served: Call, file: Path, tmp_path: Path) -> None:
    assert served("workflow", "import", str(file)).stdout == "Check is stored, version 1.\n"
    copy = tmp_path / "copy.yaml"
    assert served("workflow", "export", "Check", "--output", str(copy)).stdout == f"Check, version 1, is in {copy}.\n"
    assert read_workflow(copy) == read_workflow(file)
    assert served("workflow", "import", str(copy)).stdout == "Check is stored already, version 1.\n"
    as_json = tmp_path / "copy.json"
    told = served("workflow", "export", "Check", "--output", str(as_json), "--json")
    assert json.loads(told.stdout)["file"] == str(as_json)
    assert read_workflow(as_json) == read_workflow(file)
    assert served("workflow", "export", "Check").stdout == copy.read_text()
    assert json.loads(served("workflow", "export", "Check", "--json").stdout) == read_workflow(file)


def test_a_file_holds_folder_settings_and_template(served: Call, tmp_path: Path) -> None:
    path, copy = tmp_path / "whole.yaml", tmp_path / "copy.yaml"
    path.write_text(
        json.dumps(
            {
                "name": "Whole",
                "folder": "Core/Checks",
                "template": True,
                "settings": {"waves": [1, "rest"], "timeout_s": 90, "concurrency": None},
                "definition": definition(),
            }
        )
    )
    assert served("workflow", "validate", str(path)).exit_code == 0
    assert served("workflow", "import", str(path)).stdout == "Whole is stored, version 1.\n"
    served("workflow", "export", "Whole", "--output", str(copy))
    assert read_workflow(copy)["settings"] == {"waves": [1, "rest"], "timeout_s": 90.0}
    assert read_workflow(copy)["folder"] == "Core/Checks"
    for same in (path, copy):
        assert served("workflow", "import", str(same)).stdout == "Whole is stored already, version 1.\n"
    path.write_text(json.dumps({"name": "Whole", "definition": definition()}))
    refused = served("workflow", "import", str(path))
    assert refused.exit_code == 4
    assert "its folder, template, settings differ(s)" in refused.stderr
    assert served("workflow", "import", str(path), "--replace").stdout == "Whole is changed, version 2.\n"
    started = served("workflow", "run", str(copy), "--replace")
    assert started.exit_code == 4
    assert "is a template" in started.stderr


def test_a_wrong_setting_of_a_file_is_told_by_its_name(served: Call, file: Path) -> None:
    file.write_text(json.dumps({"name": "Check", "settings": {"waves": ["rest", 1]}, "definition": definition()}))
    for verb in ("validate", "import"):
        result = served("workflow", verb, str(file))
        assert (result.exit_code, result.stdout) == (4, "")
        assert "settings.waves[0]: only the last wave" in result.stderr


def test_another_workflow_of_the_same_name_is_changed_only_when_asked_to(served: Call, file: Path) -> None:
    served("workflow", "import", str(file))
    file.write_text(json.dumps({"name": "Check", "tags": ["lab"], "definition": definition(count=2)}))
    refused = served("workflow", "import", str(file))
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "--replace" in refused.stderr
    assert json.loads(served("workflow", "import", str(file), "--replace", "--json").stdout)["version"] == 2
    assert "Check  2" in served("workflow", "list", "--tag", "lab").stdout


def test_a_faulty_file_is_not_stored(served: Call, file: Path) -> None:
    file.write_text(json.dumps({"name": "Check", "definition": definition(method="pigeon")}))
    result = served("workflow", "import", str(file))
    assert (result.exit_code, result.stdout) == (4, "")
    assert "probe, parameters.method" in result.stderr


@pytest.mark.parametrize(
    "words", [("export", "Nothing"), ("run", "Nothing"), ("run", "nothing.yaml"), ("validate", "no.yaml")]
)
def test_what_is_not_there_is_exit_code_4(served: Call, words: tuple[str, ...]) -> None:
    result = served("workflow", *words)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "There is no" in result.stderr


@pytest.mark.parametrize(
    "words", [("--var", "novalue"), ("--var", "=x"), ("--var", "a:={"), ("--targets", "{"), ("--device",)]
)
def test_an_option_that_cannot_be_read_is_exit_code_2(served: Call, words: tuple[str, ...]) -> None:
    result = served("workflow", "run", "Check", *words)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_run_where_all_devices_succeed_is_exit_code_0(served: Call, work: None, devices: None, file: Path) -> None:
    result = served("workflow", "run", str(file), "--device", "up1", "--var", "a=1.10", "--var", "b:=[1]")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].endswith("of Check on 1 device(s)")
    assert lines[1].startswith("up1  probe  success")
    assert lines[2].split() == ["device", "status", "failed", "at", "error", "class", "duration", "message"]
    assert lines[3].startswith("up1")
    assert lines[4].startswith("success: 1 devices")
    execution = json.loads(served("executions", "list", "--json").stdout)[0]
    assert execution["variables"] == {"a": "1.10", "b": [1]}


def test_a_run_with_a_failure_is_exit_code_1_and_says_where_and_why(
    served: Call, work: None, devices: None, file: Path
) -> None:
    result = served("workflow", "run", str(file), "--device", "up1", "--targets", '{"devices": ["down1"]}', "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["execution"]["status"] == "partial"
    rows = {row["device"]: row for row in told["devices"]}
    assert rows["up1"]["status"] == "success"
    assert (rows["down1"]["node_id"], rows["down1"]["error_class"]) == ("probe", "tcp_refused")
    assert "refused the connection" in rows["down1"]["message"]
    assert rows["down1"]["duration_ms"] >= 0

    execution_id = told["execution"]["id"]
    shown = served("executions", "show", execution_id).stdout
    assert ["probe", "network:ping", "failed"] in [line.split()[:3] for line in shown.splitlines()]
    assert ["down1", "failed", "probe", "tcp_refused"] in [line.split()[:4] for line in shown.splitlines()]
    assert json.loads(served("executions", "show", execution_id, "--json").stdout)["execution"]["id"] == execution_id
    assert execution_id in served("executions", "list", "--status", "partial").stdout
    followed = served("executions", "follow", execution_id)
    assert followed.exit_code == 1
    assert "down1  probe  failed  tcp_refused" in followed.stdout
    late = served("executions", "cancel", execution_id)
    assert (late.exit_code, late.stdout) == (4, "")
    assert "ended already" in late.stderr


def test_a_run_on_a_group_that_is_not_there_starts_nothing(served: Call, devices: None, file: Path) -> None:
    result = served("workflow", "run", str(file), "--group", "nobody")
    assert result.exit_code == 4
    assert "nobody" in result.stderr
    assert json.loads(served("executions", "list", "--json").stdout) == []


def test_a_running_execution_is_cancelled(
    served: Call, server_url: str, admin_token: str, devices: None, file: Path, open_port: int, work: None
) -> None:
    """The listening port never says who it is, so that a login waits for it."""
    with Api(server_url, GivenToken(admin_token)) as api:
        login = {"username": "netops", "password": "only-for-tests"}
        credential = {"name": "lab", "credential_type": "ssh", "data": login, "is_default": True}
        api.post("/credentials/v1/credentials", credential)
        body = definition()
        body["nodes"][1]["data"] = {"nodeType": "ssh:command", "parameters": {"command": "show version"}}
        workflow = api.post("/automation/v1/workflows", {"name": "Wait", "definition": body})
        path = f"/automation/v1/workflows/{workflow['id']}/execute"
        execution_id = api.post(path, {"targets": {"devices": ["up1"]}})["id"]
    cancelled = served("executions", "cancel", execution_id)
    assert (cancelled.exit_code, cancelled.stdout) == (0, f"Execution {execution_id} is being cancelled.\n")
    followed = served("executions", "follow", execution_id, "--json")
    assert followed.exit_code == 1
    assert json.loads(followed.stdout)["execution"]["status"] == "cancelled"


@pytest.mark.parametrize("words", [("show",), ("follow",), ("cancel",)])
def test_an_execution_that_is_not_there_is_exit_code_4(served: Call, words: tuple[str, ...]) -> None:
    result = served("executions", *words, "01900000-0000-7000-8000-000000000001")
    assert (result.exit_code, result.stdout) == (4, "")
    assert served("executions", *words, "not-an-id").exit_code == 2
