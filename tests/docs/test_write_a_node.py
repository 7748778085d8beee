"""The examples of the page for task authors: loaded as the product loads them, run as a reader would."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from app.demo.network.devices import SimulatedDevice
from app.demo.network.threaded import run_in_thread
from tasks import catalog
from tasks.catalog import Catalog
from tasks.node import HandleType, NodeType, Scope
from tests.support.pages import REPOSITORY, blocks, read, rows, section

PAGE = read("docs/write-a-node.md")
FILE_NAME = re.compile(r"# (\w+\.py)\n")
SWITCH = SimulatedDevice(name="sw1", username="netops", password="only-a-lab")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the page's Python, each block as a file under the name it gives itself."""
    for number, block in enumerate(blocks(PAGE, "python")):
        named = FILE_NAME.match(block.text)
        file = tmp_path / (named[1] if named else f"block_{number}.py")
        file.write_text(block.text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def nodes(folder: Path) -> Catalog:
    """Return the node types of the page, and only those."""
    (folder / "check.py").unlink()
    found = Catalog()
    found.add_guests(*catalog.folder(folder))
    return found


def test_every_example_is_a_node_type_of_its_own(nodes: Catalog) -> None:
    assert set(nodes) == {"acme:ticket", "acme:uptime", "acme:parity", "acme:location", "acme:pause"}
    assert [Path(problem.source).name for problem in nodes.problems] == [_block_of("WaitParams")]


def test_the_first_example_is_as_short_as_promised() -> None:
    lines = [line for line in blocks(PAGE, "python")[0].text.splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 15


def test_the_first_example_describes_its_parameters(nodes: Catalog) -> None:
    assert nodes["acme:uptime"].schema()["properties"] == {"timeout": {"type": "integer", "default": 10}}
    assert nodes["acme:uptime"].description == "Read how long a Cisco device has been up."


def test_the_example_of_a_newer_version_migrates_what_was_written_for_the_first(nodes: Catalog) -> None:
    migrate = nodes["acme:pause"].migrations[1]
    assert (migrate({"minutes": 2}), migrate({})) == ({"seconds": 120}, {})


def test_the_script_runs_the_example_without_the_service(folder: Path) -> None:
    with run_in_thread([SWITCH]) as network:
        said = run_script(folder / "check.py", {"22001": str(network.ports["sw1"])})
    assert re.fullmatch(r"sw1 \{'line': 'sw1 uptime is .+'\}\n", said)


def test_the_changing_example_honours_a_dry_run_and_says_what_it_sends(folder: Path) -> None:
    script = folder / "check.py"
    script.write_text(
        script.read_text(encoding="utf-8")
        .replace("from acme import UptimeParams, uptime", "from acme_banner import LocationParams, location")
        .replace("task=uptime, params=UptimeParams(timeout=5)", 'task=told, params=LocationParams("Berlin")')
        .replace("register()\n", TOLD),
        encoding="utf-8",
    )
    with run_in_thread([SWITCH]) as network:
        ports = {"22001": str(network.ports["sw1"])}
        foreseen = run_script(script, ports)
        script.write_text(script.read_text(encoding="utf-8").replace("dry_run=True", "dry_run=False"), encoding="utf-8")
        sent = run_script(script, ports)
    assert foreseen == "sw1 ['+ snmp-server location Berlin', True]\n"
    assert sent == "about to send ['snmp-server location Berlin']\nsw1 ['+ snmp-server location Berlin', True]\n"


def test_the_arguments_named_are_those_of_the_decorator() -> None:
    named = [name for row in rows(section(PAGE, "## What it returns")) for name in re.findall(r"`(\w+)`", row[0])]
    elsewhere = {"id", "name", "category", "scope", "params", "function"}
    assert set(named) == {field.name for field in fields(NodeType)} - elsewhere
    assert len(named) == len(set(named))


def test_the_scopes_and_types_of_handles_are_the_ones_there_are() -> None:
    assert {row[0].strip("`") for row in rows(section(PAGE, "## Scopes"))} == set(get_args(Scope))
    sentence = PAGE.partition("The types of handles are")[2].partition(";")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(get_args(HandleType))


TOLD = """register()
from nornir.core.task import Result
from tasks import context


def told(task, params):
    context.enter(context.NodeContext(dry_run=True, before_change=lambda lines: print("about to send", lines)))
    result = location(task, params=params)
    return Result(host=task.host, result=[result.diff, result.changed])


"""


def run_script(script: Path, replacements: dict[str, str]) -> str:
    """Run a script as a reader would, with the product installed, and return what it prints."""
    text = script.read_text(encoding="utf-8")
    for written, real in replacements.items():
        text = text.replace(written, real)
    real_script = script.with_name("real_script.py")
    real_script.write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, real_script],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _block_of(word: str) -> str:
    """Return the name of the file that the block with a word became."""
    (number,) = [number for number, block in enumerate(blocks(PAGE, "python")) if word in block.text]
    return f"block_{number}.py"
