"""Errors on their way out: the one table from what was raised to a status, a code and the envelope."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import asyncpg
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.exceptions import ValidationException as LitestarValidationException
from litestar.response import Redirect
from litestar.status_codes import HTTP_303_SEE_OTHER
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core import context, database, errors
from app.core.logging import get_logger
from app.web.bodies import missing_body
from app.web.browser import asked_path, login_address
from app.web.envelope import ErrorBody, ErrorReply
from app.web.methods import allowed_methods

INTERNAL = "Something went wrong inside. The log has the details under this request id."
STATUSES: Mapping[type[errors.AppError], HTTPStatus] = {
    errors.MalformedError: HTTPStatus.BAD_REQUEST,
    errors.ValidationError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AuthenticationError: HTTPStatus.UNAUTHORIZED,
    errors.AuthorizationError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.RateLimitError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.ExecutionError: HTTPStatus.CONFLICT,
    errors.UpstreamError: HTTPStatus.BAD_GATEWAY,
    errors.UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineError: HTTPStatus.GATEWAY_TIMEOUT,
}
HTTP_CODES: Mapping[int, tuple[str, str]] = {
    400: ("MALFORMED_REQUEST", "The request cannot be read."),
    401: ("UNAUTHENTICATED", "This needs a login."),
    403: ("FORBIDDEN", "This is not allowed."),
    404: ("NOT_FOUND", "There is nothing at this address. /schema lists what there is."),
    405: ("METHOD_NOT_ALLOWED", "This address does not answer to this method. The Allow header lists those it does."),
    413: ("BODY_TOO_LARGE", "The body is larger than this route accepts."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "This route does not read this content type."),
    422: ("VALIDATION_ERROR", "The input is wrong."),
}

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to answer to an exception."""

    status: int
    code: str
    message: str
    details: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


UNAVAILABLE = Verdict(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    code="UNAVAILABLE",
    message="The database or the queue cannot be reached just now. Try again in a moment.",
    headers={"Retry-After": "5"},
)
EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], Verdict], ...] = (
    (
        (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError),
        Verdict(
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            code="VALIDATION_ERROR",
            message="A text holds a NUL character (U+0000), which cannot be stored.",
            details=[],
        ),
    ),
    (
        (asyncpg.DataError,),
        Verdict(
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            code="VALIDATION_ERROR",
            message="A value is too long or out of range for its field.",
            details=[],
        ),
    ),
    (
        (asyncpg.IntegrityConstraintViolationError,),
        Verdict(
            status=HTTPStatus.CONFLICT,
            code="CONFLICT",
            message="This collides with something that exists, or refers to something that does not.",
        ),
    ),
    (
        (
            *database.CONNECTION_ERRORS,
            asyncpg.TooManyConnectionsError,
            asyncpg.DeadlockDetectedError,
            RedisConnectionError,
            RedisTimeoutError,
        ),
        UNAVAILABLE,
    ),
)


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Turn whatever was raised into an answer in the envelope; the inside of a 5xx goes to the log only."""
    verdict = judge(request, error)
    login = login_address(request) if verdict.status == HTTPStatus.UNAUTHORIZED else None
    if login is not None:
        return Redirect(login, status_code=HTTP_303_SEE_OTHER)
    if verdict.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log(request, error, verdict)
    body = ErrorBody(
        code=verdict.code,
        message=verdict.message,
        details=verdict.details,
        request_id=context.current().request_id,
    )
    return Response(
        ErrorReply(error=body), status_code=verdict.status, headers=dict(verdict.headers), media_type=MediaType.JSON
    )


def _log(request: Request[Any, Any, Any], error: Exception, verdict: Verdict) -> None:
    """Log a 5xx; with its traceback unless it is one that a service raised knowingly."""
    details = {"code": verdict.code, "method": request.method, "path": asked_path(request)}
    if isinstance(error, errors.AppError) and verdict.code != "INTERNAL_ERROR":
        log.warning("request failed", reason=verdict.message, **details)
    else:
        log.error("request failed", exc_info=error, **details)


def judge(request: Request[Any, Any, Any], error: Exception) -> Verdict:
    """Decide what an exception means to the client."""
    if isinstance(error, errors.AppError):
        return _of_app_error(error)
    if isinstance(error, HTTPException):
        return _of_http_exception(request, error)
    for kinds, verdict in EXCEPTIONS:
        if isinstance(error, kinds):
            return verdict
    return Verdict(status=HTTPStatus.INTERNAL_SERVER_ERROR, code="INTERNAL_ERROR", message=INTERNAL)


def _of_app_error(error: errors.AppError) -> Verdict:
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)
    if status is None:
        return Verdict(status=HTTPStatus.INTERNAL_SERVER_ERROR, code="INTERNAL_ERROR", message=INTERNAL)
    headers: dict[str, str] = {}
    if isinstance(error, errors.RateLimitError):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.AuthenticationError):
        headers["WWW-Authenticate"] = 'Bearer realm="opsconductor"'
    return Verdict(status=status, code=error.error_code, message=error.message, details=error.details, headers=headers)


def _of_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Verdict:
    if isinstance(error, LitestarValidationException):
        return _of_parameters(error)
    code, message = HTTP_CODES.get(error.status_code, ("INTERNAL_ERROR", INTERNAL))
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request.app, asked_path(request)))
    if error.status_code == HTTPStatus.BAD_REQUEST and error.detail:
        message = error.detail
    return Verdict(status=error.status_code, code=code, message=message, headers=headers)


def _of_parameters(error: LitestarValidationException) -> Verdict:
    """List the faults of query, path and header parameters; bodies are checked before, in app.web.bodies."""
    given = error.extra if isinstance(error.extra, list) else []
    if any(entry.get("key") == "data" for entry in given):
        return _of_app_error(missing_body())
    faults = [errors.Fault(field=str(entry.get("key", "")), message=str(entry.get("message", ""))) for entry in given]
    summary = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults) or error.detail
    return Verdict(status=HTTPStatus.UNPROCESSABLE_ENTITY, code="VALIDATION_ERROR", message=summary, details=faults)
