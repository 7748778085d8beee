"""The service's one error tree; services raise these, and know nothing of HTTP.

AppError
├── ConfigurationError      a setting, a key or the state folder is wrong; the process does not start
├── MalformedError          the request cannot be read at all
├── ValidationError         it can be read, and some fields are wrong; ``details`` lists them
├── AuthenticationError     nobody, or nobody we know
├── AuthorizationError      somebody, without the permission
├── NotFoundError
├── ConflictError           it exists already, is in use, or was changed meanwhile
├── RateLimitError          too often; ``retry_after_s`` says when again
├── ExecutionError          an execution cannot do what was asked of it
├── UpstreamError           a device or another system answered wrongly, or not
├── DatabaseError
├── UnavailableError        a service of our own is away just now
└── DeadlineError           it did not end in time
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypedDict


class Fault(TypedDict):
    """One wrong field of an input: where it is and what is wrong with it."""

    field: str
    message: str


class AppError(Exception):
    """Root of what the service says no with: a code, a sentence, and details a program can read."""

    code: ClassVar[str] = "INTERNAL_ERROR"

    def __init__(self, message: str, *, code: str | None = None, details: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or self.code
        self.details = details


class ConfigurationError(AppError):
    """Raised at start, with every fault of the configuration at once."""

    code = "CONFIGURATION_ERROR"


class MalformedError(AppError):
    """The request cannot be read: broken JSON, an unreadable cursor."""

    code = "MALFORMED_REQUEST"


class ValidationError(AppError):
    """Fields of the input are wrong; all of them are listed."""

    code = "VALIDATION_ERROR"

    def __init__(self, message: str, faults: Sequence[Mapping[str, Any]] = (), *, code: str | None = None) -> None:
        super().__init__(message, code=code, details=[dict(fault) for fault in faults])

    @classmethod
    def of(cls, field: str, message: str) -> "ValidationError":
        """Build the error of a single field."""
        return cls(f"{field}: {message}", [Fault(field=field, message=message)])


class AuthenticationError(AppError):
    """The caller is not known."""

    code = "UNAUTHENTICATED"


class AuthorizationError(AppError):
    """The caller is known and lacks the permission."""

    code = "FORBIDDEN"


class NotFoundError(AppError):
    """There is no such thing, or none the caller may see."""

    code = "NOT_FOUND"


class ConflictError(AppError):
    """The state of things forbids it: a taken name, something still in use, a lost update."""

    code = "CONFLICT"


class RateLimitError(AppError):
    """Too many attempts; try again after ``retry_after_s`` seconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, details={"retry_after_s": retry_after_s})
        self.retry_after_s = retry_after_s


class ExecutionError(AppError):
    """An execution cannot do what was asked of it."""

    code = "EXECUTION_ERROR"


class UpstreamError(AppError):
    """A device or another system answered wrongly, or not at all."""

    code = "UPSTREAM_ERROR"


class DatabaseError(AppError):
    """The database refused a statement."""

    code = "DATABASE_ERROR"


class UnavailableError(AppError):
    """PostgreSQL, Redis or the workers are away just now."""

    code = "UNAVAILABLE"


class DeadlineError(AppError):
    """It did not end in time."""

    code = "DEADLINE_EXCEEDED"
