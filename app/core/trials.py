"""How the logins of credentials fare on devices, counted in Redis for all processes.

One that was let in somewhere is proven for an hour. One that is not is tried in three places at once at most, and
where three different devices refuse it, nowhere any more. A proven one that three devices refuse with no success in
between is proven no longer.
"""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError

from app.core.logging import get_logger
from tasks.sessions.logins import Login
from tasks.sessions.pacing import Answer, Outcome

PREFIX = "opsconductor:trials:"
MOST = 3
PROVEN_S, REMEMBERED_S = 3600, 7 * 24 * 3600
TRIAL_S = 60
"""After so long a trial that nobody has ended is taken for over."""
BELIEVED_S = 5.0
"""How long a process believes that a credential is proven without asking again."""
AWAY_S = 1.0

log = get_logger(__name__)

_BEGIN = """
local key, token, most, trial_s = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = tonumber(redis.call('TIME')[1])
if redis.call('EXISTS', key .. ':proven') == 1 then return 'proven' end
local refusals = redis.call('SCARD', key .. ':refusals')
if refusals >= most then return 'stopped' end
redis.call('ZREMRANGEBYSCORE', key .. ':running', '-inf', now - trial_s)
if redis.call('ZCARD', key .. ':running') + refusals >= most then return 'wait' end
redis.call('ZADD', key .. ':running', now, token)
redis.call('EXPIRE', key .. ':running', 2 * trial_s)
return 'go'
"""

_END = """
local key, token, device, outcome = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local most, proven_s, remembered_s = tonumber(ARGV[4]), ARGV[5], ARGV[6]
redis.call('ZREM', key .. ':running', token)
if outcome == 'accepted' then
    redis.call('SET', key .. ':proven', '1', 'EX', proven_s)
    redis.call('DEL', key .. ':refusals', key .. ':doubts')
elseif outcome == 'refused' and redis.call('EXISTS', key .. ':proven') == 1 then
    redis.call('SADD', key .. ':doubts', device)
    redis.call('EXPIRE', key .. ':doubts', proven_s)
    if redis.call('SCARD', key .. ':doubts') >= most then
        redis.call('DEL', key .. ':proven', key .. ':doubts')
        return 'doubted'
    end
elseif outcome == 'refused' then
    redis.call('SADD', key .. ':refusals', device)
    redis.call('EXPIRE', key .. ':refusals', remembered_s)
    if redis.call('SCARD', key .. ':refusals') >= most then return 'stopped' end
end
return 'ok'
"""


class RedisTrials:
    """Keeps count in Redis; where that is away, a login is tried as if it were proven, rather than not at all.

    ``on_stopped`` is called once a credential is to be tried nowhere any more, with its id, version and name.
    """

    def __init__(self, redis: Redis, on_stopped: Callable[[str, int, str], None]) -> None:
        self._begin = redis.register_script(_BEGIN)
        self._end = redis.register_script(_END)
        self._on_stopped = on_stopped
        self._proven: dict[str, float] = {}
        self._told: set[str] = set()
        self._tokens: dict[tuple[str, str], str] = {}
        self._away_until = 0.0
        self._lock = threading.Lock()

    def begin(self, login: Login, device: str) -> Answer:
        """Say whether to try a login on a device now, or to ask again; raises LookupError, which says why never."""
        key, now = _key(login.credential_id, login.version), time.monotonic()
        if now - self._proven.get(key, float("-inf")) < BELIEVED_S or now < self._away_until:
            return "go"
        token = uuid4().hex
        answer = self._call(self._begin, key, token, MOST, TRIAL_S)
        if answer == "stopped":
            self._tell(login)
            raise LookupError(reason_of(login.credential_name))
        if answer == "wait":
            return "wait"
        with self._lock:
            if answer == "proven":
                self._proven[key] = now
            else:
                self._tokens[key, device] = token
        return "go"

    def end(self, login: Login, device: str, outcome: Outcome) -> None:
        """Take note of how a login that was tried has fared; of a proven one's success only now and then."""
        key = _key(login.credential_id, login.version)
        with self._lock:
            token = self._tokens.pop((key, device), "")
            is_known = time.monotonic() - self._proven.get(key, float("-inf")) < BELIEVED_S
            if outcome == "accepted" and not token and is_known:
                return
            if outcome == "accepted":
                self._proven[key] = time.monotonic()
        told = self._call(self._end, key, token, device, outcome, MOST, PROVEN_S, REMEMBERED_S)
        if told in {"doubted", "stopped"}:
            with self._lock:
                self._proven.pop(key, None)
        if told == "stopped":
            self._tell(login)

    def _tell(self, login: Login) -> None:
        key = _key(login.credential_id, login.version)
        with self._lock:
            is_told = key in self._told
            self._told.add(key)
        if not is_told:
            self._on_stopped(login.credential_id, login.version, login.credential_name)

    def _call(self, script: Any, key: str, *arguments: Any) -> str:
        try:
            return str(script(keys=[key], args=list(arguments)).decode())
        except RedisError as error:
            log.warning("logins are not counted: Redis is away", error=str(error))
            self._away_until = time.monotonic() + AWAY_S
            return "away"


def forget(redis: Redis, credential_id: str, version: int) -> None:
    """Forget how a credential has fared, so that it is tried again."""
    key = _key(credential_id, version)
    redis.delete(*(f"{key}:{kind}" for kind in ("proven", "refusals", "doubts", "running")))


def reason_of(name: str) -> str:
    """Return why a credential is tried nowhere any more."""
    return (
        f"{MOST} devices refused {name} and none let it in, so it is not tried on others. "
        "Correct its secret, or unblock it."
    )


def _key(credential_id: str, version: int) -> str:
    return f"{PREFIX}{credential_id}:{version}"
