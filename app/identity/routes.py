"""The HTTP door of identity: login and sessions, users, roles, permissions."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, MediaType, Request, Response, delete, get, patch, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Redirect
from litestar.status_codes import HTTP_200_OK, HTTP_303_SEE_OTHER, HTTP_401_UNAUTHORIZED, HTTP_429_TOO_MANY_REQUESTS
from litestar.types import ControllerRouterHandler

from app.core.access import PERMISSIONS
from app.core.errors import AuthenticationError, RateLimitError
from app.core.settings import Settings
from app.identity import authentication, login_page, role_service, service
from app.identity.schemas import (
    LoginRequest,
    MeRead,
    PermissionRead,
    RefreshRequest,
    RoleCreate,
    RoleRead,
    RoleUpdate,
    SessionRead,
    Status,
    TokensRead,
    UserCreate,
    UserRead,
    UserUpdate,
)
from app.web.authentication import COOKIE, same_origin
from app.web.dependencies import Caller, Configuration, Paging, RedisClient
from app.web.envelope import Reply, page_reply, reply
from app.web.guards import authenticated, public, requires
from app.web.openapi import also_answers

Search = Annotated[str | None, QueryParameter(max_length=255, description="Text to look for.")]

NextPath = Annotated[str | None, QueryParameter(name="next", max_length=2048)]


class AuthController(Controller):
    """Coming in and going out."""

    path = "/identity/v1/auth"
    tags = ("identity: auth",)

    @post("/login", guards=[public], status_code=HTTP_200_OK, opt=also_answers(401, 429))
    async def login(
        self, data: JSONBody[LoginRequest], request: Request[Any, Any, Any], redis: RedisClient
    ) -> Reply[TokensRead]:
        """Log in with username and password and receive an access and a refresh token."""
        tokens = await authentication.login(
            data.username, data.password, redis=redis, user_agent=request.headers.get("user-agent", "")
        )
        return reply(_tokens(tokens))

    @post("/refresh", guards=[public], status_code=HTTP_200_OK, opt=also_answers(401))
    async def refresh(self, data: JSONBody[RefreshRequest], request: Request[Any, Any, Any]) -> Reply[TokensRead]:
        """Exchange a refresh token for new tokens; the old ones end. Using one twice ends the whole login."""
        user_agent = request.headers.get("user-agent", "")
        return reply(_tokens(await authentication.refresh(data.refresh_token, user_agent=user_agent)))

    @post("/logout", guards=[authenticated], status_code=HTTP_200_OK)
    async def logout(self, principal: Caller) -> Reply[None]:
        """End the session that this request came with."""
        await authentication.logout(principal)
        return reply(None, "Logged out.")

    @get("/me", guards=[authenticated])
    async def get_me(self, principal: Caller) -> Reply[MeRead]:
        """Return the caller and his permissions."""
        user = await service.get_user(principal.user_id)
        return reply(MeRead.of(user, permissions=sorted(principal.permissions)))

    @get("/me/permissions", guards=[authenticated])
    async def list_my_permissions(self, principal: Caller) -> Reply[list[PermissionRead]]:
        """Return the caller's permissions with what they mean."""
        return reply(_permissions(sorted(principal.permissions)))


