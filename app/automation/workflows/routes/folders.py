"""Folders of workflows over HTTP."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from app.automation.workflows import folders
from app.automation.workflows.routes.answers import place_of
from app.automation.workflows.schemas import FolderCreate, FolderRead, FolderUpdate
from app.web.dependencies import Caller, Paging
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires

VIEW = "automation.workflow.view"
Search = Annotated[str | None, QueryParameter(max_length=150, description="Text to look for in the name.")]
ParentText = Annotated[
    str | None, QueryParameter(max_length=36, description="The id of the folder they lie in, or `null`: the root.")
]


class FolderController(Controller):
    """Folders of workflows."""

    path = "/automation/v1/workflows/folders"
    tags = ["automation: workflows"]

    @get("/", guards=[requires(VIEW)])
    async def list_folders(
        self, paging: Paging, q: Search = None, parent_id: ParentText = None
    ) -> Reply[list[FolderRead]]:
        """List folders, all of them or those of one parent, each with its path (sort: name)."""
        parent, at_root = place_of("parent_id", parent_id)
        page = await folders.list_folders(parent, q, paging, at_root=at_root)
        return page_reply(page, lambda folder: folder)  # type: ignore[arg-type, return-value]

    @post("/", guards=[requires("automation.workflow.create")])
    async def create_folder(self, data: JSONBody[FolderCreate], principal: Caller) -> Reply[FolderRead]:
        """Create a folder."""
        return reply(await folders.create_folder(data, principal))

    @get("/{folder_id:uuid}", guards=[requires(VIEW)])
    async def get_folder(self, folder_id: FromPath[UUID]) -> Reply[FolderRead]:
        """Return a folder. Its workflows are at /automation/v1/workflows?folder_id=."""
        return reply(await folders.get_folder(folder_id))

    @patch("/{folder_id:uuid}", guards=[requires("automation.workflow.edit")])
    async def update_folder(
        self, folder_id: FromPath[UUID], data: JSONBody[FolderUpdate], principal: Caller
    ) -> Reply[FolderRead]:
        """Rename a folder, or move it with all that is in it."""
        return reply(await folders.update_folder(folder_id, data, principal))

    @delete("/{folder_id:uuid}", guards=[requires("automation.workflow.delete")], status_code=HTTP_200_OK)
    async def delete_folder(self, folder_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """Delete an empty folder; of another one the refusal says what lies in it."""
        await folders.delete_folder(folder_id, principal)
        return reply(None, "The folder is deleted.")
