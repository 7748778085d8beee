"""The palette over HTTP: node types, packages, and parsers to try."""

from typing import Annotated

from anyio import to_thread
from litestar import Controller, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK

from app.automation.workflows import packages, palette
from app.automation.workflows.schemas import (
    NodeTypeRead,
    PackageRead,
    PackageUpdate,
    ParseRead,
    ParseRequest,
    ParserRead,
)
from app.web.dependencies import Caller, Palette
from app.web.envelope import Reply, reply
from app.web.guards import requires

Platform = Annotated[str | None, QueryParameter(max_length=64, description="A platform such as ciena_saos.")]


class PaletteController(Controller):
    """What workflows can be made of."""

    path = "/automation/v1"
    tags = ["automation: palette"]

    @get("/node-types", guards=[requires("automation.workflow.view")])
    async def list_node_types(self, catalogue: Palette) -> Reply[list[NodeTypeRead]]:
        """List all node types with the JSON Schema of their parameters; `enabled` says whether they can be used now."""
        return reply(palette.list_node_types(catalogue, await packages.disabled_packages()))

    @get("/node-types/{node_type:str}", guards=[requires("automation.workflow.view")])
    async def get_node_type(self, node_type: FromPath[str], catalogue: Palette) -> Reply[NodeTypeRead]:
        """Return one node type."""
        return reply(palette.get_node_type(node_type, catalogue, await packages.disabled_packages()))

    @get("/packages", guards=[requires("automation.workflow.view")])
    async def list_packages(self, catalogue: Palette) -> Reply[list[PackageRead]]:
        """List the packages of node types."""
        return reply(await packages.list_packages(catalogue))

    @patch("/packages/{package_id:str}", guards=[requires("system.settings.edit")])
    async def update_package(
        self, package_id: FromPath[str], data: JSONBody[PackageUpdate], catalogue: Palette, principal: Caller
    ) -> Reply[PackageRead]:
        """Switch a package on or off; what runs already goes on, and workflows that use it are not started again."""
        return reply(await packages.switch_package(package_id, catalogue, principal, enabled=data.enabled))

    @get("/parsers", guards=[requires("automation.workflow.view")])
    async def list_parsers(self, platform: Platform = None) -> Reply[list[ParserRead]]:
        """List our own parsers; every command of ntc-templates can be parsed too."""
        return reply(palette.list_parsers(platform))

    @post("/parsers/parse", guards=[requires("automation.workflow.view")], status_code=HTTP_200_OK)
    async def parse_text(self, data: JSONBody[ParseRequest]) -> Reply[ParseRead]:
        """Try a parser on a text as a device printed it."""
        return reply(await to_thread.run_sync(palette.parse_text, data))
