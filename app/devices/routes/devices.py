"""Devices, targets and platforms over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from app.devices import batch, service, targets
from app.devices.routes.bodies import MAX_BATCH_BYTES, BatchOperation, read_batch
from app.devices.schemas import (
    BatchResult,
    DeviceCreate,
    DeviceFilter,
    DeviceRead,
    DeviceStatus,
    DeviceUpdate,
    Mode,
    PlatformRead,
    TargetsPreview,
    TargetsPreviewRequest,
)
from app.web.bodies import ApiRequest
from app.web.dependencies import Caller, Paging
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires

VIEW, CREATE, EDIT = "devices.device.view", "devices.device.create", "devices.device.edit"
Search = Annotated[str | None, QueryParameter(max_length=255, description="Text in name, address or serial.")]
Deleted = Annotated[bool, QueryParameter(description="List the deleted devices instead of the living ones.")]
GroupName = Annotated[str | None, QueryParameter(max_length=255, description="A group's id or name.")]
ModeOverBody = Annotated[Mode | None, QueryParameter(description="For CSV; it goes before the mode in a JSON body.")]
AtomicOverBody = Annotated[bool | None, QueryParameter(description="For CSV; it goes before atomic in a JSON body.")]


class DeviceController(Controller):
    """Devices."""

    path = "/inventory/v1/devices"
    tags = ("inventory: devices",)

    @get("/", guards=[requires(VIEW)])
    async def list_devices(
        self,
        *,
        paging: Paging,
        q: Search = None,
        name: FromQuery[str | None] = None,
        address: FromQuery[str | None] = None,
        platform: FromQuery[str | None] = None,
        site: FromQuery[str | None] = None,
        role: FromQuery[str | None] = None,
        tenant: FromQuery[str | None] = None,
        serial: FromQuery[str | None] = None,
        status: FromQuery[DeviceStatus | None] = None,
        tag: FromQuery[str | None] = None,
        group: GroupName = None,
        deleted: Deleted = False,
    ) -> Reply[list[DeviceRead]]:
        """List devices."""
        filters = DeviceFilter(
            q=q,
            name=name,
            address=address,
            platform=platform,
            site=site,
            role=role,
            tenant=tenant,
            serial=serial,
            status=status,
            tag=tag,
            group=group,
            deleted=deleted,
        )
        return page_reply(await service.list_devices(filters, paging), DeviceRead.of)

    @post("/", guards=[requires(CREATE)])
    async def create_device(self, data: JSONBody[DeviceCreate], principal: Caller) -> Reply[DeviceRead]:
        """Create a device; with credential_ids the caller needs credentials.credential.use too."""
        return reply(await service.create_device(data, principal))

    @post(
        "/bulk",
        guards=[requires(CREATE)],
        status_code=HTTP_200_OK,
        request_max_body_size=MAX_BATCH_BYTES,
        operation_class=BatchOperation,
    )
    async def apply_batch(
        self, request: ApiRequest, principal: Caller, mode: ModeOverBody = None, atomic: AtomicOverBody = None
    ) -> Reply[BatchResult]:
        """Create or change up to 10,000 devices, from JSON or CSV; wrong entries are told one by one.

        The first line of a CSV file names its columns: name, address and platform, and any other field of a device;
        lists are separated by semicolons, `data.rack` fills a field of `data`, an empty cell is a field left out.
        Changing devices (mode upsert) needs devices.device.edit too.
        """
        received = await read_batch(request, mode, atomic)
        if received.mode == "upsert":
            principal.require(EDIT)
        return reply(await batch.apply_batch(received.rows, received.mode, principal, atomic=received.atomic))

    @get("/{device_id:uuid}", guards=[requires(VIEW)])
    async def get_device(self, device_id: FromPath[UUID]) -> Reply[DeviceRead]:
        """Return a device, also a deleted one."""
        return reply(await service.get_device(device_id))

    @patch("/{device_id:uuid}", guards=[requires(EDIT)])
    async def update_device(
        self, device_id: FromPath[UUID], data: JSONBody[DeviceUpdate], principal: Caller
    ) -> Reply[DeviceRead]:
        """Change a device; the fields that are absent stay as they are."""
        return reply(await service.update_device(device_id, data, principal))

    @delete("/{device_id:uuid}", guards=[requires("devices.device.delete")], status_code=HTTP_200_OK)
    async def delete_device(self, device_id: FromPath[UUID], principal: Caller) -> Reply[DeviceRead]:
        """Delete a device; its groups and credentials come back with it when it is restored."""
        device = await service.delete_device(device_id, principal)
        return reply(device, f"{device.name} is deleted. POST /inventory/v1/devices/{device.id}/restore undoes it.")

    @post("/{device_id:uuid}/restore", guards=[requires("devices.device.delete")], status_code=HTTP_200_OK)
    async def restore_device(self, device_id: FromPath[UUID], principal: Caller) -> Reply[DeviceRead]:
        """Bring a deleted device back."""
        return reply(await service.restore_device(device_id, principal))


@post(
    "/inventory/v1/targets/preview",
    guards=[requires(VIEW)],
    status_code=HTTP_200_OK,
    tags=["inventory: targets"],
)
async def preview_targets(data: JSONBody[TargetsPreviewRequest]) -> Reply[TargetsPreview]:
    """Say which devices some targets mean, without touching them."""
    return reply(await targets.preview(data.targets))


@get("/inventory/v1/platforms", guards=[requires(VIEW)], tags=["inventory: platforms"])
async def list_platforms() -> Reply[list[PlatformRead]]:
    """List the platforms a device can have, and what each library calls them."""
    return reply(service.list_platforms())
