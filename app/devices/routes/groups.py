"""Groups and their members over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from app.devices import groups
from app.devices.schemas import GroupCreate, GroupRead, GroupUpdate, MembersChange, MembersReplace
from app.web.dependencies import Caller, Paging
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires

VIEW, MANAGE = "devices.device.view", "devices.group.manage"
Search = Annotated[str | None, QueryParameter(max_length=255, description="Text in the name or the description.")]


class GroupController(Controller):
    """Groups of devices."""

    path = "/inventory/v1/groups"
    tags = ("inventory: groups",)

    @get("/", guards=[requires(VIEW)])
    async def list_groups(
        self, paging: Paging, q: Search = None, name: FromQuery[str | None] = None
    ) -> Reply[list[GroupRead]]:
        """List groups. Their devices are at /inventory/v1/devices?group=."""
        return page_reply(await groups.list_groups(name, q, paging), GroupRead.of)

    @post("/", guards=[requires(MANAGE)])
    async def create_group(self, data: JSONBody[GroupCreate], principal: Caller) -> Reply[GroupRead]:
        """Create a group, with members where they are given."""
        return reply(await groups.create_group(data, principal))

    @get("/{group_id:uuid}", guards=[requires(VIEW)])
    async def get_group(self, group_id: FromPath[UUID]) -> Reply[GroupRead]:
        """Return a group."""
        return reply(await groups.get_group(group_id))

    @patch("/{group_id:uuid}", guards=[requires(MANAGE)])
    async def update_group(
        self, group_id: FromPath[UUID], data: JSONBody[GroupUpdate], principal: Caller
    ) -> Reply[GroupRead]:
        """Change a group's name or description."""
        return reply(await groups.update_group(group_id, data, principal))

    @delete("/{group_id:uuid}", guards=[requires(MANAGE)], status_code=HTTP_200_OK)
    async def delete_group(self, group_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """Delete a group, not its devices; refused while credentials are assigned to it."""
        await groups.delete_group(group_id, principal)
        return reply(None, "The group is deleted; its devices are still there.")

    @put("/{group_id:uuid}/members", guards=[requires(MANAGE)])
    async def replace_members(
        self, group_id: FromPath[UUID], data: JSONBody[MembersReplace], principal: Caller
    ) -> Reply[GroupRead]:
        """Make these devices the members, and no others."""
        return reply(await groups.replace_members(group_id, data.members, principal))

    @patch("/{group_id:uuid}/members", guards=[requires(MANAGE)])
    async def change_members(
        self, group_id: FromPath[UUID], data: JSONBody[MembersChange], principal: Caller
    ) -> Reply[GroupRead]:
        """Add devices to a group and take others out."""
        return reply(await groups.change_members(group_id, data, principal))