class SessionController(Controller):
    """The caller's own logins."""

    path = "/identity/v1/sessions"
    tags = ("identity: sessions",)

    @get("/", guards=[authenticated])
    async def list_sessions(self, principal: Caller) -> Reply[list[SessionRead]]:
        """List the caller's logins that still last."""
        return reply([SessionRead.of(row) for row in await authentication.list_sessions(principal)])

    @delete("/{session_id:uuid}", guards=[authenticated], status_code=HTTP_200_OK)
    async def revoke_session(self, session_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """End one of the caller's logins."""
        await authentication.revoke_session(session_id, principal)
        return reply(None, "The session has ended.")

    @delete("/", guards=[authenticated], status_code=HTTP_200_OK)
    async def revoke_other_sessions(self, principal: Caller) -> Reply[None]:
        """End all of the caller's logins but this one."""
        ended = await authentication.revoke_other_sessions(principal)
        return reply(None, f"{ended} other session(s) have ended.")


class UserController(Controller):
    """Users."""

    path = "/identity/v1/users"
    tags = ("identity: users",)

    @get("/", guards=[requires("system.users.view")])
    async def list_users(
        self, paging: Paging, q: Search = None, status: FromQuery[Status | None] = None
    ) -> Reply[list[UserRead]]:
        """List users, by text in username, name and e-mail, or by status."""
        return page_reply(await service.list_users(paging, q=q, status=status), UserRead.of)

    @post("/", guards=[requires("system.users.create")])
    async def create_user(self, data: JSONBody[UserCreate], principal: Caller) -> Reply[UserRead]:
        """Create a user."""
        return reply(UserRead.of(await service.create_user(**data.given(), actor=principal)))

    @get("/{user_id:uuid}", guards=[requires("system.users.view")])
    async def get_user(self, user_id: FromPath[UUID]) -> Reply[UserRead]:
        """Return a user."""
        return reply(UserRead.of(await service.get_user(user_id)))

    @patch("/{user_id:uuid}", guards=[requires("system.users.edit")])
    async def update_user(
        self, user_id: FromPath[UUID], data: JSONBody[UserUpdate], principal: Caller
    ) -> Reply[UserRead]:
        """Change a user; the fields that are absent stay as they are."""
        return reply(UserRead.of(await service.update_user(user_id, data.given(), actor=principal)))

    @delete("/{user_id:uuid}", guards=[requires("system.users.delete")], status_code=HTTP_200_OK)
    async def delete_user(self, user_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """Delete a user and end his sessions; the last super_admin stays."""
        await service.delete_user(user_id, actor=principal)
        return reply(None, "The user is deleted.")


class RoleController(Controller):
    """Roles."""

    path = "/identity/v1/roles"
    tags = ("identity: roles",)

    @get("/", guards=[requires("system.users.view")])
    async def list_roles(self, paging: Paging) -> Reply[list[RoleRead]]:
        """List roles."""
        return page_reply(await role_service.list_roles(paging), RoleRead.of)

    @post("/", guards=[requires("system.roles.manage")])
    async def create_role(self, data: JSONBody[RoleCreate], principal: Caller) -> Reply[RoleRead]:
        """Create a role of permissions that the caller holds."""
        return reply(RoleRead.of(await role_service.create_role(**data.given(), actor=principal)))

    @get("/{role_id:uuid}", guards=[requires("system.users.view")])
    async def get_role(self, role_id: FromPath[UUID]) -> Reply[RoleRead]:
        """Return a role."""
        return reply(RoleRead.of(await role_service.get_role(role_id)))

    @patch("/{role_id:uuid}", guards=[requires("system.roles.manage")])
    async def update_role(
        self, role_id: FromPath[UUID], data: JSONBody[RoleUpdate], principal: Caller
    ) -> Reply[RoleRead]:
        """Change a role that is not built in."""
        return reply(RoleRead.of(await role_service.update_role(role_id, data.given(), actor=principal)))

    @delete("/{role_id:uuid}", guards=[requires("system.roles.manage")], status_code=HTTP_200_OK)
    async def delete_role(self, role_id: FromPath[UUID], principal: Caller) -> Reply[None]:
        """Delete a role that nobody has."""
        await role_service.delete_role(role_id, actor=principal)
        return reply(None, "The role is deleted.")


@get("/identity/v1/permissions", guards=[requires("system.users.view")], tags=["identity: roles"])
async def list_permissions() -> Reply[list[PermissionRead]]:
    """List every permission there is."""
    return reply(_permissions(list(PERMISSIONS)))


@get("/login", guards=[public], include_in_schema=False)
async def show_login_page(next_path: NextPath = None) -> Response[str]:
    """Show the login form."""
    return _login_page(next_path)


@post("/login", guards=[public, same_origin], include_in_schema=False, status_code=HTTP_303_SEE_OTHER)
async def log_in_browser(request: Request[Any, Any, Any], settings: Configuration, redis: RedisClient) -> Response[Any]:
    """Open a session for a browser, which keeps it as a cookie, and send it where it wanted to go."""
    form = await request.form()
    wanted = str(form.get("next", ""))
    try:
        tokens = await authentication.login(
            str(form.get("username", "")),
            str(form.get("password", "")),
            redis=redis,
            user_agent=request.headers.get("user-agent", ""),
            kind="cookie",
        )
    except AuthenticationError as error:
        return _login_page(wanted, message=error.message, status_code=HTTP_401_UNAUTHORIZED)
    except RateLimitError as error:
        return _login_page(wanted, message=error.message, status_code=HTTP_429_TOO_MANY_REQUESTS)
    cookie = _session_cookie(tokens.access_token, max_age=tokens.expires_in_s, settings=settings, request=request)
    return Redirect(login_page.own_path(wanted), status_code=HTTP_303_SEE_OTHER, cookies=[cookie])


@post("/logout", guards=[authenticated], include_in_schema=False, status_code=HTTP_303_SEE_OTHER)
async def log_out_browser(request: Request[Any, Any, Any], settings: Configuration, principal: Caller) -> Redirect:
    """End a browser's session and take its cookie."""
    await authentication.logout(principal)
    cookie = _session_cookie("", max_age=0, settings=settings, request=request)
    return Redirect("/login", status_code=HTTP_303_SEE_OTHER, cookies=[cookie])


def _login_page(wanted: str | None, *, message: str = "", status_code: int = HTTP_200_OK) -> Response[str]:
    page = login_page.render_login_page(next_path=login_page.own_path(wanted), message=message)
    headers = {"Content-Security-Policy": login_page.POLICY}
    return Response(page, media_type=MediaType.HTML, status_code=status_code, headers=headers)


def _session_cookie(token: str, *, max_age: int, settings: Settings, request: Request[Any, Any, Any]) -> Cookie:
    secure = settings.api_tls_cert is not None or request.url.scheme == "https"
    return Cookie(key=COOKIE, value=token, max_age=max_age, path="/", httponly=True, samesite="strict", secure=secure)


def _permissions(codes: list[str]) -> list[PermissionRead]:
    return [PermissionRead(code=code, description=PERMISSIONS[code]) for code in codes]


def _tokens(tokens: authentication.Tokens) -> TokensRead:
    return TokensRead(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_in_s=tokens.expires_in_s,
    )


ROUTES: list[ControllerRouterHandler] = [
    AuthController,
    SessionController,
    UserController,
    RoleController,
    list_permissions,
    show_login_page,
    log_in_browser,
    log_out_browser,
]
