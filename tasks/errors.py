"""What can go wrong at a node: one exception with an error class out of a closed list."""

from typing import Literal, get_args

ErrorClass = Literal[
    "dns", "tcp_refused", "tcp_timeout", "host_key", "auth", "enable", "credential", "prompt", "read_timeout",
    "connection_lost", "protocol", "parse", "config_rejected", "busy", "unsupported", "upstream", "validation",
    "expression", "cancelled", "timeout", "worker_lost", "unknown", "internal",
]  # fmt: skip
ERROR_CLASSES: tuple[str, ...] = get_args(ErrorClass)

NOTHING_SENT: frozenset[str] = frozenset(
    {"dns", "tcp_refused", "tcp_timeout", "host_key", "auth", "enable", "credential", "busy", "unsupported",
     "validation", "expression"}
)  # fmt: skip
"""Classes after which a change may be tried again, because nothing reached the device."""


class NodeError(Exception):
    """A node failed: ``error_class`` says how a program sees it, the message how a person does."""

    def __init__(self, error_class: ErrorClass, message: str) -> None:
        super().__init__(message)
        self.error_class = error_class
        self.message = message


class SessionError(NodeError):
    """A session to a device could not be opened, or broke."""


class UnknownNodeType(KeyError):
    """No node type of that id is in the catalogue."""

    def __str__(self) -> str:
        return str(self.args[0])


class BadNodeType(TypeError):
    """A function cannot be a node type; the message says what its author has to change."""


class DuplicateNodeType(BadNodeType):
    """Two functions want the same id; the message names both."""


class JumpError(SessionError):
    """The way to a device broke at a jump host, before the device itself was reached."""
