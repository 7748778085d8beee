"""Host keys of devices over HTTP."""

from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody
from litestar.status_codes import HTTP_200_OK

from app.devices import host_keys
from app.devices.routes.devices import EDIT, VIEW
from app.devices.schemas import HostKeyAccept, HostKeyRead
from app.web.dependencies import Caller
from app.web.envelope import Reply, reply
from app.web.guards import requires


class HostKeyController(Controller):
    """The keys by which devices are known when a session is opened."""

    path = "/inventory/v1/devices/{device_id:uuid}/host-keys"
    tags = ("inventory: host keys",)

    @get("/", guards=[requires(VIEW)])
    async def list_host_keys(self, device_id: FromPath[UUID]) -> Reply[list[HostKeyRead]]:
        """List the host keys that a device is known by."""
        return reply(await host_keys.list_host_keys(device_id))

    @post("/", guards=[requires(EDIT)])
    async def accept_host_key(
        self, device_id: FromPath[UUID], data: JSONBody[HostKeyAccept], principal: Caller
    ) -> Reply[HostKeyRead]:
        """Let a device be known by a key, beside those it is known by or in their place."""
        return reply(await host_keys.accept_host_key(device_id, data, principal))

    @delete("/{key_id:uuid}", guards=[requires(EDIT)], status_code=HTTP_200_OK)
    async def forget_host_key(
        self, device_id: FromPath[UUID], key_id: FromPath[UUID], principal: Caller
    ) -> Reply[None]:
        """Forget a host key; where keys are trusted at first use, the next login takes the one it is shown."""
        await host_keys.forget_host_key(device_id, key_id, principal)
        return reply(None, "The host key is forgotten.")
