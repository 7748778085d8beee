import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import ValidationError
from app.devices.batch_rows import Row, read_csv, read_entries

HEADER = "name,address,platform,port,site,tags\n"
GOOD = "r1,192.0.2.1,cisco_ios,2201,ber1,edge;core\n"


def faults_of(rows: list[Row]) -> dict[object, dict[str, str]]:
    return {row.line: {fault["field"]: fault["message"] for fault in row.faults} for row in rows if row.faults}


def refusal(body: bytes) -> str:
    with pytest.raises(ValidationError) as caught:
        read_csv(body)
    return caught.value.message


def test_a_well_formed_file_is_read() -> None:
    (row,) = read_csv((HEADER + GOOD).encode())
    assert row.faults == []
    assert row.device is not None
    assert (row.device.name, row.device.port, row.device.tags) == ("r1", 2201, ["edge", "core"])


def test_an_empty_cell_is_a_field_left_out() -> None:
    (row,) = read_csv(f"{HEADER}r1,192.0.2.1,cisco_ios,,,\n".encode())
    assert row.faults == []
    assert set(row.given) == {"name", "address", "platform"}


def test_columns_of_data_become_its_fields() -> None:
    (row,) = read_csv(b"name,address,platform,data.rack,data.row\nr1,192.0.2.1,cisco_ios,7,\n")
    assert row.given["data"] == {"rack": "7"}


def test_a_byte_order_mark_windows_line_ends_and_quotes_are_understood() -> None:
    body = '\ufeffName, Address ,platform,site\r\nr1,192.0.2.1,cisco_ios,"Berlin, ""one""\nfloor 2"\r\n'
    (row,) = read_csv(body.encode())
    assert row.given["site"] == 'Berlin, "one"\nfloor 2'


def test_blank_lines_are_passed_over_and_lines_counted_right() -> None:
    rows = read_csv(f'{HEADER}\n"r\n1",?,cisco_ios,,,\n\nr2,?,cisco_ios,,,\n'.encode())
    assert [(row.index, row.line) for row in rows] == [(0, 3), (1, 6)]


def test_each_kind_of_broken_row_is_told_by_line_and_field() -> None:
    body = (
        HEADER
        + GOOD
        + (
            "r2,192.0.2.2,cisco-ios,22,,\n"
            "r3,300.1.1.1,cisco_ios,22,,\n"
            "r4,192.0.2.4,cisco_ios,70000,,\n"
            "r5,192.0.2.5,cisco_ios,ssh,,\n"
            "r6,192.0.2.6\n"
            "r7,192.0.2.7,cisco_ios,22,,,surplus\n"
            '"r8"x,192.0.2.8,cisco_ios,22,,\n'
            ",192.0.2.9,cisco_ios,22,,\n"
            "r10,,toaster,0,,\n"
            "r11,192.0.2.11,cisco_ios,22,,\n"
            '"r12,192.0.2.12,cisco_ios,22,,\n'
        )
    )
    rows = read_csv(body.encode())
    faults = faults_of(rows)
    assert faults.keys() == {3, 4, 5, 6, 7, 8, 9, 10, 11, 13}
    assert faults[3] == {"platform": "there is no platform 'cisco-ios'; near to it are cisco_ios"}
    assert "no DNS name" in faults[4]["address"]
    assert "<= 65535" in faults[5]["port"]
    assert faults[6] == {"port": "Expected `int | null`, got `str`"}
    assert faults[7] == {"": "has 2 cells where the first line names 6 columns"}
    assert faults[8] == {"": "has 7 cells where the first line names 6 columns"}
    assert faults[9][""].startswith("the quoting is broken")
    assert faults[10] == {"name": "is required"}
    assert set(faults[11]) == {"address", "platform", "port"}
    assert faults[13] == {"": "the quoting is broken: unexpected end of data"}
    assert [row.device.name for row in rows if row.device and not row.faults] == ["r1", "r11"]


def test_a_name_given_twice_is_told_at_every_place() -> None:
    rows = read_csv(f"{HEADER}{GOOD}r2,192.0.2.2,cisco_ios,,,\n{GOOD}".encode())
    assert faults_of(rows) == {2: {"name": "is given by line 4 too"}, 4: {"name": "is given by line 2 too"}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "name: the column is missing"),
        (b"name,address\nr1,192.0.2.1\n", "platform: the column is missing"),
        (b"r1,192.0.2.1,cisco_ios\n", "r1: there is no such column"),
        (b"name,address,platform,colour\n", "colour: there is no such column; there are name"),
        (b"name,address,platform,adress\n", "near to it are address"),
        (b"name,address,platform,data.\n", "data.: there is no such column"),
        (b"name;address;platform\nr1;192.0.2.1;cisco_ios\n", "cells are separated by commas"),
        (b"name,address,platform,site,site\n", "site: the column is there twice"),
        (HEADER.encode() + "zürich,192.0.2.1,cisco_ios,,,\n".encode("latin-1"), "line 2 is not UTF-8"),
        (b'"name,address,platform\nr1,192.0.2.1,cisco_ios\n', "quoting"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_is_refused(body: bytes, said: str) -> None:
    assert said in refusal(body)


def test_too_many_rows_are_refused_and_the_most_are_not() -> None:
    lines = [f"r{number},192.0.2.1,cisco_ios,,,\n" for number in range(10_000)]
    assert len(read_csv((HEADER + "".join(lines)).encode())) == 10_000
    assert "at most 10000 entries" in refusal((HEADER + "".join(lines) + "more,192.0.2.1,cisco_ios,,,\n").encode())
    with pytest.raises(ValidationError, match="at most 10000 entries"):
        read_entries([{}] * 10_001)


def test_json_entries_are_read_strictly_and_told_field_by_field() -> None:
    rows = read_entries(
        [
            {"name": "r1", "address": "192.0.2.1", "platform": "cisco_ios", "port": 22},
            {"name": "r2", "address": "?", "port": "22", "colour": "red"},
            {"name": 7, "address": "192.0.2.1", "platform": "cisco_ios", "data": {"note": "a\x00b"}},
        ]
    )
    assert rows[0].faults == []
    assert {fault["field"] for fault in rows[1].faults} == {"address", "port", "colour", "platform"}
    assert {fault["field"]: fault["message"] for fault in rows[2].faults} == {
        "name": "Expected `str`, got `int`",
        "data": "holds a NUL character (U+0000)",
    }


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_header_are_read_or_refused(tail: bytes) -> None:
    try:
        rows = read_csv(HEADER.encode() + tail)
    except ValidationError:
        return
    assert [row.index for row in rows] == list(range(len(rows)))
    assert all(row.faults or row.device for row in rows)
