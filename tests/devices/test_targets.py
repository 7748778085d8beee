from typing import Any
from uuid import UUID

import httpx
import pytest

from app.core.access import SYSTEM
from app.core.errors import ValidationError
from app.devices import groups, service
from app.devices.schemas import DeviceCreate, GroupCreate
from app.devices.targets import resolve

pytestmark = pytest.mark.usefixtures("database")


async def make(name: str, **more: Any) -> UUID:
    given = DeviceCreate(name=name, address="192.0.2.1", platform="cisco_ios", **more)
    return (await service.create_device(given, SYSTEM)).id


async def names(targets: Any) -> list[str]:
    return [record.name for record in await resolve(targets)]


async def faults_of(targets: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        await resolve(targets)
    return {fault["field"]: fault["message"] for fault in caught.value.details}


async def test_devices_are_named_by_id_or_name_and_come_once_in_order() -> None:
    r2, r1 = await make("r2"), await make("r1")
    assert await names({"devices": ["r2", str(r1), "r1", str(r2)]}) == ["r1", "r2"]


async def test_a_record_carries_what_is_known_of_the_device() -> None:
    device = await make("r1", port=2201, site="ber1", tags=["edge"], data={"rack": 7}, max_sessions=4)
    await groups.create_group(GroupCreate(name="core", members=[device]), SYSTEM)
    await groups.create_group(GroupCreate(name="access", members=[device]), SYSTEM)
    (record,) = await resolve({"devices": ["r1"]})
    assert (record.key, record.id) == (str(device), str(device))
    assert (record.port, record.site, record.tags, record.custom) == (2201, "ber1", ("edge",), {"rack": 7})
    assert (record.groups, record.max_sessions) == (("access", "core"), 4)


async def test_a_group_is_named_by_id_or_name() -> None:
    r1 = await make("r1")
    await make("r2")
    group = await groups.create_group(GroupCreate(name="core", members=[r1]), SYSTEM)
    assert await names({"group": "core"}) == ["r1"]
    assert await names({"group": str(group.id)}) == ["r1"]


async def test_targets_are_combined() -> None:
    r1, r2, r3 = await make("r1"), await make("r2"), await make("r3")
    await groups.create_group(GroupCreate(name="core", members=[r1, r2]), SYSTEM)
    await groups.create_group(GroupCreate(name="edge", members=[r2, r3]), SYSTEM)
    core, edge = {"group": "core"}, {"group": "edge"}
    assert await names({"any_of": [core, edge]}) == ["r1", "r2", "r3"]
    assert await names({"all_of": [core, edge]}) == ["r2"]
    assert await names({"except": core}) == ["r3"]
    assert await names({"all_of": [core, {"except": {"devices": ["r2"]}}]}) == ["r1"]


async def test_deleted_devices_are_no_targets() -> None:
    r1 = await make("r1")
    await make("r2")
    await groups.create_group(GroupCreate(name="core", members=[r1]), SYSTEM)
    await service.delete_device(r1, SYSTEM)
    assert await names({"group": "core"}) == []
    assert await names({"except": {"devices": []}}) == ["r2"]
    assert await faults_of({"devices": ["r1"]}) == {"targets.devices": "there is no device r1"}


async def test_everything_unknown_is_told_at_once() -> None:
    await make("r1")
    unknown = "0192f0c0-0000-7000-8000-000000000000"
    assert await faults_of({"any_of": [{"devices": ["r9", "r1", unknown]}, {"group": "nobody"}]}) == {
        "targets.any_of[0].devices": f"there is no device r9, {unknown}",
        "targets.any_of[1].group": "there is no group nobody",
    }


@pytest.mark.parametrize(
    ("targets", "field", "said"),
    [
        ({}, "targets", "exactly one of devices, group, any_of, all_of, except"),
        ({"devices": [], "group": "core"}, "targets", "exactly one of"),
        ({"netbox": {"site": "ber1"}}, "targets", "'netbox' is no way to name targets; there are devices, group"),
        ({"devices": "r1"}, "targets.devices", "must be a list of device ids and names"),
        ({"devices": [7]}, "targets.devices", "must be a list of device ids and names"),
        ({"group": 7}, "targets.group", "there is no group 7"),
        ({"any_of": []}, "targets.any_of", "not an empty one"),
        ({"all_of": {"group": "core"}}, "targets.all_of", "must be a list of targets"),
        ({"except": "r1"}, "targets.except", "must be an object with exactly one of"),
        ({"any_of": ["r1"]}, "targets.any_of[0]", "must be an object"),
    ],
)
async def test_malformed_targets_are_refused_by_place(targets: Any, field: str, said: str) -> None:
    faults = await faults_of(targets)
    assert list(faults) == [field]
    assert said in faults[field]


async def test_endless_nesting_is_refused() -> None:
    targets: dict[str, Any] = {"devices": []}
    for _ in range(50):
        targets = {"except": targets}
    assert "nested 8 deep" in str(await faults_of(targets))


async def test_very_many_parts_are_refused() -> None:
    assert "at most 200 parts" in str(await faults_of({"any_of": [{"devices": []}] * 1000}))


async def test_a_preview_counts_who_would_be_touched(admin: httpx.AsyncClient) -> None:
    for number in range(3):
        await make(f"r{number}", site="ber1" if number else "par1", role="core")
    answer = await admin.post("/inventory/v1/targets/preview", json={"targets": {"devices": ["r0", "r1", "r2"]}})
    preview = answer.json()["data"]
    assert preview["count"] == 3
    assert preview["by_site"] == {"ber1": 2, "par1": 1}
    assert preview["by_platform"] == {"cisco_ios": 3}
    assert preview["by_role"] == {"core": 3}
    assert [device["name"] for device in preview["devices"]] == ["r0", "r1", "r2"]


async def test_a_preview_of_unknown_targets_is_refused(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/inventory/v1/targets/preview", json={"targets": {"devices": ["r0"]}})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [{"field": "targets.devices", "message": "there is no device r0"}]
