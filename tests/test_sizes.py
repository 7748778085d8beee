"""Keeps the house's two hard limits: no file over 400 lines, no function over 50."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path for room in ("app", "inventory", "tasks", "parsers", "tests") for path in (ROOT / room).rglob("*.py")
)
LONGEST_FILE, LONGEST_FUNCTION = 400, 50


def too_long(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    found = [f"{path.name} has {lines} lines"] if lines > LONGEST_FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > LONGEST_FUNCTION:
                found.append(f"{path.name}:{node.lineno} {node.name} has {size} lines")
    return found


def test_no_file_and_no_function_is_too_long() -> None:
    assert [fault for path in FILES for fault in too_long(path)] == []


@pytest.mark.parametrize(("lines", "faults"), [(LONGEST_FUNCTION - 1, 0), (LONGEST_FUNCTION, 1)])
def test_a_function_that_is_too_long_is_found(tmp_path: Path, lines: int, faults: int) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("def f():\n" + "    x = 1\n" * lines)
    assert len(too_long(sample)) == faults
