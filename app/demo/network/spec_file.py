"""Writes a network's devices to a JSON file and reads them back, refusing what is no network."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from app.demo.network.devices import Fault, Link, Platform, SimulatedDevice, SimulationError

Record = TypeVar("Record", SimulatedDevice, Link)

FILE_MODE = 0o600  # the file holds passwords, even if only those of devices that do not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """What a network is started with."""

    devices: tuple[SimulatedDevice, ...]
    host_key_path: Path | None = None
    journal_path: Path | None = None


def write_spec(path: Path, spec: NetworkSpec) -> None:
    """Write a spec to a file that only its owner may read."""
    content = {
        "devices": [asdict(device) for device in spec.devices],
        "host_key_path": str(spec.host_key_path) if spec.host_key_path else None,
        "journal_path": str(spec.journal_path) if spec.journal_path else None,
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)


def read_spec(path: Path) -> NetworkSpec:
    """Return the spec in a file: an object with `devices`, perhaps `host_key_path` and `journal_path`.

    Raise SimulationError if the file cannot be read or says something that is no network.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SimulationError(f"The network spec {path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("devices"), list):
        raise SimulationError(f"The network spec {path} must be an object with a list named devices.")
    return NetworkSpec(
        devices=_devices(content["devices"]),
        host_key_path=_path(content, "host_key_path"),
        journal_path=_path(content, "journal_path"),
    )


def _devices(rows: Iterable[Any]) -> tuple[SimulatedDevice, ...]:
    return tuple(_record(SimulatedDevice, row, f"devices[{index}]") for index, row in enumerate(rows))


def _path(content: Mapping[str, Any], name: str) -> Path | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise SimulationError(f"{name} must be a path in quotes, not {value!r}.")
    return Path(value) if value else None


def _record(kind: type[Record], row: object, place: str) -> Record:
    """Build a device or a link from the fields of a JSON object."""
    if not isinstance(row, dict):
        raise SimulationError(f"{place} must be an object, not {row!r}.")
    known = {field.name: field for field in fields(kind)}
    if unknown := sorted(set(row) - set(known)):
        raise SimulationError(f"{place} has unknown fields: {', '.join(unknown)}. Known are {', '.join(known)}.")
    missing = [name for name, field in known.items() if field.default is MISSING and name not in row]
    if missing:
        raise SimulationError(f"{place} lacks {', '.join(missing)}.")
    values = {name: _value(name, known[name].type, value, place) for name, value in row.items()}
    return kind(**cast("dict[str, Any]", values))


def _value(name: str, kind: object, value: Any, place: str) -> Any:
    if name == "links":
        if not isinstance(value, list):
            raise SimulationError(f"{place}.links must be a list, not {value!r}.")
        return tuple(_record(Link, row, f"{place}.links[{index}]") for index, row in enumerate(value))
    if kind in {Platform, Fault}:
        return _member(kind, value, f"{place}.{name}")
    accepted = (int, float) if kind is float else (cast("type", kind),)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise SimulationError(f"{place}.{name} must be {cast('type', kind).__name__}, not {value!r}.")
    return value


def _member(kind: type[Platform | Fault], value: Any, place: str) -> Platform | Fault:
    try:
        return kind(value)
    except ValueError as error:
        raise SimulationError(f"{place} is {value!r}; it must be one of {', '.join(kind)}.") from error
