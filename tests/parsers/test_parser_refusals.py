"""Text that is not the whole output of the command is refused, with the line that shows it."""

from pathlib import Path
from typing import Any

import pytest

import parsers

CASES = Path(__file__).parent / "cases" / "ciena_saos"
OWN = {
    "port show": CASES / "port_show" / "synthetic_with_global_parameters.txt",
    "port xcvr show": CASES / "port_xcvr_show" / "synthetic_mixed_cages.txt",
    "lldp show neighbors": CASES / "lldp_show_neighbors" / "synthetic_several_on_one_port.txt",
}
PAIRS = [(command, other) for command in OWN for other in OWN if command != other]


def _refusal(command: str, text: str) -> parsers.ParseError:
    with pytest.raises(parsers.ParseError) as caught:
        parsers.parse("ciena_saos", command, text)
    return caught.value


@pytest.mark.parametrize(("command", "other"), PAIRS)
def test_the_output_of_another_command_is_refused(command: str, other: str) -> None:
    error = _refusal(command, OWN[other].read_text())
    assert f"this is not the output of {command!r}" in str(error)
    assert error.line_number == 1


@pytest.mark.parametrize(("command", "other"), PAIRS)
def test_two_outputs_in_one_text_are_refused(command: str, other: str) -> None:
    text = OWN[command].read_text()
    assert _refusal(command, text + OWN[other].read_text()).line_number > len(text.splitlines())
    assert _refusal(command, OWN[other].read_text() + text).line_number >= 1


@pytest.mark.parametrize("command", OWN)
def test_the_same_output_twice_is_refused(command: str) -> None:
    text = OWN[command].read_text()
    assert _refusal(command, text + text).line_number > len(text.splitlines())


@pytest.mark.parametrize("command", OWN)
def test_a_table_without_its_last_border_is_refused_at_its_last_row(command: str) -> None:
    lines = OWN[command].read_text().splitlines()
    error = _refusal(command, "\n".join(lines[:-1]))
    assert (error.line_number, error.line) == (len(lines) - 1, lines[-2])
    assert "without its closing border" in str(error)


def _reads(command: str, text: str) -> list[dict[str, Any]] | None:
    try:
        return parsers.parse("ciena_saos", command, text)
    except parsers.ParseError:
        return None


@pytest.mark.parametrize("command", OWN)
def test_a_table_cut_anywhere_never_reads_as_whole(command: str) -> None:
    text = OWN[command].read_text().rstrip("\n")
    whole = parsers.parse("ciena_saos", command, text)
    parts = [part for end in range(len(text)) if (part := _reads(command, text[:end])) is not None]
    # Each LLDP neighbor closes with a border: only there may an output end early.
    assert bool(parts) == (command == "lldp show neighbors")
    assert all(len(part) < len(whole) and part == whole[: len(part)] for part in parts)


@pytest.mark.parametrize("command", OWN)
def test_garbage_inside_a_table_is_refused_with_its_line_number(command: str) -> None:
    lines = OWN[command].read_text().splitlines()
    place = len(lines) - 2
    error = _refusal(command, "\n".join([*lines[:place], "%LINK-3-UPDOWN: port 4", *lines[place:]]))
    assert (error.line_number, error.line) == (place + 1, "%LINK-3-UPDOWN: port 4")


@pytest.mark.parametrize("command", OWN)
def test_a_row_of_another_width_is_refused_with_its_line_number(command: str) -> None:
    lines = OWN[command].read_text().splitlines()
    error = _refusal(command, "\n".join([*lines[:-1], "| 4 | 5 |", lines[-1]]))
    assert error.line_number == len(lines)
    assert "the row has 2 cells" in str(error)


@pytest.mark.parametrize("command", OWN)
@pytest.mark.parametrize(
    "text", ["", "\n \r\n", "ERROR: Invalid command\n", "+---+", "| 1 | 2 |\n+---+---+", "+---+\n| x |\n+-"]
)
def test_text_that_is_no_table_is_refused(command: str, text: str) -> None:
    assert _refusal(command, text).line_number >= 1


@pytest.mark.parametrize("command", ["port show", "port xcvr show"])
def test_a_header_with_nothing_under_it_is_refused_and_an_empty_table_is_not(command: str) -> None:
    lines = OWN[command].read_text().splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith(("| 1 ", "|1 ")))
    header = "\n".join(lines[:first])
    assert "ends after the table's header" in str(_refusal(command, header))
    assert parsers.parse("ciena_saos", command, f"{header}\n{lines[-1]}\n") == []


@pytest.mark.parametrize(
    ("command", "printed", "wrong", "complaint"),
    [
        ("port show", "| 3.1     |", "|         |", "names no port"),
        ("port show", "   0d 0h 7m 3s", "      a while ", "'a while' is no duration"),
        ("port show", "   0d 0h 7m 3s", "             7 ", "'7' is no duration"),
        ("port show", "10G/FD| Off|Ena", "10G/FD| May|Ena", "'May' is none of on, yes"),
        ("port show", "|Ena | 10G/FD| Off|", "|Ena | 10G/FD| Of", "cut off before the table's right edge"),
        ("port xcvr show", "|3   |", "|    |", "names no port"),
        ("port xcvr show", "|Yes |", "|Hmm |", "'Hmm' is none of on, yes"),
        ("lldp show neighbors", "|5            |6 ", "|             |6 ", "names no local port"),
        ("lldp show neighbors", "  Chassis Id: 001122AA0060", " 001122AA0060             ", "under no label"),
        (
            "lldp show neighbors",
            "|5            |11.2                            |  Chassis Id: 001122BB0040",
            "|5            |                                | System Name: 001122BB0040",
            "neither the neighbor's port nor its chassis",
        ),
    ],
)
def test_a_cell_that_cannot_be_is_refused_and_named(command: str, printed: str, wrong: str, complaint: str) -> None:
    text = OWN[command].read_text()
    assert printed in text
    changed = text.replace(printed, wrong, 1)
    error = _refusal(command, changed)
    assert complaint in str(error)
    assert error.line == changed.splitlines()[error.line_number - 1]


def test_a_power_that_is_no_number_is_refused() -> None:
    text = (CASES / "port_xcvr_show" / "synthetic_with_power_levels.txt").read_text()
    error = _refusal("port xcvr show", text.replace("+1.9318", "strong "))
    assert "'strong' is no number" in str(error)


def test_a_header_that_names_a_column_twice_is_no_header() -> None:
    text = OWN["port xcvr show"].read_text().replace("|Ciena|", "|Admin|").replace("| Rev |", "|State|")
    assert "no table has the columns" in str(_refusal("port xcvr show", text))


def test_a_box_above_the_table_that_is_not_the_commands_is_refused() -> None:
    box = "+----+----+----+\n| a  | b  | c  |\n+----+----+----+\n"
    assert "no part of 'port show'" in str(_refusal("port show", box + OWN["port show"].read_text()))


def test_a_long_line_is_shown_short_and_kept_whole() -> None:
    error = _refusal("port show", "x" * 1_000)
    assert len(str(error)) < 700
    assert len(error.line) == 1_000
