"""Senders of webhooks: a workflow that listens, its secret in the vault, and requests that are signed for it."""

import hashlib
import hmac
import time
from typing import Any

import httpx

from tests.support.graphs import line, step

SECRET = "a-secret-that-only-the-sender-knows"
BASE = "/automation/v1/webhooks"


async def make_secret(admin: httpx.AsyncClient, name: str = "hook", **data: str) -> str:
    """Store a webhook's secret and return its credential's id."""
    body = {"name": name, "credential_type": "api_key", "data": data or {"token": SECRET}}
    answer = await admin.post("/credentials/v1/credentials", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def listening(*nodes: dict[str, Any], edges: tuple[str, ...] = (), **parameters: Any) -> dict[str, Any]:
    """Return a definition that a webhook at ``hook`` starts, as node ``hook``."""
    given = {"path": "hook", "credential": "hook", **parameters}
    return {"nodes": [step("hook", "trigger:webhook", **given), *nodes], "edges": [line(edge) for edge in edges]}


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers of a request that is signed with its time."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Timestamp": stamp, "X-Signature": digest, "Content-Type": "application/json"}


def signed_as_github_does(body: bytes, *, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of a request that is signed without a time."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}


async def send(
    client: httpx.AsyncClient, body: bytes = b"{}", headers: dict[str, str] | None = None, path: str = "hook"
) -> httpx.Response:
    """Send a webhook, signed unless other headers are given."""
    return await client.post(f"{BASE}/{path}", content=body, headers=signed(body) if headers is None else headers)
