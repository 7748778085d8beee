"""Secrets in a node's text: which fields of which credentials it may name as ``{{ secret.<name> }}``."""

from typing import Annotated

import msgspec
from msgspec import Meta

from tasks.node import Params

Name = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_]{0,63}$")]


class SecretRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A field of a credential, the credential by name or id."""

    credential: Annotated[str, Meta(min_length=1, max_length=150)]
    field: Annotated[str, Meta(min_length=1, max_length=64)]


class TakesSecrets(Params, frozen=True, kw_only=True):
    """Base of the parameters of nodes that send text elsewhere: the text may hold secrets, which show masked."""

    secrets: Annotated[
        dict[Name, SecretRef],
        Meta(
            max_length=20,
            extra={"evaluate": "never"},
            description="Secrets of the vault: each name stands for a field of a credential, and {{ secret.name }} in "
            "the texts of this node for its value.",
        ),
    ] = msgspec.field(default_factory=dict)
