"""How HTTP requests say who asks: by a credential of the vault, opened right before the request is sent."""

import base64
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote_plus, urlencode

import msgspec
from msgspec import Meta

from tasks import outbound
from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.outbound import Answer
from tasks.patterns import shown
from tasks.secrets import TakesSecrets

FORM = "application/x-www-form-urlencoded"
API_KEY_HEADER = "X-API-Key"
UNAUTHORIZED = 401
REFUSED = frozenset({400, UNAUTHORIZED, 403})
"""What a token endpoint answers to a client that it does not know or trust (RFC 6749, 5.2)."""
SPARE_S = 30.0
"""A token that runs out sooner than this is not used again."""
USUAL_LIFE_S = 3600.0
"""How long a token is taken to be good where its server does not say."""


class Authenticated(TakesSecrets, frozen=True, kw_only=True):
    """Base of the parameters of nodes that send HTTP requests."""

    authentication: Annotated[
        Literal["none", "basic", "bearer", "api_key", "oauth2"],
        Meta(
            description="How to say who asks. basic takes a credential of type basic, bearer and api_key one of type "
            "api_key, oauth2 one of type oauth2: a token is fetched with it. It does not follow a redirect elsewhere."
        ),
    ] = "none"
    credential: Annotated[str | None, Meta(description="The credential to authenticate with, by name or id.")] = None
    api_key_header: Annotated[
        str, Meta(max_length=100, description="api_key: the header that carries it, where the credential names none.")
    ] = API_KEY_HEADER


class Token(msgspec.Struct, frozen=True):
    """What a token endpoint grants (RFC 6749, 5.1)."""

    access_token: str
    expires_in: float | None = None


def authenticated(
    context: NodeContext, params: Authenticated, headers: Mapping[str, str], timeout_s: float
) -> dict[str, str]:
    """Return headers with those that say who asks; raises NodeError of class credential, or what kept a token away."""
    if params.authentication == "none":
        return dict(headers)
    if not params.credential:
        message = f"authentication is {params.authentication}, and no credential is named. Name one, or choose none."
        raise NodeError("credential", message)
    added = _WAYS[params.authentication](context, params, timeout_s)
    for name, value in added.items():
        if not (value.isascii() and value.isprintable()):
            message = f"The credential {params.credential} holds characters that no HTTP header can carry. Correct it."
            raise NodeError("credential", message)
        context.keep_secret(value.rpartition(" ")[2])
        if any(given.lower() == name.lower() for given in headers):
            raise NodeError("validation", f"headers: {name} is what authentication sets. Leave it out.")
    return {**headers, **added}


def refusal(params: Authenticated, host: str, status: int) -> NodeError | None:
    """Return the error of an answer that refuses the credential, or None."""
    if params.authentication == "none" or status != UNAUTHORIZED:
        return None
    return NodeError("auth", f"{host} answered {status}: it refuses the credential {params.credential}. Correct it.")


def _basic(context: NodeContext, params: Authenticated, timeout_s: float) -> dict[str, str]:
    del timeout_s
    fields = _fields(context, params, "basic")
    return {"Authorization": _basic_value(fields["username"], fields["password"])}


def _bearer(context: NodeContext, params: Authenticated, timeout_s: float) -> dict[str, str]:
    del timeout_s
    fields = _fields(context, params, "api_key")
    return {"Authorization": f"Bearer {fields.get('token') or fields['api_key']}"}


def _api_key(context: NodeContext, params: Authenticated, timeout_s: float) -> dict[str, str]:
    del timeout_s
    fields = _fields(context, params, "api_key")
    key = fields.get("api_key") or fields["token"]
    prefix = fields.get("header_prefix")
    return {fields.get("header_name") or params.api_key_header: f"{prefix} {key}" if prefix else key}


def _oauth2(context: NodeContext, params: Authenticated, timeout_s: float) -> dict[str, str]:
    place = f"oauth2:{params.credential}"
    token, good_until = context.kept.get(place, ("", 0.0))
    if time.monotonic() >= good_until:
        granted = _granted(context, _fields(context, params, "oauth2"), params.credential or "", timeout_s)
        token = granted.access_token
        life_s = granted.expires_in if granted.expires_in is not None else USUAL_LIFE_S
        context.kept[place] = token, time.monotonic() + life_s - SPARE_S
    return {"Authorization": f"Bearer {token}"}


_WAYS: Mapping[str, Callable[[NodeContext, Authenticated, float], dict[str, str]]] = {
    "basic": _basic,
    "bearer": _bearer,
    "api_key": _api_key,
    "oauth2": _oauth2,
}


def _fields(context: NodeContext, params: Authenticated, credential_type: str) -> Mapping[str, Any]:
    return context.credential(params.credential or "", credential_type)


def _basic_value(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def _granted(context: NodeContext, fields: Mapping[str, Any], name: str, timeout_s: float) -> Token:
    """Ask for a token by the client credentials grant (RFC 6749, 4.4)."""
    asked = {"grant_type": "client_credentials"}
    asked |= {key: fields[key] for key in ("scope", "audience") if fields.get(key)}
    headers = {"Content-Type": FORM, "Accept": "application/json"}
    client_id, client_secret = fields["client_id"], fields["client_secret"]
    if fields.get("client_authentication") == "body":
        asked |= {"client_id": client_id, "client_secret": client_secret}
    else:
        headers["Authorization"] = _basic_value(quote_plus(client_id), quote_plus(client_secret))
        context.keep_secret(headers["Authorization"].rpartition(" ")[2])
    content = urlencode(asked).encode()
    outgoing = outbound.prepare(
        "POST", fields["token_url"], headers=headers, content=content, allow=context.outbound_allow
    )
    if context.cancelled():
        raise NodeError("cancelled", "Stopped before a token was asked for.")
    answer = outbound.send(outgoing, timeout_s, parse=False)
    return _token(context, answer, outgoing.url.netloc.decode("ascii"), name)


def _token(context: NodeContext, answer: Answer, host: str, name: str) -> Token:
    if answer.status in REFUSED:
        raise NodeError("auth", f"{host} grants no token to the credential {name}: {shown(answer.body)}. Correct it.")
    if not 200 <= answer.status < 300:  # noqa: PLR2004 — HTTP's own figures
        raise NodeError("auth", f"{host} answered {answer.status} where a token was asked for. Look at the server.")
    try:
        token = msgspec.json.decode(answer.body, type=Token, strict=False)
    except (msgspec.DecodeError, UnicodeError) as error:
        message = f"{host} answered what is no token, and nothing was sent with it. Correct the credential's token_url."
        raise NodeError("auth", message) from error
    context.keep_secret(token.access_token)
    return token
