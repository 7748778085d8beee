"""The product as `opsconductor up` runs it, with what systemd would add: `up` itself is started again when it ends."""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.cli.children import own_command
from app.core.embedded import erase_embedded
from tests.bench.stack import HOST, apart
from tests.support.placement import REPOSITORY

ADMIN = "chaos"
ANSWER_WITHIN_S = 10.0
LOOK_EVERY_S = 0.1
START_WITHIN_S = 120.0
STOP_WITHIN_S = 120.0


class Product:
    """A running product that survives the death of any of its parts, and a client that waits for it."""

    def __init__(self, state: Path, log: Path, workers: int, more: Mapping[str, str]) -> None:
        self._environ = {**apart(state, workers), **more}
        self._log = log
        self._password = secrets.token_urlsafe()
        self._process: subprocess.Popen[bytes] | None = None
        url = f"http://{HOST}:{self._environ['API_PORT']}"
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=ANSWER_WITHIN_S)
        self.starts = 0

    @property
    def up(self) -> psutil.Process:
        """The process of `opsconductor up`."""
        if self._process is None:
            raise RuntimeError("the product was not started")
        return psutil.Process(self._process.pid)

    def keep_alive(self) -> None:
        """Start `up`, or start it again when it has ended."""
        if self._process is None or self._process.poll() is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    own_command("up", "--json"), env=self._environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            self.starts += 1

    def make_admin(self) -> None:
        """Make the administrator that the client logs in as, and log in."""
        subprocess.run(
            own_command("user", "create-admin", "--username", ADMIN),
            env={**self._environ, "OPSCONDUCTOR_ADMIN_PASSWORD": self._password},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        self._log_in()

    def is_ready(self) -> bool:
        """Say whether the API answers that everything it needs is there."""
        self.keep_alive()
        try:
            return self.client.get("/ready").is_success
        except httpx.TransportError:
            return False

    def await_ready(self, within_s: float = START_WITHIN_S) -> None:
        """Wait until the product takes work; raises when that takes too long."""
        self._wait(self.is_ready, within_s, "it is not ready")

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Ask the API until it answers, whatever is dead meanwhile, and return the envelope's ``data``.

        A start is asked for with an idempotency key, so that asking again starts nothing twice.
        """
        headers = {"Idempotency-Key": secrets.token_hex(16)} if method == "POST" else {}
        answers: list[httpx.Response] = []

        def answered() -> bool:
            self.keep_alive()
            with contextlib.suppress(httpx.TransportError):
                answer = self.client.request(method, path, json=body, params=query, headers=headers)
                if answer.status_code == httpx.codes.UNAUTHORIZED:
                    self._log_in()
                elif answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    answers.append(answer)
            return bool(answers)

        self._wait(answered, START_WITHIN_S, f"{method} {path} is not answered")
        if not answers[0].is_success:
            raise RuntimeError(f"{method} {path} was answered {answers[0].status_code}: {answers[0].text}")
        return answers[0].json()["data"]

    def stop(self) -> None:
        """Have everything drain and end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(STOP_WITHIN_S)

    def _log_in(self) -> None:
        login = {"username": ADMIN, "password": self._password}
        answer = self.client.post("/identity/v1/auth/login", json=login)
        if answer.is_success:
            self.client.headers["Authorization"] = f"Bearer {answer.json()['data']['access_token']}"

    def _wait(self, holds: Callable[[], bool], within_s: float, otherwise: str) -> None:
        give_up_at = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"After {within_s:.0f} s {otherwise}. {self._log} may say why.")
            time.sleep(LOOK_EVERY_S)


@contextmanager
def running_product(state: Path, workers: int, log: Path, more: Mapping[str, str] = {}) -> Iterator[Product]:
    """Run the product on an empty state folder, and erase that folder's servers at the end."""
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    product = Product(state, log, workers, more)
    try:
        product.await_ready()
        product.make_admin()
        yield product
    finally:
        product.client.close()
        product.stop()
        erase_embedded(state)


def put_devices(product: Product, ports: Mapping[str, int], username: str, password: str) -> None:
    """Put simulated devices into the inventory, with the credential that opens them."""
    fields = {"username": username, "password": password}
    credential = {"name": "fleet", "credential_type": "ssh", "data": fields}
    made = product.ask("POST", "/credentials/v1/credentials", credential)
    common = {"address": HOST, "platform": "cisco_ios", "credential_ids": [made["id"]]}
    devices = [{"name": name, "port": port, **common} for name, port in ports.items()]
    product.ask("POST", "/inventory/v1/devices/bulk", {"devices": devices, "mode": "create", "atomic": True})


def log_of(name: str) -> Path:
    """Return where a run's product writes what it has to say."""
    return REPOSITORY / "build" / f"{name}.log"


def tell(text: str) -> None:
    """Tell whoever waits how far a run has come."""
    sys.stderr.write(f"{text}{os.linesep}")
    sys.stderr.flush()
