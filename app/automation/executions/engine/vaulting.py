"""Credentials that nodes name: opened in the worker at the last moment, masked from then on, kept nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from app.automation.executions.masks import SHORTEST, Masker
from app.automation.workflows.definition import Node
from app.automation.workflows.secrets import SECRET, takes_secrets
from app.core.access import Principal
from app.core.database import DatabaseThread, patiently
from app.core.errors import AppError
from app.credentials.logins import Use, open_fitting
from inventory.records import Login
from tasks.errors import NodeError
from tasks.node import NodeType
from tasks.secrets import SecretRef


@dataclass(frozen=True, kw_only=True)
class NodeVault:
    """The vault as one run of a node sees it; every opening is on record with the execution, the node and the host."""

    db: DatabaseThread
    masker: Masker
    actor: Principal
    occasion: Mapping[str, Any]

    def open(self, reference: str, *types: str) -> Mapping[str, Any]:
        """Return a credential's fields, which are masked from now on; raises NodeError of class credential."""
        return dict(self._login(reference, types).fields)

    def with_secrets(self, node: Node, node_type: NodeType, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the secrets that a node declares to its scope; raises NodeError of class credential."""
        declared = node.parameters.get("secrets")
        if not declared or not takes_secrets(node_type):
            return scope
        references = msgspec.convert(declared, dict[str, SecretRef])
        return {**scope, SECRET: {name: self._secret(name, wanted) for name, wanted in references.items()}}

    def _secret(self, name: str, wanted: SecretRef) -> str:
        login = self._login(wanted.credential, ())
        value = login[wanted.field]
        if value is None:
            known = ", ".join(sorted(login.fields))
            message = f"secrets.{name}: the credential {login.credential_name} has no {wanted.field}; it has {known}."
            raise NodeError("credential", message)
        text = str(value)
        if len(text) < SHORTEST:
            message = (
                f"secrets.{name}: {wanted.field} of the credential {login.credential_name} is too short to be masked. "
                f"A secret needs at least {SHORTEST} characters."
            )
            raise NodeError("credential", message)
        self.masker.learn([text, *_lines(text)])
        return text

    def _login(self, reference: str, types: tuple[str, ...]) -> Login:
        use = Use(actor=self.actor, details=self.occasion)
        try:
            login = self.db.run(patiently(lambda: open_fitting(reference, types, use)))
        except AppError as error:
            raise NodeError("credential", error.message) from error
        self.masker.learn(login.secrets())
        return login


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()] if "\n" in text else []
