"""Credential assignments over HTTP."""

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.status_codes import HTTP_200_OK

from app.devices import assignments
from app.devices.schemas import AssignmentCreate, AssignmentFilter, AssignmentRead, AssignmentUpdate
from app.web.dependencies import Caller, Paging
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires

VIEW = "credentials.credential.view"


class AssignmentController(Controller):
    """Which credentials serve which devices and groups."""

    path = "/credentials/v1/assignments"
    tags = ("credentials: assignments",)

    @get("/", guards=[requires(VIEW)])
    async def list_assignments(
        self,
        *,
        paging: Paging,
        credential_id: FromQuery[UUID | None] = None,
        device_id: FromQuery[UUID | None] = None,
        group_id: FromQuery[UUID | None] = None,
    ) -> Reply[list[AssignmentRead]]:
        """List assignments, by credential, device or group."""
        filters = AssignmentFilter(credential_id=credential_id, device_id=device_id, group_id=group_id)
        return page_reply(await assignments.list_assignments(filters, paging), AssignmentRead.of)

    @post("/", guards=[requires(assignments.ASSIGN)])
    async def create_assignment(self, data: JSONBody[AssignmentCreate], principal: Caller) -> Reply[AssignmentRead]:
        """Let a credential serve a device, or the members of a group."""
        return reply(await assignments.create_assignment(data, principal))

    @get("/{assignment_id:uuid}", guards=[requires(VIEW)])
    async def get_assignment(self, assignment_id: FromPath[UUID]) -> Reply[AssignmentRead]:
        """Return an assignment."""
        return reply(await assignments.get_assignment(assignment_id))

    @patch("/{assignment_id:uuid}", guards=[requires(assignments.ASSIGN)])
    async def update_assignment(
        self, assignment_id: FromPath[UUID], data: JSONBody[AssignmentUpdate], principal: Caller
    ) -> Reply[AssignmentRead]:
        """Change when a credential is tried."""
        return reply(await assignments.update_assignment(assignment_id, data, principal))

    @delete("/{assignment_id:uuid}", guards=[requires(assignments.ASSIGN)], status_code=HTTP_200_OK)
    async def delete_assignment(self, assignment_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """Take a credential from a device or a group."""
        await assignments.delete_assignment(assignment_id, principal)
        return reply(None, "The credential is no longer assigned to it.")
