"""Where the service is and where the command line keeps its logins, as the environment says."""

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from app.core.errors import ConfigurationError
from app.core.settings import read_environment

DEFAULT_URL = "http://127.0.0.1:5000"
APPLICATION = "opsconductor"


def service_url() -> str:
    """Return the service's URL without a slash at its end; raises ConfigurationError for what is no URL."""
    url = read_environment().get("OPSCONDUCTOR_URL") or DEFAULT_URL
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(f"OPSCONDUCTOR_URL is {url!r}, which is no URL such as {DEFAULT_URL}. Correct it.")
    return url.rstrip("/")


def given_token() -> str | None:
    """Return the token that the environment gives, if it gives one."""
    return read_environment().get("OPSCONDUCTOR_TOKEN") or None


def login_file() -> Path:
    """Return the file that holds this user's logins."""
    environment = read_environment()
    configured = environment.get("XDG_CONFIG_HOME") or ""
    base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return base / APPLICATION / "logins.json"


def is_loopback(url: str) -> bool:
    """Say whether a URL leads to this machine, past any proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
