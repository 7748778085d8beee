from pathlib import Path
from typing import Any

import pytest

from inventory.errors import SourceUnavailableError
from inventory.records import HostRecord
from inventory.sources import read_source, read_sources

R1 = {"name": "r1", "address": "192.0.2.1", "platform": "cisco_ios"}


def test_a_mapping_becomes_a_record_whose_key_is_its_name() -> None:
    (record,) = read_source([{**R1, "tags": ["edge"], "custom": {"rack": 7}}])
    assert record == HostRecord(
        key="r1", name="r1", address="192.0.2.1", platform="cisco_ios", tags=("edge",), custom={"rack": 7}
    )


def test_records_pass_as_they_are() -> None:
    record = HostRecord(key="7", name="r1", address="192.0.2.1", platform="cisco_ios")
    assert read_source([record])[0] is record
    assert read_source({"records": [record]}) == [record]
    assert read_source(lambda: [record]) == [record]


def test_a_yaml_file_gives_records(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("- name: r1\n  address: 2001:db8::1\n  platform: ciena_saos\n  port: 2222\n")
    (record,) = read_source({"file": str(path)})
    assert (record.name, record.address, record.port) == ("r1", "2001:db8::1", 2222)


def test_sources_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("- {name: r2, address: 192.0.2.2, platform: cisco_ios}\n")
    assert [record.name for record in read_sources([{"file": path}, [R1]])] == ["r2", "r1"]


def test_every_faulty_record_is_told() -> None:
    rows: list[Any] = [{"name": "r1", "address": "192.0.2.1"}, R1, {**R1, "colour": "red"}, {**R1, "port": "ssh"}, 7]
    with pytest.raises(SourceUnavailableError) as caught:
        read_source(rows)
    message = str(caught.value)
    assert "host 1: Object missing required field `platform`" in message
    assert "host 3: unknown field colour; known are key, name" in message
    assert "host 4: Expected `int | null`, got `str` - at `$.port`" in message
    assert "host 5: a mapping of its fields is expected, not int" in message
    assert "host 2" not in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: r1", "not YAML"),
        ("name: r1\n", "a list of hosts is expected, not dict"),
        ("", "a list of hosts is expected, not NoneType"),
        ("- [r1]\n", "host 1: a mapping of its fields is expected, not list"),
    ],
)
def test_a_file_that_is_no_list_of_hosts_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(text)
    with pytest.raises(SourceUnavailableError, match=rf"hosts\.yaml: .*{said}"):
        read_source({"file": path})


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_bytes("- {name: zürich}".encode("latin-1"))
    with pytest.raises(SourceUnavailableError, match="not YAML in UTF-8"):
        read_source({"file": path})


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailableError, match=r"absent\.yaml: No such file"):
        read_source({"file": tmp_path / "absent.yaml"})


def test_an_unknown_kind_of_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SourceUnavailableError, match="not a mapping with url"):
        read_source({"url": "https://netbox.example"})
    with pytest.raises(SourceUnavailableError, match="not a mapping with nothing in it"):
        read_source({})
