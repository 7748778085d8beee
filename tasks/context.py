"""What the engine hands to a running node; in a plain Nornir script everything in it has a harmless default."""

from collections.abc import Callable, Coroutine, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from tasks.artifacts import Artifacts, MemoryArtifacts
from tasks.errors import NodeError
from tasks.parking import Parked


def _never() -> bool:
    return False


def _allow(_: Sequence[str]) -> None:
    return None


def _no_database(coroutine: Coroutine[Any, Any, Any]) -> Any:
    coroutine.close()
    raise NodeError("unsupported", "There is no database here. Run this node in a workflow of the service.")


def _no_evaluation(_: str, __: Mapping[str, Any]) -> Any:
    raise NodeError("unsupported", "Nothing evaluates expressions here. Run this node in a workflow of the service.")


def _keep(_: str) -> None:
    return None


def _as_it_is(text: str) -> str:
    return text


def _no_vault(reference: str, *types: str) -> Mapping[str, Any]:
    del types
    message = f"The credential {reference!r} is asked for, and this inventory has no vault to find it in."
    raise NodeError("credential", message)


class CredentialSource(Protocol):
    """Opens a credential."""

    def __call__(self, reference: str, *types: str) -> Mapping[str, Any]:
        """Return the fields of the credential with a name or id, which must be of one of the types, if any are given.

        Raises NodeError of class credential, which says why it cannot be had.
        """


@dataclass(frozen=True, kw_only=True)
class SessionTimeouts:
    """How long opening a session may take, step by step, and how long one may serve, or lie idle, in seconds."""

    connect_s: float = 10.0
    banner_s: float = 15.0
    login_s: float = 15.0
    max_age_s: float = 900.0
    idle_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class NodeContext:
    """The surroundings of one run of one node on one host (or once).

    A node that changes something calls ``before_change`` with the lines it is about to send, right before it sends
    them: the engine records the intent there and raises if the change is no longer its to make.
    Long loops ask ``cancelled``. ``run`` runs a coroutine where the service's database can be reached, and
    ``evaluate`` an expression, with names beside those that all expressions of the node see.
    ``credential`` opens one at the last moment; its secrets are masked wherever they turn up from then on. A secret
    that a node comes by otherwise, such as a token it was granted, it gives to ``keep_secret`` before anything else.
    A message that quotes a part of a text has the whole text ``masked`` before it cuts it. ``kept`` lives as long as
    this process works on this part of the execution, and is written nowhere; ``artifacts`` are the execution's files.
    """

    execution: Mapping[str, Any] = field(default_factory=dict)
    node_id: str = ""
    dry_run: bool = False
    cancelled: Callable[[], bool] = _never
    before_change: Callable[[Sequence[str]], None] = _allow
    outbound_allow: tuple[str, ...] = ()
    credential: CredentialSource = _no_vault
    keep_secret: Callable[[str], None] = _keep
    masked: Callable[[str], str] = _as_it_is
    kept: MutableMapping[str, Any] = field(default_factory=dict, repr=False)
    artifacts: Artifacts = field(default_factory=MemoryArtifacts)
    timeouts: SessionTimeouts = field(default_factory=SessionTimeouts)
    reached: Callable[[], Sequence[str]] = tuple
    """Returns the keys of the hosts that came to this once node."""
    preview: Callable[[], Mapping[str, Any]] = dict
    """Returns what the changing nodes behind this once node would be given, host by host."""
    failures: Sequence[Mapping[str, Any]] = ()
    """What an error trigger runs for: ``node_id``, ``host``, ``class`` and ``message`` of each failure."""
    iteration: str = ""
    """The rounds of the loops around, such as ``outer:0.inner:2``."""
    parked: Parked | None = None
    """Set when the node runs again after it had asked to be parked."""
    user_id: str = ""
    """Who started the execution."""
    run: Callable[[Coroutine[Any, Any, Any]], Any] = _no_database
    evaluate: Callable[[str, Mapping[str, Any]], Any] = _no_evaluation


_HARMLESS = NodeContext()
_context: ContextVar[NodeContext] = ContextVar("node_context", default=_HARMLESS)


def current() -> NodeContext:
    """Return the context of the node running in this thread."""
    return _context.get()


def enter(context: NodeContext) -> None:
    """Set the context of the node about to run in this thread."""
    _context.set(context)
