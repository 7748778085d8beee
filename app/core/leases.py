"""Leases of sessions in Redis: how many are open to a device in all processes, who holds them, and who waits.

Every process that holds any is an owner, known by its generation; what it holds is void once it was not heard from
for ``OWNER_TTL_S``, or when its worker frees it. Redis holds no secrets here, and may lose everything: the owners
notice, tell it what they hold, and nobody is granted anything new for a while.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.core.leasing_scripts import ASK, DROP, FREE, LIST, RENEW, SYNC
from app.core.logging import get_logger
from tasks import sessions
from tasks.context import SessionTimeouts
from tasks.sessions.leases import Lease, Waiting

PREFIX = "opsconductor:sessions:"
OWNER_TTL_S = 15.0
TICKET_TTL_S = 3.0
"""Who waits and does not ask for so long is taken for dead."""
SETTLE_S = 1.5
"""How long nothing is granted by a Redis that knows nothing yet: holders there may be tell it within this time."""
RENEW_EVERY_S = 1.0
NUDGE_EVERY_S = 0.5
AWAY_S = 1.0
"""How long Redis is not asked again after it did not answer."""
ANSWER_S = 2.0
IDLE_S = 60.0
YOUNG_MS = 5000
"""A lease so young may have been granted while the ledger was being put right; it is looked at once more later."""

log = get_logger(__name__)


class RedisLeases:
    """This process' leases in the common ledger; where that is away, work goes on without it."""

    def __init__(self, redis_url: str, generation: str, *, settle_s: float | None = None) -> None:
        self._redis = connect_briefly(redis_url)
        self._owner = generation
        self._scripts = {name: self._redis.register_script(text) for name, text in _SCRIPTS.items()}
        self._settle_s = SETTLE_S if settle_s is None else settle_s
        self._held: dict[str, Lease] = {}
        self._told: dict[str, bytes] = {}
        self._nudged: dict[str, float] = {}
        self._epoch = ""
        self._is_in_step = True
        """Whether Redis knows of everything that is held here, and of nothing else."""
        self._sync_again_at = float("inf")
        self._away_until = 0.0
        self._renew_at = 0.0
        self._lock = threading.Lock()
        self._in_turn = threading.Lock()
        """Held while Redis is told what is held here, so that nothing is given back meanwhile."""

    def greet(self) -> None:
        """Learn the ledger's epoch, and begin one that has none: so it has settled when the first lease is wanted."""
        self._call("renew")

    def ask(self, lease: Lease) -> Waiting | None:
        """Take a lease, or keep one's place in the queue for it; without Redis, take it."""
        now = time.monotonic()
        nudges = now - self._nudged.get(lease.id, float("-inf")) >= NUDGE_EVERY_S
        is_first = lease.id not in self._nudged
        answer = self._call(
            "ask",
            lease.device,
            lease.id,
            _record(lease),
            lease.most,
            "first" if is_first else "again" if nudges else "",
        )
        if answer is not None and answer[0] == b"wait":
            if nudges:
                self._nudged[lease.id] = now
            return Waiting([_words(msgspec.json.decode(one)) for one in answer[3:]], int(answer[2]))
        lease.since = time.time()
        with self._lock:
            self._held[lease.id] = lease
            self._told[lease.id] = _state(lease)
            self._nudged.pop(lease.id, None)
        return None

    def drop(self, lease: Lease) -> None:
        """Give a lease back, or one's place in the queue."""
        with self._lock:
            self._held.pop(lease.id, None)
            self._told.pop(lease.id, None)
            self._nudged.pop(lease.id, None)
        with self._in_turn:
            self._call("drop", lease.device, lease.id)

    def attend(self, seconds: float) -> Sequence[str]:
        """Renew what is held when it is time, and listen for devices whose sessions others wait for."""
        now = time.monotonic()
        if not self._is_in_step or now >= self._sync_again_at or (self._held and now >= self._renew_at):
            self._renew_at = now + RENEW_EVERY_S
            self._renew()
        if time.monotonic() < self._away_until:
            time.sleep(seconds)
            return ()
        try:
            wanted: Any = self._redis.blpop([f"{PREFIX}wanted:{self._owner}"], seconds)
        except RedisError as error:
            self._note_away(error)
            return ()
        return () if wanted is None else (wanted[1].decode(),)

    def end(self) -> None:
        """Give everything back."""
        with self._lock:
            self._held.clear()
            self._told.clear()
        with self._in_turn:
            self._call("free")

    def close(self) -> None:
        """Close the connections to Redis; what is held stays so, until nothing was heard for a while."""
        self._redis.close()

    def _renew(self) -> None:
        with self._in_turn:
            with self._lock:
                states = {id_: _state(lease) for id_, lease in self._held.items()}
                news = [lease for id_, lease in self._held.items() if self._told.get(id_) != states[id_]]
                everything = list(self._held.values())
            if time.monotonic() >= self._sync_again_at:
                self._is_in_step, self._sync_again_at = False, float("inf")
            if self._is_in_step:
                changed = [part for lease in news for part in (lease.device, lease.id, _record(lease))]
                self._call("renew", *changed)
            if not self._is_in_step:
                told = [part for lease in everything for part in (lease.device, lease.id, _record(lease))]
                self._is_in_step = self._call("sync", YOUNG_MS, *told) is not None
                self._sync_again_at = time.monotonic() + 2 * YOUNG_MS / 1000
            if self._is_in_step:
                with self._lock:
                    self._told.update({id_: state for id_, state in states.items() if id_ in self._held})

    def _call(self, name: str, *arguments: Any) -> list[Any] | None:
        """Run a script; None where Redis is away. Each answer tells the epoch: another one means that data was lost."""
        if time.monotonic() < self._away_until:
            self._is_in_step = False
            return None
        common = _common(self._owner, self._settle_s, self._epoch)
        try:
            answer: list[Any] = self._scripts[name](args=[*common, *arguments])
        except RedisError as error:
            self._note_away(error)
            return None
        epoch = answer[1].decode()
        if self._epoch not in {"", epoch} and name != "sync":
            self._is_in_step = False
        self._epoch = epoch
        return answer

    def _note_away(self, error: RedisError) -> None:
        if self._is_in_step:
            log.warning("sessions are limited in this process alone: Redis is away", error=str(error))
        self._is_in_step = False
        self._away_until = time.monotonic() + AWAY_S


