"""The HTTP door of the users' own tables, whose rows workflows write."""

from litestar import Controller, delete, get
from litestar.params import FromPath
from litestar.status_codes import HTTP_200_OK
from litestar.types import ControllerRouterHandler

from app.data_tables import service
from app.data_tables.schemas import DataTableRead, RowRead
from app.web.dependencies import Caller, Paging
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires


class DataTableController(Controller):
    """Tables of the users' own."""

    path = "/automation/v1/data-tables"
    tags = ["automation: data tables"]

    @get("/", guards=[requires("automation.execution.view")])
    async def list_data_tables(self, paging: Paging) -> Reply[list[DataTableRead]]:
        """List the tables that workflows have made, by name unless sorted otherwise (name, created_at)."""
        return page_reply(await service.list_data_tables(paging), DataTableRead.of)

    @get("/{name:str}/rows", guards=[requires("automation.execution.view")])
    async def list_rows(self, name: FromPath[str], paging: Paging, principal: Caller) -> Reply[list[RowRead]]:
        """List the rows of a table by their key; what looks like a secret of a device is masked as in results."""
        return page_reply(await service.list_rows(name, paging, principal), RowRead.of)

    @delete("/{name:str}", guards=[requires("automation.workflow.delete")], status_code=HTTP_200_OK)
    async def delete_data_table(self, name: FromPath[str], principal: Caller) -> Reply[None]:
        """Delete a table with all its rows; a workflow that writes to it makes it again."""
        await service.delete_data_table(name, principal)
        return reply(None, "The table is deleted.")


ROUTES: list[ControllerRouterHandler] = [DataTableController]
