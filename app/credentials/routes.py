"""The HTTP door of the vault: credentials and their types."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.status_codes import HTTP_200_OK
from litestar.types import ControllerRouterHandler

from app.credentials import service
from app.credentials.schemas import (
    CredentialCreate,
    CredentialFilter,
    CredentialRead,
    CredentialUpdate,
    Status,
    TypeRead,
)
from app.web.dependencies import Caller, Paging, RedisClient
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import requires

REVEAL = "credentials.credential.reveal"
Search = Annotated[str | None, QueryParameter(max_length=255, description="Text in the name or the username.")]
Reveal = Annotated[
    bool, QueryParameter(description=f"Return the secrets too. This needs {REVEAL} and is put on record.")
]


class CredentialController(Controller):
    """Credentials."""

    path = "/credentials/v1/credentials"
    tags = ("credentials",)

    @get("/", guards=[requires("credentials.credential.view")])
    async def list_credentials(
        self,
        *,
        paging: Paging,
        q: Search = None,
        name: FromQuery[str | None] = None,
        credential_type: FromQuery[str | None] = None,
        username: FromQuery[str | None] = None,
        environment: FromQuery[str | None] = None,
        status: FromQuery[Status | None] = None,
        tag: FromQuery[str | None] = None,
    ) -> Reply[list[CredentialRead]]:
        """List credentials' metadata; secrets are never among it."""
        filters = CredentialFilter(
            q=q,
            name=name,
            credential_type=credential_type,
            username=username,
            environment=environment,
            status=status,
            tag=tag,
        )
        return page_reply(await service.list_credentials(filters, paging), CredentialRead.of)

    @post("/", guards=[requires("credentials.credential.create")])
    async def create_credential(self, data: JSONBody[CredentialCreate], principal: Caller) -> Reply[CredentialRead]:
        """Seal and store a credential; what comes back is its metadata."""
        return reply(await service.create_credential(data, principal))

    @get("/{credential_id:uuid}", guards=[requires("credentials.credential.view")])
    async def get_credential(
        self, credential_id: FromPath[UUID], principal: Caller, reveal: Reveal = False
    ) -> Reply[CredentialRead]:
        """Return a credential's metadata, and its secrets where they are asked for and may be."""
        if reveal:
            principal.require(REVEAL)
            return reply(await service.reveal_credential(credential_id, principal))
        return reply(await service.get_credential(credential_id))

    @patch("/{credential_id:uuid}", guards=[requires("credentials.credential.edit")])
    async def update_credential(
        self, credential_id: FromPath[UUID], data: JSONBody[CredentialUpdate], principal: Caller
    ) -> Reply[CredentialRead]:
        """Change a credential; what is absent stays, each secret field by itself too."""
        return reply(await service.update_credential(credential_id, data, principal))

    @post(
        "/{credential_id:uuid}/unblock",
        guards=[requires("credentials.credential.edit")],
        status_code=HTTP_200_OK,
    )
    async def unblock_credential(
        self, credential_id: FromPath[UUID], principal: Caller, redis: RedisClient
    ) -> Reply[CredentialRead]:
        """Have a credential be tried again that devices had refused; one with a new secret is so by itself."""
        unblocked = await service.unblock_credential(credential_id, principal, redis)
        return reply(unblocked, "It is tried again: on three devices at once, until one lets it in.")

    @delete("/{credential_id:uuid}", guards=[requires("credentials.credential.delete")], status_code=HTTP_200_OK)
    async def delete_credential(self, credential_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """Delete a credential and destroy its secrets; refused while devices or groups still use it."""
        await service.delete_credential(credential_id, principal)
        return reply(None, "The credential is deleted, and its secrets are destroyed.")


@get("/credentials/v1/types", guards=[requires("credentials.credential.view")], tags=["credentials"])
async def list_types() -> Reply[list[TypeRead]]:
    """List the types of credentials and the fields of each."""
    return reply(service.list_types())


ROUTES: list[ControllerRouterHandler] = [CredentialController, list_types]
