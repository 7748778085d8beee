"""Configuration: one frozen Settings object read from the environment and `.env`, every fault reported at once."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from dotenv import dotenv_values

from app.core.crypto import Keyring, decode_key
from app.core.errors import ConfigurationError

T = TypeVar("T")
Network = IPv4Network | IPv6Network
SECRET_KEY_MIN_CHARS = 32
LARGEST_COUNT = 1_000_000
HOST_KEY_POLICIES = ("tofu", "strict", "off")
SSH_TRANSPORTS = ("auto", "paramiko", "ssh2")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, kw_only=True)
class PostgresSettings:
    """How to reach PostgreSQL; ``host`` may be the folder of a UNIX socket."""

    host: str
    port: int = 5432
    database: str = "opsconductor"
    user: str = "opsconductor"
    password: str = field(default="", repr=False)
    sslmode: str = "prefer"

    def connect_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of ``asyncpg.connect``."""
        arguments = {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.user,
            "password": self.password,
        }
        return arguments if self.host.startswith("/") else {**arguments, "ssl": self.sslmode}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything the environment may say; the names in it are these in capitals."""

    postgres: PostgresSettings | None = None
    redis_url: str | None = field(default=None, repr=False)
    api_host: str = "127.0.0.1"
    api_port: int = 5000
    api_debug: bool = False
    api_tls_cert: Path | None = None
    api_tls_key: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    log_level: str = "INFO"
    log_format: str = "console"
    secret_key: str | None = field(default=None, repr=False)
    credential_master_key: bytes | None = field(default=None, repr=False)
    credential_retired_keys: tuple[bytes, ...] = field(default=(), repr=False)
    outbound_allow: tuple[str, ...] = ()
    host_keys: str = "tofu"
    ssh_transport: str = "auto"
    artifact_file_bytes: int = 64 * 1024 * 1024
    artifact_execution_bytes: int = 512 * 1024 * 1024
    metrics_networks: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    cors_origins: tuple[str, ...] = ()
    workers: int = field(default_factory=lambda: max(2, 2 * (os.cpu_count() or 1)))
    workers_max: int | None = None
    session_idle_s: int = 60
    nodes_path: Path | None = None
    execution_retention_days: int = 0
    execution_retention_count: int = 0
    state_dir: Path = field(default_factory=lambda: Path.home() / ".local" / "state" / "opsconductor")
    embedded_os_user: str | None = None

    def require_postgres(self) -> PostgresSettings:
        """Return how to reach PostgreSQL; raises ConfigurationError when nothing was said."""
        if self.postgres is None:
            raise ConfigurationError(
                "No PostgreSQL is configured. Set PG_HOST or DATABASE_URL, "
                "or start everything with `opsconductor up`, which brings its own."
            )
        return self.postgres

    def require_redis(self) -> str:
        """Return Redis' URL; raises ConfigurationError when nothing was said."""
        if self.redis_url is None:
            raise ConfigurationError(
                "No Redis is configured. Set REDIS_HOST or REDIS_URL, "
                "or start everything with `opsconductor up`, which brings its own."
            )
        return self.redis_url

    def require_secret_key(self) -> str:
        """Return the key that signs cursors, CSRF and challenge tokens."""
        if self.secret_key is None:
            raise ConfigurationError(
                f"SECRET_KEY is not set. Set it to at least {SECRET_KEY_MIN_CHARS} random characters, "
                'for example from `python -c "import secrets; print(secrets.token_urlsafe(48))"`.'
            )
        return self.secret_key

    def require_keyring(self) -> Keyring:
        """Return the vault's keys; raises ConfigurationError without CREDENTIAL_MASTER_KEY."""
        if self.credential_master_key is None:
            raise ConfigurationError(
                "CREDENTIAL_MASTER_KEY is not set, and the vault never invents one. "
                "Make one with `opsconductor vault generate-key` and keep it safe: without it no credential opens."
            )
        return Keyring(self.credential_master_key, self.credential_retired_keys)


