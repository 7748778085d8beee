from typing import Any

import click
import pytest

from app.cli.failures import ExitCode, Failure, explain, fault_line
from app.core import errors
from app.core.crypto import DecryptionError
from app.core.embedded import StartError, StateFolderError


def told(error: Exception) -> Failure:
    failure = explain(error)
    assert failure is not None
    return failure


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.AuthenticationError("who"), ExitCode.REFUSED),
        (errors.AuthorizationError("no"), ExitCode.REFUSED),
        (errors.RateLimitError("slow", retry_after_s=3), ExitCode.REFUSED),
        (errors.NotFoundError("where"), ExitCode.INVALID),
        (errors.ConflictError("taken"), ExitCode.INVALID),
        (errors.ConfigurationError("unset"), ExitCode.INVALID),
        (errors.UnavailableError("away"), ExitCode.UNREACHABLE),
        (errors.UpstreamError("odd"), ExitCode.UNREACHABLE),
        (DecryptionError("other key"), ExitCode.FAILED),
        (StateFolderError("read-only"), ExitCode.INVALID),
        (StartError("died"), ExitCode.UNREACHABLE),
        (PermissionError(13, "Permission denied", "/somewhere"), ExitCode.FAILED),
    ],
)
def test_every_foreseen_error_has_its_exit_code(error: Exception, code: ExitCode) -> None:
    assert told(error).exit_code == code


def test_an_unforeseen_error_is_left_to_show_its_traceback() -> None:
    assert explain(RuntimeError("a bug")) is None
    assert explain(OSError("no file at all")) is None


def test_one_fault_that_the_message_tells_is_not_told_twice() -> None:
    failure = told(errors.ValidationError.of("port", "70000 is no port"))
    assert failure.message == "port: 70000 is no port"
    assert list(failure.details) == []


def test_several_faults_are_told_line_by_line() -> None:
    faults = [{"field": "name", "message": "is missing"}, {"field": "port", "message": "is no port"}]
    failure = told(errors.ValidationError("name: is missing; port: is no port", faults))
    assert failure.message == "2 things are wrong."
    assert list(failure.details) == ["name: is missing", "port: is no port"]


def test_faults_that_the_message_does_not_tell_follow_it() -> None:
    faults: list[dict[str, Any]] = [
        {"type": "cycle", "node_id": "a", "field": "edges", "message": "waits for b"},
        {"type": "no_trigger", "node_id": None, "field": "nodes", "message": "nothing starts it"},
    ]
    failure = told(errors.ValidationError("The definition has 2 faults: waits for b", faults))
    assert failure.message.startswith("The definition has 2 faults")
    assert list(failure.details) == ["a, edges: waits for b", "nodes: nothing starts it"]


def test_a_configuration_tells_all_its_faults_once() -> None:
    message = "The configuration has 1 fault(s):\n  API_PORT: 'x' is no port"
    failure = told(errors.ConfigurationError(message, details=[{"field": "API_PORT", "message": "'x' is no port"}]))
    assert failure.message == message
    assert list(failure.details) == []


def test_details_of_other_errors_are_told_by_name() -> None:
    error = errors.ConflictError("It is in use.", details={"users": ["ann", "bob"]})
    assert list(told(error).details) == ["users: ann, bob"]


def test_a_fault_names_its_row_node_and_field() -> None:
    assert (
        fault_line({"index": 3, "line": 5, "field": "address", "message": "no address"})
        == "line 5, address: no address"
    )
    assert fault_line({"index": 3, "field": "name", "message": "twice"}) == "entry 3, name: twice"
    assert fault_line({"message": "all of it"}) == "all of it"


def test_a_failure_is_written_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Failure("It broke.", ExitCode.FAILED, ["here", "there"]).show()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Error: It broke.\n  here\n  there\n"
    assert isinstance(Failure("x", ExitCode.FAILED), click.ClickException)
