"""The stage the demo plays on: a state folder of its own, simulated devices, a receiver, the service, an admin."""

import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cli.client import Api
from app.cli.logins import GivenToken
from app.cli.ports import listen_near
from app.cli.signals import StopSignals
from app.cli.stack import Stack, StackPlan
from app.core.embedded import erase_embedded
from app.core.embedded.files import open_state_folder
from app.core.settings import load_settings
from app.demo.network.fleet import DemoDevice, demo_fleet
from app.demo.network.launch import network_process
from app.demo.network.spec_file import NetworkSpec
from app.demo.receiver import Receiver, receiving
from app.demo.seed import with_passwords

HOST = "127.0.0.1"
ADMIN = "admin"
SECRET_BYTES = 18
OF_THE_INSTALLATION = (
    "DATABASE_URL", "PG_HOST", "REDIS_URL", "REDIS_HOST", "SECRET_KEY", "CREDENTIAL_MASTER_KEY",
    "CREDENTIAL_RETIRED_KEYS", "API_TLS_CERT", "API_TLS_KEY", "TRUSTED_PROXIES", "CORS_ORIGINS", "METRICS_NETWORKS",
)  # fmt: skip
"""What a real installation may have set, and what the demo has nothing to do with."""

IN_A_HURRY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Settings of a PostgreSQL whose content is thrown away."""

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that runs for the demo."""

    stack: Stack
    fleet: list[DemoDevice]
    ports: Mapping[str, int]
    receiver: Receiver
    state: Path
    admin_password: str


@contextmanager
def demo_stage(environ: Mapping[str, str], signals: StopSignals, tell: Tell) -> Iterator[Stage]:
    """Set the stage, afresh, and leave nothing of it running; the logs stay in its state folder."""
    own = {**environ, **dict.fromkeys(OF_THE_INSTALLATION, "")}
    settings = load_settings(own)
    state = open_state_folder(open_state_folder(settings.state_dir) / "demo")
    erase_embedded(state)
    for log in state.glob("*.log"):
        log.unlink()
    try:
        with listen_near(HOST, settings.api_port) as listener:
            variables = {**own, **_variables(state, port=listener.getsockname()[1])}
            with _staged(variables, state, listener, signals, tell) as stage:
                yield stage
    finally:
        erase_embedded(state)


def _variables(state: Path, *, port: int) -> dict[str, str]:
    return {
        "OPSCONDUCTOR_STATE_DIR": str(state),
        "API_HOST": HOST,
        "API_PORT": str(port),
        "OUTBOUND_ALLOW": HOST,
        "WORKERS": "2",
    }


@contextmanager
def _staged(
    variables: Mapping[str, str], state: Path, listener: socket.socket, signals: StopSignals, tell: Tell
) -> Iterator[Stage]:
    password, enable_secret, admin_password = (secrets.token_urlsafe(SECRET_BYTES) for _ in range(3))
    fleet = with_passwords(demo_fleet(), password=password, enable_secret=enable_secret)
    spec = NetworkSpec(devices=tuple(one.device for one in fleet), host_key_path=state / "ssh_host_key")
    plan = StackPlan(
        environ=variables,
        listener=listener,
        log_folder=state,
        postgres_settings=IN_A_HURRY,
        first_command=("user", "create-admin", "--username", ADMIN),
        first_environ={"OPSCONDUCTOR_ADMIN_PASSWORD": admin_password},
    )
    clock = Clock(tell)
    with network_process(spec, state / "network.json") as ports, receiving() as receiver:
        clock.tell(f"{len(fleet)} simulated devices answer to SSH on {HOST}, ports {min(ports.values())} and up")
        with Stack(plan, signals) as stack:
            clock.tell(f"PostgreSQL, Valkey, the API and {variables['WORKERS']} workers run, reachable on {HOST} only")
            yield Stage(
                stack=stack, fleet=fleet, ports=ports, receiver=receiver, state=state, admin_password=admin_password
            )


def log_in(stage: Stage) -> Api:
    """Log in as the admin, as any client would, and return the client."""
    body = {"username": ADMIN, "password": stage.admin_password}
    with Api(stage.stack.url, GivenToken()) as nobody:
        tokens = nobody.post("/identity/v1/auth/login", body)
    return Api(stage.stack.url, GivenToken(tokens["access_token"]))


class Clock:
    """Tells what has been reached, and how long after the beginning."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._begin = time.monotonic()

    def tell(self, what: str) -> None:
        """Tell a line."""
        self._tell(f"{time.monotonic() - self._begin:5.1f} s  {what}")