_SCRIPTS = {"ask": ASK, "drop": DROP, "renew": RENEW, "sync": SYNC, "free": FREE}


def connect_briefly(redis_url: str) -> Redis:
    """Return a client for what can be done without Redis: it gives up soon where that is away."""
    return Redis.from_url(
        redis_url,
        socket_connect_timeout=ANSWER_S,
        socket_timeout=ANSWER_S,
        retry=Retry(NoBackoff(), 1),
        driver_info=None,
    )


def begin(redis_url: str, generation: str, *, idle_s: float = IDLE_S) -> None:
    """Have this process' sessions share the devices' limits with all others', as a generation of its own.

    Belongs into the process itself, after its fork. Idle sessions are closed after ``idle_s`` seconds.
    """
    ledger = RedisLeases(redis_url, generation)
    ledger.greet()
    sessions.begin(ledger, SessionTimeouts(idle_s=idle_s))


def free(redis: Redis, generation: str) -> None:
    """Give back all that a generation held or waited for; called for a process that has died."""
    redis.eval(FREE, 0, *_common(generation))


def list_devices(redis: Redis, after: str, limit: int) -> tuple[int, list[Mapping[str, Any]]]:
    """Return how many devices there are in the ledger, and those behind a device's key, with holders and waiters."""
    answer: Any = redis.eval(LIST, 0, *_common(""), after, str(limit))
    return int(answer[0]), [msgspec.json.decode(device) for device in answer[1:]]


def _common(owner: str, settle_s: float = SETTLE_S, epoch: str = "") -> list[str]:
    """Return the arguments that every script takes."""
    durations = (str(round(seconds * 1000)) for seconds in (OWNER_TTL_S, TICKET_TTL_S, settle_s))
    return [PREFIX, owner, *durations, epoch]


def _record(lease: Lease) -> bytes:
    return msgspec.json.encode(
        {
            "name": lease.name,
            "most": lease.most,
            "since": lease.since,
            "idle": lease.is_idle,
            "execution": lease.occupant.execution,
            "node": lease.occupant.node_id,
        }
    )


def _state(lease: Lease) -> bytes:
    return f"{lease.is_idle}{lease.occupant}".encode()


def _words(holder: Mapping[str, Any]) -> str:
    if holder["idle"]:
        return "an idle session that is being closed"
    if not holder["execution"]:
        return f"the process {holder['owner']}"
    return f"execution {holder['execution']} (node {holder['node']})"
