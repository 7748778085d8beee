"""The palette: what is in it, that every type says all that a canvas needs, and that it can be filled before a fork."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.palette import build_catalog
from tasks.catalog import Catalog

OURS = {
    "check:assert",
    "config:push",
    "data:debug",
    "data:set-variable",
    "data:transform",
    "db:delete",
    "db:insert",
    "db:query",
    "db:update",
    "db:upsert",
    "debug:comment",
    "debug:execution-data",
    "debug:get-variable",
    "debug:log",
    "file:ftp",
    "file:read",
    "file:s3",
    "file:sftp",
    "file:write",
    "flow:approval",
    "flow:delay",
    "flow:error-trigger",
    "flow:noop",
    "flow:stop",
    "flow:subworkflow",
    "flow:switch",
    "flow:wait",
    "http:graphql",
    "http:request",
    "http:respond-webhook",
    "logic:barrier",
    "logic:catch",
    "logic:if",
    "logic:loop",
    "logic:merge",
    "logic:parallel",
    "logic:retry",
    "logic:switch",
    "logic:wait",
    "network:ping",
    "notify:log",
    "notify:webhook",
    "parse:csv",
    "parse:device",
    "parse:html-extract",
    "parse:json",
    "parse:markdown",
    "parse:regex",
    "parse:template",
    "parse:xml",
    "ssh:command",
    "transform:aggregate",
    "transform:code",
    "transform:filter",
    "transform:limit",
    "transform:merge",
    "transform:remove-duplicates",
    "transform:rename-keys",
    "transform:set-fields",
    "transform:sort",
    "transform:split",
    "trigger:event",
    "trigger:manual",
    "trigger:webhook",
}
GUEST = '''
from tasks.node import Params, node


class HelloParams(Params):
    """Nothing to say."""


@node("guest:hello", name="Hello", category="Guests", scope="follow")
def hello(params: HelloParams) -> dict[str, str]:
    """Say hello."""
    return {"text": "hello"}
'''
FILLED_IN_A_FRESH_PROCESS = """
import os, threading
from app.palette import build_catalog
filled = build_catalog()
assert threading.active_count() == 1, threading.enumerate()
child = os.fork()
if child == 0:
    os._exit(0 if filled["ssh:command"].schema()["properties"]["command"] else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture(scope="module")
def filled() -> Catalog:
    return build_catalog()


def test_the_palette_holds_what_is_built_and_nothing_else(filled: Catalog) -> None:
    assert {node_id for node_id in filled if not node_id.startswith("guest:")} == OURS
    assert filled.problems == []
    assert filled["debug:assert"] is filled["check:assert"]
    assert filled["debug:set-variable"] is filled["data:set-variable"]
    assert filled["flow:loop"] is filled["logic:loop"]


def test_every_type_describes_itself(filled: Catalog) -> None:
    for described in filled.describe():
        for part in ("name", "description", "category", "package", "icon", "color"):
            assert described[part], (described["id"], part)
        jsonschema.Draft202012Validator.check_schema(described["parameters"])
        for name, parameter in described["parameters"]["properties"].items():
            assert parameter.get("description"), (described["id"], name)


def test_defaults_fit_their_own_schema(filled: Catalog) -> None:
    for described in filled.describe():
        schema: dict[str, Any] = described["parameters"]
        for name, parameter in schema["properties"].items():
            if "default" in parameter:
                whole = {**parameter, "$defs": schema.get("$defs", {})}
                assert jsonschema.Draft202012Validator(whole).is_valid(parameter["default"]), (described["id"], name)


def test_what_changes_something_can_say_so_in_a_dry_run(filled: Catalog) -> None:
    changing = {
        node_id for node_id, node_type in filled.items() if node_type.changes_device or not node_type.idempotent
    }
    assert changing == {
        "config:push",
        "db:insert",
        "file:ftp",
        "file:s3",
        "file:sftp",
        "file:write",
        "http:graphql",
        "http:request",
        "notify:webhook",
    }
    assert all(filled[node_id].dry_run for node_id in changing)


def test_numbers_have_bounds(filled: Catalog) -> None:
    for described in filled.describe():
        for name, parameter in described["parameters"]["properties"].items():
            for form in [parameter, *parameter.get("anyOf", [])]:
                if form.get("type") in {"integer", "number"}:
                    assert "minimum" in form, (described["id"], name)
                    assert "maximum" in form, (described["id"], name)


def test_a_folder_of_guests_joins_and_a_broken_file_does_not_matter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "hello.py").write_text(GUEST)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    joined = build_catalog(tmp_path)
    assert "guest:hello" in joined
    assert set(joined) >= OURS
    (problem,) = joined.problems
    assert problem.source == str(tmp_path / "broken.py")
    assert str(tmp_path / "broken.py") in caplog.text


def test_the_palette_can_be_filled_before_a_fork() -> None:
    command = [sys.executable, "-c", FILLED_IN_A_FRESH_PROCESS]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
