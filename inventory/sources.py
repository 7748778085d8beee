"""Where host records come from: handed in, or a YAML file; every fault of a source is told at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from inventory.errors import SourceUnavailableError
from inventory.records import HostRecord

Source = Sequence[HostRecord | Mapping[str, Any]] | Mapping[str, Any] | Callable[[], Iterable[HostRecord]]
"""Records (or mappings of their fields), ``{"records": [...]}``, ``{"file": path}``, or a function giving records."""

MOST_FAULTS = 20


def read_sources(sources: Iterable[Source]) -> list[HostRecord]:
    """Return the records of all sources, in order; raises SourceUnavailableError, also for a key given twice."""
    records = [record for source in sources for record in read_source(source)]
    twice = sorted(key for key, count in Counter(record.key for record in records).items() if count > 1)
    if twice:
        raise SourceUnavailableError(f"these hosts are given more than once: {', '.join(twice[:MOST_FAULTS])}")
    return records


def read_source(source: Source) -> list[HostRecord]:
    """Return the records of one source; raises SourceUnavailableError."""
    if callable(source):
        return list(source())
    if isinstance(source, Mapping):
        return _described(source)
    return read_records(source, "the records handed in")


def read_records(rows: Any, origin: str) -> list[HostRecord]:
    """Turn mappings into records, ``origin`` naming them in errors; raises SourceUnavailableError.

    ``name``, ``address`` and ``platform`` are needed; ``key`` is the name where it is left out.
    """
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise SourceUnavailableError(f"{origin}: a list of hosts is expected, not {type(rows).__name__}")
    records: list[HostRecord] = []
    faults: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            records.append(_record(row))
        except (msgspec.ValidationError, TypeError) as error:
            faults.append(f"host {number}: {error}")
    if faults:
        raise SourceUnavailableError(f"{origin}: " + "; ".join(faults[:MOST_FAULTS]))
    return records


def read_yaml(path: Path) -> list[HostRecord]:
    """Return the records of a YAML file that holds a list of hosts; raises SourceUnavailableError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceUnavailableError(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceUnavailableError(f"{path}: this is not YAML in UTF-8: {error}") from error
    return read_records(content, str(path))


def _described(source: Mapping[str, Any]) -> list[HostRecord]:
    match dict(source):
        case {"records": rows, **rest} if not rest:
            return read_records(rows, "the records handed in")
        case {"file": path, **rest} if not rest:
            return read_yaml(Path(path))
    raise SourceUnavailableError(
        f"a source is a list of records, {{'records': [...]}}, {{'file': path}} or a function, "
        f"not a mapping with {', '.join(sorted(map(str, source))) or 'nothing in it'}"
    )


def _record(row: HostRecord | Mapping[str, Any]) -> HostRecord:
    if isinstance(row, HostRecord):
        return row
    if not isinstance(row, Mapping):
        raise TypeError(f"a mapping of its fields is expected, not {type(row).__name__}")
    unknown = sorted(set(map(str, row)) - set(HostRecord.__struct_fields__))
    if unknown:
        raise TypeError(f"unknown field {', '.join(unknown)}; known are {', '.join(HostRecord.__struct_fields__)}")
    return msgspec.convert({"key": row.get("name"), **row}, HostRecord)
