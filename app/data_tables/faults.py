"""What the database says no with, told as nodes tell what went wrong."""

import asyncpg

from app.core.database import CONNECTION_ERRORS
from app.core.errors import AppError, AuthorizationError, UnavailableError
from tasks.errors import ErrorClass, NodeError

FAULTS = (AppError, asyncpg.PostgresError, *CONNECTION_ERRORS)
"""What a question to the database may raise."""
TOO_LARGE = "data_records_size_ck"


def node_error(error: BaseException) -> NodeError:
    """Return the error of a node for one of the database: a refusal, a wrong value, a timeout, or a fault."""
    return NodeError(_class_of(error), _message_of(error))


def _class_of(error: BaseException) -> ErrorClass:
    match error:
        case AuthorizationError():
            return "auth"
        case UnavailableError():
            return "upstream"
        case asyncpg.QueryCanceledError():
            return "timeout"
        case AppError() | asyncpg.DataError() | asyncpg.IntegrityConstraintViolationError():
            return "validation"
    return "upstream"


def _message_of(error: BaseException) -> str:
    if isinstance(error, AppError):
        return error.message
    if isinstance(error, asyncpg.QueryCanceledError):
        return "The database took too long and was stopped; nothing was written. Ask for fewer rows."
    if isinstance(error, asyncpg.CheckViolationError) and error.constraint_name == TOO_LARGE:
        return "A row would hold more than 128 KiB of JSON. Write fewer or shorter fields."
    return f"The database said: {error}"
