"""How a command fails: the exit codes, and every error as one sentence with its details on stderr."""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import IO, Any, Self

import click

from app.core import errors
from app.core.embedded.errors import EmbeddedError, StateFolderError


class ExitCode(IntEnum):
    """What the exit status of a command says."""

    meaning: str

    def __new__(cls, number: int, meaning: str) -> Self:
        """Build a code with what it means."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        return code

    OK = 0, "It went well."
    FAILED = 1, "What was asked for failed: an execution, a check."
    USAGE = 2, "The command line is wrong."
    REFUSED = 3, "Not logged in, or without the permission."
    INVALID = 4, "Not found, or the input or the configuration is wrong."
    UNREACHABLE = 5, "A service cannot be reached or started, or fails."


CODES: Mapping[type[Exception], ExitCode] = {
    errors.AuthenticationError: ExitCode.REFUSED,
    errors.AuthorizationError: ExitCode.REFUSED,
    errors.RateLimitError: ExitCode.REFUSED,
    errors.ConfigurationError: ExitCode.INVALID,
    errors.MalformedError: ExitCode.INVALID,
    errors.ValidationError: ExitCode.INVALID,
    errors.NotFoundError: ExitCode.INVALID,
    errors.ConflictError: ExitCode.INVALID,
    errors.UpstreamError: ExitCode.UNREACHABLE,
    errors.UnavailableError: ExitCode.UNREACHABLE,
    errors.DeadlineError: ExitCode.UNREACHABLE,
    errors.DatabaseError: ExitCode.UNREACHABLE,
    errors.AppError: ExitCode.FAILED,
    StateFolderError: ExitCode.INVALID,
    EmbeddedError: ExitCode.UNREACHABLE,
}


class Failure(click.ClickException):
    """A command's end, told on stderr: a sentence, its details line by line, and an exit code."""

    def __init__(self, message: str, code: ExitCode, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = details
        vars(self)["exit_code"] = int(code)  # click declares it for the class; here every failure has its own

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the failure to stderr."""
        click.echo(f"Error: {self.message}", file=file, err=True)
        for line in self.details:
            click.echo(f"  {line}", file=file, err=True)


def explain(error: Exception) -> Failure | None:
    """Return the failure that an error means, or None for one that nobody foresaw."""
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if isinstance(error, errors.AppError) and code is not None:
        return _explain_details(error, code)
    if code is not None:
        return Failure(str(error), code)
    if isinstance(error, OSError) and error.filename:
        return Failure(f"{error.filename}: {error.strerror}.", ExitCode.FAILED)
    return None


def _explain_details(error: errors.AppError, code: ExitCode) -> Failure:
    """Tell a message and its details without telling anything twice."""
    lines = [] if isinstance(error, errors.ConfigurationError) else list(detail_lines(error.details))
    if isinstance(error.details, Mapping):
        return Failure(error.message, code, [line for line in lines if line.partition(": ")[2] not in error.message])
    if not all(line in error.message for line in lines):
        return Failure(error.message, code, lines)
    if len(lines) > 1:
        return Failure(f"{len(lines)} things are wrong.", code, lines)
    return Failure(error.message, code)


def detail_lines(details: Any) -> Iterator[str]:
    """Yield the details of an error as lines; faults read ``where: what``."""
    if isinstance(details, Mapping):
        for name, value in details.items():
            yield f"{name}: {_text(value)}"
    elif isinstance(details, list):
        for fault in details:
            yield fault_line(fault) if isinstance(fault, Mapping) else _text(fault)


def fault_line(fault: Mapping[str, Any]) -> str:
    """Return a fault as a line: the row, node and field it is in, and what is wrong there."""
    row = f"line {fault['line']}" if fault.get("line") else f"entry {fault['index']}" if "index" in fault else ""
    where = ", ".join(part for part in (row, fault.get("node_id"), fault.get("field")) if part)
    return f"{where}: {fault.get('message', '')}" if where else str(fault.get("message", ""))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
