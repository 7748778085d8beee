"""What the node types of one family have in common."""

from functools import partial
from typing import Annotated, Final

from msgspec import Meta

from tasks.node import Handle, node

GIVEN: Final = "{{ input.data }}"
"""What a node works on where nothing else is said."""

transform_node = partial(
    node,
    category="Transform",
    package="data-transform",
    scope="follow",
    color="#0d9488",
    inputs=(Handle("data"),),
)
format_node = partial(
    node,
    category="Parse and Format",
    package="parser-format",
    scope="follow",
    color="#b45309",
    inputs=(Handle("data"),),
)
debug_node = partial(
    node,
    category="Debug",
    package="debug-utility",
    scope="follow",
    color="#64748b",
    inputs=(Handle("input"),),
)
flow_node = partial(
    node,
    category="Flow",
    package="flow-control",
    scope="follow",
    color="#7c3aed",
    inputs=(Handle("data"),),
)
http_node = partial(
    node,
    category="HTTP",
    package="http-api",
    scope="once",
    color="#2563eb",
    inputs=(Handle("data"),),
    idempotent=False,
    fences_itself=True,
    dry_run=True,
)
file_node = partial(
    node,
    category="Files",
    package="file-storage",
    color="#ca8a04",
    inputs=(Handle("data"),),
)
remote_file_node = partial(
    file_node,
    scope="once",
    idempotent=False,
    fences_itself=True,
    dry_run=True,
)

FieldPath = Annotated[str, Meta(max_length=200, description="A field's name, a dot leading deeper; empty: the item.")]