def read_environment(dotenv: Path = Path(".env")) -> dict[str, str]:
    """Return the environment over what `.env` says."""
    from_file = {key: value for key, value in dotenv_values(dotenv).items() if value is not None}
    return {**from_file, **os.environ}


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check all settings; raises ConfigurationError listing every fault at once."""
    reader = _Reader(read_environment() if environ is None else environ)
    values: dict[str, Any] = {
        "postgres": _postgres(reader),
        "redis_url": _redis_url(reader),
        "api_host": reader.text("API_HOST"),
        "api_port": reader.read("API_PORT", _port),
        "api_debug": reader.read("API_DEBUG", _boolean),
        "api_tls_cert": reader.read("API_TLS_CERT", _existing_file),
        "api_tls_key": reader.read("API_TLS_KEY", _existing_file),
        "trusted_proxies": reader.read("TRUSTED_PROXIES", _networks),
        "log_level": reader.read("LOG_LEVEL", _one_of(LOG_LEVELS)),
        "log_format": reader.read("LOG_FORMAT", _one_of(("console", "json"))),
        "secret_key": reader.read("SECRET_KEY", _secret_key),
        "credential_master_key": reader.read("CREDENTIAL_MASTER_KEY", _master_key),
        "credential_retired_keys": reader.read("CREDENTIAL_RETIRED_KEYS", _retired_keys),
        "outbound_allow": reader.read("OUTBOUND_ALLOW", _words),
        "host_keys": reader.read("HOST_KEYS", _one_of(HOST_KEY_POLICIES)),
        "ssh_transport": reader.read("SSH_TRANSPORT", _one_of(SSH_TRANSPORTS)),
        "artifact_file_bytes": reader.read("ARTIFACT_FILE_BYTES", _positive),
        "artifact_execution_bytes": reader.read("ARTIFACT_EXECUTION_BYTES", _positive),
        "metrics_networks": reader.read("METRICS_NETWORKS", _networks),
        "cors_origins": reader.read("CORS_ORIGINS", _words),
        "workers": reader.read("WORKERS", _positive),
        "workers_max": reader.read("WORKERS_MAX", _positive),
        "session_idle_s": reader.read("SESSION_IDLE_S", _positive),
        "nodes_path": reader.read("OPSCONDUCTOR_NODES_PATH", _existing_folder),
        "execution_retention_days": reader.read("EXECUTION_RETENTION_DAYS", _count),
        "execution_retention_count": reader.read("EXECUTION_RETENTION_COUNT", _count),
        "state_dir": reader.read("OPSCONDUCTOR_STATE_DIR", lambda text: Path(text).expanduser().absolute()),
        "embedded_os_user": reader.text("OPSCONDUCTOR_OS_USER"),
    }
    reader.raise_faults()
    return Settings(**{name: value for name, value in values.items() if value is not None})


class _Reader:
    """Reads one variable at a time and keeps what was wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[dict[str, str]] = []

    def text(self, name: str) -> str | None:
        return self.environ.get(name) or None

    def read(self, name: str, convert: Callable[[str], T]) -> T | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return convert(text)
        except (ValueError, ConfigurationError) as error:
            self.faults.append({"field": name, "message": str(error)})
            return None

    def raise_faults(self) -> None:
        if self.faults:
            lines = "\n".join(f"  {fault['field']}: {fault['message']}" for fault in self.faults)
            raise ConfigurationError(
                f"The configuration has {len(self.faults)} fault(s):\n{lines}", details=self.faults
            )


def _postgres(reader: _Reader) -> PostgresSettings | None:
    url = reader.text("DATABASE_URL")
    if url is not None:
        return reader.read("DATABASE_URL", _postgres_from_url)
    host = reader.text("PG_HOST")
    if host is None:
        return None
    return PostgresSettings(
        host=host,
        port=reader.read("PG_PORT", _port) or 5432,
        database=reader.text("PG_DATABASE") or "opsconductor",
        user=reader.text("PG_USER") or "opsconductor",
        password=reader.text("PG_PASSWORD") or "",
        sslmode=reader.read(
            "PG_SSLMODE", _one_of(("disable", "allow", "prefer", "require", "verify-ca", "verify-full"))
        )
        or "prefer",
    )


def _postgres_from_url(url: str) -> PostgresSettings:
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.hostname:
        raise ValueError("expected postgresql://user:password@host:port/database")
    query = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    return PostgresSettings(
        host=parts.hostname,
        port=parts.port or 5432,
        database=parts.path.lstrip("/") or "opsconductor",
        user=unquote(parts.username or "opsconductor"),
        password=unquote(parts.password or ""),
        sslmode=query.get("sslmode", "prefer"),
    )


def _redis_url(reader: _Reader) -> str | None:
    url = reader.text("REDIS_URL")
    if url is not None:
        return reader.read("REDIS_URL", _checked_redis_url)
    host = reader.text("REDIS_HOST")
    if host is None:
        return None
    scheme = "rediss" if reader.read("REDIS_TLS", _boolean) else "redis"
    password = reader.text("REDIS_PASSWORD")
    port = reader.read("REDIS_PORT", _port) or 6379
    login = f":{quote(password, safe='')}@" if password else ""
    return f"{scheme}://{login}{host}:{port}/0"


def _checked_redis_url(url: str) -> str:
    if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("expected redis://, rediss:// or unix://")
    return url


def _boolean(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError(f"{text!r} is neither true nor false")
    return words[text.lower()]


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:  # noqa: PLR2004 — the range of a TCP port
        raise ValueError(f"{text!r} is not a port between 1 and 65535")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"{text!r} is not a whole number above 0")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_COUNT:
        raise ValueError(f"{text!r} is not a whole number from 0, which is no limit, to {LARGEST_COUNT}")
    return int(text)


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def choose(text: str) -> str:
        for choice in choices:
            if choice.lower() == text.lower():
                return choice
        raise ValueError(f"{text!r} is not one of {', '.join(choices)}")

    return choose


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(word, strict=False) for word in _words(text))


def _existing_file(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise ValueError(f"there is no file {text}")
    return path


def _existing_folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise ValueError(f"there is no folder {text}")
    return path


def _secret_key(text: str) -> str:
    if len(text) < SECRET_KEY_MIN_CHARS:
        raise ValueError(f"it has {len(text)} characters; {SECRET_KEY_MIN_CHARS} random ones are the least")
    return text


def _master_key(text: str) -> bytes:
    return decode_key(text, setting="the key")


def _retired_keys(text: str) -> tuple[bytes, ...]:
    return tuple(decode_key(word, setting="a retired key") for word in _words(text))
