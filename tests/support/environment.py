"""The environment the tests run in: nothing of the caller's own databases, keys made up for the run."""

import os

from app.core.crypto import generate_key
from app.core.embedded import PostgresAddress

SILENCED = (
    "DATABASE_URL",
    "PG_HOST",
    "PG_PASSWORD",
    "REDIS_URL",
    "REDIS_HOST",
    "TRUSTED_PROXIES",
    "CORS_ORIGINS",
    "METRICS_NETWORKS",
    "CREDENTIAL_RETIRED_KEYS",
    "OPSCONDUCTOR_NODES_PATH",
    "OPSCONDUCTOR_URL",
    "OPSCONDUCTOR_TOKEN",
)
"""Set to nothing rather than removed: so they win over a `.env` file."""


def isolate() -> None:
    """Hide the caller's services and keys from this process and its children."""
    os.environ.update(dict.fromkeys(SILENCED, ""))
    os.environ["LOG_LEVEL"] = "WARNING"
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0" * 32)
    os.environ.setdefault("CREDENTIAL_MASTER_KEY", generate_key())


def point_to(address: PostgresAddress, *, database: str, redis_url: str, state_dir: str) -> None:
    """Name the servers and the database that this process is to use."""
    os.environ.update(
        PG_HOST=address.host,
        PG_PORT=str(address.port),
        PG_USER=address.user,
        PG_PASSWORD=address.password,
        PG_DATABASE=database,
        REDIS_URL=redis_url,
        OPSCONDUCTOR_STATE_DIR=state_dir,
    )
