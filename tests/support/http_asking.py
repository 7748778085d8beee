"""Asks the http:request node as the engine does."""

from typing import Any

import msgspec
from nornir.core.task import Result

from tasks.context import NodeContext
from tasks.errors import NodeError
from tasks.http import HttpRequestParams, http_request
from tests.support.node_values import attempt
from tests.support.web_service import Reply

HOME = ("127.0.0.1/32",)
OK = Reply(200, b'{"a": [1]}', {"Content-Type": "application/json"})
SOON = {"Retry-After": "0"}


def ask(url: str, *, allow: tuple[str, ...] = HOME, **params: Any) -> Result:
    """Run the node as the engine does: what it raises is the result's exception."""
    names = {"dry_run", "before_change", "cancelled"}
    surroundings = NodeContext(outbound_allow=allow, **{name: params.pop(name) for name in names & params.keys()})
    ready = msgspec.convert({"url": url, **params}, HttpRequestParams, strict=False)
    result = attempt(lambda: http_request(surroundings, ready))
    return Result(host=None, failed=True, exception=result) if isinstance(result, NodeError) else result
