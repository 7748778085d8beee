"""Webhooks: a request to a path starts the workflow that listens there, if its sender knows the secret."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import anyio
import msgspec
from redis import Redis

from app.automation.executions import service, starting
from app.automation.executions.schemas import ExecuteRequest
from app.automation.executions.starts import signatures
from app.automation.executions.starts.acting import author_of
from app.automation.executions.starts.limits import Traffic
from app.automation.executions.starts.signatures import Incoming
from app.automation.workflows import trigger_index
from app.automation.workflows.definition import Definition, read_definition
from app.automation.workflows.graph import Catalogue
from app.automation.workflows.trigger_nodes import webhooks
from app.core import context, database
from app.core.access import Principal
from app.core.errors import AuthorizationError, ConflictError, MalformedError, NotFoundError
from app.core.logging import get_logger
from app.credentials.logins import NoLoginError, Use, check_with
from inventory.records import Login
from tasks.trigger import WebhookTriggerParams

USE = "credentials.credential.use"
CREDENTIAL_TYPE = "api_key"
REFUSED_AFTER_S = 0.25
"""When a request is refused, so that the time tells nobody whether there is a webhook at the path."""
JSON_TYPES = ("application/json", "+json")
FORM = "application/x-www-form-urlencoded"

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A webhook that was found: its workflow, its trigger, and on whose behalf it starts."""

    workflow: Mapping[str, Any]
    definition: Definition
    node_id: str
    params: WebhookTriggerParams
    author: Principal


@dataclass(frozen=True, kw_only=True)
class Fired:
    """What a webhook started."""

    hook: Hook
    execution_id: UUID


async def fire(incoming: Incoming, catalogue: Catalogue, *, redis: Redis, workers: int) -> Fired:
    """Start what listens at a path; raises NotFoundError alike for an unknown path and for a wrong secret.

    ConflictError says that a genuine request came too late, too early, or for the second time.
    """
    await Traffic(redis=redis, path=incoming.path, address=context.current().address).count()
    hook = await _authenticated(incoming, catalogue)
    if not signatures.is_timely(hook.params, incoming):
        raise ConflictError(
            f"The timestamp in {hook.params.timestamp_header} is more than {hook.params.replay_window_s} s away from "
            "the time here, or is none. Send the seconds since 1970.",
            code="WEBHOOK_OUT_OF_TIME",
        )
    given = ExecuteRequest(
        targets=hook.params.targets,
        trigger={
            "body": _body(incoming),
            "headers": signatures.public_headers(hook.params, incoming),
            "query": dict(incoming.query),
            "method": incoming.method,
        },
        trigger_node=hook.node_id,
    )
    async with database.transaction():
        await _refuse_replay(hook.params, incoming)
        execution_id = await service.begin_execution(
            hook.workflow, given, catalogue, hook.author, workers=workers, kind="webhook"
        )
    await starting.announce(execution_id, redis)
    return Fired(hook=hook, execution_id=execution_id)


async def purge_signatures() -> int:
    """Forget the signatures whose window is over, and return how many those were."""
    return await database.execute("DELETE FROM webhook_signatures WHERE expires_at < now()")


async def _authenticated(incoming: Incoming, catalogue: Catalogue) -> Hook:
    arrived = time.monotonic()
    hook = await _find(incoming, catalogue)
    if hook is not None and await _is_genuine(hook, incoming):
        return hook
    await anyio.sleep(arrived + REFUSED_AFTER_S - time.monotonic())
    raise NotFoundError(
        "There is no webhook here, or not for this method, or the secret is wrong.", code="WEBHOOK_NOT_FOUND"
    )


async def _find(incoming: Incoming, catalogue: Catalogue) -> Hook | None:
    """Return the webhook at a path; what keeps one from working is for the operator's log, not for strangers."""
    found = await trigger_index.find_webhook(incoming.path)
    if found is None:
        return None
    definition, _ = read_definition(found.workflow["definition"])
    params = webhooks(definition, catalogue).get(found.node_id)
    if params is None or incoming.method not in params.methods:
        return None
    try:
        author = await author_of(found.workflow)
        author.require(USE)
    except AuthorizationError as error:
        log.warning("webhook refused", workflow=found.workflow["name"], node=found.node_id, reason=error.message)
        return None
    return Hook(workflow=found.workflow, definition=definition, node_id=found.node_id, params=params, author=author)


async def _is_genuine(hook: Hook, incoming: Incoming) -> bool:
    def check(login: Login) -> bool:
        secret = login.fields.get("token") or login.fields.get("api_key") or ""
        return bool(secret) and signatures.is_genuine(hook.params, incoming, str(secret))

    use = Use(actor=hook.author, details={"workflow": hook.workflow["name"], "webhook": hook.params.path})
    try:
        return await check_with(hook.params.credential, CREDENTIAL_TYPE, check, use)
    except NoLoginError as error:
        log.warning("webhook refused", workflow=hook.workflow["name"], node=hook.node_id, reason=error.message)
        return False


async def _refuse_replay(params: WebhookTriggerParams, incoming: Incoming) -> None:
    """Note the signature in the transaction of the start; raises ConflictError when it counted already."""
    digest = signatures.replay_hash(params, incoming)
    if digest is None:
        return
    noted = await database.execute(
        "INSERT INTO webhook_signatures AS known (hash, expires_at) VALUES ($1, now() + make_interval(secs => $2)) "
        "ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at WHERE known.expires_at < now()",
        digest,
        2 * params.replay_window_s,
    )
    if not noted:
        raise ConflictError(
            "This request has been here already: its signature counts once. Sign a new one to start again.",
            code="WEBHOOK_REPLAYED",
        )


def _body(incoming: Incoming) -> Any:
    """Read what was sent, by its content type."""
    kind = incoming.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not incoming.body:
        return None
    try:
        if kind.endswith(JSON_TYPES):
            return msgspec.json.decode(incoming.body)
        text = incoming.body.decode()
        if kind == FORM:
            return {name: _one_or_all(values) for name, values in parse_qs(text, keep_blank_values=True).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MalformedError(f"The body is not what its content type says: {error}.") from error
    return text


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
