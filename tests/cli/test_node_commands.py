import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call

GUEST = '''
"""A guest's node."""
from tasks.node import Params, node, outcome

class Greeting(Params, frozen=True, kw_only=True):
    """A greeting."""
    name: str

@node("acme:greet", name="Greet", category="Acme", scope="follow")
def greet(params: Greeting):
    """Greet somebody."""
    return outcome({"greeting": f"Hello {params.name}"})
'''


def test_the_node_types_are_listed_without_a_service(call: Call) -> None:
    result = call("nodes", "list", OPSCONDUCTOR_URL="http://127.0.0.1:9")
    assert result.exit_code == 0
    assert "ssh:command" in result.stdout
    told = json.loads(call("nodes", "list", "--json").stdout)
    assert {"trigger:manual", "network:ping"} <= {one["id"] for one in told["node_types"]}
    assert told["problems"] == []


def test_a_node_type_is_shown_with_parameters_and_schema(call: Call) -> None:
    text = call("nodes", "show", "network:ping").stdout
    assert "auto | icmp | tcp" in text
    assert "reachable" in text
    assert '"$schema": "https://json-schema.org/draft/2020-12/schema"' in text
    assert json.loads(call("nodes", "show", "network:ping", "--json").stdout)["id"] == "network:ping"
    assert json.loads(call("nodes", "show", "debug:assert", "--json").stdout)["id"] == "check:assert"
    assert "case_…" in call("nodes", "show", "logic:switch").stdout


def test_a_guest_in_the_nodes_folder_is_listed(call: Call, tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text(GUEST)
    result = call("nodes", "list", "--category", "acme", OPSCONDUCTOR_NODES_PATH=str(tmp_path))
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["id", "acme:greet"]
    assert "name" in call("nodes", "show", "acme:greet", OPSCONDUCTOR_NODES_PATH=str(tmp_path)).stdout


def test_a_broken_guest_is_told_and_the_others_are_listed(call: Call, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    result = call("nodes", "list", "--json", OPSCONDUCTOR_NODES_PATH=str(tmp_path))
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["problems"][0]["source"] == str(tmp_path / "broken.py")
    assert len(told["node_types"]) > 5
    assert "nothing_of_this_name" in result.stderr
    missing = call("nodes", "show", "acme:greet", OPSCONDUCTOR_NODES_PATH=str(tmp_path))
    assert missing.exit_code == 4
    assert "nothing_of_this_name" in missing.stderr


def test_a_folder_that_is_not_there_is_exit_code_4(call: Call, tmp_path: Path) -> None:
    result = call("nodes", "list", OPSCONDUCTOR_NODES_PATH=str(tmp_path / "nowhere"))
    assert (result.exit_code, result.stdout) == (4, "")
    assert "OPSCONDUCTOR_NODES_PATH" in result.stderr


@pytest.mark.parametrize("words", [(), ("--remote",)])
def test_an_unknown_node_type_is_exit_code_4(served: Call, words: tuple[str, ...]) -> None:
    result = served("nodes", "show", "ssh:comand", *words)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "ssh:comand" in result.stderr


def test_the_service_is_asked_on_demand(served: Call) -> None:
    remote = json.loads(served("nodes", "list", "--remote", "--json").stdout)["node_types"]
    local = json.loads(served("nodes", "list", "--json").stdout)["node_types"]
    assert [one["id"] for one in remote] == [one["id"] for one in local]
    assert json.loads(served("nodes", "show", "ssh:command", "--remote", "--json").stdout)["id"] == "ssh:command"
