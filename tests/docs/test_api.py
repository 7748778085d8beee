"""What callers are told of the API: routes that exist, the envelope as it is, roles and figures of the code."""

import json
import os
import re
import subprocess
from datetime import timedelta

import httpx
from litestar import Litestar

from app.automation.executions.idempotency import KEPT_H
from app.automation.executions.starts.limits import PATH_LIMIT, SENDER_LIMIT, WINDOW_S
from app.automation.executions.starts.responses import WAIT_S
from app.automation.executions.starts.routes import MAX_WEBHOOK_BYTES
from app.core.paging import COUNT_EXACT_TO, DEFAULT_LIMIT, MAX_LIMIT
from app.devices.routes.bodies import MAX_BATCH_BYTES
from app.devices.schemas import MAX_BATCH
from app.identity.authentication import ACCESS_LIFETIME, COOKIE_LIFETIME, REFRESH_LIFETIME
from app.identity.roles import BUILT_IN
from app.web.bodies import MAX_BODY_BYTES
from app.web.guards import handlers_of
from app.web.openapi import DESCRIPTIONS
from tasks.trigger import WebhookTriggerParams
from tests.support.pages import PAGES, blocks, name_of, read, rows, section
from tests.support.webhooks import signed

PAGE = read("docs/api.md")
ROUTE = re.compile(
    r"(?<![\w…])(?:\b(GET|POST|PUT|PATCH|DELETE) )?(/(?:identity|credentials|inventory|automation|system)/v1/[\w{}/-]*)"
)
VARIABLE = re.compile(r"\$\w+|\{\w+(?::\w+)?\}|ssh:command")


def told_routes(text: str) -> set[tuple[str, str]]:
    """Return method (or nothing) and path of each route that a page names, with its parameters left open."""
    return {
        (method, VARIABLE.sub("*", path).rstrip("/"))
        for method, path in ROUTE.findall(VARIABLE.sub("*", text).replace("*", "{x}"))
    }


def test_every_route_that_a_page_names_exists(app: Litestar) -> None:
    known = {(method, VARIABLE.sub("*", path).rstrip("/")) for path, method, _ in handlers_of(app)}
    paths = {path for _, path in known}
    for page in PAGES:
        for method, path in told_routes(page.read_text(encoding="utf-8")):
            is_area = any(one.startswith(f"{path}/") for one in paths)
            assert (method, path) in known or (not method and (path in paths or is_area)), f"{name_of(page)}: {path}"


async def test_the_error_shown_is_what_a_missing_device_gives(admin: httpx.AsyncClient) -> None:
    _, shown = (json.loads(block.text) for block in blocks(section(PAGE, "## The envelope"), "json"))
    answer = await admin.get("/inventory/v1/devices/0190f1e0-0000-7000-8000-000000000000")
    given = answer.json()
    assert given["error"].pop("request_id") == answer.headers["x-request-id"]
    assert shown["error"].pop("request_id")
    assert given == shown


async def test_the_answer_shown_has_the_form_of_a_real_one(admin: httpx.AsyncClient) -> None:
    shown, _ = (json.loads(block.text) for block in blocks(section(PAGE, "## The envelope"), "json"))
    given = (await admin.get("/identity/v1/auth/me")).json()
    assert given.keys() == shown.keys()
    assert (given["success"], given["message"], given["meta"]) == (shown["success"], shown["message"], shown["meta"])


async def test_a_list_has_the_meta_told(admin: httpx.AsyncClient) -> None:
    meta = (await admin.get("/inventory/v1/devices?site=ber1&sort=-created_at&limit=100")).json()["meta"]
    assert set(meta) == {"total", "total_is_estimate", "limit", "next_cursor"}
    told = section(PAGE, "## Lists")
    assert all(f"`{name}`" in told for name in meta)


async def test_the_csv_told_is_taken(admin: httpx.AsyncClient) -> None:
    answer = await admin.post(
        "/inventory/v1/devices/bulk?mode=upsert",
        content="name,address,platform,tags,data.rack\nr1,192.0.2.1,cisco_ios,core;edge,12\n",
        headers={"Content-Type": "text/csv"},
    )
    assert answer.json()["data"] == {"created": 1, "updated": 0, "errors": []}
    (device,) = (await admin.get("/inventory/v1/devices?name=r1")).json()["data"]
    assert (device["tags"], device["data"]) == (["core", "edge"], {"rack": "12"})


def test_the_roles_told_are_the_built_in_ones() -> None:
    assert {row[0].strip("`") for row in rows(section(PAGE, "## Who may"))} == set(BUILT_IN)


def test_the_statuses_told_are_those_that_the_document_describes() -> None:
    told = {int(row[0]) for row in rows(section(PAGE, "## The envelope"))}
    assert told - {405} == set(DESCRIPTIONS) - {502, 504}


def test_the_figures_told_of_starts_are_those_of_the_code() -> None:
    assert (KEPT_H, MAX_WEBHOOK_BYTES, WAIT_S) == (24, 1024**2, 30.0)
    assert (WINDOW_S, PATH_LIMIT, SENDER_LIMIT) == (60, 600, 120)
    assert WebhookTriggerParams(path="p", credential="c").replay_window_s == 300


def test_the_signature_told_is_one_that_counts() -> None:
    (shown,) = blocks(section(PAGE, "## Webhooks"), "sh")
    signing = shown.text.partition("curl")[0] + 'printf "%s %s %s" "$STAMP" "$SIGNATURE" "$BODY"'
    made = subprocess.run(["bash", "-ec", signing], env={**os.environ, "SECRET": "s3"}, capture_output=True, check=True)
    stamp, signature, body = made.stdout.decode().split(" ", 2)
    assert signed(body.encode(), secret="s3", at=float(stamp))["X-Signature"] == signature


def test_the_figures_told_are_those_of_the_code() -> None:
    assert (DEFAULT_LIMIT, MAX_LIMIT, COUNT_EXACT_TO, MAX_BATCH) == (50, 500, 10_000, 10_000)
    assert (MAX_BODY_BYTES, MAX_BATCH_BYTES) == (5 * 1024**2, 20 * 1024**2)
    lifetimes = [ACCESS_LIFETIME, COOKIE_LIFETIME, REFRESH_LIFETIME]
    assert lifetimes == [timedelta(hours=1), timedelta(hours=8), timedelta(weeks=1)]
