"""What a workflow says of all its executions: when they stop, how long they last, how many hosts go at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from app.core.errors import Fault

REST = "rest"
MAX_TIMEOUT_S = 604_800
MAX_CONCURRENCY = 10_000
MAX_WAVES = 100
MAX_HOSTS = 1_000_000
_PERCENTAGE = re.compile(r"(?:100(?:\.0{1,2})?|[0-9]{1,2}(?:\.[0-9]{1,2})?)%")

Percentage = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{_PERCENTAGE.pattern}$"})]


class WorkflowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a workflow; a field left out has its default."""

    error_handling: Annotated[
        Literal["continue", "stop"],
        msgspec.Meta(
            description="What a device's failure that nothing handled means to the others: they `continue`, or the "
            "execution is to `stop`: no further device is begun."
        ),
    ] = "continue"
    timeout_s: Annotated[
        Annotated[float, msgspec.Meta(ge=1, le=MAX_TIMEOUT_S)] | None,
        msgspec.Meta(
            description="How many seconds an execution may last once a worker has begun it, 1 to 604,800; null: any."
        ),
    ] = None
    max_failed: Annotated[
        Annotated[int, msgspec.Meta(ge=0, le=MAX_HOSTS)] | Percentage | None,
        msgspec.Meta(
            description="How many devices may fail before no further one is begun: a number, or a percentage of all "
            'devices such as `"10%"`, rounded down; null: any number.'
        ),
    ] = None
    waves: Annotated[
        list[Annotated[int, msgspec.Meta(ge=1, le=MAX_HOSTS)] | Annotated[str, msgspec.Meta(max_length=8)]],
        msgspec.Meta(
            max_length=MAX_WAVES,
            description="How many devices each wave of changes takes: numbers, or percentages of all, rounded "
            'down to at least one; the last may be `"rest"`. Devices left over are a last wave. Empty: one wave.',
        ),
    ] = []
    concurrency: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=MAX_CONCURRENCY)] | None,
        msgspec.Meta(description="How many devices are worked on at once, 1 to 10,000; null: as many as can be."),
    ] = None


def settings_faults(settings: WorkflowSettings) -> list[Fault]:
    """List what types alone cannot tell to be wrong, each with its field as ``settings.<name>``."""
    faults = [Fault(field=f"settings.waves[{place}]", message=said) for place, said in _wave_faults(settings.waves)]
    if isinstance(settings.max_failed, str) and not _PERCENTAGE.fullmatch(settings.max_failed):
        message = f"{settings.max_failed!r} is neither a number of devices nor a percentage such as 10%"
        faults.append(Fault(field="settings.max_failed", message=message))
    return faults


def sparse(settings: WorkflowSettings) -> dict[str, Any]:
    """Return the settings that differ from their defaults: the form they are stored and exported in."""
    return {
        field.name: value
        for field in msgspec.structs.fields(settings)
        if (value := getattr(settings, field.name)) != _default(field)
    }


def read_settings(stored: Mapping[str, Any]) -> WorkflowSettings:
    """Return stored settings whole."""
    return msgspec.convert(stored, WorkflowSettings)


def count_of(value: int | str, hosts: int) -> int:
    """Return how many of some hosts a number or a percentage means: percentages are rounded down, all at most."""
    if isinstance(value, int):
        return min(value, hosts)
    return int(Decimal(value.removesuffix("%")) * hosts / 100)


def cut_waves(waves: Sequence[int | str], hosts: int) -> list[int]:
    """Return how many hosts each wave takes, none of them empty; hosts that no wave names are a last one."""
    sizes, left = [], hosts
    for wave in waves:
        size = left if wave == REST else min(left, max(1, count_of(wave, hosts)))
        sizes.append(size)
        left -= size
    return [size for size in (*sizes, left) if size]


def _wave_faults(waves: Sequence[int | str]) -> Iterator[tuple[int, str]]:
    for place, wave in enumerate(waves):
        if wave == REST and place < len(waves) - 1:
            yield place, "only the last wave can be the rest: nothing is left for those behind it"
        elif isinstance(wave, str) and wave != REST and not _PERCENTAGE.fullmatch(wave):
            yield place, f"{wave!r} is neither a number of devices, nor a percentage such as 10%, nor rest"
        elif isinstance(wave, str) and wave != REST and not Decimal(wave.removesuffix("%")):
            yield place, f"{wave} of the devices is none"


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default
