"""What doctor looks at, one function for each thing that has to be in order."""

import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

import httpx
import icmplib
from redis import Redis
from redis.exceptions import RedisError

from app import __version__
from app.cli.keys import keys_file
from app.cli.ports import require_free
from app.core import database, migrations
from app.core.access import SYSTEM
from app.core.embedded.files import open_state_folder
from app.core.errors import ConfigurationError
from app.core.paging import PageRequest
from app.core.queue import connect
from app.core.settings import Settings
from app.credentials import service as credentials
from app.credentials.logins import NoLoginError, Use, open_credential
from app.credentials.schemas import CredentialFilter
from app.credentials.vault import configure
from app.palette import build_catalog
from app.system.queues import list_workers

Verdict = Literal["ok", "warning", "failed"]
LEAST_PYTHON = (3, 11)
LEAST_POSTGRESQL = 140000
LEAST_REDIS, LEAST_VALKEY = (6, 2), (7, 2)
MOST_SKEW_S = 2.0
LIBRARIES = ("nornir", "netmiko", "napalm", "litestar", "piccolo", "rq")
PROBE = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    detail: str


def ok(name: str, detail: str) -> Check:
    """Return the check of something that is in order."""
    return Check(name=name, verdict="ok", detail=detail)


def warning(name: str, detail: str) -> Check:
    """Return the check of something that works, but not as well as it could."""
    return Check(name=name, verdict="warning", detail=detail)


def failed(name: str, detail: str) -> Check:
    """Return the check of something that is broken."""
    return Check(name=name, verdict="failed", detail=detail)


def check_versions() -> Check:
    """Say which versions run here."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    detail = f"OpsConductor {__version__}, Python {platform.python_version()}, {libraries}"
    return ok("versions", detail) if sys.version_info >= LEAST_PYTHON else failed("versions", detail)


def check_state_folder(settings: Settings) -> Check:
    """Say whether the state folder can be used, where there is one."""
    if not settings.state_dir.exists():
        return ok("state folder", f"{settings.state_dir} is made when it is needed")
    open_state_folder(settings.state_dir)
    return ok("state folder", f"{settings.state_dir} is private and can be written to")


def check_secret_key(settings: Settings) -> Check:
    """Say whether there is a key for signatures."""
    settings.require_secret_key()
    return ok("SECRET_KEY", "set")


def check_master_key(settings: Settings) -> Check:
    """Say whether there is a key for the vault."""
    configure(settings.require_keyring())
    kept = keys_file(settings.state_dir)
    return ok("CREDENTIAL_MASTER_KEY", f"set, {len(settings.credential_retired_keys)} retired; `up` keeps it in {kept}")


def check_port(settings: Settings) -> Check:
    """Say whether the API's port is free, or answers as ours does."""
    where = f"{settings.api_host}:{settings.api_port}"
    try:
        require_free(settings.api_host, settings.api_port)
    except ConfigurationError as error:
        if _is_ours(settings):
            return ok("API port", f"OpsConductor answers at {where}")
        return failed("API port", error.message)
    return ok("API port", f"{where} is free")


def check_icmp() -> Check:
    """Say whether pings may be sent from this account."""
    for privileged, kind in ((True, "raw"), (False, "unprivileged")):
        try:
            icmplib.ping(PROBE, count=1, timeout=1, privileged=privileged)
        except icmplib.SocketPermissionError:
            continue
        return ok("ICMP", f"permitted, by {kind} sockets")
    return warning(
        "ICMP",
        "not permitted: network:ping uses TCP instead. Give CAP_NET_RAW to the service, or widen "
        "net.ipv4.ping_group_range.",
    )


def check_nodes(settings: Settings) -> Iterator[Check]:
    """Say how many node types there are, and what is wrong with those of others."""
    catalog = build_catalog(settings.nodes_path)
    yield ok("node types", f"{len(catalog)} in the catalogue")
    for problem in catalog.problems:
        yield failed("node types", f"{problem.source}: {problem.message}")


async def check_postgresql() -> Check:
    """Say which PostgreSQL answers, and how far its clock is from ours."""
    before = time.time()
    row = await database.fetch_one("SELECT current_setting('server_version_num')::int AS number, "
                                   "current_setting('server_version') AS name, clock_timestamp() AS at")  # fmt: skip
    if row is None or row["number"] < LEAST_POSTGRESQL:
        return failed("PostgreSQL", f"version {row and row['name']}; 14 is the least. Upgrade the server.")
    skew_s = row["at"].timestamp() - (before + time.time()) / 2
    return _with_clock("PostgreSQL", f"version {row['name']}", skew_s)


async def check_migrations() -> Check:
    """Say whether the schema is this version's."""
    await migrations.require_current()
    return ok("migrations", f"current ({migrations.known()[-1]})")


async def check_credentials() -> Check:
    """Say whether the newest and the oldest credential open with the keys there are; opening them is audited."""
    opened = 0
    active = CredentialFilter(status="active")
    for sort in ("-created_at", "created_at"):
        page = await credentials.list_credentials(active, PageRequest(limit=1, sort=sort))
        for credential in page.items:
            try:
                await open_credential(credential["id"], Use(actor=SYSTEM, details={"reason": "doctor"}))
            except NoLoginError as error:
                return failed("credentials", error.message)
            opened += 1
    return ok("credentials", "the newest and the oldest open" if opened else "there are none yet")


async def check_redis(settings: Settings) -> list[Check]:
    """Say which Redis answers, how far its clock is from ours, and which workers were heard from."""
    with connect(settings.require_redis()) as redis:
        try:
            return [_redis_version(redis), _workers(await list_workers(redis))]
        except RedisError as error:
            return [failed("Redis", f"cannot be used: {error}. Check REDIS_HOST, REDIS_PORT and REDIS_PASSWORD.")]


def _redis_version(redis: Redis) -> Check:
    server: dict[str, Any] = redis.info("server")
    valkey = server.get("valkey_version")
    name, found = ("Valkey", valkey) if valkey else ("Redis", server["redis_version"])
    least = LEAST_VALKEY if valkey else LEAST_REDIS
    if tuple(int(part) for part in str(found).split(".")[:2]) < least:
        return failed("Redis", f"{name} {found}; {'.'.join(map(str, least))} is the least. Upgrade the server.")
    at_s, at_us = redis.time()
    return _with_clock("Redis", f"{name} {found}", at_s + at_us / 1e6 - datetime.now(UTC).timestamp())


def _workers(workers: list[dict[str, Any]]) -> Check:
    if not workers:
        return warning("workers", "none was heard from; start one with `opsconductor worker`, or `opsconductor up`")
    return ok("workers", f"{len(workers)} heard from")


def _with_clock(name: str, detail: str, skew_s: float) -> Check:
    if abs(skew_s) > MOST_SKEW_S:
        return warning(name, f"{detail}; its clock is {skew_s:+.1f} s from ours, and leases rely on clocks. Use NTP.")
    return ok(name, detail)


def _is_ours(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.api_host, settings.api_host)  # noqa: S104 — compared with
    scheme = "https" if settings.api_tls_cert else "http"
    try:
        answer = httpx.get(f"{scheme}://{host}:{settings.api_port}/", verify=False, trust_env=False, timeout=2)  # noqa: S501 — nothing secret is sent
        return bool(answer.json()["data"]["name"] == "OpsConductor")
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False
